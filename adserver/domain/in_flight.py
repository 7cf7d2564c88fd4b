"""Money that ads served a moment ago will probably cost; it keeps what a budget's end leaves unpaid small."""

from collections import OrderedDict, deque

import msgspec

from adserver.domain.money import ZERO, Micros

IN_FLIGHT_MS = 30_000  # what is not answered by then never will be, for this purpose
PATIENCE_MS = 2_000  # an ad that is silent for as long counts as not answered, until it is
PRIOR_ADS = 10  # how many ads' answers the prior chance weighs as much as
MEMORY_ADS = 1_000  # over about so many of the last ads the rate is learnt

_KEPT = 1.0 - 1.0 / MEMORY_ADS


class Expected(msgspec.Struct, frozen=True, array_like=True):
    """What a campaign's ads under way will probably cost, and the rate of answers it is weighed with."""

    micros: Micros
    rate: float
    workers: int = 1  # that serve at the same time, each knowing its newest ads alone


class _Ad(msgspec.Struct):
    """An ad as long as it may be under way; `price` is 0 once it was answered."""

    campaign_key: int
    price: Micros
    expires_ms: int
    served: bool  # False: only its answer was told so far
    counted: bool = False  # among the campaign's served ads, of which the rate is learnt


class _Campaign(msgspec.Struct):
    """The prices under way, and how many of the last ads were answered; newer ads weigh more."""

    price: int = 0
    prior: float = 0.0
    served: float = 0.0
    answered: float = 0.0

    @property
    def rate(self) -> float:
        """As learnt, but no less than the prior: ads that nobody pays are worse than a late end."""
        return max(self.prior, (self.answered + PRIOR_ADS * self.prior) / (self.served + PRIOR_ADS))

    def count(self, ad: _Ad) -> None:
        """An ad whose answer came, or was waited for long enough; each once."""
        if not ad.counted:
            ad.counted = True
            self.served = self.served * _KEPT + 1.0
            self.answered *= _KEPT

    def count_answer(self, ad: _Ad) -> None:
        self.count(ad)
        self.answered = min(self.answered + 1.0, self.served)


class InFlight:
    """All workers' ads under way; the writer keeps it, and it is lost with the writer, for half a minute.

    Ads and answers are told in any order and any number of times: an answer by one worker may be committed
    before the ad of another, and a batch is sent again after a crash. All ads live for the same time, so
    that the oldest are the first to expire, and each step costs the same however many there are.

    The rate counts an ad when it is answered or was silent for a while: those that went out just now
    say nothing yet, and would make every burst look like ads that nobody answers.
    """

    def __init__(self) -> None:
        self._ads: OrderedDict[int, _Ad] = OrderedDict()
        self._awaited: deque[tuple[int, _Ad]] = deque()  # until when an ad's silence says nothing
        self._campaigns: dict[int, _Campaign] = {}
        self.changed: set[int] = set()  # campaigns, since whoever reads it last cleared it
        self.workers = 1

    def add(self, campaign_key: int, impression_id: int, price: Micros, chance: float, now_ms: int) -> None:
        """An ad went out; `chance` is how likely it is billed as far as the server knew."""
        self.expire(now_ms)
        campaign = self._campaigns.setdefault(campaign_key, _Campaign())
        campaign.prior = chance
        ad = self._ads.get(impression_id)
        if ad is None:
            ad = self._ads[impression_id] = _Ad(campaign_key, price, now_ms + IN_FLIGHT_MS, served=True)
            self._awaited.append((now_ms + PATIENCE_MS, ad))
            campaign.price += price
        elif not ad.served:
            ad.served = True
            campaign.count_answer(ad)
        self.changed.add(campaign_key)

    def answered(self, campaign_key: int, impression_id: int, now_ms: int) -> None:
        """The billed event came: taken or refused, it is nothing to be expected any more."""
        self.expire(now_ms)
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            return  # nothing of it is weighed
        ad = self._ads.get(impression_id)
        if ad is None:
            self._ads[impression_id] = _Ad(campaign_key, ZERO, now_ms + IN_FLIGHT_MS, served=False)
        elif ad.price and ad.campaign_key == campaign_key:
            campaign.price -= ad.price
            ad.price = ZERO
            campaign.count_answer(ad)
            self.changed.add(campaign_key)

    def expire(self, now_ms: int) -> None:
        """Forget what is too old; `now_ms` never goes back."""
        while self._awaited and self._awaited[0][0] <= now_ms:
            self._count_silent(self._awaited.popleft()[1])
        while self._ads:
            impression_id, ad = next(iter(self._ads.items()))
            if ad.expires_ms > now_ms:
                return
            del self._ads[impression_id]
            if ad.price:
                self._campaigns[ad.campaign_key].price -= ad.price
                self.changed.add(ad.campaign_key)

    def _count_silent(self, ad: _Ad) -> None:
        if not ad.counted:
            self._campaigns[ad.campaign_key].count(ad)
            self.changed.add(ad.campaign_key)

    def expected(self, campaign_key: int) -> Expected | None:
        """What is under way of a campaign since the last `expire`; None where nothing ever was."""
        campaign = self._campaigns.get(campaign_key)
        if campaign is None:
            return None
        return Expected(Micros(int(campaign.price * campaign.rate)), campaign.rate, self.workers)

    def campaigns(self) -> set[int]:
        """All of which something is known."""
        return set(self._campaigns)


class Unconfirmed:
    """A worker's own ads that the writer has not committed yet: what no other worker can know of."""

    def __init__(self) -> None:
        self._prices: dict[int, dict[int, Micros]] = {}  # by campaign and impression
        self._chances: dict[int, float] = {}

    def add(self, campaign_key: int, impression_id: int, price: Micros, chance: float) -> None:
        self._chances[campaign_key] = chance
        self._prices.setdefault(campaign_key, {})[impression_id] = price

    def confirm(self, campaign_key: int, impression_id: int) -> None:
        """It is among what the writer tells, or was never recorded."""
        self._prices[campaign_key].pop(impression_id, None)

    def expected(self, campaign_key: int, told: Expected | None) -> Micros:
        """Micros that are probably under way, with what the writer told of all workers' ads.

        The other workers are taken to have as many unconfirmed ads as this one: so all of them together
        stop in time, though none knows the others' newest. A copy is summed: where outcomes are
        delivered by another thread, it may confirm meanwhile.
        """
        own = sum(list(self._prices.get(campaign_key, {}).values()))
        if told is None:
            return Micros(int(own * self._chances.get(campaign_key, 0.0)))
        return Micros(told.micros + int(own * told.rate * told.workers))
