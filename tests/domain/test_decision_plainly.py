"""The decision shares, skips and puts off; it answers what the plain one answers, over any world."""

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import msgspec

from adserver.domain.audience import Rule
from adserver.domain.audience_size import AudienceSize
from adserver.domain.blocks import Blocks
from adserver.domain.budget import Bucket
from adserver.domain.burn import Burn, BurnScope, Kind, kind_of
from adserver.domain.campaign import (
    Advertiser,
    Approval,
    AudienceCreatives,
    Campaign,
    Copy,
    Creative,
    FrequencyCap,
    Pacing,
    Period,
    Status,
    Tier,
)
from adserver.domain.catalogue import Availability, Product
from adserver.domain.choice import all_choices, first_choices, is_settled
from adserver.domain.contender import Setting, contender_of, line_up_of
from adserver.domain.decision import Candidate, Decision, NoAd, Request, Surroundings, Together
from adserver.domain.doings import Doing, packed
from adserver.domain.eligibility import Balance, Refusal
from adserver.domain.experiment import Arm, Experiment, Subject
from adserver.domain.hearing import hear
from adserver.domain.holdout import heard_for
from adserver.domain.house_rules import HouseRules
from adserver.domain.identity import product_key
from adserver.domain.membership import Memberships
from adserver.domain.money import Micros
from adserver.domain.peace import PeacePolicy, bought_ms, peace_of
from adserver.domain.pricing import AudienceRate, PricingModel
from adserver.domain.product_choice import PriceBand, ProductChoice
from adserver.domain.product_set import Members, ProductSet, SetRule
from adserver.domain.rates import Rates
from adserver.domain.situation import LAPSED_AFTER_MS, Situation
from adserver.domain.suggestion import Suggested
from adserver.domain.traffic import FLAT, Traffic
from adserver.domain.visitor import (
    DAY_MS,
    FORM_RETENTION_MS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Interest,
    Level,
    Profile,
    Purchase,
    Shop,
    Shown,
)
from pixel.events import EventName
from tests.domain import plain_decision
from tests.domain.deciding import decide
from tests.domain.makers import (
    NOW_MS,
    make_advertiser,
    make_audience,
    make_balance,
    make_bucket,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_creative,
    make_experiment,
    make_message,
    make_product,
    make_product_set,
    make_request,
    make_slot,
)
from tests.domain.placing import Placing

SHOPS = (1, 2, 3)
CATEGORIES = ("Shoes", "Shoes > Boots", "Wine")
ITEMS = [f"item-{n}" for n in range(30)]  # more than are looked at
BRANDS = ("Acme", "Bolt", "Cord")
UNHEARD_OF = 90  # and a shop's key: its set that no change has told this worker of; none is two shops'
AUDIENCES = {shop: (10 * shop + 1, 10 * shop + 2) for shop in SHOPS}  # of viewers and of buyers
WORLDS = 1_500

T = TypeVar("T")


class World:
    """A visitor, some shops and their campaigns, thrown by the dice of a seed; most of it in working order."""

    def __init__(self, seed: int, *, experiments: bool = False) -> None:
        self.random = random.Random(seed)
        self.lots = random.Random(f"lots {seed}")  # apart, so that the worlds stay as they were
        self.experiments = experiments
        self.dice = self.random.random()
        self.placing = Placing(seed)
        self.catalogue = self._catalogue()
        self.sets = {shop: self._set(shop) for shop in SHOPS}
        self.members = Members()
        for one in self.sets.values():
            self.members.put(one)
        self.profile = self._profile() if self._mostly() else None
        most = max(self.random.choices(range(1, 17), k=2))
        self.advertisers = {shop: self._advertiser(shop) for shop in SHOPS}
        self.policy = PeacePolicy(fatigue_views=self._or(20, 0, 1, 2))
        self.audiences = self._audiences()
        self.sizes = {
            key: AudienceSize(self.random.choice((49, 50))) for pair in AUDIENCES.values() for key in pair
        }
        self.candidates = [self._candidate(key) for key in range(1, most + 1)]
        self.request = self._request()
        self.suggested = {shop: self._suggested(shop) for shop in SHOPS if self._mostly()}
        self.besides = (self.sets, self.suggested, self.sizes)
        self.around = Surroundings(self.members, self.suggested, self.sizes)
        self.rate = self._or(0.5, None)
        self.holding = {shop for shop in SHOPS if self.lots.random() < 0.1}

    def _mostly(self) -> bool:
        return self.random.random() < 0.93

    def _or(self, usual: T, *rare: T) -> T:
        return usual if self._mostly() else self.random.choice(rare)

    def _age(self, *edges_ms: int) -> int:
        """Lately, or a moment just before, at or after what an age is compared with."""
        edge = self.random.choice(edges_ms) + self.random.choice((-1, 0, 1))
        return NOW_MS - (self.random.choice((0, DAY_MS)) if self._mostly() else edge)

    def _set(self, shop_key: int) -> ProductSet:
        """Of a shop's one set, whose key is the shop's own, some brands, and rarely none."""
        brands = tuple(self.random.sample(BRANDS, self._or(2, 1)))
        no_sales = (SetRule(on_sale=True),) if self.random.random() < 0.3 else ()
        rule = SetRule(brands=self._or(brands, ("Nobody's",)))
        return make_product_set(key=shop_key, inclusions=(rule,), exclusions=no_sales)

    def _keys(self, shop_key: int, most: int) -> list[int]:
        items = self.random.sample(ITEMS, self.random.randint(0, most))
        return [product_key(shop_key, item) for item in items]

    def _suggested(self, shop_key: int) -> Suggested:
        return Suggested(*(self._keys(shop_key, self._or(8, 1)) for _ in range(3)))

    def _catalogue(self) -> dict[int, Product]:
        """Of each shop's items, some were never listed and some are sold out."""
        kinds = (None, *Availability)
        return make_catalogue(
            *(
                make_product(
                    item,
                    key=product_key(shop, item),
                    advertiser_key=shop,
                    availability=word,
                    product_type=self.random.choice(CATEGORIES),
                    brand=self.random.choice(BRANDS),
                    item_group_id=self.random.choice((None, "g1", "g2", "g3", "g4")),
                    sale_price_micros=self._or(None, Micros(1)),
                    sale_until_ms=self.random.choice((None, NOW_MS, NOW_MS + 1)),
                    price_micros=Micros(self.random.choice((40, 100, 150))),
                    sensitive=self._or(False, True),
                )
                for shop in SHOPS
                for item in ITEMS
                if (word := self.random.choice(kinds)) is not None
            )
        )

    def shop(self, key: int) -> Shop:
        throw = self.random
        shop = Shop(key)
        shop.interests = [
            Interest(one, throw.choice(list(Level)), self._age(INTEREST_RETENTION_MS))
            for one in self._keys(key, throw.choice((3, 30)))
        ]
        edges = (PURCHASE_RETENTION_MS, LAPSED_AFTER_MS)
        shop.purchases = sorted(
            [self._purchase(one, self._age(*edges)) for one in self._keys(key, throw.choice((0, 3)))],
            key=lambda one: one.at_ms,
        )
        shop.unwanted = self._keys(key, throw.choice((0, 20)))
        shop.blocked_at_ms = self._or(0, NOW_MS)
        shop.form_started_ms = self._or(0, 1, self._age(FORM_RETENTION_MS), NOW_MS)
        shop.form_submitted_ms = self._or(0, NOW_MS, NOW_MS - DAY_MS)
        shop.last_event_ms = {EventName.VIEW_ITEM: self._age(30 * DAY_MS, DAY_MS, 30 * 60_000)}
        if throw.random() < 0.2:
            worth = Doing(self._age(2 * DAY_MS), throw.choice((1, 2)), throw.choice(("EUR", "USD")))
            shop.last_event_ms[EventName.PURCHASE] = worth.at_ms
            shop.doings = {EventName.PURCHASE: packed([worth])}
        return shop

    def _profile(self) -> Profile:
        profile = Profile(0)
        profile.shops = [self.shop(key) for key in self.random.sample(SHOPS, self.random.randint(1, 3))]
        shown = self.random.sample(range(1, 17), self.random.randint(0, 4))
        profile.shown = [self._shown(key) for key in shown]
        return profile

    def _purchase(self, key: int, at_ms: int) -> Purchase:
        """Of a product whose group and category the catalogue told, or not."""
        product = self.catalogue.get(key)
        kind = Kind() if product is None or self.random.random() < 0.2 else kind_of(product)
        return Purchase(key, at_ms, kind.group_key, kind.category_key)

    def _shown(self, campaign_key: int) -> Shown:
        """Twice, and rarely as often as some cap allows."""
        more = self._or(0, 1, 2, 3)
        times = sorted([NOW_MS - DAY_MS, NOW_MS, *(self._age(7 * DAY_MS, 30 * DAY_MS) for _ in range(more))])
        creatives = [campaign_key * 10 + self.random.randint(0, 2) for _ in times]
        clicked_ms = self.random.choice((0, 0, NOW_MS, NOW_MS - DAY_MS))
        return Shown(campaign_key, times, self.random.choice((0, *SHOPS)), creatives, clicked_ms)

    def _advertiser(self, key: int) -> Advertiser:
        """Mostly with wishes that nobody in these worlds has seen or bought enough for."""
        if self.random.random() < 0.85:
            return make_advertiser(key=key, rest_after_purchase_days=0)
        often = FrequencyCap(self.random.choice((1, 2)), self.random.choice(list(Period)))
        return make_advertiser(
            key=key,
            frequency_cap=self._or(None, often),
            annoyance_budget=self._or(None, 3, 5),
            rest_after_purchase_days=self.random.choice((0, 2, 180)),
            burn=self._or(None, self._burn()),
        )

    def _burn(self) -> Burn:
        return Burn(self.random.choice(list(BurnScope)), self.random.choice((1, 2, 180)))

    def _bucket(self) -> Bucket:
        caps = (None, 10**9, 10**9, 0, 1, 1_999, 2_000, 2_001, 251_000)
        return make_bucket(self.random.choice(caps), self._or(0, 1_000))

    def _balance(self) -> Balance:
        throw, costs = self.random, (0.0, 2_000.0, 10.0**8)
        return make_balance(
            total=self._bucket() if throw.random() < 0.3 else make_bucket(),
            day=self._bucket() if throw.random() < 0.6 else make_bucket(),
            advertiser_total=self._bucket() if throw.random() < 0.3 else make_bucket(),
            advertiser_day=self._bucket() if throw.random() < 0.3 else make_bucket(),
            in_flight=Micros(throw.choice((0, 0, 1, 2_000))),
            advertiser_in_flight=Micros(throw.choice((0, 0, 1, 2_000))),
            traffic=self._or(Traffic(FLAT, 100.0, throw.choice(costs)), None),
        )

    def _campaign(self, key: int) -> Campaign:
        throw = self.random
        shop_key = throw.choice(SHOPS)
        named = throw.sample(AUDIENCES[shop_key], throw.choice((0, 0, 0, 1, 2)))
        seen_by = throw.sample((0, *AUDIENCES[shop_key]), throw.choice((0, 0, 0, 1)))
        tier = throw.choice(list(Tier)) if throw.random() < 0.06 else Tier.STANDARD
        if tier is Tier.HOUSE:  # for nothing
            named = []
        return make_campaign(
            key=key,
            advertiser_key=shop_key,
            product_set_key=shop_key
            if shop_key == SHOPS[0] and key % 2
            else self._or(None, shop_key, UNHEARD_OF + shop_key),
            status=self._or(Status.ACTIVE, *Status),
            starts_at_ms=self._or(None, NOW_MS, NOW_MS + 1),
            ends_at_ms=self._or(None, NOW_MS, NOW_MS + 1),
            pacing=throw.choice(list(Pacing)),
            products=self._or(ProductChoice.REMINDERS, *ProductChoice),
            price_band=self._or(PriceBand(), None, PriceBand(0, 0)),
            frequency_cap=self._or(None, FrequencyCap(1, Period.HOUR), FrequencyCap(2, Period.WEEK)),
            burn=self._or(None, self._burn()),
            addresses_buyers=throw.random() < 0.1,
            contextual=throw.random() < 0.3,
            targeting=self.placing.targeting(shop_key),
            audience_creatives=tuple(AudienceCreatives(audience, (key * 10,)) for audience in seen_by),
            pricing_model=throw.choice(list(PricingModel)),
            rate_micros=Micros(0) if tier is Tier.HOUSE else self._rate(),
            currency=throw.choice(("EUR", "USD")),
            tier=tier,
            audience_rates=tuple(AudienceRate(audience, self._or(self._rate(), None)) for audience in named),
        )

    def _rate(self) -> Micros:
        return Micros(self.random.choice((1_000_000, 2_000_000, 3_000_000)))

    def _candidate(self, key: int) -> Candidate:
        kinds = self.random.choices((make_creative, make_message), (6, 1), k=self._or(2, 0, 1, 3))
        creatives = [self._creative(make, key * 10 + place, key) for place, make in enumerate(kinds)]
        campaign, rates = self._campaign(key), self._or(Rates(), Rates(900, 9, 1))
        experiments = self._experiments(campaign, creatives)
        peace = peace_of(campaign, self.advertisers[campaign.advertiser_key], self.policy)
        return Candidate(
            contender_of(
                campaign,
                creatives,
                rates,
                experiments,
                peace,
                Setting(self._or(frozenset(), frozenset({key % 2}))),
            ),
            self._balance(),
            self._or(1.0, 0.5, None),
            self.audiences,
        )

    def _experiments(self, campaign: Campaign, creatives: list[Creative]) -> list[Experiment]:
        """Rarely one, of its audiences or of its creatives; it may be over, or yet to come."""
        throw, named = self.lots, [one.audience_key for one in campaign.terms.audience_rates]
        if not self.experiments or throw.random() < 0.2:
            return []
        starts_at_ms = throw.choice((NOW_MS - DAY_MS, NOW_MS - DAY_MS, NOW_MS, NOW_MS + 1))
        ends_at_ms = throw.choice((None, None, NOW_MS, NOW_MS + 1))
        times = {"starts_at_ms": starts_at_ms, "ends_at_ms": ends_at_ms, "campaign_key": campaign.key}
        if len(named) > 1:
            arms = tuple(Arm(f"{one}", 5_000, (), (one,)) for one in named)
            return [make_experiment(key=campaign.key, subject=Subject.AUDIENCES, arms=arms, **times)]
        if named:
            return []
        keys = [creative.key for creative in creatives]
        arms = (Arm("first", 4_000, tuple(keys[:1])), Arm("rest", 4_000, tuple(keys[1:])))
        return [make_experiment(key=campaign.key, arms=arms, **times)]

    def _audiences(self) -> Memberships:
        """Of each shop one by when they looked last, and one by what they bought, at times for how much."""
        made = {}
        for shop, (viewers, buyers) in AUDIENCES.items():
            wait, stop = self._or(0, 30), self.random.choice((None, 1, 8))
            owned = {"advertiser_key": shop, "currency": "EUR"}
            made[viewers] = make_audience(key=viewers, wait_minutes=wait, stop_days=stop, **owned)
            spent = Rule(EventName.PURCHASE, 30, total_at_least_micros=self.random.choice((None, None, 2)))
            made[buyers] = make_audience(key=buyers, inclusions=(spent,), **owned)
        return Memberships(made)

    def _creative(self, make: Callable[..., Creative], key: int, campaign_key: int) -> Creative:
        throw = self.random
        live = make(key=key, campaign_key=campaign_key, approval=self._or(Approval.APPROVED, *Approval))
        if throw.random() < 0.06:
            live = msgspec.structs.replace(live, frequency_cap=FrequencyCap(1, self._or(Period.DAY, *Period)))
        if throw.random() < 0.3:
            live = msgspec.structs.replace(live, copies=(Copy("Still there"),))
        if live.template == "message":
            live = msgspec.structs.replace(
                live, situations=tuple(throw.sample(list(Situation), throw.choice((0, 0, 1, 2))))
            )
        return (
            live
            if throw.random() < 0.97
            else msgspec.structs.replace(live, approval=Approval.PENDING, approved=live)
        )

    def _rules(self) -> HouseRules | None:
        """Mostly nothing is blocked; else an advertiser, a category, or all whom nobody said yes to."""
        if self._mostly():
            return None
        blocks = Blocks(
            categories=tuple(self.random.sample(CATEGORIES, self.random.randint(0, 2))),
            advertisers=tuple(self.random.sample(SHOPS, self.random.randint(0, 1))),
            only_approved=self._or(False, True),
            approved=tuple(self.random.sample(SHOPS, 2)),
        )
        advertisers = {key: make_advertiser(key=key, categories=self._or((), ("Wine",))) for key in SHOPS}
        return HouseRules(advertisers, [blocks])

    def _request(self) -> Request:
        floor = Micros(self.random.choice((0, 0, 0, 1_250_000, 2_000_000)))
        slot = make_slot(floor_cpm_micros=floor, currency=self.random.choice((None, "EUR")))
        cards = self.random.randint(1, 4)
        image, test = self._or(False, True), self._or(False, True)
        lists, page = self._or(frozenset(), frozenset({0}), frozenset({1})), self.placing.page()
        asked = {"slot": slot, "cards": cards, "image": image, "test": test, "list_keys": lists}
        asked |= {"page": page, "spared": self.placing.spared(page), "rules": self._rules()}
        return make_request(**asked, visitor_key=self.lots.choice((0, *range(1, 20))))


def test_the_answer_is_the_plain_one() -> None:
    """In each world; and together they hold every answer that there is, many of them won against others."""
    seen = Counter[str]()
    for seed in range(WORLDS):
        world = World(seed, experiments=seed % 2 == 0)
        asked = (world.request, world.profile, world.candidates, world.catalogue, world.dice)
        before, dice = asked[:2], asked[3:]
        answer = heard_for(
            world.candidates,
            lambda some: hear(*before, some, *dice, world.around),  # noqa: B023
            world.holding.__contains__,
        ).answer
        plain = plain_decision.decide_with_holdout(*asked, world.besides, world.holding)
        assert told(answer) == told(plain), f"world {seed}"
        seen.update([type(answer).__name__, *answer.refusals.values()])
        seen.update(["ghosts"] * len(answer.ghosts) + ["entries"] * len(answer.entries))
        if isinstance(answer, Decision):
            seen.update(one.name for one in answer.because.values())
    assert set(Refusal) <= set(seen)
    assert {"SIMILAR", "BOUGHT_TOGETHER", "BESTSELLER"} <= set(seen)
    assert seen["Decision"] > WORLDS // 4 and seen[Refusal.OUTRANKED] > WORLDS // 4
    assert seen["ghosts"] > WORLDS // 25 and seen["entries"] > WORLDS // 50


def test_line_ups_that_answer_together_answer_as_each_of_them_would() -> None:
    """Whether nothing is against any of them, or they fall apart and are judged one by one."""
    seen = Counter[str]()
    for seed in range(WORLDS):
        world = World(seed)
        some: list[Candidate | Together] = []
        for shop in SHOPS:
            group = [one for one in world.candidates if one.contender.campaign.advertiser_key == shop]
            line_up = line_up_of([one.contender for one in group if is_usual(one)])
            if line_up.joint is not None:
                some.append(Together(line_up, line_up.joint, world.rate))
            else:
                some += group
        each = [one for entry in some for one in (entry.each() if isinstance(entry, Together) else [entry])]
        asked = (world.catalogue, world.dice)
        answer = decide(world.request, world.profile, some, *asked, world.around)
        plain = plain_decision.decide(world.request, world.profile, each, *asked, world.besides)
        assert told(answer) == told(plain), f"world {seed}"
        seen[f"{type(answer).__name__} {isinstance(answer, Decision) and bool(answer.outbid)}"] += 1
    assert seen["Decision True"] > WORLDS // 8 and seen["Decision False"] and seen["NoAd False"]


def is_usual(candidate: Candidate) -> bool:
    """Most campaigns are so: an advertiser's can then be judged at once."""
    campaign = candidate.contender.campaign
    is_spread = campaign.pacing is Pacing.EVEN
    return campaign.terms.currency == "EUR" and not campaign.terms.audience_rates and not is_spread


def told(answer: Decision | NoAd) -> object:
    """The answer, however its refusals are kept, and in whatever order shares were added up."""
    ghosts = tuple(map(told, answer.ghosts))
    if isinstance(answer, NoAd):
        return msgspec.structs.replace(answer, ghosts=ghosts)
    propensity = round(answer.propensity, 12)
    same = {"judged": answer.refusals, "outbid": (), "ghosts": ghosts, "propensity": propensity}
    return msgspec.structs.replace(answer, **same)


def test_what_is_read_of_the_catalogue_is_enough() -> None:
    """First choices, and all others only where those do not settle it: the answer is as if all were known."""
    settled = 0
    for seed in range(WORLDS):
        world = World(seed)
        shop, most = world.shop(SHOPS[0]), world.request.cards
        first, rules = first_choices(shop, most, NOW_MS), world.request.rules
        read = {key: world.catalogue[key] for key in first if key in world.catalogue}
        if is_settled(first, read if rules is None else rules.visible(read)) and not bought_ms(shop):
            settled += 1
        else:
            read |= {key: world.catalogue[key] for key in all_choices(shop) if key in world.catalogue}
        profile, request = Profile(0, [shop]), make_request(cards=most, rules=rules)
        candidates = [make_candidate(make_campaign(advertiser_key=shop.advertiser_key))]
        plain = plain_decision.decide(request, profile, candidates, world.catalogue, 0.5)
        assert decide(request, profile, candidates, read, 0.5) == plain, f"world {seed}"
    assert 0 < settled < WORLDS


def test_a_set_looks_among_all_that_is_read_of_the_catalogue() -> None:
    """The first choices may lie outside of it; what is looked at for any answer is enough."""
    beyond = 0
    for seed in range(WORLDS):
        world = World(seed)
        shop, most = world.shop(SHOPS[0]), world.request.cards
        read = {key: world.catalogue[key] for key in all_choices(shop) if key in world.catalogue}
        profile, request = Profile(0, [shop]), make_request(cards=most)
        campaign = make_campaign(advertiser_key=shop.advertiser_key, product_set_key=SHOPS[0])
        candidates = [make_candidate(campaign)]
        assert line_up_of([candidates[0].contender]).has_sets
        plain = plain_decision.decide(request, profile, candidates, world.catalogue, 0.5, world.besides)
        answer = decide(request, profile, candidates, read, 0.5, world.around)
        assert answer == plain, f"world {seed}"
        first = first_choices(shop, most, NOW_MS)
        beyond += isinstance(answer, Decision) and not {one.key for one in answer.products} <= set(first)
    assert 0 < beyond < WORLDS
