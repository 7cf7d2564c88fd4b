"""A campaign is accepted when it makes sense, and changes into its next version or not at all."""

import pytest

from adserver.domain.campaign import (
    AudienceCreatives,
    Campaign,
    Refusal,
    Status,
    apply,
    check,
    check_named,
    creatives_for,
)
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate, PricingModel
from tests.domain.makers import NOW_MS, make_campaign, make_creative

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


# ---- audiences ----


def rates(*micros: int | None) -> tuple[AudienceRate, ...]:
    """One audience for each rate."""
    return tuple(
        AudienceRate(key, rate if rate is None else Micros(rate)) for key, rate in enumerate(micros, 1)
    )


BASKET = {"pricing_model": CPA, "basket_bps": 500, "max_charge_micros": Micros(9)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"audience_rates": rates(1, None, 250_001)}, None),
        ({"audience_rates": rates(1, 0)}, Refusal.RATE_MISSING),
        ({"audience_rates": rates(-1)}, Refusal.RATE_MISSING),
        ({"audience_rates": rates(1), "rate_micros": Micros(0)}, Refusal.RATE_MISSING),
        ({"audience_rates": rates(1) + rates(2)}, Refusal.AUDIENCE_TWICE),
        ({"audience_rates": rates(None) + rates(None)}, Refusal.AUDIENCE_TWICE),
        ({"audience_rates": rates(2_000, None), "pricing_model": CPM}, None),
        ({"audience_rates": rates(2_000, 2_001), "pricing_model": CPM}, Refusal.CPM_NOT_EXACT),
        ({"audience_rates": rates(1), "pricing_model": VCPM}, Refusal.CPM_NOT_EXACT),
        ({"audience_rates": rates(1), "pricing_model": CPA}, None),
        (BASKET | {"audience_rates": rates(None, None)}, None),
        (BASKET | {"audience_rates": rates(None, 1)}, Refusal.BASKET_HAS_NO_RATE),
    ],
)
def test_rates_of_audiences_make_sense_or_are_refused_by_name(
    fields: dict[str, object], expected: Refusal | None
) -> None:
    assert check(make_campaign(**fields)) is expected
    assert isinstance(apply(make_campaign(), make_campaign(**fields)), Refusal) is (expected is not None)


@pytest.mark.parametrize(
    ("audiences", "creatives", "expected"),
    [
        ({1, 2}, {700, 701}, None),
        ({1}, {700, 701}, Refusal.UNKNOWN_AUDIENCE),
        ({1, 2}, {701}, Refusal.UNKNOWN_CREATIVE),
        (set(), set(), Refusal.UNKNOWN_AUDIENCE),
    ],
)
def test_a_campaign_names_only_what_is_its_own(
    audiences: set[int], creatives: set[int], expected: Refusal | None
) -> None:
    shown = (AudienceCreatives(1, (700, 701)),)
    campaign = make_campaign(audience_rates=rates(None, None), audience_creatives=shown)
    assert check_named(campaign, audiences, creatives) is expected
    assert check_named(make_campaign(), set(), set()) is None


def test_a_campaign_names_a_product_set_of_its_own() -> None:
    campaign = make_campaign(product_set_key=5)
    assert check_named(campaign, set(), set(), {5}) is None
    assert check_named(campaign, set(), set(), {4}) is Refusal.UNKNOWN_PRODUCT_SET
    assert check_named(campaign, set(), set()) is Refusal.UNKNOWN_PRODUCT_SET


def test_an_audience_sees_its_creatives_and_the_others_all() -> None:
    both = [make_creative(key=700), make_creative(key=701)]
    campaign = make_campaign(audience_creatives=(AudienceCreatives(1, (701,)), AudienceCreatives(2, (9,))))
    assert [one.key for one in creatives_for(campaign, 1, both)] == [701]
    assert creatives_for(campaign, 2, both) == []
    assert creatives_for(campaign, 3, both) == creatives_for(campaign, 0, both) == both
