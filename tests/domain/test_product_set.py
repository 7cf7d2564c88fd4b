"""What belongs to a set: by the words of its rules, prepared once, and the same as if it were asked anew."""

import random

import pytest
from msgspec.structs import replace

from adserver.domain.catalogue import Product
from adserver.domain.money import Micros
from adserver.domain.product_set import (
    Judge,
    Members,
    ProductSet,
    SetRefusal,
    SetRule,
    check,
)
from tests.domain.makers import NOW_MS, PRODUCT_SET, make_product, make_product_set
from tests.domain.plain_product_set import in_set

TRAIL = make_product(
    "trail",
    brand="Nike",
    product_type="Shoes > Running > Trail",
    google_product_category="Apparel & Accessories > Shoes",
    custom_labels=("", "Autumn", "bestseller"),
    price_micros=Micros(90),
)
IN_SALE = replace(TRAIL, sale_price_micros=Micros(60), sale_from_ms=NOW_MS, sale_until_ms=NOW_MS + 9)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (SetRule(categories=("Shoes",)), True),
        (SetRule(categories=("shoes>running",)), True),
        (SetRule(categories=("Shoes > Run",)), False),
        (SetRule(categories=("Running",)), False),
        (SetRule(categories=("Shoes > ",)), True),
        (SetRule(categories=(" > ",)), False),
        (SetRule(categories=("Shoes > Running > Trail > Women",)), False),
        (SetRule(categories=("Apparel & Accessories",)), True),
        (SetRule(brands=("NIKE ", "Puma")), True),
        (SetRule(brands=("Nik",)), False),
        (SetRule(labels=("autumn",)), True),
        (SetRule(labels=("winter",)), False),
        (SetRule(item_ids=("trail",)), True),
        (SetRule(item_ids=("Trail",)), False),  # ids are the shop's own, letter by letter
        (SetRule(price_min_micros=Micros(90), price_max_micros=Micros(90)), True),
        (SetRule(price_min_micros=Micros(91)), False),
        (SetRule(price_max_micros=Micros(89)), False),
        (SetRule(on_sale=False), True),
        (SetRule(on_sale=True), False),
        (SetRule(brands=("Nike",), labels=("winter",)), False),
        (SetRule(brands=("Nike",), categories=("Shoes",), price_max_micros=Micros(100)), True),
    ],
)
def test_all_that_a_rule_says_must_hold_and_of_a_list_one(rule: SetRule, holds: bool) -> None:
    assert Judge(make_product_set(rule)).holds(TRAIL, NOW_MS) is holds
    assert Judge(make_product_set(exclusions=(rule,))).holds(TRAIL, NOW_MS) is not holds


def test_any_inclusion_lets_in_and_any_exclusion_keeps_out() -> None:
    nike, puma = SetRule(brands=("Nike",)), SetRule(brands=("Puma",))
    assert Judge(make_product_set(puma, nike)).holds(TRAIL, NOW_MS)
    assert not Judge(make_product_set(puma, nike, exclusions=(SetRule(on_sale=False),))).holds(TRAIL, NOW_MS)


def test_a_product_without_words_is_in_no_set_of_words() -> None:
    bare = make_product()
    for rule in (SetRule(brands=("",)), SetRule(categories=("Shoes",)), SetRule(labels=("x",))):
        assert Judge(make_product_set(rule)).holds(bare, NOW_MS) is (rule.brands == ("",))


@pytest.mark.parametrize(
    ("rule", "in_sale"),
    [
        (SetRule(on_sale=True), True),
        (SetRule(price_max_micros=Micros(60)), True),
        (SetRule(on_sale=False), False),
    ],
)
def test_a_sale_begins_and_ends_membership_by_its_dates_alone(rule: SetRule, in_sale: bool) -> None:
    members = Members()
    members.put(make_product_set(rule))
    moments = (NOW_MS - 1, NOW_MS, NOW_MS + 8, NOW_MS + 9)
    held = [members.holds(PRODUCT_SET, moment, IN_SALE) for moment in moments]
    assert held == [not in_sale, in_sale, in_sale, not in_sale]


def test_a_changed_set_or_product_is_judged_anew() -> None:
    members = Members()
    assert not members.holds(PRODUCT_SET, NOW_MS, TRAIL)  # not heard of yet
    members.put(make_product_set(SetRule(brands=("Nike",))))
    assert members.holds(PRODUCT_SET, NOW_MS, TRAIL)
    assert not members.holds(PRODUCT_SET, NOW_MS, replace(TRAIL, brand="Puma"))
    members.put(make_product_set(SetRule(brands=("Puma",)), version=2))
    assert not members.holds(PRODUCT_SET, NOW_MS, TRAIL)
    assert members.holds(PRODUCT_SET, NOW_MS, replace(TRAIL, brand="Puma"))


@pytest.mark.parametrize(
    ("product_set", "refusal"),
    [
        (make_product_set(), SetRefusal.SAYS_NOTHING),
        (make_product_set(SetRule()), SetRefusal.RULE_SAYS_NOTHING),
        (make_product_set(SetRule(on_sale=True), exclusions=(SetRule(),)), SetRefusal.RULE_SAYS_NOTHING),
        (
            make_product_set(SetRule(price_min_micros=Micros(2), price_max_micros=Micros(1))),
            SetRefusal.PRICES_REVERSED,
        ),
        (make_product_set(SetRule(on_sale=False)), None),
        (make_product_set(exclusions=(SetRule(price_min_micros=Micros(0)),)), None),
    ],
)
def test_a_set_that_means_nothing_is_refused(product_set: ProductSet, refusal: SetRefusal | None) -> None:
    assert check(product_set) is refusal


def thrown(dice: random.Random) -> tuple[ProductSet, list[Product]]:
    """Some rules over few words, and products that have some of these."""
    words = ("Nike", "nike  air", "Puma", "")
    paths = ("Shoes", "Shoes > Running", "shoes>running > Trail > ", "Bags", ">")
    prices = [Micros(price) for price in (1, 2, 3)]

    def some(of: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dice.sample(of, dice.choice((0, 0, 1, 2))))

    def rule() -> SetRule:
        return SetRule(
            categories=some(paths),
            brands=some(words),
            labels=some(words),
            item_ids=some(("0", "1", "2")) if dice.random() < 0.2 else (),
            price_min_micros=dice.choice((None, None, *prices)),
            price_max_micros=dice.choice((None, None, *prices)),
            on_sale=dice.choice((None, None, True, False)),
        )

    rules = [rule() for _ in range(4)]
    products = [
        make_product(
            str(number),
            brand=dice.choice((None, *words)),
            product_type=dice.choice((None, *paths)),
            google_product_category=dice.choice((None, *paths)),
            custom_labels=some(words),
            price_micros=dice.choice(prices),
            sale_price_micros=dice.choice((None, *prices)),
            sale_from_ms=dice.choice((None, NOW_MS - 1, NOW_MS, NOW_MS + 1)),
            sale_until_ms=dice.choice((None, NOW_MS, NOW_MS + 1)),
        )
        for number in range(12)
    ]
    cut = dice.randint(0, 3)
    return make_product_set(*rules[:cut], exclusions=tuple(rules[cut:3])), products


def test_what_is_prepared_is_what_would_be_found_anew_at_any_moment() -> None:
    dice, held, asked = random.Random(5), 0, 0
    members = Members(most=40)
    for _ in range(800):
        product_set, products = thrown(dice)
        judge = Judge(product_set)
        members.put(product_set)
        for moment in (NOW_MS - 1, NOW_MS, NOW_MS + 1):
            for product in dice.sample(products, 9):
                expected = in_set(product_set, product, moment)
                assert judge.holds(product, moment) is expected
                assert members.holds(PRODUCT_SET, moment, product) is expected
                held, asked = held + expected, asked + 1
    assert asked // 10 < held < asked * 9 // 10
