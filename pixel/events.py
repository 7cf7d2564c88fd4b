"""The event vocabulary: GA4's names, and the payload each event may carry."""

from enum import StrEnum

import msgspec

MAX_ITEMS = 200  # GA4's own limit for the items of one event


class EventName(StrEnum):
    PAGE_VIEW = "page_view"
    VIEW_ITEM_LIST = "view_item_list"
    SELECT_ITEM = "select_item"
    VIEW_ITEM = "view_item"
    ADD_TO_WISHLIST = "add_to_wishlist"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    VIEW_CART = "view_cart"
    BEGIN_CHECKOUT = "begin_checkout"
    ADD_SHIPPING_INFO = "add_shipping_info"
    ADD_PAYMENT_INFO = "add_payment_info"
    PURCHASE = "purchase"
    REFUND = "refund"
    SEARCH = "search"
    SIGN_UP = "sign_up"
    LOGIN = "login"
    GENERATE_LEAD = "generate_lead"
    VIEW_PROMOTION = "view_promotion"
    SELECT_PROMOTION = "select_promotion"
    FORM_START = "form_start"
    FORM_SUBMIT = "form_submit"
    FORM_ABANDON = "form_abandon"  # ours: the page was left with a form begun and not sent
    LANDED = "landed"  # ours: a click of an ad led to a page that ran the tag; once per click
    ENGAGED = "engaged"  # ours: who landed stayed ten seconds or turned to a second page; no bounce


class Flaw(StrEnum):
    """Why an accepted event lost one of its fields; counted, never a reason to lose the event."""

    BAD_VALUE = "bad_value"
    BAD_PRICE = "bad_price"
    BAD_CURRENCY = "bad_currency"
    MISSING_CURRENCY = "missing_currency"  # an amount without a currency says nothing
    BAD_QUANTITY = "bad_quantity"
    BAD_ITEM_ID = "bad_item_id"  # that item is left out; an event without one good item is rejected
    BAD_EVENT_ID = "bad_event_id"
    BAD_TRANSACTION_ID = "bad_transaction_id"
    BAD_LEAD_ID = "bad_lead_id"
    BAD_CLICK_ID = "bad_click_id"
    BAD_URL = "bad_url"
    BAD_FORM_ID = "bad_form_id"
    BAD_FIELD_NAME = "bad_field_name"  # that name is left out
    BAD_LANDING_MS = "bad_landing_ms"


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One product of an event; `price_micros` is per piece, in the event's currency."""

    item_id: str
    quantity: int = 1
    price_micros: int | None = None


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One thing a visitor did on a merchant's page; every field passed its grammar.

    `value_micros` is None when absent or unusable; `flaws` then names why, so that an event with a
    bad price is kept and counted, and never billed. `order_id` is GA4's `transaction_id`; `fields` are the
    names of a form's fields that were touched; `landing_ms` is how long the landing page took to run the tag.
    `coupons` are the codes that a purchase was made with.
    """

    name: EventName
    event_id: str | None = None
    items: tuple[Item, ...] = ()
    value_micros: int | None = None
    currency: str | None = None
    order_id: str | None = None
    lead_id: str | None = None
    click_id: str | None = None
    url: str | None = None
    flaws: tuple[str, ...] = ()
    form_id: str | None = None
    fields: tuple[str, ...] = ()
    landing_ms: int | None = None
    coupons: tuple[str, ...] = ()


class Family(StrEnum):
    """Whose rules a browser keeps cookies by: all that is kept of a user agent."""

    CHROME = "chrome"
    SAFARI = "safari"  # every browser on iOS too, whatever its name: Apple's rules hold for all of them
    FIREFOX = "firefox"
    EDGE = "edge"
    SAMSUNG_INTERNET = "samsung_internet"
    OPERA = "opera"
    IN_APP = "in_app"  # a page inside an app, such as Instagram's: its cookies are not the browser's
    OTHER = "other"


class Device(StrEnum):
    """What kind of machine a browser runs on, as far as it says."""

    DESKTOP = "desktop"
    MOBILE = "mobile"
    TABLET = "tablet"
    TV = "tv"


class Rejection(StrEnum):
    """Why a hit, or one event of it, was not stored. Each is counted under its name."""

    UNKNOWN_MERCHANT = "unknown_merchant"
    FOREIGN_ORIGIN = "foreign_origin"
    BODY_TOO_LARGE = "body_too_large"
    QUERY_TOO_LONG = "query_too_long"
    MALFORMED = "malformed"
    UNKNOWN_EVENT = "unknown_event"
    TOO_MANY_ITEMS = "too_many_items"
    TOO_MANY_EVENTS = "too_many_events"
    BAD_ITEM_ID = "bad_item_id"
    PERSONAL_DATA = "personal_data"
    ROBOT = "robot"
    PREFETCH = "prefetch"
    TOO_MANY = "too_many"  # of one visitor or network at once: a flood is counted, not kept
    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    PRIVACY_SIGNAL = "privacy_signal"
    KNOWN_CHILD = "known_child"
    UNKNOWN_VISITOR = "unknown_visitor"  # told by a server: nobody we know, or who was forgotten
    OCCURRED_AT_OUT_OF_RANGE = "occurred_at_out_of_range"
    UNRECORDED = "unrecorded"
