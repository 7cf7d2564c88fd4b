"""Names and shapes of GA4, Meta, Criteo and Microsoft pixels become the ones we store (GA4's)."""

from collections.abc import Mapping

from pixel.events import EventName

_META = {
    "PageView": EventName.PAGE_VIEW,
    "ViewContent": EventName.VIEW_ITEM,
    "AddToWishlist": EventName.ADD_TO_WISHLIST,
    "AddToCart": EventName.ADD_TO_CART,
    "InitiateCheckout": EventName.BEGIN_CHECKOUT,
    "AddPaymentInfo": EventName.ADD_PAYMENT_INFO,
    "Purchase": EventName.PURCHASE,
    "Search": EventName.SEARCH,
    "CompleteRegistration": EventName.SIGN_UP,
    "Lead": EventName.GENERATE_LEAD,
}
_CRITEO = {
    "viewPage": EventName.PAGE_VIEW,
    "viewHome": EventName.PAGE_VIEW,
    "viewList": EventName.VIEW_ITEM_LIST,
    "viewItem": EventName.VIEW_ITEM,
    "addToCart": EventName.ADD_TO_CART,
    "viewBasket": EventName.VIEW_CART,
    "beginCheckout": EventName.BEGIN_CHECKOUT,
    "addPaymentInfo": EventName.ADD_PAYMENT_INFO,
    "trackTransaction": EventName.PURCHASE,
    "login": EventName.LOGIN,
}
_MICROSOFT = {"ItemView": EventName.VIEW_ITEM}  # its other names are Meta's

EVENT_NAMES: dict[str, EventName] = {
    **_META,
    **_CRITEO,
    **_MICROSOFT,
    **{name.value: name for name in EventName},
}

# Where another pixel keeps what GA4 calls so. The first name that is present wins.
_FIELD_NAMES = {
    "name": ("event_name", "event"),
    "transaction_id": ("order_id",),
    "event_id": ("eventID", "eventId"),
    "url": ("event_source_url",),
    "value": ("revenue_value",),
}
_ITEM_NAMES: dict[str, tuple[str, ...]] = {"item_id": ("id",), "price": ("item_price",)}
_FOREIGN_ITEMS = ("contents", "item", "content_ids")
_FOREIGN_FIELDS = frozenset(
    [foreign for names in _FIELD_NAMES.values() for foreign in names] + [*_FOREIGN_ITEMS, "custom_data"]
)


def in_our_shape(record: Mapping[str, object]) -> Mapping[str, object]:
    """The event with GA4's field names; a record that already has them comes back untouched."""
    if _FOREIGN_FIELDS.isdisjoint(record):
        return record
    nested = record.get("custom_data")
    flat = {**nested, **record} if isinstance(nested, dict) else dict(record)
    renamed = _renamed(flat, _FIELD_NAMES)
    if renamed.get("name") == "trackTransaction" and "id" in renamed:
        renamed.setdefault("transaction_id", renamed["id"])  # elsewhere an `id` may be anything
    if "items" not in renamed:
        items = _items_of(renamed)
        if items is not None:
            renamed["items"] = items
    return renamed


def item_in_our_shape(item: Mapping[str, object]) -> Mapping[str, object]:
    return item if "item_id" in item else _renamed(item, _ITEM_NAMES)


def _renamed(record: Mapping[str, object], names: dict[str, tuple[str, ...]]) -> dict[str, object]:
    renamed = dict(record)
    for ours, theirs in names.items():
        for foreign in theirs:
            if foreign in renamed:
                renamed.setdefault(ours, renamed[foreign])
    return renamed


def _items_of(record: Mapping[str, object]) -> object:
    """Meta's `contents` or `content_ids`, Criteo's `item` (one id, ids, or objects) as a list of items."""
    given = next((record[field] for field in _FOREIGN_ITEMS if field in record), None)
    if given is None:
        return None
    listed = given if isinstance(given, list) else [given]
    return [part if isinstance(part, dict) else {"item_id": part} for part in listed]
