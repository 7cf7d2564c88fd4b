"""A verdict says what became of each candidate: the decision's own refusal or score, with what is behind it."""

import pytest

from adserver.domain.advice import CHOSEN, advice_of
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.contender import line_up_of
from adserver.domain.decision import Candidate, Decision, Together
from adserver.domain.eligibility import Refusal
from adserver.domain.hearing import hear
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.ranking import THROWS
from adserver.domain.refusal_words import WORDS
from adserver.domain.verdict import Score, Verdict, verdicts
from adserver.domain.visitor import Profile, Shown
from tests.domain.makers import (
    CAMPAIGN,
    CREATIVE,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    make_balance,
    make_bucket,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_product,
    make_profile,
    make_request,
    make_slot,
)
from tests.domain.test_decision_plainly import SHOPS, World, is_usual

PARIS = "Europe/Paris"
CATALOGUE = make_catalogue(make_product("boots"))


def judged(candidate: Candidate, profile: Profile | None = None, **request: object) -> Verdict:
    """The verdict on one candidate, alone before the slot."""
    profile = profile or make_profile()
    heard = hear(make_request(**request), profile, [candidate], CATALOGUE, 0.5)
    (verdict,) = verdicts(heard, [candidate], profile, NOW_MS)
    return verdict


def test_every_refusal_has_words_and_advice() -> None:
    assert set(WORDS) == set(Refusal)
    assert all(said.says and said.counted and said.advice.endswith(".") for said in WORDS.values())


def test_verdicts_are_the_decisions_own_in_every_world() -> None:
    """Of all candidates, each once; whoever won is chosen, and each other has the decision's refusal."""
    together = 0
    for seed in range(600):
        world = World(seed)
        some: list[Candidate | Together] = []
        for shop in SHOPS:
            group = [one for one in world.candidates if one.contender.campaign.advertiser_key == shop]
            line_up = line_up_of([one.contender for one in group if is_usual(one)])
            if line_up.joint is None:
                some += group
            else:
                some.append(Together(line_up, line_up.joint, world.rate))
                together += 1
        heard = hear(world.request, world.profile, some, world.catalogue, world.dice, world.around)
        told = verdicts(heard, some, world.profile, NOW_MS)
        chosen = [one.campaign.key for one in told if one.refusal is None]
        assert chosen == ([heard.answer.campaign.key] if isinstance(heard.answer, Decision) else [])
        refused = {one.campaign.key: one.refusal for one in told if one.refusal is not None}
        assert refused == heard.answer.refusals, f"world {seed}"
        assert len(told) == len(refused) + len(chosen)
        if chosen:
            assert told[0].score is not None and isinstance(heard.answer, Decision)
            assert told[0].score.ranked_micros == heard.answer.ecpm_micros
    assert together > 200


def test_a_score_is_the_product_of_its_parts() -> None:
    sale = make_campaign(pricing_model=PricingModel.CPA, rate_micros=Micros(30_000_000))
    candidate = make_candidate(sale, exchange_rate=0.5)
    score = judged(candidate).score
    assert score is not None and score.click_rate and score.conversion_rate
    assert score.ecpm_micros == pytest.approx(
        1000 * score.click_rate * score.conversion_rate * score.rate_micros
    )
    thrown = candidate.contender.odds[CREATIVE].kept[THROWS // 2]
    assert score.ranked_micros == pytest.approx(1000 * thrown * score.rate_micros * 0.5)


@pytest.mark.parametrize(
    ("balances", "short_of", "frees_ms"),
    [
        ({"day": make_bucket(1)}, "daily", NOW_MS + DAY_MS // 2),
        ({"total": make_bucket(1)}, "total", None),
        ({"advertiser_total": make_bucket(1)}, "account_total", None),
        ({"advertiser_day": make_bucket(10**9, 10**9)}, "account_daily", NOW_MS + DAY_MS // 2),
        ({"day": make_bucket(10**9), "total": make_bucket(2)}, "total", None),
    ],
)
def test_the_budget_that_is_used_up_is_named_with_its_midnight(
    balances: dict[str, object], short_of: str, frees_ms: int | None
) -> None:
    verdict = judged(make_candidate(balance=make_balance(**balances)))
    assert (verdict.refusal, verdict.short_of) == (Refusal.BUDGET_EXHAUSTED, short_of)
    assert verdict.frees_ms == frees_ms


def test_a_cap_says_when_the_visitor_may_see_it_again() -> None:
    profile = make_profile()
    profile.shown = [Shown(CAMPAIGN, [NOW_MS - 2 * DAY_MS, NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS])]
    verdict = judged(make_candidate(make_campaign(frequency_cap=FrequencyCap(2, Period.DAY))), profile)
    assert (verdict.refusal, verdict.frees_ms) == (Refusal.FREQUENCY_CAP, NOW_MS + 21 * HOUR_MS)
    again = judged(
        make_candidate(make_campaign(frequency_cap=FrequencyCap(2, Period.DAY))),
        profile,
        now_ms=verdict.frees_ms,
    )
    assert again.refusal is None


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (
            Verdict(make_campaign(), Refusal.BUDGET_EXHAUSTED, None, "daily", NOW_MS),
            "Not shown: its daily budget does not hold one more ad until 2026-11-18 12:06 Europe/Paris time."
            " Raise the budget, or wait.",
        ),
        (
            Verdict(make_campaign(), Refusal.BELOW_FLOOR),
            "Not shown: the slot costs at least 2.00 EUR for a thousand ads. ",
        ),
        (Verdict(make_campaign(), Refusal.PAUSED), "Not shown: it is paused. Set its status to active."),
        (Verdict(make_campaign(), None), CHOSEN),
        (
            Verdict(make_campaign(), Refusal.OUTRANKED, Score(1e6, 1e6, Micros(1), 0, 1.0)),
            "taken to earn 1.0000, of the one that is shown 2.5000. ",
        ),
    ],
)
def test_advice_says_what_happened_and_what_to_do_next(verdict: Verdict, words: str) -> None:
    slot = make_slot(floor_cpm_micros=Micros(2_000_000), currency="EUR")
    best = Score(2.5e6, 2.5e6, Micros(1), 0, 1.0)
    assert words in advice_of(verdict, slot, PARIS, best)
