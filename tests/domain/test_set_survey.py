"""A set is looked at before it is saved: how many products, which, and what of it is probably not meant."""

from collections.abc import Sequence

import pytest

from adserver.domain.money import Micros
from adserver.domain.product_set import ProductSet, SetRule
from adserver.domain.set_survey import EXAMPLES, MOST_ODDITIES, Odd, Oddity, Survey
from tests.domain.makers import NOW_MS, make_product, make_product_set

CATALOGUE = [
    make_product("air", brand="Nike", product_type="Shoes > Running", custom_labels=("", "Autumn")),
    make_product("max", brand="Nike", product_type="Shoes > Running > Trail", price_micros=Micros(50)),
    make_product("bag", brand="Puma", google_product_category="Luggage & Bags", price_micros=Micros(20)),
    make_product("sock"),
]


def surveyed(product_set: ProductSet) -> Survey:
    survey = Survey(product_set, NOW_MS)
    for product in CATALOGUE:
        survey.look(product)
    return survey


def odd(*inclusions: SetRule, exclusions: tuple[SetRule, ...] = ()) -> Sequence[Odd]:
    return surveyed(make_product_set(*inclusions, exclusions=exclusions)).odd()


def test_a_survey_counts_and_shows_some() -> None:
    survey = surveyed(make_product_set(SetRule(brands=("nike",))))
    assert (survey.size, survey.catalogue_size) == (2, 4)
    assert [product.item_id for product in survey.examples] == ["air", "max"]
    assert survey.odd() == []
    many = Survey(make_product_set(SetRule(on_sale=False)), NOW_MS)
    for number in range(EXAMPLES + 1):
        many.look(make_product(str(number)))
    assert (many.size, len(many.examples)) == (EXAMPLES + 1, EXAMPLES)


NIKE = SetRule(brands=("Nike",))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SetRule(brands=("Nikee",)), Odd(Oddity.UNKNOWN_BRAND, "Nikee", "Nike")),
        (SetRule(brands=("Gucci",)), Odd(Oddity.UNKNOWN_BRAND, "Gucci")),
        (SetRule(labels=("Autum",)), Odd(Oddity.UNKNOWN_LABEL, "Autum", "Autumn")),
        (SetRule(categories=("Shoes > Runing",)), Odd(Oddity.UNKNOWN_CATEGORY, "Shoes > Runing", "Shoes > Running")),
        (SetRule(categories=("Bags",)), Odd(Oddity.UNKNOWN_CATEGORY, "Bags")),
        (SetRule(item_ids=("air", "AIR")), Odd(Oddity.UNKNOWN_ITEM, "AIR")),
        (SetRule(price_min_micros=Micros(51), price_max_micros=Micros(60)), Odd(Oddity.NO_PRICE_IN_RANGE)),
        (SetRule(on_sale=True), Odd(Oddity.NOTHING_ON_SALE)),
    ],
)  # fmt: skip
def test_a_word_that_no_product_has_is_named_with_the_one_that_is_meant(rule: SetRule, expected: Odd) -> None:
    assert odd(NIKE, rule) == [expected]
    assert odd(NIKE, exclusions=(rule,))[0] == expected  # what keeps nobody out is as odd


def test_a_word_is_known_in_any_case_and_at_any_depth() -> None:
    rules = (SetRule(categories=("SHOES",)), SetRule(categories=("shoes>running", "luggage & bags")))
    assert odd(*rules, SetRule(brands=("NIKE",), labels=(" autumn ",))) == []


def test_a_set_of_nothing_or_of_everything_is_named() -> None:
    assert odd(SetRule(brands=("Nike",), categories=("Luggage & Bags",))) == [Odd(Oddity.HOLDS_NOTHING)]
    assert odd(SetRule(on_sale=False)) == [Odd(Oddity.HOLDS_EVERYTHING)]


def test_not_more_is_named_than_anyone_would_read() -> None:
    found = odd(SetRule(brands=tuple(f"brand {n}" for n in range(100))))
    assert len(found) == MOST_ODDITIES + 1
    assert found[-1] == Odd(Oddity.HOLDS_NOTHING)
