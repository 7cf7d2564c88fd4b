"""A campaign is accepted when it makes sense, and changes into its next version or not at all."""

import pytest

from adserver.domain.campaign import Campaign, Refusal, Status, apply, check
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from tests.domain.makers import NOW_MS, make_campaign

CPM, VCPM, CPC, CPA = PricingModel


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"rate_micros": Micros(0)}, Refusal.RATE_MISSING),
        ({"rate_micros": Micros(-1)}, Refusal.RATE_MISSING),
        ({"rate_micros": Micros(1)}, None),
        ({"pricing_model": CPM, "rate_micros": Micros(2_500_000)}, None),
        ({"pricing_model": CPM, "rate_micros": Micros(2_500_001)}, Refusal.CPM_NOT_EXACT),
        ({"pricing_model": VCPM, "rate_micros": Micros(999)}, Refusal.CPM_NOT_EXACT),
        ({"pricing_model": CPA, "rate_micros": Micros(0)}, Refusal.RATE_MISSING),
        ({"pricing_model": CPA, "basket_bps": 500}, Refusal.BASKET_WITHOUT_LIMIT),
        ({"pricing_model": CPA, "basket_bps": 500, "max_charge_micros": Micros(9)}, None),
        (
            {
                "pricing_model": CPA,
                "basket_bps": 500,
                "max_charge_micros": Micros(9),
                "rate_micros": Micros(0),
            },
            None,
        ),
        ({"pricing_model": CPC, "basket_bps": 500, "max_charge_micros": Micros(9)}, Refusal.BASKET_ONLY_CPA),
        ({"starts_at_ms": NOW_MS, "ends_at_ms": NOW_MS}, Refusal.ENDS_BEFORE_START),
        ({"starts_at_ms": NOW_MS, "ends_at_ms": NOW_MS + 1}, None),
        ({"ends_at_ms": 1}, None),
        ({"starts_at_ms": NOW_MS}, None),
    ],
)
def test_a_campaign_makes_sense_or_is_refused_by_name(
    fields: dict[str, object], expected: Refusal | None
) -> None:
    assert check(make_campaign(**fields)) is expected


def test_a_change_makes_the_next_version() -> None:
    changed = apply(make_campaign(version=4), make_campaign(name="Winter", version=1))
    assert isinstance(changed, Campaign)
    assert (changed.name, changed.version) == ("Winter", 5)


def test_key_owner_and_birth_are_not_the_callers_to_set() -> None:
    wished = make_campaign(key=9, advertiser_key=9, created_at_ms=9, version=9)
    changed = apply(make_campaign(created_at_ms=NOW_MS), wished)
    assert changed == make_campaign(created_at_ms=NOW_MS, version=2)


def test_what_does_not_make_sense_is_refused_as_a_change_too() -> None:
    assert apply(make_campaign(), make_campaign(rate_micros=Micros(0))) is Refusal.RATE_MISSING


@pytest.mark.parametrize("status", Status)
def test_a_campaign_that_ended_stays_as_it_was(status: Status) -> None:
    assert apply(make_campaign(status=Status.ENDED), make_campaign(status=status)) is Refusal.ENDED


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAUSED])
def test_a_campaign_that_ran_is_no_draft_again(status: Status) -> None:
    refused = apply(make_campaign(status=status), make_campaign(status=Status.DRAFT))
    assert refused is Refusal.NOT_BACK_TO_DRAFT


def test_a_draft_may_be_changed_and_stay_a_draft() -> None:
    draft = make_campaign(status=Status.DRAFT)
    assert isinstance(apply(draft, make_campaign(status=Status.DRAFT, name="Winter")), Campaign)
