"""A day of a few thousand visitors, served as a server would: what it led to, and the samples it leaves."""

import random

import msgspec

from adserver.domain.budget import Bucket, DaySpan
from adserver.domain.campaign import Campaign, Pacing
from adserver.domain.contender import contender_of
from adserver.domain.decision import Candidate, Decision, Request
from adserver.domain.decision_sample import is_sampled, read_sample, sample_of
from adserver.domain.hearing import hear
from adserver.domain.identity import product_key
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.product_set import NO_SETS
from adserver.domain.replay import Recorded, Scene
from adserver.domain.snapshot import Rates
from adserver.domain.traffic import FLAT, Traffic
from adserver.domain.visitor import Interest, Level, Profile, Shop, Shown
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    NOW_MS,
    SLOT,
    make_balance,
    make_campaign,
    make_catalogue,
    make_creative,
    make_product,
    make_slot,
)

DAY = DaySpan(20261118, NOW_MS - NOW_MS % DAY_MS, NOW_MS - NOW_MS % DAY_MS + DAY_MS)
CLICK_RATE = 0.02  # of every ad, and what the server has learnt of it
RATES = Rates(50_000, 1_000)
RIVALS = (0.8, 1.5, 2.2, 4.0)  # EUR for a thousand, of other shops that some of the visitors know
VISITORS, REQUESTS = 3_000, 5
PRODUCTS = make_catalogue(
    *(
        make_product(key=product_key(shop, "boots"), advertiser_key=shop)
        for shop in (ADVERTISER, *range(100, 100 + len(RIVALS)))
    )
)
SLOTS = {SLOT: make_slot()}


def usual(**fields: object) -> Campaign:
    """The campaign whose day it is: 0.05 EUR a click, of which one in fifty ads has one."""
    wished = {"pricing_model": PricingModel.CPC, "rate_micros": Micros(60_000)} | fields
    return make_campaign(**wished)


class Day:
    """The same visitors and requests for any campaign of a seed, but for what the clicks' dice say."""

    def __init__(self, campaign: Campaign, seed: int = 1, luck: int = 1) -> None:
        self.campaign = campaign
        self.contender = contender_of(campaign, [make_creative()], RATES)
        self.deliveries = self.clicks = 0
        self.spent = 0
        self.reached: set[int] = set()
        self.recorded: list[Recorded] = []
        self.sizes: list[int] = []
        self._random, self._luck = random.Random(seed), random.Random(luck)
        self._profiles = {
            key: self._profile() for key in (self._random.getrandbits(62) for _ in range(VISITORS))
        }
        self._rivals = [
            Candidate(
                contender_of(self._rival(place, rate), [make_creative(key=900 + place)], RATES),
                make_balance(),
                1.0,
            )
            for place, rate in enumerate(RIVALS)
        ]
        times = sorted(self._random.randrange(DAY_MS) for _ in range(VISITORS * REQUESTS))
        visitors = list(self._profiles)
        for place, time in enumerate(times):
            self._ask(place, DAY.start_ms + time, self._random.choice(visitors), self._random.random())

    def _rival(self, place: int, rate: float) -> Campaign:
        return make_campaign(
            key=CAMPAIGN + 1 + place,
            advertiser_key=100 + place,
            pricing_model=PricingModel.CPM,
            rate_micros=Micros(int(rate * 1_000_000)),
        )

    def _profile(self) -> Profile:
        """Four in five know the shop, and each of the others one in four."""
        profile = Profile(0)
        shops = [ADVERTISER] if self._random.random() < 0.8 else []
        shops += [100 + place for place in range(len(RIVALS)) if self._random.random() < 0.25]
        for shop in shops:
            interest = Interest(product_key(shop, "boots"), Level.VIEWED, DAY.start_ms - DAY_MS)
            profile.shops.append(Shop(shop, [interest], last_seen_ms=DAY.start_ms - DAY_MS))
        return profile

    def _ask(self, place: int, at_ms: int, visitor: int, dice: float) -> None:
        profile = self._profiles[visitor]
        known = {shop.advertiser_key for shop in profile.shops}
        candidates = [one for one in self._rivals if one.contender.campaign.advertiser_key in known]
        if ADVERTISER in known:
            candidates.append(Candidate(self.contender, self._balance(at_ms), 1.0))
        if not candidates:
            return
        request = Request(SLOTS[SLOT], 2, False, at_ms)
        heard = hear(request, profile, candidates, PRODUCTS, dice)
        events = {AdEvent.IMPRESSION}
        if isinstance(heard.answer, Decision):
            self._deliver(heard.answer, profile, visitor, at_ms, events)
        if is_sampled(visitor, at_ms, dice):
            before = self._as_it_was(profile, heard.answer, at_ms)
            body = sample_of(heard, request, before, dice)
            self.sizes.append(len(body))
            self.recorded.append(Recorded(place, at_ms, SLOT, visitor, read_sample(body), frozenset(events)))

    def _deliver(
        self, answer: Decision, profile: Profile, visitor: int, at_ms: int, events: set[AdEvent]
    ) -> None:
        clicked = self._luck.random() < CLICK_RATE
        if clicked:
            events.add(AdEvent.CLICK)
        key = answer.campaign.key
        shown = next((one for one in profile.shown if one.campaign_key == key), None)
        if shown is None:
            profile.shown.append(Shown(key, [at_ms]))
        else:
            shown.at_ms.append(at_ms)
        if key == CAMPAIGN:
            self.deliveries += 1
            self.clicks += clicked
            self.reached.add(visitor)
            is_cpc = self.campaign.terms.pricing_model is PricingModel.CPC
            rate = self.campaign.terms.rate_micros
            self.spent += rate * clicked if is_cpc else rate // 1000

    def _as_it_was(self, profile: Profile, answer: object, at_ms: int) -> Profile:
        """Before this very ad was seen."""
        copy = msgspec.structs.replace(profile)
        copy.shown = [
            Shown(one.campaign_key, [at for at in one.at_ms if at < at_ms]) for one in profile.shown
        ]
        copy.shown = [one for one in copy.shown if one.at_ms]
        return copy

    def _balance(self, at_ms: int) -> object:
        campaign = self.campaign
        traffic = None
        if campaign.pacing is Pacing.EVEN:
            cost = campaign.terms.rate_micros * CLICK_RATE * 0.5
            traffic = Traffic(FLAT, VISITORS * REQUESTS * 0.8, cost)
        return make_balance(
            day=Bucket(campaign.daily_budget_micros, Micros(self.spent), ZERO),
            day_elapsed_ms=at_ms - DAY.start_ms,
            traffic=traffic,
        )

    def scene(self, changed: Campaign) -> Scene:
        contender = contender_of(changed, [make_creative()], RATES)
        return Scene(contender, 1.0, {}, NO_SETS, PRODUCTS, SLOTS, lambda slot: None, DAY)
