"""Money that ads served a moment ago will probably cost; it keeps what a budget's end leaves unpaid small."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

from adserver.domain.money import ZERO, Micros

# An ad's ages: what it grows out of at each of these moments. After the last it never will be answered, for
# this purpose; each is twice the one before, so that it changes seldom what is told of its campaign.
AGES_MS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
IN_FLIGHT_MS = AGES_MS[-1]
PATIENT_AGE = 2  # an ad that has passed this one in silence counts as not answered, until it is
PATIENCE_MS = AGES_MS[PATIENT_AGE]
PRIOR_ADS = 10  # how many ads' answers the prior chance weighs as much as
PRIOR_LATE = 2  # answers that were not seen, and are believed to be the latest there are
MEMORY_ADS = 1_000  # over about so many of the last ads the rate is learnt

_KEPT = 1.0 - 1.0 / MEMORY_ADS


class Expected(msgspec.Struct, frozen=True, array_like=True):
    """What a campaign's ads under way will probably cost, and the rate of answers it is weighed with."""

    micros: Micros
    rate: float
    workers: int = 1  # that serve at the same time, each knowing its newest ads alone
    advertiser_key: int = 0


NOTHING_EXPECTED = Expected(ZERO, 1.0)


def summed(
    of_advertisers: Mapping[int, Expected], before: Mapping[int, Expected], news: Mapping[int, Expected]
) -> dict[int, Expected]:
    """Of each advertiser of whose campaigns there is news: what all of them come to, by those sums so far."""
    sums: dict[int, Expected] = {}
    for campaign_key, one in news.items():
        key, old = one.advertiser_key, before.get(campaign_key, NOTHING_EXPECTED)
        so_far = sums.get(key) or of_advertisers.get(key, NOTHING_EXPECTED)
        sums[key] = Expected(Micros(so_far.micros + one.micros - old.micros), 1.0, one.workers, key)
    return sums


class _Ad(msgspec.Struct):
    """An ad as long as it may be under way; `price` is 0 once it was answered."""

    impression_id: int
    campaign_key: int
    price: Micros
    served: bool  # False: only its answer was told so far
    counted: bool = False  # among the campaign's served ads, of which the rate is learnt
    age: int = 0  # how many of AGES_MS it has passed


class _Campaign:
    """The prices under way by age, and how many of the last ads were answered, at which age."""

    def __init__(self, advertiser_key: int) -> None:
        self.advertiser_key = advertiser_key
        self.most_told = ZERO  # as it is in the sum of its advertiser's
        self.prices = [0] * len(AGES_MS)
        self.prior = 0.0
        self.served = 0.0  # newer ads weigh more
        self.answered = 0.0
        self.answers = [0] * len(AGES_MS)  # by age

    @property
    def rate(self) -> float:
        """As learnt, but no less than the prior: ads that nobody pays are worse than a late end."""
        return max(self.prior, (self.answered + PRIOR_ADS * self.prior) / (self.served + PRIOR_ADS))

    @property
    def expected_micros(self) -> Micros:
        """Each ad's price by the chance that it is answered yet: by Bayes r (1 - F) / (1 - r F).

        r is the rate, F the share of answers that come before its age; so an ad is given up only where many
        others' answers were quicker.
        """
        rate, seen = self.rate, sum(self.answers) + PRIOR_LATE
        micros = 0.0
        for price, quicker in zip(self.prices, accumulate(self.answers, initial=0), strict=False):
            if price:
                micros += price * rate * (seen - quicker) / (seen - rate * quicker)
        return Micros(int(micros))

    @property
    def most_micros(self) -> Micros:
        """No less than that, as if no ad had aged: a chance falls with age, and silence lowers the rate."""
        prices = sum(self.prices)
        return Micros(int(prices * self.rate) + 1) if prices else ZERO

    def count(self, ad: _Ad) -> None:
        """An ad whose answer came, or was waited for long enough; each once."""
        if not ad.counted:
            ad.counted = True
            self.served = self.served * _KEPT + 1.0
            self.answered *= _KEPT

    def count_answer(self, ad: _Ad) -> None:
        self.count(ad)
        self.answered = min(self.answered + 1.0, self.served)
        self.answers[ad.age] += 1
        if sum(self.answers) > 2 * MEMORY_ADS:
            self.answers = [count // 2 for count in self.answers]


class InFlight:
    """All workers' ads under way; the writer keeps it, and it is lost with the writer, for half a minute.

    Ads and answers are told in any order and any number of times: an answer by one worker may be committed
    before the ad of another, and a batch is sent again after a crash. All ads age alike, so that the oldest
    are the first to pass each age, and each step costs the same however many there are.

    The rate counts an ad when it is answered or was silent for a while: those that went out just now
    say nothing yet, and would make every burst look like ads that nobody answers.
    """

    def __init__(self) -> None:
        self._ads: dict[int, _Ad] = {}
        self._ageing: list[deque[tuple[int, _Ad]]] = [deque() for _ in AGES_MS]  # by age; since when
        self._campaigns: dict[int, _Campaign] = {}
        self.changed: set[int] = set()  # campaigns, since whoever reads it last cleared it
        self.workers = 1
        self._expired_ms = -1
        self._reckoned: dict[int, Expected] = {}  # asked far more often than it changes
        self._most: dict[int, Expected] = {}
        self._most_of: dict[int, Expected] = {}  # by advertiser
        self._moved: dict[int, set[int]] = {}  # by advertiser, its campaigns that the sum has yet to follow

    def add(
        self,
        campaign_key: int,
        impression_id: int,
        price: Micros,
        chance: float,
        now_ms: int,
        advertiser_key: int = 0,
    ) -> None:
        """An ad went out; `chance` is how likely it is billed as far as the server knew."""
        self.expire(now_ms)
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            campaign = self._campaigns[campaign_key] = _Campaign(advertiser_key)
        campaign.prior = chance
        ad = self._ads.get(impression_id)
        if ad is None:
            self._keep(_Ad(impression_id, campaign_key, price, served=True), now_ms)
            campaign.prices[0] += price
        elif not ad.served:
            ad.served = True
            campaign.count_answer(ad)
        self._change(campaign_key)

    def _keep(self, ad: _Ad, now_ms: int) -> None:
        self._ads[ad.impression_id] = ad
        self._ageing[0].append((now_ms, ad))

    def answered(self, campaign_key: int, impression_id: int, now_ms: int) -> None:
        """The billed event came: taken or refused, it is nothing to be expected any more."""
        self.expire(now_ms)
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            return  # nothing of it is weighed
        ad = self._ads.get(impression_id)
        if ad is None:
            self._keep(_Ad(impression_id, campaign_key, ZERO, served=False), now_ms)
        elif ad.price and ad.campaign_key == campaign_key:
            campaign.prices[ad.age] -= ad.price
            ad.price = ZERO
            campaign.count_answer(ad)
            self._change(campaign_key)

    def expire(self, now_ms: int) -> None:
        """Let ads age, and forget what is too old; `now_ms` never goes back."""
        if now_ms == self._expired_ms:  # a decision asks for each of its candidates
            return
        self._expired_ms = now_ms
        for ageing, age_ms in zip(reversed(self._ageing), reversed(AGES_MS), strict=True):  # the oldest first
            while ageing and ageing[0][0] <= now_ms - age_ms:
                self._pass(*ageing.popleft(), now_ms)

    def _pass(self, since_ms: int, ad: _Ad, now_ms: int) -> None:
        """An ad has passed an age, or several at once if nobody looked meanwhile."""
        age, ad.age = ad.age, bisect_right(AGES_MS, now_ms - since_ms)
        if ad.age < len(AGES_MS):
            self._ageing[ad.age].append((since_ms, ad))
        else:
            del self._ads[ad.impression_id]
            self._move(ad.campaign_key)
        if ad.price:
            campaign = self._campaigns[ad.campaign_key]
            campaign.prices[age] -= ad.price
            if ad.age < len(AGES_MS):
                campaign.prices[ad.age] += ad.price
            if age <= PATIENT_AGE < ad.age:
                campaign.count(ad)
            self._age(ad.campaign_key)

    def expected(self, campaign_key: int) -> Expected | None:
        """What is under way of a campaign since the last `expire`; None where nothing ever was."""
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            return None
        reckoned = self._reckoned.get(campaign_key)
        if reckoned is None or reckoned.workers != self.workers:
            told = (campaign.expected_micros, campaign.rate, self.workers, campaign.advertiser_key)
            reckoned = Expected(*told)
            self._reckoned[campaign_key] = reckoned
        return reckoned

    def most_expected(self, campaign_key: int) -> Expected | None:
        """No less than `expected` says, and reckoned again far less often: not with each age of each ad."""
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            return None
        most = self._most.get(campaign_key)
        if most is None or most.workers != self.workers:
            told = (campaign.most_micros, campaign.rate, self.workers, campaign.advertiser_key)
            most = self._most[campaign_key] = Expected(*told)
        return most

    def most_of(self, advertiser_key: int) -> Expected:
        """The same of all campaigns of an advertiser together, with a rate that no new ad exceeds."""
        known = self._most_of.get(advertiser_key)
        moved = self._moved.pop(advertiser_key, None)
        if known is not None and moved is None and known.workers == self.workers:
            return known
        micros = ZERO if known is None else known.micros
        for campaign in [self._campaigns[key] for key in moved or ()]:
            before, campaign.most_told = campaign.most_told, campaign.most_micros
            micros = Micros(micros + campaign.most_told - before)
        known = self._most_of[advertiser_key] = Expected(micros, 1.0, self.workers, advertiser_key)
        return known

    def _change(self, campaign_key: int) -> None:
        self._move(campaign_key)
        self._age(campaign_key)

    def _move(self, campaign_key: int) -> None:
        self._most.pop(campaign_key, None)
        campaign = self._campaigns.get(campaign_key)
        if campaign is not None:
            self._moved.setdefault(campaign.advertiser_key, set()).add(campaign_key)

    def _age(self, campaign_key: int) -> None:
        self.changed.add(campaign_key)
        self._reckoned.pop(campaign_key, None)

    def knows(self, campaign_key: int) -> bool:
        return campaign_key in self._campaigns

    def known(self, campaign_keys: Sequence[int]) -> list[int]:
        """Those of the campaigns of which something is known."""
        return [key for key in campaign_keys if key in self._campaigns]

    def campaigns(self) -> set[int]:
        """All of which something is known."""
        return set(self._campaigns)


class Unconfirmed:
    """A worker's own ads that the writer has not committed yet: what no other worker can know of."""

    def __init__(self) -> None:
        self._prices: dict[int, dict[int, Micros]] = {}  # by campaign and impression
        self._prices_of: dict[int, dict[int, Micros]] = {}  # by advertiser and impression
        self._chances: dict[int, float] = {}

    def add(
        self, campaign_key: int, impression_id: int, price: Micros, chance: float, advertiser_key: int = 0
    ) -> None:
        self._chances[campaign_key] = chance
        self._prices.setdefault(campaign_key, {})[impression_id] = price
        self._prices_of.setdefault(advertiser_key, {})[impression_id] = price

    def confirm(self, campaign_key: int, impression_id: int, advertiser_key: int = 0) -> None:
        """It is among what the writer tells, or was never recorded."""
        self._prices[campaign_key].pop(impression_id, None)
        self._prices_of[advertiser_key].pop(impression_id, None)

    def most_of(self, advertiser_key: int, told: Expected) -> Micros:
        """No less than is under way of all campaigns of an advertiser, where the writer told so much."""
        prices = self._prices_of.get(advertiser_key)
        return Micros(told.micros + sum(list(prices.values())) * told.workers) if prices else told.micros

    def expected_of(self, campaign_keys: Sequence[int], told: Mapping[int, Expected]) -> dict[int, Micros]:
        """Micros that are probably under way of each of the campaigns of which anything is."""
        expected: dict[int, Micros] = {}
        for key in campaign_keys:  # a plain loop: of most of them there is nothing, at every ad
            one = told.get(key)
            micros = self.expected(key, one) if self._prices.get(key) else one.micros if one else ZERO
            if micros:
                expected[key] = micros
        return expected

    def expected(self, campaign_key: int, told: Expected | None) -> Micros:
        """Micros that are probably under way, with what the writer told of all workers' ads.

        The other workers are taken to have as many unconfirmed ads as this one: so all of them together
        stop in time, though none knows the others' newest. A copy is summed: where outcomes are
        delivered by another thread, it may confirm meanwhile.
        """
        prices = self._prices.get(campaign_key)
        own = sum(list(prices.values())) if prices else 0
        if told is None:
            return Micros(int(own * self._chances.get(campaign_key, 0.0)))
        return Micros(told.micros + int(own * told.rate * told.workers))
