"""What a changed campaign would have delivered on a recorded day: its sampled requests, decided again."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, sqrt

import msgspec

from adserver.domain.audience_size import AudienceSize
from adserver.domain.budget import Bucket, DaySpan
from adserver.domain.catalogue import Product
from adserver.domain.contender import Contender
from adserver.domain.decision import NO_SIZES, Candidate, Request, Surroundings
from adserver.domain.decision_sample import ONE_IN, DecisionSample, profile_of_sample
from adserver.domain.eligibility import Balance, Refusal
from adserver.domain.hearing import hear
from adserver.domain.house_rules import HouseRules
from adserver.domain.membership import Memberships
from adserver.domain.money import ZERO, Micros
from adserver.domain.page import NO_PAGE, Page
from adserver.domain.pricing import BILLED_EVENT, AdEvent, smallest_price
from adserver.domain.product_set import Members
from adserver.domain.slot import Slot
from adserver.domain.traffic import PARTS, Traffic, TrafficProfile
from adserver.domain.visitor import Profile, Shown
from adserver.domain.worth import chance_of
from creatives.formats import FORMATS

LEAST_TRIALS, MOST_TRIALS = 200.0, 2_000.0  # what the campaign's figures count for beside the day's own
FEW_TRIALS = 20.0  # that what is shown is seen is only believed
CERTAINTY = 1.96  # standard deviations: 95 of 100 intervals hold what they are about


class Recorded(msgspec.Struct, frozen=True):
    """A sampled request of the day, and what its ad led to."""

    key: int
    at_ms: int
    slot_key: int
    visitor_key: int
    sample: DecisionSample
    events: frozenset[AdEvent] = frozenset()


class Scene(msgspec.Struct, frozen=True):
    """What stands still while the day is played again: the campaign as it would be, and the world as it is.

    `spent_before` is what the campaign had spent of its total budget when the day began, `sizes` how many are
    in an audience, `page_of` what is known of a slot's pages, `siblings` all campaigns of its advertiser,
    which holds some visitors out.
    """

    contender: Contender
    exchange_rate: float
    audiences: Memberships
    members: Members
    products: Mapping[int, Product]
    slots: Mapping[int, Slot]
    rules_at: Callable[[Slot], HouseRules | None]
    day: DaySpan
    spent_before: Micros = ZERO
    sizes: Mapping[int, AudienceSize] = NO_SIZES
    page_of: Callable[[Slot], Page] = lambda slot: NO_PAGE
    siblings: frozenset[int] = frozenset()
    holds_out: Callable[[int], bool] = lambda visitor_key: False


class Figure(msgspec.Struct, frozen=True):
    """What is expected, and between what it lies 95 times in 100."""

    expected: float
    low: float
    high: float


class Estimate(msgspec.Struct, frozen=True):
    """What the campaign would have done on the day; of reach, whom a cookie tells apart."""

    requests: int
    deliveries: Figure
    clicks: Figure
    billed: Figure
    spend_micros: Figure
    reach: Figure
    refused: dict[str, float]


class _Played(msgspec.Struct, frozen=True):
    """A sampled request as the changed campaign meets it: how likely it wins, or why it may not."""

    recorded: Recorded
    chance: float
    refusal: str | None = None


def replay(recorded: Sequence[Recorded], scene: Scene) -> Estimate:
    """Twice through the day: first to see what traffic it brings, then with the money to spend on it."""
    ordered = sorted(recorded, key=lambda one: (one.at_ms, one.key))
    traffic = _traffic(_Day(scene, None).play(ordered, counts_money=False), scene)
    return _estimate(_Day(scene, traffic).play(ordered, counts_money=True), scene, len(ordered))


class _Day:
    """The day as it goes on: what is spent so far, and to whom the campaign was shown."""

    def __init__(self, scene: Scene, traffic: Traffic | None) -> None:
        self._scene = scene
        self._traffic = traffic
        self._spent = 0.0
        self._shown: dict[int, list[int]] = {}
        terms = scene.contender.campaign.terms
        self._billed_chance = chance_of(BILLED_EVENT[terms.pricing_model], scene.contender.rates)

    def play(self, ordered: Iterable[Recorded], *, counts_money: bool) -> list[_Played]:
        played = []
        for recorded in ordered:
            slot = self._scene.slots.get(recorded.slot_key)
            if slot is not None:
                played.append(self._meet(recorded, slot, counts_money=counts_money))
        return played

    def _meet(self, recorded: Recorded, slot: Slot, *, counts_money: bool) -> _Played:
        scene, sample, campaign = self._scene, recorded.sample, self._scene.contender.campaign
        cards = sample.image_cards or FORMATS[slot.format_name].cards
        image, at_ms, page = sample.image_cards > 0, recorded.at_ms, scene.page_of(slot)
        request = Request(slot, cards, image, at_ms, False, scene.rules_at(slot), page=page)
        balance = self._balance(recorded.at_ms) if counts_money else _PLENTY
        candidate = Candidate(scene.contender, balance, scene.exchange_rate, scene.audiences)
        profile = self._profile(recorded)
        around = Surroundings(scene.members, sizes=scene.sizes)
        heard = hear(request, profile, [candidate], scene.products, sample.dice, around)
        refusal = heard.answer.refusals.get(campaign.key)
        if refusal is None and scene.holds_out(recorded.visitor_key):
            refusal = Refusal.HOLDOUT
        if refusal is not None:
            return _Played(recorded, 0.0, str(refusal))
        offer = heard.offers[0]
        chance = _chance((offer.rank, offer.at(heard.throw)), sample, campaign.key)
        if chance:
            self._deliver(recorded, offer.leaders(heard.throw)[0][1].audience_key, chance)
        return _Played(recorded, chance, None if chance else "outranked")

    def _profile(self, recorded: Recorded) -> Profile | None:
        """What it was shown on this day is what is played, not what was recorded."""
        profile, key = (
            profile_of_sample(recorded.sample, recorded.at_ms),
            self._scene.contender.campaign.key,
        )
        if profile is None or not recorded.visitor_key:
            return profile
        before = [at for one in profile.shown if one.campaign_key == key for at in one.at_ms]
        times = [at for at in before if at < self._scene.day.start_ms]
        times += self._shown.get(recorded.visitor_key, [])
        others = [self._owned(one) for one in profile.shown if one.campaign_key != key]
        profile.shown = [*others, self._owned(Shown(key, times))] if times else others
        return profile

    def _owned(self, shown: Shown) -> Shown:
        """With its advertiser, whose cap counts all of its campaigns."""
        advertiser_key = self._scene.contender.campaign.advertiser_key
        is_own = shown.campaign_key in self._scene.siblings
        return msgspec.structs.replace(shown, advertiser_key=advertiser_key) if is_own else shown

    def _deliver(self, recorded: Recorded, audience_key: int, chance: float) -> None:
        price = smallest_price(self._scene.contender.campaign.terms, audience_key)
        self._spent += ONE_IN * chance * self._billed_chance * price
        if recorded.visitor_key and recorded.sample.dice < chance:
            self._shown.setdefault(recorded.visitor_key, []).append(recorded.at_ms)

    def _balance(self, at_ms: int) -> Balance:
        campaign, day, spent = self._scene.contender.campaign, self._scene.day, Micros(int(self._spent))
        total = Bucket(campaign.total_budget_micros, Micros(self._scene.spent_before + spent))
        today = Bucket(campaign.daily_budget_micros, spent)
        elapsed_ms, length_ms = at_ms - day.start_ms, day.end_ms - day.start_ms
        return Balance(total, today, Bucket(), Bucket(), ZERO, elapsed_ms, length_ms, self._traffic)


_PLENTY = Balance(Bucket(), Bucket(), Bucket(), Bucket(), ZERO, 0, 0)


def _chance(place: tuple[int, float], sample: DecisionSample, campaign_key: int) -> float:
    """How likely it wins, by its tier and what it is thrown, against the others as they were then."""
    others = [one for one in sample.rivals if one.campaign_key != campaign_key]
    if not others:
        return 1.0
    best = others[0]
    if place != best.place:
        return float(place > best.place)
    was_level = any(one.campaign_key == campaign_key and one.place == best.place for one in sample.rivals)
    top = sample.rivals[0]
    level = top.level - was_level if top.place == best.place else best.level
    return 1.0 / (level + 1)


def _traffic(played: Sequence[_Played], scene: Scene) -> Traffic | None:
    """What pacing would have known of the day: its requests, when they come, and what each of them costs."""
    day = scene.day
    asked = [one.recorded.at_ms for one in played if one.chance or one.refusal == "outranked"]
    if not asked:
        return None
    length = day.end_ms - day.start_ms
    ends = [day.start_ms + length * part // PARTS for part in range(PARTS + 1)]
    over = tuple(bisect_right(asked, end) / len(asked) for end in ends)
    contender = scene.contender
    terms = contender.campaign.terms
    billed = chance_of(BILLED_EVENT[terms.pricing_model], contender.rates)
    share = sum(one.chance for one in played) / len(asked)
    return Traffic(TrafficProfile(over), float(ONE_IN * len(asked)), _price(contender) * billed * share)


def _price(contender: Contender) -> float:
    """Of one billed event, on the average of its audiences."""
    bids = list((contender.audience_bids or {0: contender.own_bid}).values())
    return sum(bid.price for bid in bids) / len(bids)


class _Sum:
    """A sum over the day from the sample, with its variance: visitors are in it as a whole or not at all."""

    def __init__(self) -> None:
        self._of: dict[object, float] = {}
        self._chance = 0.0  # the variance of what is left to the dice

    def add(self, recorded: Recorded, value: float) -> None:
        whose: object = recorded.visitor_key or (recorded.key, recorded.at_ms)
        self._of[whose] = self._of.get(whose, 0.0) + value
        self._chance += ONE_IN * value * (1 - value)

    @property
    def expected(self) -> float:
        return ONE_IN * sum(self._of.values())

    @property
    def variance(self) -> float:
        return ONE_IN * (ONE_IN - 1) * sum(value * value for value in self._of.values()) + self._chance


def _figure(expected: float, variance: float, most: float = inf) -> Figure:
    margin = CERTAINTY * sqrt(variance)
    expected = min(expected, most)
    return Figure(expected, max(0.0, expected - margin), min(expected + margin, most))


def _estimate(played: Sequence[_Played], scene: Scene, requests: int) -> Estimate:
    terms = scene.contender.campaign.terms
    deliveries = _Sum()
    for one in played:
        deliveries.add(one.recorded, one.chance)
    refused = Counter[str]()
    for one in played:
        if one.refusal is not None:
            refused[one.refusal] += ONE_IN
    count, spread = deliveries.expected, deliveries.variance
    clicks = _led_to(played, scene, AdEvent.CLICK, count, spread)
    billed = _led_to(played, scene, BILLED_EVENT[terms.pricing_model], count, spread)
    if refused[Refusal.BUDGET_EXHAUSTED] and billed.expected:
        spread += count * count / billed.expected  # by luck of the billed events, its money ends sooner
    reach = _reach(played)
    return Estimate(
        requests * ONE_IN,
        _figure(count, spread),
        clicks,
        billed,
        _spend(billed, scene.contender),
        _figure(reach.expected, reach.variance),
        dict(refused.most_common()),
    )


def _spend(billed: Figure, contender: Contender) -> Figure:
    price, most = _price(contender), contender.campaign.daily_budget_micros
    cap = inf if most is None else float(most)
    expected, low, high = (min(n * price, cap) for n in (billed.expected, billed.low, billed.high))
    return Figure(expected, low, high)


def _reach(played: Sequence[_Played]) -> _Sum:
    """Each visitor once, as likely as at least one of their requests shows it."""
    missed: dict[int, tuple[Recorded, float]] = {}
    for one in played:
        visitor = one.recorded.visitor_key
        if visitor and one.chance:
            first, chance = missed.get(visitor, (one.recorded, 1.0))
            missed[visitor] = (first, chance * (1 - one.chance))
    reach = _Sum()
    for recorded, chance in missed.values():
        reach.add(recorded, 1 - chance)
    return reach


def _led_to(played: Sequence[_Played], scene: Scene, event: AdEvent, count: float, spread: float) -> Figure:
    """How many of the event the ads would have led to.

    What the campaign's figures tell of an ad is weighed with what became of those that were shown then, each
    by how much likelier it would be shown now (self-normalised inverse propensity).
    """
    key, rates = scene.contender.campaign.key, scene.contender.rates
    is_learnt = event in (AdEvent.CLICK, AdEvent.CONVERSION)
    trials = min(float(rates.impressions), MOST_TRIALS) + LEAST_TRIALS if is_learnt else FEW_TRIALS
    led, shown = trials * chance_of(event, rates), trials
    for one in played:
        sample = one.recorded.sample
        if sample.winner_key == key and sample.propensity > 0:
            weight = one.chance / sample.propensity
            led += weight * (event in one.recorded.events)
            shown += weight
    rate = led / shown
    of_rate = rate * (1 - rate)
    return _figure(count * rate, spread * rate * rate + count * of_rate + count * count * of_rate / shown)
