"""What nobody is reminded of is told by Google's categories, their numbers, and words of a shop's own."""

import pytest

from adserver.domain.sensitive import Sensitive
from tests.domain.makers import make_product


@pytest.mark.parametrize(
    ("google", "own"),
    [
        ("Health & Beauty > Health Care", None),
        ("health & beauty>HEALTH CARE > First Aid > Bandages", None),
        ("491", None),
        (" 772 ", None),
        (None, "Mature > Erotic > Books"),
        (None, "Shop / Prescription-Medicines"),
        (None, "Gifts > Sex toys"),
        ("Apparel", "Hunting & Weapons"),
    ],
)
def test_a_sensitive_category_is_known_however_it_is_written(google: str | None, own: str | None) -> None:
    assert Sensitive().holds(make_product(google_product_category=google, product_type=own))


@pytest.mark.parametrize(
    ("google", "own"),
    [
        (None, None),
        ("Health & Beauty > Personal Care", None),
        ("Apparel & Accessories > Shoes", "Mature cheese > Gouda"),
        ("4910", None),
        (None, "Sweatpants > Essex"),
    ],
)
def test_what_only_looks_alike_is_not_sensitive(google: str | None, own: str | None) -> None:
    assert not Sensitive().holds(make_product(google_product_category=google, product_type=own))


def test_the_operators_list_stands_instead_of_the_houses() -> None:
    sensitive = Sensitive(("Wine >", " cigars ", ""))
    assert sensitive.holds(make_product(product_type="Wine > Red"))
    assert sensitive.holds(make_product(product_type="Gifts > Fine cigars"))
    assert not sensitive.holds(make_product(product_type="Mature > Erotic"))


def test_only_what_is_sensitive_is_marked() -> None:
    boots, pills = make_product("boots"), make_product("pills", product_type="Medicine")
    marked = Sensitive().marked({1: boots, 2: pills})
    assert marked[1] is boots
    assert marked[2].sensitive
