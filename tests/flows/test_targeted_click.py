"""A click from a country that its campaign leaves out leads on, and costs nothing; what proves nothing is paid."""

import msgspec
import pytest

from adserver.domain.caller import Place
from adserver.domain.targeting import Condition, Targeting
from adserver.writes import Result
from tests.flows.street import READER, Street

FRANCE = Targeting(countries=Condition(("FR",)))


@pytest.mark.parametrize(
    ("targeting", "place", "result"),
    [
        (FRANCE, Place("FR"), Result.TAKEN),
        (FRANCE, Place("DE"), Result.NOT_BILLABLE),
        (FRANCE, None, Result.TAKEN),
        (Targeting(countries=Condition((), ("DE",))), Place("DE"), Result.NOT_BILLABLE),
        (Targeting(countries=Condition((), ("DE",))), Place("FR"), Result.TAKEN),
        (Targeting(subdivisions=Condition(("FR-IDF",))), Place("FR", "ARA"), Result.TAKEN),
        (Targeting(), Place("DE"), Result.TAKEN),
    ],
)
def test_a_click_is_paid_where_the_campaign_may_be_shown_as_far_as_anybody_knows(
    street: Street, targeting: Targeting, place: Place | None, result: Result
) -> None:
    street.open(targeting=targeting)
    landing, charged = street.click(street.signed(), msgspec.structs.replace(READER, place=place))
    assert charged is result
    assert landing.location.startswith("https://shop.example/boots")
    said = {row[0] for row in street.rows("SELECT not_billed FROM ad_events")}
    assert said == ({"elsewhere"} if result is Result.NOT_BILLABLE else {""})


def test_an_ad_of_earlier_terms_is_not_judged_by_later_ones(street: Street) -> None:
    street.open()
    text = street.signed()
    street.change(targeting=FRANCE)
    assert street.click(text, msgspec.structs.replace(READER, place=Place("DE")))[1] is Result.TAKEN


def test_an_impression_from_elsewhere_is_counted_as_any(street: Street) -> None:
    street.open(targeting=FRANCE, pricing_model="cpm", rate_micros=2_000_000)
    seen = street.see(street.signed(), msgspec.structs.replace(READER, place=Place("DE")))
    assert seen is Result.TAKEN
