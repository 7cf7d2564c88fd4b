"""What holds of every decision, whatever the world: who bids more is not chosen less, and every no has a name."""

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.contender import Setting, contender_of
from adserver.domain.decision import Candidate, Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate
from adserver.domain.visitor import PURCHASE_RETENTION_MS
from tests.domain.deciding import decide
from tests.domain.makers import NOW_MS, make_balance
from tests.domain.test_decision_plainly import World

worlds = st.integers(0, 2**32).map(World)
throws = st.floats(0, 1, exclude_max=True)
EXAMPLES = 150


def asked(world: World, dice: float) -> Decision | NoAd:
    return decide(world.request, world.profile, world.candidates, world.catalogue, dice, world.around)


def dearer(candidate: Candidate, factor: int) -> Candidate:
    """The same campaign, for so many times its rates."""
    contender = candidate.contender
    terms = contender.campaign.terms
    raised = tuple(
        AudienceRate(one.audience_key, None if one.rate_micros is None else Micros(one.rate_micros * factor))
        for one in terms.audience_rates
    )
    terms = msgspec.structs.replace(
        terms, rate_micros=Micros(terms.rate_micros * factor), audience_rates=raised
    )
    campaign = msgspec.structs.replace(contender.campaign, terms=terms)
    kept = (contender.creatives, contender.rates, (), contender.peace, Setting(contender.list_keys))
    made = contender_of(campaign, *kept)
    return msgspec.structs.replace(candidate, contender=made)


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds, st.integers(0, 15), st.integers(2, 5))
def test_raising_ones_rate_never_lowers_ones_chance(world: World, place: int, factor: int) -> None:
    """With the same pacing pass, and money for the dearer ad: of all throws it wins at least as many."""
    world.candidates = [msgspec.structs.replace(one, balance=make_balance()) for one in world.candidates]
    chosen = world.candidates[place % len(world.candidates)]
    raised = [dearer(one, factor) if one is chosen else one for one in world.candidates]
    assert chance(world, raised, chosen) >= chance(world, world.candidates, chosen)


def chance(world: World, candidates: list[Candidate], whose: Candidate) -> float:
    """The share of 48 dice that it wins."""
    key, throws = whose.contender.campaign.key, [(place + 0.5) / 48 for place in range(48)]
    return sum(wins(world, candidates, key, throw) for throw in throws) / len(throws)


def wins(world: World, candidates: list[Candidate], key: int, dice: float) -> bool:
    answer = decide(world.request, world.profile, candidates, world.catalogue, dice, world.around)
    return isinstance(answer, Decision) and answer.campaign.key == key


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds, throws)
def test_a_bought_product_never_appears(world: World, dice: float) -> None:
    answer = asked(world, dice)
    if world.profile is None or not isinstance(answer, Decision):
        return
    shop = world.profile.shop(answer.campaign.advertiser_key)
    bought = {
        one.product_key
        for one in (shop.purchases if shop else ())
        if one.at_ms > NOW_MS - PURCHASE_RETENTION_MS
    }
    assert not bought & {product.key for product in answer.products}


def test_there_are_worlds_in_which_a_wanted_product_was_bought() -> None:
    """Else the property above would hold of nothing."""
    seen = 0
    for seed in range(300):
        world = World(seed)
        answer = asked(world, 0.5)
        if world.profile is not None and isinstance(answer, Decision) and answer.products:
            shop = world.profile.shop(answer.campaign.advertiser_key)
            assert shop is not None
            bought = {one.product_key for one in shop.purchases}
            seen += bool(bought & {one.product_key for one in shop.interests})
    assert seen > 5


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds, throws)
def test_every_candidate_wins_or_is_refused_by_name(world: World, dice: float) -> None:
    answer = asked(world, dice)
    winner = {answer.campaign.key} if isinstance(answer, Decision) else set()
    assert winner | answer.refusals.keys() == {one.contender.campaign.key for one in world.candidates}
    assert not winner & answer.refusals.keys()
    assert set(answer.refusals.values()) <= set(Refusal)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32), throws)
def test_the_same_inputs_and_dice_give_the_same_decision(seed: int, dice: float) -> None:
    """Made anew, and asked twice: nothing is remembered from one decision to the next."""
    world = World(seed)
    first = asked(world, dice)
    assert asked(world, dice) == first == asked(World(seed), dice)


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds, throws, st.randoms(use_true_random=False))
def test_who_answers_does_not_depend_on_who_was_asked_first(world: World, dice: float, order: Random) -> None:
    """But for ties, which the dice break by place: the worth of the answer and the reasons are the same."""
    first = asked(world, dice)
    order.shuffle(world.candidates)
    second = asked(world, dice)
    assert isinstance(first, Decision) == isinstance(second, Decision)
    if isinstance(first, Decision) and isinstance(second, Decision):
        assert first.ecpm_micros == second.ecpm_micros
    unlike = {key for key, no in first.refusals.items() if second.refusals.get(key) is not no}
    assert all(first.refusals[key] is Refusal.OUTRANKED for key in unlike)
