"""A campaign in an experiment: whoever draws an arm sees what it says, for good, and everybody else all."""

import pytest

from adserver.domain.contender import Setting, contender_of, line_up_of
from adserver.domain.decision import Candidate, Decision, Heard, NoAd, Together
from adserver.domain.eligibility import Refusal
from adserver.domain.experiment import Arm, Entry, Experiment, Subject, arm_of
from adserver.domain.hearing import hear
from adserver.domain.holdout import Candidates, heard_for
from adserver.domain.identity import product_key
from adserver.domain.membership import Memberships
from adserver.domain.pricing import AudienceRate, PricingModel
from adserver.domain.ranking import THROWS
from adserver.domain.snapshot import Rates, Snapshot
from adserver.domain.visitor import Interest, Level, Shop
from pixel.events import EventName
from tests.domain.deciding import decide
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CARTERS,
    CREATIVE,
    EXPERIMENT,
    NOW_MS,
    VIEWERS,
    make_advertiser,
    make_audience,
    make_balance,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_creative,
    make_experiment,
    make_interest,
    make_product,
    make_profile,
    make_request,
    make_shop,
)

VISITORS = range(1, 60)
BLUE, RED, GREEN = (make_creative(key=CREATIVE + n) for n in range(3))
AUDIENCES = Memberships(
    {
        VIEWERS: make_audience(key=VIEWERS),
        CARTERS: make_audience(EventName.ADD_TO_CART, key=CARTERS),
    }
)


def asked(
    visitor_key: int,
    *experiments: Experiment,
    did: tuple[EventName, ...] = (EventName.VIEW_ITEM,),
    now_ms: int = NOW_MS,
    test: bool = False,
    dice: float = 0.5,
    **campaign: object,
) -> Decision | NoAd:
    contender = contender_of(make_campaign(**campaign), (BLUE, RED, GREEN), Rates(), experiments)
    candidate = Candidate(contender, make_balance(), 1.0, AUDIENCES)
    profile = make_profile()
    profile.shops[0].last_event_ms = dict.fromkeys(did, NOW_MS)
    request = make_request(visitor_key=visitor_key, now_ms=now_ms, test=test)
    return decide(request, profile, [candidate], make_catalogue(make_product()), dice)


def seen(answer: Decision | NoAd) -> int:
    assert isinstance(answer, Decision)
    return answer.creative.key


def test_a_visitor_sees_the_creative_of_their_arm_whatever_the_dice() -> None:
    experiment = make_experiment()
    for visitor in VISITORS:
        arm = arm_of(experiment, visitor)
        answers = [asked(visitor, experiment, dice=dice / 10) for dice in range(10)]
        assert {seen(answer) for answer in answers} == {CREATIVE + (arm or 0)}
        assert {answer.entries for answer in answers} == {(Entry(EXPERIMENT, arm or 0, CAMPAIGN),)}


def test_whoever_has_no_cookie_is_a_test_or_outside_of_all_shares_sees_every_creative() -> None:
    small = make_experiment(arms=(Arm("a", 1, (CREATIVE,)), Arm("b", 1, (CREATIVE + 1,))))
    cases = [(0, make_experiment(), False), (1, make_experiment(), True), (3, small, False)]
    for visitor, experiment, test in cases:
        answers = [asked(visitor, experiment, test=test, dice=dice / 20) for dice in range(20)]
        assert {seen(answer) for answer in answers} == {BLUE.key, RED.key, GREEN.key}
        assert {answer.entries for answer in answers} == {()}


def test_an_experiment_decides_nothing_before_it_starts_and_after_it_ends() -> None:
    experiment = make_experiment(ends_at_ms=NOW_MS + 10)
    for now_ms, runs in ((NOW_MS - 1, False), (NOW_MS, True), (NOW_MS + 10, False)):
        assert bool(asked(1, experiment, now_ms=now_ms).entries) is runs


def test_an_arm_of_which_nothing_may_be_shown_refuses_by_name_and_nobody_enters_it() -> None:
    experiment = make_experiment(arms=(Arm("a", 5_000, (CREATIVE,)), Arm("gone", 5_000, (1,))))
    visitor = next(one for one in VISITORS if arm_of(experiment, one) == 1)
    answer = asked(visitor, experiment)
    assert (answer.refusals, answer.entries) == ({CAMPAIGN: Refusal.NO_CREATIVE}, ())


@pytest.mark.parametrize("model", [PricingModel.CPC, PricingModel.CPA])
def test_both_arms_win_the_same_throws_however_their_creatives_are_clicked(model: PricingModel) -> None:
    """Else the arm that is clicked more would be seen in more places, and others would be compared in it."""
    arms = (Arm("one", 5_000, (BLUE.key,)), Arm("two", 5_000, (RED.key, GREEN.key)))
    experiment = make_experiment(arms=arms)
    figures = {BLUE.key: Rates(9_000, 20, 1), RED.key: Rates(9_000, 90, 9), GREEN.key: Rates(9_000, 9)}
    terms = {"pricing_model": model, "rate_micros": 200_000}
    contender = contender_of(
        make_campaign(**terms), (BLUE, RED, GREEN), Rates(27_000, 119, 10), (experiment,),
        setting=Setting(of_creatives=figures),
    )  # fmt: skip
    rival = make_candidate(make_campaign(key=71, **terms), rates=Rates(27_000, 119, 10))
    candidates = [Candidate(contender, make_balance(), 1.0), rival]
    visitors = [next(one for one in VISITORS if arm_of(experiment, one) == arm) for arm in (0, 1)]
    won = []
    for visitor in visitors:
        request, products = make_request(visitor_key=visitor), make_catalogue(make_product())
        answers = [
            decide(request, make_profile(), candidates, products, throw / THROWS) for throw in range(THROWS)
        ]
        won.append([throw for throw, answer in enumerate(answers) if answer.entries])
    assert won[0] == won[1] and 0 < len(won[0]) < THROWS


def test_an_arm_of_audiences_is_for_its_own_and_all_who_belong_to_any_are_compared() -> None:
    arms = (Arm("viewers", 5_000, (), (VIEWERS,)), Arm("carters", 5_000, (), (CARTERS,)))
    experiment = make_experiment(subject=Subject.AUDIENCES, arms=arms)
    rates = (AudienceRate(VIEWERS, None), AudienceRate(CARTERS, None))
    kinds = {VIEWERS: EventName.VIEW_ITEM, CARTERS: EventName.ADD_TO_CART}
    for visitor in VISITORS:
        arm = arm_of(experiment, visitor) or 0
        for audience_key, event in kinds.items():
            answer = asked(visitor, experiment, did=(event,), audience_rates=rates)
            assert answer.entries == (Entry(EXPERIMENT, arm, CAMPAIGN),)
            assert isinstance(answer, Decision) is (audience_key in arms[arm].audience_keys)
        nobody = asked(visitor, experiment, did=(EventName.ADD_TO_WISHLIST,), audience_rates=rates)
        assert (nobody.refusals, nobody.entries) == ({CAMPAIGN: Refusal.NOT_IN_AUDIENCE}, ())


def test_campaigns_in_an_experiment_are_judged_alone_and_those_without_together() -> None:
    with_trial = contender_of(make_campaign(), (BLUE, RED), Rates(), (make_experiment(),))
    without = contender_of(make_campaign(key=71), (BLUE,), Rates())
    assert line_up_of([with_trial]).joint is None
    assert line_up_of([without]).joint is not None


def test_a_snapshot_makes_its_campaigns_anew_when_it_hears_of_an_experiment() -> None:
    snapshot = Snapshot()
    for entity in (make_advertiser(), make_campaign(), BLUE, RED):
        snapshot.put(entity)
    before = snapshot.change_of(ADVERTISER)
    snapshot.put(make_experiment())
    assert snapshot.change_of(ADVERTISER) != before
    assert snapshot.experiments_of(CAMPAIGN) == [make_experiment()]
    snapshot.put(make_experiment(version=2, ends_at_ms=NOW_MS + 5))
    assert [one.ends_at_ms for one in snapshot.experiments_of(CAMPAIGN)] == [NOW_MS + 5]


# ---- holdouts ----


def test_the_next_advertiser_answers_and_each_that_lost_is_told_why() -> None:
    """Of the one that holds out: its winner, and its other campaign, which the winner beat."""
    first = [make_candidate(make_campaign(key=key, rate_micros=rate)) for key, rate in ((1, 9), (2, 5))]
    other = make_candidate(make_campaign(key=3, advertiser_key=8, rate_micros=1))
    lamp = make_product("lamp", key=product_key(8, "lamp"), advertiser_key=8)
    at_other = Shop(8, [Interest(lamp.key, Level.VIEWED, NOW_MS)])
    profile = make_profile(make_shop(make_interest("boots")), at_other)
    catalogue = make_catalogue(make_product(), lamp)

    def ask(candidates: Candidates) -> Heard:
        return hear(make_request(), profile, candidates, catalogue, 0.5)

    answer = heard_for([*first, other], ask, {ADVERTISER}.__contains__).answer
    assert isinstance(answer, Decision) and answer.campaign.key == 3
    assert answer.refusals == {1: Refusal.HOLDOUT, 2: Refusal.OUTRANKED}
    assert [ghost.campaign.key for ghost in answer.ghosts] == [1]
    nobody = heard_for([*first, other], ask, {ADVERTISER, 8}.__contains__).answer
    assert isinstance(nobody, NoAd)
    assert nobody.refusals == {1: Refusal.HOLDOUT, 2: Refusal.OUTRANKED, 3: Refusal.HOLDOUT}
    assert [ghost.campaign.key for ghost in nobody.ghosts] == [1, 3]


def test_campaigns_that_answer_together_leave_together() -> None:
    """As when each of them is judged by itself."""
    lamp = make_product("lamp", key=product_key(8, "lamp"), advertiser_key=8)
    at_other = Shop(8, [Interest(lamp.key, Level.VIEWED, NOW_MS)])
    profile = make_profile(make_shop(make_interest("boots")), at_other)
    together: list[Candidate | Together] = []
    for owner, rate in ((ADVERTISER, 9), (8, 1)):
        campaigns = [
            make_campaign(key=owner * 10 + n, advertiser_key=owner, rate_micros=rate) for n in (1, 2)
        ]
        line_up = line_up_of([make_candidate(campaign).contender for campaign in campaigns])
        assert line_up.joint is not None
        together.append(Together(line_up, line_up.joint, 1.0))
    alone = [one for line_up in together if isinstance(line_up, Together) for one in line_up.each()]

    def ask(candidates: Candidates) -> Heard:
        return hear(make_request(), profile, candidates, make_catalogue(make_product(), lamp), 0.5)

    for holding in (set[int](), {8}, {ADVERTISER}, {ADVERTISER, 8}):
        answers = [heard_for(asked, ask, holding.__contains__).answer for asked in (together, alone)]
        assert answers[0].refusals == answers[1].refusals
        assert [one.campaign.key for one in answers[0].ghosts] == [
            one.campaign.key for one in answers[1].ghosts
        ]
        assert type(answers[0]) is type(answers[1]) is (NoAd if len(holding) == 2 else Decision)
