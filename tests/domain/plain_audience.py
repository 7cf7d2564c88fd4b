"""Who belongs to an audience, as plainly as it can be said: over everything that happened, each time anew."""

from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.audience import Audience, Clause, ItemFilter, Rule, all_rules
from adserver.domain.catalogue import Product
from adserver.domain.identity import product_key
from adserver.domain.product_set import ProductSet, SetRule
from adserver.domain.visitor import DAY_MS, Shop
from tests.domain import plain_product_set

AD_KINDS = ("ad_seen", "ad_clicked")


class Happened(msgspec.Struct, frozen=True):
    """One event or reaction; items with their prices, 0 where the page told none."""

    kind: str
    at_ms: int
    value_micros: int = 0
    currency: str = ""
    items: tuple[tuple[int, int], ...] = ()


class World(msgspec.Struct, frozen=True):
    happened: Sequence[Happened]
    audience: Audience
    now_ms: int
    products: Mapping[int, Product]
    sets: Mapping[int, ProductSet]


def happened_at(shop: Shop) -> list[Happened]:
    """As far as the profile tells."""
    told = [
        Happened(
            kind,
            one.at_ms,
            one.value_micros,
            one.currency,
            tuple((item.product_key, item.price_micros) for item in one.items),
        )
        for kind, doings in shop.doings.items()
        for one in doings.each()
    ]
    known = {(one.kind, one.at_ms) for one in told}
    last = [Happened(name, ms) for name, ms in shop.last_event_ms.items() if (name, ms) not in known]
    return [*told, *last]


def picks_by_value(audience: Audience) -> bool:
    return any(
        amount is not None
        for rule in all_rules(audience)
        for amount in (
            rule.total_at_least_micros,
            rule.one_at_least_micros,
            rule.average_at_least_micros,
            rule.average_at_most_micros,
        )
    )


def plain_since(
    audience: Audience,
    happened: Sequence[Happened],
    now_ms: int,
    products: Mapping[int, Product],
    sets: Mapping[int, ProductSet],
) -> int:
    """When what made the visitor a member last happened; 0 where they are none."""
    world = World(happened, audience, now_ms, products, sets)
    if audience.rules is not None:
        return _of_clause(audience.rules, world)
    if any(_of_rule(rule, world) for rule in audience.exclusions):
        return 0
    return max(_of_rule(rule, world) for rule in audience.inclusions)


def _of_clause(clause: Clause, world: World) -> int:
    if clause.rule is not None:
        return _of_rule(clause.rule, world)
    if clause.any:
        return max(_of_clause(one, world) for one in clause.any)
    if any(_of_clause(one.exclude, world) for one in clause.all if one.exclude is not None):
        return 0
    times = [_of_clause(one, world) for one in clause.all if one.exclude is None]
    return max(times) if all(times) else 0


def _of_rule(rule: Rule, world: World) -> int:
    kind = "landed" if rule.event == "ad_landed" else rule.event
    meant = [
        one
        for one in world.happened
        if (one.kind == kind or (kind == "any_event" and one.kind not in AD_KINDS))
        and (world.now_ms - one.at_ms) / DAY_MS < rule.retention_days
        and (rule.items is None or any(_is_meant(rule.items, key, world) for key, _ in one.items))
    ]
    values = [one.value_micros for one in meant if one.currency == world.audience.currency]
    answers = (
        len(meant) >= rule.at_least,
        rule.at_most is None or len(meant) <= rule.at_most,
        rule.total_at_least_micros is None or sum(values) >= rule.total_at_least_micros,
        rule.one_at_least_micros is None or any(one >= rule.one_at_least_micros for one in values),
        _is_of_price(rule, meant, world),
    )
    return max(one.at_ms for one in meant) if all(answers) else 0


def _is_of_price(rule: Rule, meant: Sequence[Happened], world: World) -> bool:
    least, most = rule.average_at_least_micros, rule.average_at_most_micros
    if least is None and most is None:
        return True
    prices = [
        price
        for one in meant
        for key, told in one.items
        if (rule.items is None or _is_meant(rule.items, key, world))
        and (price := _price(one, key, told, world)) is not None
    ]
    if not prices:
        return False
    average = sum(prices) / len(prices)
    return (least is None or average >= least) and (most is None or average <= most)


def _price(one: Happened, key: int, told: int, world: World) -> int | None:
    if told:
        return told if one.currency == world.audience.currency else None
    product = world.products.get(key)
    return None if product is None else product.asked_micros(world.now_ms)


def _is_meant(items: ItemFilter, key: int, world: World) -> bool:
    own = {product_key(world.audience.advertiser_key, one) for one in items.item_ids}
    if items.item_ids and key not in own:
        return False
    if items.product_set_key is None and not items.categories and not items.brands:
        return True
    product = world.products.get(key)
    if product is None:
        return False
    said = SetRule(categories=items.categories, brands=items.brands)
    if not plain_product_set.applies(said, product, world.now_ms):
        return False
    if items.product_set_key is None:
        return True
    product_set = world.sets.get(items.product_set_key)
    return product_set is not None and plain_product_set.in_set(product_set, product, world.now_ms)
