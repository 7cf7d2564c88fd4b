"""Days of traffic that nobody foresaw, paced by the real rules: how evenly, and how fully, a budget is spent."""

from collections import Counter
from math import exp
from random import Random
from typing import NamedTuple

from adserver.domain.budget import Bucket, admit
from adserver.domain.campaign import Campaign, Pacing
from adserver.domain.eligibility import Balance, money_refusal
from adserver.domain.in_flight import InFlight
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.traffic import FLAT, HOUR_MS, Counted, LocalDays, Traffic, forecast, learn, local_days
from tests.domain.makers import CAMPAIGN, make_campaign

ZONE = "Europe/Paris"
TICK_MS = 30_000  # between two forecasts, as in a worker
PRICE = Micros(2_000)
WINS, PAID = 0.7, 0.9  # of the requests that pass, and of the ads that are served
ERROR = 0.3  # of the forecast: of each day, and of each of its hours
BURST = 5  # times the traffic, for one hour
HOURS = [3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 10, 9, 8, 8, 8, 9, 10, 11, 12, 11, 8, 5]

FREE = Bucket()  # of what has no cap; nothing is charged to it

Rates = list[float]  # requests in each hour of a day, as they are expected or as they come


class PacedDay(NamedTuple):
    """What came of one day."""

    spent_share: float  # of the budget
    shape_error: float  # total variation between the hourly shapes of spend and traffic; 0 is perfect
    unbilled: int  # ads that the cap left unpaid
    last_ms: int  # when the last charge came, since the day began


class Simulation:
    """One campaign over its days; the counts of each day are what the next is forecast from."""

    def __init__(self, seed: int, pacing: Pacing, daily_budget: Micros) -> None:
        self.random = Random(seed)
        self.campaign: Campaign = make_campaign(
            pacing=pacing,
            pricing_model=PricingModel.CPM,
            rate_micros=Micros(PRICE * 1000),
            daily_budget_micros=daily_budget,
        )
        self.counted = Counted({}, {}, {})
        self.network = FLAT  # the shape to believe while the campaign has no history

    def remember(self, start_ms: int, rates: Rates) -> None:
        """Past hours with so many requests, from the day that begins at `start_ms`."""
        for hour, rate in enumerate(rates):
            self.counted.eligible[start_ms + hour * HOUR_MS] = round(rate)

    def run(self, now_ms: int, rates: Rates, begin_hour: int = 0) -> PacedDay:
        """The day that holds `now_ms`; the campaign is begun with hour `begin_hour`."""
        days = local_days(now_ms, ZONE)
        day, past = _Day(self, days), learn(self.counted.eligible, days, self.network)
        for at_ms in range(days.today.start_ms + begin_hour * HOUR_MS, days.today.end_ms, TICK_MS):
            expected = forecast(self.counted, days, past, at_ms, 0, (float(PRICE), 1.0))
            rate = rates[(at_ms - days.today.start_ms) // HOUR_MS]
            day.tick(at_ms, expected, poisson(self.random, rate * TICK_MS / HOUR_MS))
        return day.result()


class _Day:
    def __init__(self, simulation: Simulation, days: LocalDays) -> None:
        self.simulation = simulation
        self.span = days.today
        self.bucket = Bucket(simulation.campaign.daily_budget_micros)
        self.in_flight = InFlight()
        self.served: list[int] = []  # ads that are not answered yet
        self.traffic: Counter[int] = Counter()
        self.spend: Counter[int] = Counter()
        self.unbilled = self.last_ms = self.ids = 0

    def tick(self, now_ms: int, expected: Traffic | None, requests: int) -> None:
        """Answers of the last tick's ads come first, then this tick's requests."""
        hour = now_ms - now_ms % HOUR_MS
        for impression in self.served:
            self.answer(impression, now_ms, hour)
        self.served = []
        self.in_flight.expire(now_ms)
        self.traffic[hour] += requests
        _add(self.simulation.counted.eligible, hour, requests)
        for _ in range(requests):
            self.request(now_ms, hour, expected)

    def request(self, now_ms: int, hour: int, expected: Traffic | None) -> None:
        simulation, span, free = self.simulation, self.span, FREE
        known = self.in_flight.expected(CAMPAIGN)
        under_way = known.micros if known else ZERO
        elapsed_ms, length_ms = now_ms - span.start_ms, span.end_ms - span.start_ms
        balance = Balance(free, self.bucket, free, free, under_way, elapsed_ms, length_ms, expected)
        if money_refusal(simulation.campaign, balance, simulation.random.random()) is not None:
            return
        _add(simulation.counted.passed, hour, 1)
        if simulation.random.random() < WINS:
            self.ids += 1
            self.served.append(self.ids)
            self.in_flight.add(CAMPAIGN, self.ids, PRICE, 1.0, now_ms)

    def answer(self, impression: int, now_ms: int, hour: int) -> None:
        if self.simulation.random.random() >= PAID:
            return
        self.in_flight.answered(CAMPAIGN, impression, now_ms)
        if not admit(PRICE, [self.bucket]):
            self.unbilled += 1
            return
        self.bucket.spent = Micros(self.bucket.spent + PRICE)
        self.last_ms = now_ms - self.span.start_ms
        self.spend[hour] += PRICE
        _add(self.simulation.counted.spend_micros, hour, PRICE)

    def result(self) -> PacedDay:
        budget = self.bucket.cap or ZERO
        shape_error = total_variation(self.spend, self.traffic)
        return PacedDay(self.bucket.spent / budget, shape_error, self.unbilled, self.last_ms)


def total_variation(one: Counter[int], other: Counter[int]) -> float:
    """Half the sum of the differences of two shapes: the share of one that is not where the other has it."""
    all_of_one, all_of_other = max(1, one.total()), max(1, other.total())
    return sum(abs(one[hour] / all_of_one - other[hour] / all_of_other) for hour in {*one, *other}) / 2


def usual_day(requests: float) -> Rates:
    """A day as it is on average."""
    return [requests * share / sum(HOURS) for share in HOURS]


def unforeseen_day(random: Random, requests: float, *, has_burst: bool = False) -> Rates:
    """A day of another level, with hours of another height, and a burst of an hour in some."""
    level, burst = random.uniform(1 - ERROR, 1 + ERROR), random.randrange(len(HOURS))
    return [
        rate * level * random.uniform(1 - ERROR, 1 + ERROR) * (BURST if has_burst and hour == burst else 1)
        for hour, rate in enumerate(usual_day(requests))
    ]


def poisson(random: Random, mean: float) -> int:
    """How many came, where so many were to be expected (Knuth: fine below some hundreds)."""
    limit, product, n = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        n += 1
    return n


def _add(counts: dict[int, int], hour: int, n: int) -> None:
    counts[hour] = counts.get(hour, 0) + n
