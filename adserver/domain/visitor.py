"""What is remembered of a visitor, and how each event folds into it."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum, StrEnum

import msgspec

from adserver.domain.burn import Kind
from adserver.domain.doings import Doing, Doings, Reaction, doing_of, noted, without_old
from adserver.domain.identity import product_key
from adserver.domain.pricing import AdEvent
from pixel.events import Event, EventName

DAY_MS = 86_400_000
INTEREST_RETENTION_MS = 30 * DAY_MS
PURCHASE_RETENTION_MS = 180 * DAY_MS
FORM_RETENTION_MS = 14 * DAY_MS
TOUCH_RETENTION_MS = 35 * DAY_MS

BOUGHT = frozenset({EventName.PURCHASE, EventName.REFUND, EventName.GENERATE_LEAD, EventName.SIGN_UP})
FORMS = frozenset({EventName.FORM_START, EventName.FORM_SUBMIT, EventName.FORM_ABANDON})
EVENT_RETENTION_MS = {
    **dict.fromkeys(EventName, INTEREST_RETENTION_MS),
    **dict.fromkeys(BOUGHT, PURCHASE_RETENTION_MS),
    **dict.fromkeys(FORMS, FORM_RETENTION_MS),
}
DOING_RETENTION_MS: dict[str, int] = {
    **{str(name): kept_ms for name, kept_ms in EVENT_RETENTION_MS.items()},
    Reaction.AD_SEEN: TOUCH_RETENTION_MS,
    Reaction.AD_CLICKED: TOUCH_RETENTION_MS,
}
REACTION_OF = {AdEvent.IMPRESSION: Reaction.AD_SEEN, AdEvent.CLICK: Reaction.AD_CLICKED}

MOST_INTERESTS = 50  # of one shop; the coolest and oldest leave first
MOST_PURCHASES = 500
MOST_TOUCHES = 60
MOST_SHOPS = 50
MOST_UNWANTED = 100  # products of one shop; the oldest wish leaves first
MOST_SHOWN = 50  # times kept per campaign: the largest frequency cap that can be kept
MOST_CAMPAIGNS = 200  # with such times; the one longest unseen leaves first


class Level(IntEnum):
    """How near a product is to being bought."""

    VIEWED = 1
    WISHED = 2
    IN_CART = 3


# A profile's many small parts hold nothing that could hold them again: that the garbage collector is spared
# them (`gc=False`) makes reading a long profile twice as fast.
class Interest(msgspec.Struct, array_like=True, gc=False):
    product_key: int
    level: Level
    at_ms: int


class Purchase(msgspec.Struct, array_like=True, gc=False):
    """What was bought; its group and category as the catalogue had them then, 0 where it did not say."""

    product_key: int
    at_ms: int
    group_key: int = 0
    category_key: int = 0


class Shop(msgspec.Struct, array_like=True):
    """What a visitor did at one advertiser; interests are kept warmest first."""

    advertiser_key: int
    interests: list[Interest] = []
    purchases: list[Purchase] = []
    form_started_ms: int = 0
    form_submitted_ms: int = 0
    last_seen_ms: int = 0
    unwanted: list[int] = []  # products the visitor asked us not to show
    blocked_at_ms: int = 0  # when the visitor asked for no more of this shop, 0 for never
    last_event_ms: dict[EventName, int] = {}  # when each kind of event came last
    proof: int = 0  # digest of the consent it was last folded under, 0 where nothing was said
    doings: dict[str, Doings] = {}  # the newest events of each kind, and reactions to the shop's ads


class Preference(StrEnum):
    """What a visitor tells us about an ad."""

    NOT_THIS_PRODUCT = "not_this_product"
    BOUGHT = "bought"
    NOT_THIS_SHOP = "not_this_shop"


class Touch(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An ad of ours that the visitor saw or clicked; what attribution chooses from."""

    event: AdEvent
    impression_id: int
    campaign_key: int
    campaign_version: int
    slot_key: int
    creative_key: int
    product_key: int
    at_ms: int
    suspect: bool = False
    audience_key: int = 0  # whose rate it was served at; 0 for the campaign's own
    ghost: bool = False  # an ad that was held out: counted as shown, and never what an order is credited to


class Shown(msgspec.Struct, array_like=True):
    """When a campaign's ads were seen, or would have been but for a holdout, and which creative each time.

    In order of time. Of what was seen before these were kept, the advertiser and the creatives are 0.
    """

    campaign_key: int
    at_ms: list[int]
    advertiser_key: int = 0
    creative_keys: list[int] = []  # as many as times
    clicked_ms: int = 0  # when it was clicked last, by a click that counts


class Profile(msgspec.Struct, array_like=True):
    """Everything the decision and attribution need to know of one browser."""

    created_ms: int
    shops: list[Shop] = []
    shown: list[Shown] = []
    touches: list[Touch] = []
    slot_day: int = 0  # the last day (UTC, since 1970) on which the browser was at one of our slots

    def shop(self, advertiser_key: int) -> Shop | None:
        for shop in self.shops:
            if shop.advertiser_key == advertiser_key:
                return shop
        return None

    def times_shown(self, campaign_key: int, since_ms: int) -> int:
        """Impressions of a campaign after `since_ms`."""
        for shown in self.shown:
            if shown.campaign_key == campaign_key:
                return sum(at_ms > since_ms for at_ms in shown.at_ms)
        return 0


LEVEL_OF_EVENT = {
    EventName.VIEW_ITEM: Level.VIEWED,
    EventName.SELECT_ITEM: Level.VIEWED,
    EventName.ADD_TO_WISHLIST: Level.WISHED,
    EventName.ADD_TO_CART: Level.IN_CART,
    EventName.VIEW_CART: Level.IN_CART,
    EventName.BEGIN_CHECKOUT: Level.IN_CART,
}

Kinds = Callable[[Iterable[int]], Mapping[int, Kind]]  # of products, as the catalogue has them now


def unknown_kinds(product_keys: Iterable[int]) -> Mapping[int, Kind]:
    """Where there is no catalogue."""
    return {}


FORM_DONE = frozenset({EventName.FORM_SUBMIT, EventName.GENERATE_LEAD, EventName.SIGN_UP})


def fold_event(
    profile: Profile, advertiser_key: int, event: Event, at_ms: int, kinds: Kinds = unknown_kinds
) -> None:
    """Remember a shop's event in the profile, in place; of what was bought, `kinds` is asked."""
    shop = _shop_of(profile, advertiser_key, at_ms)
    keys = [product_key(advertiser_key, item.item_id) for item in event.items]
    _note(shop, event.name, at_ms)
    _note_doing(shop, event.name, doing_of(event, keys, at_ms))
    level = LEVEL_OF_EVENT.get(event.name)
    if level is not None:
        for key in keys:
            _raise_interest(shop, key, level, at_ms)
    elif event.name is EventName.PURCHASE:
        _buy(shop, keys, at_ms, kinds)
    elif event.name is EventName.REMOVE_FROM_CART:
        for key in keys:
            _set_interest(shop, key, Level.VIEWED, at_ms)
    elif event.name is EventName.FORM_START:
        shop.form_started_ms = at_ms
    elif event.name in FORM_DONE:
        shop.form_submitted_ms = at_ms


def fold_preference(
    profile: Profile,
    advertiser_key: int,
    preference: Preference,
    product_key: int,
    at_ms: int,
    kinds: Kinds = unknown_kinds,
) -> None:
    """Remember a visitor's wish in the profile, in place; it holds for as long as the profile does."""
    shop = _shop_of(profile, advertiser_key, at_ms)
    if preference is Preference.NOT_THIS_SHOP:
        shop.blocked_at_ms = at_ms
    elif preference is Preference.BOUGHT:
        _buy(shop, [product_key], at_ms, kinds)
    else:
        kept = [known for known in shop.unwanted if known != product_key]
        shop.unwanted = [*kept, product_key][-MOST_UNWANTED:]


def fold_slot(profile: Profile, at_ms: int) -> None:
    """Remember that the browser was at one of our slots that day, in place; no more than the day is kept."""
    profile.slot_day = max(profile.slot_day, at_ms // DAY_MS)


def was_at_slot(profile: Profile, at_ms: int) -> bool:
    """Whether it is known already that the browser was at one of our slots that day."""
    return profile.slot_day >= at_ms // DAY_MS


def fold_touch(profile: Profile, touch: Touch, advertiser_key: int = 0) -> None:
    """Remember an impression or click of ours in the profile, in place; a ghost only as often as shown.

    With its shop, where that is known; to one that the visitor never was at, it says nothing of them.
    """
    shop = profile.shop(advertiser_key)
    reaction = REACTION_OF.get(touch.event)
    if shop is not None and reaction is not None and not (touch.suspect or touch.ghost):
        _note_doing(shop, reaction, Doing(touch.at_ms))
    oldest_ms = touch.at_ms - TOUCH_RETENTION_MS
    if not touch.ghost:
        profile.touches = _latest([*(known for known in profile.touches if known.at_ms > oldest_ms), touch])
    shown = next((known for known in profile.shown if known.campaign_key == touch.campaign_key), None)
    if touch.event is AdEvent.IMPRESSION:
        newest = _seen_again(shown or Shown(touch.campaign_key, []), touch, advertiser_key)
        others = [known for known in profile.shown if known is not shown and known.at_ms[-1] > oldest_ms]
        profile.shown = [*others, newest][-MOST_CAMPAIGNS:]
    elif shown is not None and touch.event is AdEvent.CLICK and not touch.suspect:
        shown.clicked_ms = max(shown.clicked_ms, touch.at_ms)


def _seen_again(shown: Shown, touch: Touch, advertiser_key: int) -> Shown:
    """With one more time, in its place: beacons may come in another order than their ads were seen."""
    times, place = shown.at_ms, bisect_right(shown.at_ms, touch.at_ms)
    creatives = [0] * (len(times) - len(shown.creative_keys)) + shown.creative_keys
    return Shown(
        touch.campaign_key,
        [*times[:place], touch.at_ms, *times[place:]][-MOST_SHOWN:],
        advertiser_key or shown.advertiser_key,
        [*creatives[:place], touch.creative_key, *creatives[place:]][-MOST_SHOWN:],
        shown.clicked_ms,
    )


def _latest(touches: list[Touch]) -> list[Touch]:
    """As many touches as are kept, in order: a click outlives any number of views after it."""
    spare = len(touches) - MOST_TOUCHES
    if spare <= 0:
        return touches
    by_worth = sorted(touches[:-1], key=lambda known: known.event is AdEvent.CLICK and not known.suspect)
    leaving = {id(touch) for touch in by_worth[:spare]}
    return [touch for touch in touches if id(touch) not in leaving]


def _shop_of(profile: Profile, advertiser_key: int, at_ms: int) -> Shop:
    """The visitor's record at a shop, made when new; the shop longest unseen leaves a full profile.

    A shop the visitor has blocked leaves last: forgetting it would bring its ads back.
    """
    shop = profile.shop(advertiser_key)
    if shop is None:
        shop = Shop(advertiser_key)
        profile.shops.append(shop)
        if len(profile.shops) > MOST_SHOPS:
            leaving = min(profile.shops[:-1], key=lambda known: (known.blocked_at_ms > 0, known.last_seen_ms))
            profile.shops.remove(leaving)
    shop.last_seen_ms = at_ms
    return shop


def _note(shop: Shop, name: EventName, at_ms: int) -> None:
    """Audiences are rules over these times, which are kept for no longer than the events themselves."""
    known = shop.last_event_ms.items()
    shop.last_event_ms = {one: ms for one, ms in known if ms > at_ms - EVENT_RETENTION_MS[one]}
    shop.last_event_ms[name] = max(at_ms, shop.last_event_ms.get(name, 0))


def _note_doing(shop: Shop, kind: str, doing: Doing) -> None:
    at_ms, doings = doing.at_ms, shop.doings
    for one, known in doings.items():
        if known.oldest_ms <= at_ms - DOING_RETENTION_MS[one]:
            doings = doings_since(shop, lambda kind: at_ms - DOING_RETENTION_MS[kind])
            break
    doings[kind] = noted(doings.get(kind), doing, at_ms - DOING_RETENTION_MS[kind])
    shop.doings = doings


def doings_since(shop: Shop, since_ms_of: Callable[[str], int]) -> dict[str, Doings]:
    """What is left of each kind without what came at a time or before it."""
    left = ((kind, without_old(known, since_ms_of(kind))) for kind, known in shop.doings.items())
    return {kind: known for kind, known in left if known is not None}


def _buy(shop: Shop, keys: list[int], at_ms: int, kinds: Kinds) -> None:
    """An order that does not say what was bought took what was in the cart."""
    bought = set(keys) or {known.product_key for known in shop.interests if known.level is Level.IN_CART}
    shop.interests = [known for known in shop.interests if known.product_key not in bought]
    oldest_ms = at_ms - PURCHASE_RETENTION_MS
    kept = [p for p in shop.purchases if p.at_ms > oldest_ms and p.product_key not in bought]
    known = kinds(bought) if bought else {}
    new = [_purchase(key, at_ms, known.get(key)) for key in sorted(bought)]
    shop.purchases = [*kept, *new][-MOST_PURCHASES:]


def _purchase(product_key: int, at_ms: int, kind: Kind | None) -> Purchase:
    if kind is None:
        return Purchase(product_key, at_ms)
    return Purchase(product_key, at_ms, kind.group_key, kind.category_key)


def _raise_interest(shop: Shop, key: int, level: Level, at_ms: int) -> None:
    for known in shop.interests:
        if known.product_key == key and known.at_ms > at_ms - INTEREST_RETENTION_MS:
            level = max(level, known.level)
    _set_interest(shop, key, level, at_ms)


def _set_interest(shop: Shop, key: int, level: Level, at_ms: int) -> None:
    oldest_ms = at_ms - INTEREST_RETENTION_MS
    kept = [i for i in shop.interests if i.product_key != key and i.at_ms > oldest_ms]
    place = 0  # found from the front: what is new is warm
    for known in kept:
        if (known.level, known.at_ms) < (level, at_ms):
            break
        place += 1
    kept.insert(place, Interest(key, level, at_ms))
    shop.interests = kept[:MOST_INTERESTS]
