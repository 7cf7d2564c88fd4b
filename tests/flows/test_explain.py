"""Explain asks the code that serves: its winner and its refusals are those of the slot's own decision."""

import random

import msgspec
import pytest

from adserver.domain.burn import Burn, BurnScope
from adserver.domain.campaign import FrequencyCap, Period, Status
from adserver.domain.decision import Decision
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.visitor import Profile, Purchase, Shown
from adserver.flows.serve import Chance, Serve, ServingPolicy, SlotRequest
from adserver.flows.serve.explain import Explain, Question
from adserver.writes import SaveProducts
from pixel.consent import Region
from pixel.cookie import KeyRing
from tests.contract.stores import save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    NOW_MS,
    SLOT,
    make_campaign,
    make_creative,
    make_interest,
    make_product,
    make_profile,
    make_shop,
)
from tests.flows.street import READER, VISITOR, Street

ASK = SlotRequest(SLOT)
POLICY = ServingPolicy("", {"EUR": 1.0}, KeyRing(1, {1: b"c" * 32}))
DRAFT = CAMPAIGN + 90


def explain_of(street: Street, dice: float) -> Explain:
    refresh = street.refresh.if_stale
    return Explain(street.memory, street.storage, refresh, street.clock, lambda: dice, POLICY)


def serve_of(street: Street, dice: float) -> Serve:
    chance, refresh = Chance(lambda: 1, lambda: dice), street.refresh.if_stale
    return Serve(street.memory, street.storage, refresh, street.clock, chance, street.secrets, POLICY)


def open_many(street: Street, seed: int) -> None:
    """A shop with campaigns of every kind of trouble, or none."""
    throw = random.Random(seed)
    street.open(status=throw.choice((Status.ACTIVE, Status.PAUSED)))
    for key in range(CAMPAIGN + 1, CAMPAIGN + 8):
        campaign = make_campaign(
            key=key,
            name=f"Campaign {key}",
            status=throw.choice((Status.ACTIVE, Status.ACTIVE, Status.PAUSED)),
            rate_micros=Micros(throw.choice((100_000, 250_000, 400_000))),
            starts_at_ms=throw.choice((None, None, NOW_MS + DAY_MS)),
            daily_budget_micros=throw.choice((None, Micros(1_000), Micros(10**9))),
            frequency_cap=throw.choice((None, FrequencyCap(3, Period.DAY))),
        )
        save_new(street.storage, campaign, make_creative(key=key * 10, campaign_key=key))
    save_new(street.storage, make_campaign(key=DRAFT, name="Draft", status=Status.DRAFT))


@pytest.mark.parametrize("seed", range(6))
def test_the_verdicts_are_the_slots_own_decision(street: Street, seed: int) -> None:
    open_many(street, seed)
    for dice in (0.0, 0.4, 0.9):
        answer = serve_of(street, dice).explain(ASK, READER)
        explain = explain_of(street, dice)
        explained = explain.ask_as(ASK, READER)
        assert explained is not None and explained.answer == answer and answer is not None
        refused = {one.campaign.key: one.refusal for one in explained.verdicts if one.refusal}
        assert refused == answer.refusals
        winners = [one.campaign for one in explained.verdicts if one.refusal is None]
        assert winners == ([answer.campaign] if isinstance(answer, Decision) else [])
        asked = explain.ask(Question(SLOT, VISITOR, dice=dice))
        assert asked is not None
        assert (asked.answer, asked.verdicts) == (explained.answer, explained.verdicts)


def test_an_account_hears_of_its_drafts_and_of_strangers_to_its_shop(street: Street) -> None:
    open_many(street, 1)
    known = explain_of(street, 0.5).ask(Question(SLOT, VISITOR, advertiser_key=ADVERTISER))
    stranger = explain_of(street, 0.5).ask(Question(SLOT, profile=Profile(0), advertiser_key=ADVERTISER))
    assert known is not None and stranger is not None
    verdicts = {one.campaign.key: one.refusal for one in known.verdicts}
    assert len(verdicts) == 9 and verdicts[DRAFT] is Refusal.NOT_ACTIVE
    assert {one.refusal for one in stranger.verdicts if one.campaign.key != DRAFT} == {
        Refusal.NOT_IN_AUDIENCE
    }


def test_a_browser_that_did_not_agree_is_explained_as_one_that_nobody_knows(street: Street) -> None:
    street.open()
    silent = msgspec.structs.replace(READER, region=Region.STRICT)
    explained = explain_of(street, 0.5).ask_as(ASK, silent)
    assert explained is not None and explained.verdicts == []
    foreign = msgspec.structs.replace(READER, origin="thief.example")
    explained = explain_of(street, 0.5).ask_as(ASK, foreign)
    assert explained is not None and explained.verdicts == []


def described(street: Street, profile: Profile) -> object:
    explained = explain_of(street, 0.5).ask(Question(SLOT, profile=profile))
    assert explained is not None
    return explained.answer.refusals.get(CAMPAIGN)


def test_a_described_visitor_has_seen_ads_of_the_campaigns_advertiser(street: Street) -> None:
    street.open()
    profile = make_profile(make_shop(make_interest("boots")))
    profile.shown = [Shown(CAMPAIGN, [NOW_MS] * 4)]
    assert described(street, profile) is None
    profile.shown = [Shown(CAMPAIGN, [NOW_MS] * 5)]
    assert described(street, profile) is Refusal.ADVERTISER_CAP


def test_a_described_visitor_has_bought_things_of_a_kind(street: Street) -> None:
    street.open(burn=Burn(BurnScope.GROUP, 30))
    sizes = [make_product(item, item_group_id="boots") for item in ("boots", "boots-41")]
    street.storage.writer.commit(SaveProducts(ADVERTISER, tuple(sizes)))
    profile = make_profile(make_shop(make_interest("boots")))
    profile.shops[0].purchases = [Purchase(make_product("boots-41").key, NOW_MS - DAY_MS)]
    assert described(street, profile) is Refusal.BURNED


def test_whoever_asks_why_leaves_no_count_and_no_record(street: Street) -> None:
    street.open()
    street.counted()
    explain_of(street, 0.5).ask_as(ASK, READER)
    explain_of(street, 0.5).ask(Question(SLOT, VISITOR))
    assert street.memory.tally.take(0) == ()
    assert street.rows("SELECT COUNT(*) FROM decisions") == [(0,)]
    assert street.rows("SELECT COUNT(*) FROM decision_samples") == [(0,)]


def test_a_slot_that_is_none_is_not_explained(street: Street) -> None:
    street.open()
    assert explain_of(street, 0.5).ask(Question(SLOT + 1)) is None
    assert explain_of(street, 0.5).ask_as(SlotRequest(SLOT + 1), READER) is None
