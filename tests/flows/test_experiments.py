"""Experiments from the slot to the sums: a visitor keeps their arm, and what they do counts in it."""

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.decision import NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.experiment import Arm, Subject, arm_of, is_held_out
from adserver.domain.pricing import AudienceRate
from adserver.flows.serve import SlotRequest
from pixel.consent import Region
from pixel.events import EventName
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CARTERS,
    CREATIVE,
    EXPERIMENT,
    SLOT,
    VIEWERS,
    make_advertiser,
    make_audience,
    make_campaign,
    make_creative,
    make_experiment,
)
from tests.flows.street import READER, SHOPPER, Street

VISITORS = range(1_001, 1_025)


def who(visitor_key: int, caller: Caller = READER) -> Caller:
    return msgspec.structs.replace(caller, visitor_key=visitor_key)


def open_with_two(street: Street, **campaign: object) -> None:
    """A campaign with two creatives, and visitors who have looked at what it shows."""
    street.open_shop()
    save_new(street.storage, make_campaign(**campaign), make_creative(), make_creative(key=CREATIVE + 1))
    for visitor in VISITORS:
        assert street.hit(who(visitor, SHOPPER)).rejection is None


def figures(street: Street) -> dict[int, tuple[int, int, int]]:
    sums = street.storage.experiments.sums(EXPERIMENT)
    return {arm: (one.entered, one.impressions, one.clicks) for arm, one in sums.items()}


def test_visitors_see_the_creative_of_their_arm_each_time_and_count_in_it(street: Street) -> None:
    open_with_two(street)
    experiment = make_experiment()
    save_new(street.storage, experiment)
    arms = {visitor: arm_of(experiment, visitor) or 0 for visitor in VISITORS}
    for visitor, arm in arms.items():
        for _ in range(2):
            text = street.token(who(visitor))
            assert street.read(text).creative_key == CREATIVE + arm
            street.see(text)
        street.now_ms += 1_000
        street.click(text)
    sizes = [list(arms.values()).count(arm) for arm in (0, 1)]
    assert min(sizes) > 4
    assert figures(street) == {arm: (n, 2 * n, n) for arm, n in enumerate(sizes)}
    street.assert_audit_is_clean()


def test_an_experiment_that_has_ended_leaves_its_creatives_to_the_dice(street: Street) -> None:
    open_with_two(street)
    experiment = make_experiment()
    save_new(street.storage, experiment)
    street.visit(who(VISITORS[0]))
    save(street.storage, msgspec.structs.replace(experiment, version=2, ends_at_ms=street.now_ms))
    seen = {street.read(street.token(who(VISITORS[0]))).creative_key for _ in range(20)}
    assert seen == {CREATIVE, CREATIVE + 1}


def test_whoever_belongs_to_an_audience_is_compared_even_where_their_arm_serves_another(
    street: Street,
) -> None:
    rates = (AudienceRate(VIEWERS, None), AudienceRate(CARTERS, None))
    open_with_two(street, audience_rates=rates)
    carters = make_audience(EventName.ADD_TO_CART, key=CARTERS)
    save_new(street.storage, make_audience(), carters)
    arms = (Arm("viewers", 5_000, (), (VIEWERS,)), Arm("carters", 5_000, (), (CARTERS,)))
    experiment = make_experiment(subject=Subject.AUDIENCES, arms=arms)
    save_new(street.storage, experiment)
    filled = {visitor: street.visit(who(visitor)).filled for visitor in VISITORS}
    assert filled == {visitor: arm_of(experiment, visitor) == 0 for visitor in VISITORS}
    street.hit(who(VISITORS[0], SHOPPER))  # durable behind all of that
    served = sum(filled.values())
    assert {arm: one.entered for arm, one in street.storage.experiments.sums(EXPERIMENT).items()} == {
        0: served, 1: len(VISITORS) - served,
    }  # fmt: skip


def test_whoever_is_held_out_is_in_no_experiment_of_that_advertiser(street: Street) -> None:
    open_with_two(street)
    save_new(street.storage, make_experiment())
    held = make_advertiser(version=2, holdout_bps=5_000, holdout_draw=1, holdout_since_ms=street.now_ms)
    save(street.storage, held)
    shown = [visitor for visitor in VISITORS if street.visit(who(visitor)).filled]
    assert shown == [visitor for visitor in VISITORS if not is_held_out(visitor, held)]
    assert 4 < len(shown) < len(VISITORS) - 4
    street.hit(who(VISITORS[0], SHOPPER))
    assert sum(one.entered for one in street.storage.experiments.sums(EXPERIMENT).values()) == len(shown)
    assert len(street.rows("SELECT * FROM ghosts")) == len(VISITORS) - len(shown)


def test_whoever_is_held_out_is_in_no_arm_of_audiences_whether_or_not_it_would_have_been_served(
    street: Street,
) -> None:
    """Else they would be compared in those arms alone whose ads do not win."""
    rates = (AudienceRate(VIEWERS, None), AudienceRate(CARTERS, None))
    open_with_two(street, audience_rates=rates)
    carters = make_audience(EventName.ADD_TO_CART, key=CARTERS)
    arms = (Arm("viewers", 5_000, (), (VIEWERS,)), Arm("carters", 5_000, (), (CARTERS,)))
    experiment = make_experiment(subject=Subject.AUDIENCES, arms=arms)
    save_new(street.storage, make_audience(), carters, experiment)
    held = make_advertiser(version=2, holdout_bps=5_000, holdout_draw=1, holdout_since_ms=street.now_ms)
    save(street.storage, held)
    compared = [visitor for visitor in VISITORS if not is_held_out(visitor, held)]
    for visitor in VISITORS:
        street.visit(who(visitor))
    street.hit(who(VISITORS[0], SHOPPER))
    sums = street.storage.experiments.sums(EXPERIMENT)
    assert {arm: one.entered for arm, one in sums.items()} == {
        number: sum(arm_of(experiment, visitor) == number for visitor in compared) for number in (0, 1)
    }


def test_an_explanation_says_that_it_is_the_holdout_and_leaves_no_trace(street: Street) -> None:
    street.open(frequency_cap=FrequencyCap(1, Period.DAY))
    held = make_advertiser(version=2, holdout_bps=5_000, holdout_draw=1, holdout_since_ms=street.now_ms)
    save(street.storage, held)
    visitor = next(one for one in range(1, 99) if is_held_out(one, held))
    street.hit(who(visitor, SHOPPER))
    for _ in range(3):
        answer = street.serve.explain(SlotRequest(SLOT), who(visitor))
        assert isinstance(answer, NoAd)
        assert answer.refusals == {CAMPAIGN: Refusal.HOLDOUT}
        assert [ghost.campaign.key for ghost in answer.ghosts] == [CAMPAIGN]
    street.hit(who(visitor, SHOPPER))
    assert street.rows("SELECT * FROM ghosts") == []


def test_whoever_has_no_cookie_is_neither_held_out_nor_compared(street: Street) -> None:
    street.open()
    held = make_advertiser(version=2, holdout_bps=5_000, holdout_draw=1, holdout_since_ms=street.now_ms)
    save(street.storage, held)
    assert not street.visit(Caller(Region.OPEN, origin="news.example")).filled
    street.look()
    assert street.rows("SELECT * FROM experiment_visitors") == street.rows("SELECT * FROM ghosts") == []


def test_a_visitor_whom_nobody_holds_out_enters_the_comparison_of_their_advertiser(street: Street) -> None:
    street.open()
    street.see(street.token())
    street.hit(e="purchase", value="30", currency="EUR", transaction_id="R-1")
    rows = street.rows("SELECT advertiser_key, arm, purchases, revenue_micros FROM experiment_visitors")
    assert rows == [(ADVERTISER, 2, 1, 30_000_000)]
