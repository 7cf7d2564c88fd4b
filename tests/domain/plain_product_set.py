"""Whether a product belongs to a set, as plainly as it can be said: what the prepared answer is held to."""

from adserver.domain.catalogue import Product
from adserver.domain.product_set import ProductSet, SetRule


def in_set(product_set: ProductSet, product: Product, now_ms: int) -> bool:
    if any(applies(rule, product, now_ms) for rule in product_set.exclusions):
        return False
    if not product_set.inclusions:
        return True
    return any(applies(rule, product, now_ms) for rule in product_set.inclusions)


def applies(rule: SetRule, product: Product, now_ms: int) -> bool:
    asked = product.asked_micros(now_ms)
    said = []
    if rule.categories:
        said.append(any(begins(product, category) for category in rule.categories))
    if rule.brands:
        said.append(any(alike(product.brand or "", brand) for brand in rule.brands))
    if rule.labels:
        said.append(any(alike(own, label) for own in product.custom_labels for label in rule.labels))
    if rule.item_ids:
        said.append(product.item_id in rule.item_ids)
    if rule.price_min_micros is not None:
        said.append(rule.price_min_micros <= asked)
    if rule.price_max_micros is not None:
        said.append(asked <= rule.price_max_micros)
    if rule.on_sale is not None:
        said.append(product.is_on_sale(now_ms) == rule.on_sale)
    return all(said)


def begins(product: Product, category: str) -> bool:
    wanted = steps_of(category)
    for own in (product.product_type, product.google_product_category):
        steps = steps_of(own or "")
        together = zip(steps, wanted, strict=False)
        if len(steps) >= len(wanted) > 0 and all(alike(step, want) for step, want in together):
            return True
    return False


def steps_of(category: str) -> list[str]:
    return [step for step in category.split(">") if step.strip()]


def alike(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()
