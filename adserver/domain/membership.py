"""An audience made ready to be asked: who belongs to it, since when, and whether they are served now."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from adserver.domain.audience import (
    ANY_EVENT,
    Audience,
    Clause,
    ItemFilter,
    Rule,
    all_rules,
    is_narrowed,
)
from adserver.domain.audience_size import UNCOUNTED, AudienceSize
from adserver.domain.catalogue import Product
from adserver.domain.doings import Doing, Doings, ItemDone, Reaction
from adserver.domain.identity import product_key
from adserver.domain.pricing import Terms, rate_named
from adserver.domain.product_set import NO_SETS, Judge, Members, ProductSet, SetRule
from adserver.domain.visitor import DAY_MS, REACTION_OF, Profile, Shop
from pixel.events import EventName

LEAST_MEMBERS = 50  # of an audience that is narrowed: fewer could be somebody
MINUTE_MS = 60_000


class Standing(StrEnum):
    """How an audience stands to a visitor; the last is nearest to an ad."""

    OUTSIDE = "outside"
    TOO_SMALL = "too_small"
    STOPPED = "stopped"
    WAITS = "waits"
    SERVED = "served"


_NEARNESS = {standing: place for place, standing in enumerate(Standing)}


class Shelves(msgspec.Struct, frozen=True):
    """What rules may ask of items: the catalogue's entries for those of the visitor, and the product sets."""

    products: Mapping[int, Product] = {}
    sets: Members = NO_SETS


NO_SHELVES = Shelves()
# When the newest of what makes a visitor a member was; 0 where they are none.
_Since = Callable[[Shop, int, Shelves], int]


class Membership:
    """An audience compiled once of each audience; asked at ads."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.is_narrowed = is_narrowed(audience)
        self.asks_the_catalogue = any(rule.asks_the_catalogue for rule in all_rules(audience))
        self._since = _compiled(audience)
        self._wait_ms = audience.wait_minutes * MINUTE_MS
        self._stop_ms = None if audience.stop_days is None else audience.stop_days * DAY_MS

    def since_ms(self, profile: Profile, now_ms: int, shelves: Shelves = NO_SHELVES) -> int:
        """When the last event was that makes the visitor a member now; 0 where they are none."""
        shop = profile.shop(self.audience.advertiser_key)
        return 0 if shop is None else self._since(shop, now_ms, shelves)

    def standing(
        self,
        profile: Profile,
        now_ms: int,
        shelves: Shelves = NO_SHELVES,
        size: AudienceSize = UNCOUNTED,
        *,
        narrowed: bool = False,
    ) -> Standing:
        """`narrowed`: the campaign that asks picks among the members by itself."""
        since_ms = self.since_ms(profile, now_ms, shelves)
        if not since_ms:
            return Standing.OUTSIDE
        if (narrowed or self.is_narrowed) and size.members < LEAST_MEMBERS:
            return Standing.TOO_SMALL
        if now_ms < since_ms + self._wait_ms:
            return Standing.WAITS
        is_over = self._stop_ms is not None and now_ms >= since_ms + self._stop_ms
        return Standing.STOPPED if is_over else Standing.SERVED

    def items_asked(self, shop: Shop) -> list[int]:
        """The products that its rules may ask the catalogue of."""
        kinds = {rule.event for rule in all_rules(self.audience) if rule.asks_the_catalogue}
        found = (shop.doings[kind] for kind in kinds if kind in shop.doings)
        return [item.product_key for doings in found for doing in doings.each() for item in doing.items]


class Memberships:
    """A worker's audiences, each compiled when it is first asked of and when it has changed."""

    def __init__(self, audiences: Mapping[int, Audience]) -> None:
        self._audiences = audiences
        self._made: dict[int, Membership] = {}

    def get(self, audience_key: int) -> Membership | None:
        """None where this worker has not heard of it yet."""
        audience, made = self._audiences.get(audience_key), self._made.get(audience_key)
        if audience is None or (made is not None and made.audience is audience):
            return made
        made = self._made[audience_key] = Membership(audience)
        return made


NO_AUDIENCES = Memberships({})


def is_member(audience: Audience, profile: Profile, now_ms: int, shelves: Shelves = NO_SHELVES) -> bool:
    """Whether the visitor belongs to the audience now; windows are half-open: [event, event + days)."""
    return Membership(audience).since_ms(profile, now_ms, shelves) > 0


def audience_for(terms: Terms, standing_of: Callable[[int], Standing]) -> int | Standing:
    """Whose rate the visitor is served at: the highest that matches, ties to the smallest key.

    0 is the campaign's own rate, where its terms name no audience; where they are served in none of those
    named, how the nearest stands to them.
    """
    if not terms.audience_rates:
        return 0
    best_key, best_rate, nearest = 0, -1, Standing.OUTSIDE
    for named in terms.audience_rates:
        key = named.audience_key
        rate = rate_named(terms, named)
        if rate < best_rate or (rate == best_rate and key > best_key):
            continue
        standing = standing_of(key)
        if standing is Standing.SERVED:
            best_key, best_rate = key, rate
        elif _NEARNESS[standing] > _NEARNESS[nearest]:
            nearest = standing
    return best_key if best_rate >= 0 else nearest


# ---- compiling ----


def _compiled(audience: Audience) -> _Since:
    clause = audience.rules
    if clause is None:
        let_in = Clause(any=tuple(Clause(rule=rule) for rule in audience.inclusions))
        keep_out = tuple(Clause(rule=rule) for rule in audience.exclusions)
        clause = Clause(all=(let_in, Clause(exclude=Clause(any=keep_out)))) if keep_out else let_in
    return _of_clause(clause, audience)


def _of_clause(clause: Clause, audience: Audience) -> _Since:
    if clause.rule is not None:
        return _of_rule(clause.rule, audience)
    if clause.any or not clause.all:
        return _any_of([_of_clause(one, audience) for one in clause.any])
    let_in = [_of_clause(one, audience) for one in clause.all if one.exclude is None]
    keep_out = [_of_clause(one.exclude, audience) for one in clause.all if one.exclude is not None]
    return _all_of(let_in, keep_out)


def _any_of(parts: Sequence[_Since]) -> _Since:
    if len(parts) == 1:
        return parts[0]

    def since(shop: Shop, now_ms: int, shelves: Shelves) -> int:
        return max([part(shop, now_ms, shelves) for part in parts], default=0)

    return since


def _all_of(let_in: Sequence[_Since], keep_out: Sequence[_Since]) -> _Since:
    def since(shop: Shop, now_ms: int, shelves: Shelves) -> int:
        for part in keep_out:  # plain loops: this is asked at ads
            if part(shop, now_ms, shelves):
                return 0
        newest_ms = 0
        for part in let_in:
            at_ms = part(shop, now_ms, shelves)
            if not at_ms:
                return 0
            newest_ms = max(newest_ms, at_ms)
        return newest_ms

    return since


def _of_rule(rule: Rule, audience: Audience) -> _Since:
    if rule.event == Reaction.AD_LANDED:
        rule = msgspec.structs.replace(rule, event=EventName.LANDED)
    if not rule.is_plain:
        return _Counting(rule, audience).since
    kind, window_ms = rule.event, rule.retention_days * DAY_MS
    if kind == ANY_EVENT:

        def since_any(shop: Shop, now_ms: int, shelves: Shelves) -> int:
            at_ms = max(shop.last_event_ms.values(), default=0)
            return at_ms if now_ms < at_ms + window_ms else 0

        return since_any
    event = EventName(kind)

    def since(shop: Shop, now_ms: int, shelves: Shelves) -> int:
        at_ms = shop.last_event_ms.get(event, 0)
        return at_ms if now_ms < at_ms + window_ms else 0

    return since


class _Counting:
    """A rule that asks for more than when an event came last."""

    def __init__(self, rule: Rule, audience: Audience) -> None:
        self._rule = rule
        self._currency = audience.currency
        self._window_ms = rule.retention_days * DAY_MS
        self._filter = None if rule.items is None else _Filter(rule.items, audience.advertiser_key)

    def since(self, shop: Shop, now_ms: int, shelves: Shelves) -> int:
        found = [
            doing
            for doings in self._kinds(shop)
            for doing in doings.each()
            if now_ms < doing.at_ms + self._window_ms and self._is_meant(doing, shelves, now_ms)
        ]
        rule = self._rule
        counts = rule.at_least <= len(found) and (rule.at_most is None or len(found) <= rule.at_most)
        if not counts or not self._is_worth(found):
            return 0
        if rule.asks_average and not self._is_of_price(found, shelves, now_ms):
            return 0
        return max([doing.at_ms for doing in found])

    def _kinds(self, shop: Shop) -> list[Doings]:
        if self._rule.event == ANY_EVENT:
            reactions = REACTION_OF.values()
            return [doings for kind, doings in shop.doings.items() if kind not in reactions]
        doings = shop.doings.get(self._rule.event)
        return [] if doings is None else [doings]

    def _is_meant(self, doing: Doing, shelves: Shelves, now_ms: int) -> bool:
        if self._filter is None:
            return True
        return any(self._filter.holds(item.product_key, shelves, now_ms) for item in doing.items)

    def _is_worth(self, found: Sequence[Doing]) -> bool:
        total, one = self._rule.total_at_least_micros, self._rule.one_at_least_micros
        values = [doing.value_micros for doing in found if doing.currency == self._currency]
        return (total is None or sum(values) >= total) and (one is None or max(values, default=0) >= one)

    def _is_of_price(self, found: Sequence[Doing], shelves: Shelves, now_ms: int) -> bool:
        """Of the items that are meant, as the page told their price, else the catalogue."""
        prices = [
            price
            for doing in found
            for item in doing.items
            if self._filter is None or self._filter.holds(item.product_key, shelves, now_ms)
            if (price := self._price_of(doing, item, shelves, now_ms)) is not None
        ]
        least, most = self._rule.average_at_least_micros, self._rule.average_at_most_micros
        if not prices:
            return False
        total = sum(prices)
        return (least is None or total >= least * len(prices)) and (
            most is None or total <= most * len(prices)
        )

    def _price_of(self, doing: Doing, item: ItemDone, shelves: Shelves, now_ms: int) -> int | None:
        if item.price_micros:
            return item.price_micros if doing.currency == self._currency else None
        product = shelves.products.get(item.product_key)
        return None if product is None else product.asked_micros(now_ms)


class _Filter:
    """Which items a rule means."""

    def __init__(self, items: ItemFilter, advertiser_key: int) -> None:
        self._keys = frozenset(product_key(advertiser_key, item_id) for item_id in items.item_ids)
        self._set_key = items.product_set_key
        said = SetRule(categories=items.categories, brands=items.brands)
        as_set = ProductSet(key=0, advertiser_key=advertiser_key, name="", inclusions=(said,))
        self._judge = Judge(as_set) if items.categories or items.brands else None

    def holds(self, key: int, shelves: Shelves, now_ms: int) -> bool:
        if self._keys and key not in self._keys:
            return False
        if self._judge is None and self._set_key is None:
            return True
        product = shelves.products.get(key)
        if product is None:  # it left the catalogue, or never was in it: nobody knows of what kind it is
            return False
        if self._judge is not None and not self._judge.holds(product, now_ms):
            return False
        return self._set_key is None or shelves.sets.holds(self._set_key, now_ms, product)
