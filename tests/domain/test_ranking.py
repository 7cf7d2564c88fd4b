"""What is thrown in advance is what is believed; who is shown how often is known before, and told truly."""

from collections import Counter
from random import Random
from statistics import fmean

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.campaign import Campaign, Pacing, Tier
from adserver.domain.contender import Setting, contender_of, line_up_of, worths
from adserver.domain.decision import Candidate, Decision, NoAd, Together
from adserver.domain.eligibility import Balance, Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.ranking import THROWS, Odds, draws, throw_of
from adserver.domain.rates import Belief, Rates
from tests.domain.deciding import decide
from tests.domain.makers import (
    make_balance,
    make_bucket,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_creative,
    make_message,
    make_product,
    make_profile,
    make_request,
    make_slot,
)
from tests.domain.test_decision_plainly import World

CPM, CPC = PricingModel.CPM, PricingModel.CPC
EACH_THROW = [(throw + 0.5) / THROWS for throw in range(THROWS)]
beliefs = st.builds(Belief, st.floats(0.001, 0.9), st.floats(50, 100_000))


# ---- the throws ----


@pytest.mark.parametrize(
    "belief", [Belief(0.005, 200), Belief(0.02, 50), Belief(0.7, 20), Belief(0.01, 9_000)]
)
def test_throws_have_the_mean_of_the_belief_and_grow_surer_with_it(belief: Belief) -> None:
    thrown = [one for seed in range(100) for one in draws(belief, seed)]
    assert fmean(thrown) == pytest.approx(belief.mean, rel=0.02)
    surer = [one for seed in range(100) for one in draws(Belief(belief.mean, 4 * belief.trials), seed)]
    assert max(surer) - min(surer) < max(thrown) - min(thrown)


def test_what_is_hardly_known_is_thrown_as_its_beta_is_where_throws_win() -> None:
    dice, belief = Random(1), Belief(0.005, 200)
    exact = sorted(dice.betavariate(1.0, 199.0) for _ in range(20_000))
    thrown = sorted(one for seed in range(300) for one in draws(belief, seed))
    for share in (0.5, 0.75, 0.9, 0.99):
        at = exact[int(share * len(exact))]
        assert thrown[int(share * len(thrown))] == pytest.approx(at, rel=0.1)


def test_throws_of_two_ads_say_nothing_of_each_other() -> None:
    belief, better = Belief(0.01, 1_000), []
    for seed in range(500):
        one, other = draws(belief, seed), draws(belief, seed + 1_000)
        better.append(sum(a > b for a, b in zip(one, other, strict=True)) / THROWS)
    assert fmean(better) == pytest.approx(0.5, abs=0.02)
    assert len(set(better)) > 10  # neither always alike nor always turned round


@given(beliefs, beliefs, st.integers(1, 2**62))
def test_no_throw_is_above_the_most_and_all_differ_from_nothing(
    one: Belief, other: Belief, seed: int
) -> None:
    for odds in (Odds(seed, one), Odds(seed, one, other)):
        assert max(odds.throws()) <= odds.most * (1 + 1e-9)
        assert min(odds.throws()) > 0.0
        assert list(odds.kept) == list(odds.throws())


def test_throws_are_made_anew_when_anything_is_learnt() -> None:
    assert list(draws(Belief(0.01, 100), 7)) != list(draws(Belief(0.01, 101), 7))
    assert Odds(7, Belief(0.01, 100)) == Odds(7, Belief(0.01, 100)) != Odds(8, Belief(0.01, 100))


@given(st.floats(0, 1, exclude_max=True))
def test_dice_are_a_throw_and_what_is_left_of_them(dice: float) -> None:
    throw, tie = throw_of(dice)
    assert 0 <= throw < THROWS and 0.0 <= tie < 1.0
    assert (throw + tie) / THROWS == pytest.approx(dice)


# ---- what is shown how often ----


class Fair(World):
    """A world without paces and with money for all: who may answer does not turn on the dice or the rate."""

    def _balance(self) -> Balance:
        return make_balance()

    def _campaign(self, key: int) -> Campaign:
        return msgspec.structs.replace(super()._campaign(key), pacing=Pacing.ASAP)

    def decided(self, dice: float, candidates: list[Candidate | Together]) -> Decision | NoAd:
        return decide(self.request, self.profile, candidates, self.catalogue, dice, self.around)

    def alone(self) -> list[Candidate | Together]:
        return list(self.candidates)


def test_over_many_dice_each_ad_is_shown_as_often_as_its_propensity_says() -> None:
    """In worlds of several shops, tiers and currencies; ties of up to six are told exactly, too."""
    ties, uneven, decided = 60, 0, 0
    for seed in range(60):
        world = Fair(seed)
        shown, told = Counter[tuple[int, int]](), dict[tuple[int, int], float]()
        first = world.decided(0.0, world.alone())
        each = range(ties) if isinstance(first, Decision) and seed % 10 == 0 else (0,)
        for tie in each:
            for throw in range(THROWS):
                answer = world.decided((throw + (tie + 0.5) / ties) / THROWS, world.alone())
                if isinstance(answer, Decision):
                    ad = (answer.campaign.key, answer.creative.key)
                    shown[ad] += 1
                    assert told.setdefault(ad, answer.propensity) == answer.propensity
                    assert 0.0 < answer.propensity <= 1.0
        if len(each) == ties:
            for ad, times in shown.items():
                assert times / (ties * THROWS) == pytest.approx(told[ad])
            assert sum(told.values()) == pytest.approx(1.0)
        uneven += any(0.02 < one < 0.98 for one in told.values())
        decided += bool(told)
    assert uneven > 10 and decided > 20


@pytest.mark.parametrize("factor", [1.001, 1.5, 20.0])
def test_given_the_same_dice_raising_ones_rate_never_loses_what_was_won(factor: float) -> None:
    won = more = 0
    for seed in range(40):
        world = Fair(seed)
        for place, candidate in enumerate(world.candidates[:4]):
            campaign = candidate.contender.campaign
            if campaign.tier is Tier.HOUSE:
                continue
            dearer = world.alone()
            dearer[place] = with_rate(candidate, factor)
            for dice in EACH_THROW[seed % 4 :: 4]:
                before, after = (world.decided(dice, some) for some in (world.alone(), dearer))
                was_won = isinstance(before, Decision) and before.campaign.key == campaign.key
                is_won = isinstance(after, Decision) and after.campaign.key == campaign.key
                assert is_won or not was_won, f"world {seed}, campaign {campaign.key}, dice {dice}"
                won, more = won + was_won, more + (is_won and not was_won)
    assert won > 150 and (more > 3 or factor < 1.01)


def with_rate(candidate: Candidate, factor: float) -> Candidate:
    campaign = candidate.contender.campaign
    terms = campaign.terms
    raised = tuple(
        one
        if one.rate_micros is None
        else msgspec.structs.replace(one, rate_micros=Micros(int(one.rate_micros * factor)))
        for one in terms.audience_rates
    )
    rate = Micros(int(terms.rate_micros * factor))
    terms = msgspec.structs.replace(terms, rate_micros=rate, audience_rates=raised)
    contender = contender_of(
        msgspec.structs.replace(campaign, terms=terms),
        candidate.contender.creatives,
        candidate.contender.rates,
        peace=candidate.contender.peace,
        setting=Setting(candidate.contender.list_keys),
    )
    return msgspec.structs.replace(candidate, contender=contender)


def test_of_a_campaigns_creatives_the_one_that_is_clicked_more_is_shown_more() -> None:
    campaign = make_campaign(key=5, pricing_model=CPM)
    creatives = [make_creative(key=key, campaign_key=5) for key in (51, 52)]
    of_creatives = {51: Rates(20_000, 300), 52: Rates(20_000, 100)}
    contender = contender_of(
        campaign, creatives, Rates(40_000, 400), setting=Setting(of_creatives=of_creatives)
    )
    world = [Candidate(contender, make_balance(), 1.0)]
    shown = Counter(decided(world, dice).creative.key for dice in EACH_THROW)
    assert shown[51] == THROWS
    unknown = contender_of(campaign, creatives, Rates())
    both = Counter(
        decided([Candidate(unknown, make_balance(), 1.0)], dice).creative.key for dice in EACH_THROW
    )
    assert min(both[51], both[52]) > THROWS // 5


def decided(candidates: list[Candidate], dice: float) -> Decision:
    answer = decide(make_request(), make_profile(), candidates, make_catalogue(make_product()), dice)
    assert isinstance(answer, Decision)
    return answer


def test_a_new_campaign_is_tried_beside_one_that_is_known_to_earn_as_much() -> None:
    known = make_candidate(make_campaign(key=1, pricing_model=CPC), rates=Rates(200_000, 1_000))
    new = make_candidate(make_campaign(key=2, pricing_model=CPC))
    poor = make_candidate(make_campaign(key=3, pricing_model=CPC), rates=Rates(200_000, 100))
    shown = Counter(decided([known, new, poor], dice).campaign.key for dice in EACH_THROW)
    assert shown[1] > THROWS // 4 and shown[2] > THROWS // 10 and not shown[3]


def test_thousands_that_answer_together_are_ahead_as_if_each_were_asked() -> None:
    """Those that are not thrown, since they cannot be ahead, would not have been."""
    dice = Random(3)
    contenders = [
        contender_of(
            make_campaign(key=key, pricing_model=dice.choice((CPM, CPC, CPC, PricingModel.CPA))),
            [make_creative(key=key * 10 + n, campaign_key=key) for n in range(dice.choice((1, 1, 2)))],
            Rates(dice.randrange(9_000), dice.randrange(40), dice.randrange(3)),
        )
        for key in range(1, 400)
    ]
    line_up = line_up_of(contenders)
    assert line_up.joint is not None
    together = Together(line_up, line_up.joint, 1.0)
    for throw in EACH_THROW[::8]:
        answers = []
        for candidates in ([together], together.each()):
            answer = decide(make_request(), make_profile(), candidates, make_catalogue(make_product()), throw)
            assert isinstance(answer, Decision)
            answers.append((answer.creative, answer.ecpm_micros, round(answer.propensity, 12)))
        assert answers[0] == answers[1]
    for throw, lead in enumerate(line_up.joint.leads):
        worth = {one.campaign.key: worths(one, one.own_bid, one.own_bid.cards)[throw] for one in contenders}
        below = [key for key in worth if worth[key] < lead.micros]
        second = max(below, key=worth.__getitem__)
        assert lead.second is not None and lead.second[1] == worth[second] == worth[lead.second[0]]


# ---- tiers ----


def tiered(key: int, tier: Tier, rate_micros: int) -> Candidate:
    rate = Micros(0 if tier is Tier.HOUSE else rate_micros)
    return make_candidate(make_campaign(key=key, pricing_model=CPM, rate_micros=rate, tier=tier))


def test_a_higher_tier_wins_at_any_price_and_the_others_hear_why() -> None:
    candidates = [tiered(place, tier, 1_000_000 * 10**place) for place, tier in enumerate(Tier, 1)]
    for beaten in range(len(candidates)):
        answer = decided(candidates[beaten:], 0.5)
        assert answer.campaign.key == beaten + 1 and answer.propensity == 1.0
        assert set(answer.refusals.values()) <= {Refusal.LOWER_TIER}
        assert len(answer.refusals) == len(candidates) - beaten - 1


def test_within_a_tier_the_worth_decides() -> None:
    dear, cheap = tiered(1, Tier.REMNANT, 2_000_000), tiered(2, Tier.REMNANT, 1_000_000)
    answer = decided([cheap, dear, tiered(3, Tier.HOUSE, 0)], 0.2)
    assert answer.campaign.key == 1
    assert answer.refusals == {2: Refusal.OUTRANKED, 3: Refusal.LOWER_TIER}


def test_line_ups_of_a_lower_tier_hear_why_too() -> None:
    low = line_up_of([tiered(key, Tier.REMNANT, 1_000_000).contender for key in (3, 4)])
    assert low.joint is not None
    asked = [tiered(1, Tier.STANDARD, 1_000), Together(low, low.joint, 1.0)]
    answer = decide(make_request(), make_profile(), asked, make_catalogue(make_product()), 0.1)
    assert isinstance(answer, Decision)
    assert answer.refusals == {3: Refusal.LOWER_TIER, 4: Refusal.LOWER_TIER}


def test_a_house_campaign_fills_below_any_floor_and_without_any_money() -> None:
    spent = make_bucket(cap=10, spent=10)
    broke = make_balance(
        total=spent, day=spent, advertiser_total=spent, advertiser_day=spent, in_flight=Micros(5)
    )
    house = msgspec.structs.replace(tiered(1, Tier.HOUSE, 0), balance=broke)
    paying = msgspec.structs.replace(tiered(2, Tier.STANDARD, 1_000_000), balance=broke)
    dear = make_slot(floor_cpm_micros=Micros(9_000_000), currency="EUR")
    request = make_request(slot=dear)
    answer = decide(request, make_profile(), [house, paying], make_catalogue(make_product()), 0.1)
    assert isinstance(answer, Decision) and answer.campaign.key == 1
    together = line_up_of([house.contender])
    assert together.joint is not None and together.joint.dearest == 0
    asked = [Together(together, together.joint, 1.0)]
    assert isinstance(decide(request, make_profile(), asked, make_catalogue(make_product()), 0.1), Decision)


def test_a_house_message_fills_a_page_for_whoever_is_unknown() -> None:
    campaign = make_campaign(tier=Tier.HOUSE, rate_micros=Micros(0), contextual=True)
    house = make_candidate(campaign, creatives=[make_message(campaign_key=campaign.key)])
    answer = decide(make_request(), None, [house], {}, 0.4)
    assert isinstance(answer, Decision) and answer.creative.template == "message"
