"""A shop asks whether a code is worth something, and says which order was made with it."""

import msgspec

from adserver.coupons import Coupons
from adserver.domain.attribution import conversion_key
from adserver.domain.memory import Memory
from adserver.domain.offer import Handed, RedeemCode, Redemption, code_key, judge
from adserver.domain.token import Secrets
from adserver.ports import Clock, Stores
from adserver.writes import Outcome, Result
from pixel.events import EventName


class Judged(msgspec.Struct, frozen=True):
    """What a code is worth; `same_click`: the shopper came by the very click that it was handed to."""

    result: Redemption
    code: Handed | None = None
    same_click: bool = False


class Redeem:
    """Answers shops."""

    def __init__(self, memory: Memory, stores: Stores, clock: Clock, secrets: Secrets) -> None:
        self._coupons = Coupons(memory, stores, secrets)
        self._tally = memory.tally
        self._offers = stores.offers
        self._writer = stores.writer
        self._clock = clock
        self._secrets = secrets

    def check(self, advertiser_key: int, code: str, click_id: str | None) -> Judged:
        """What the code is worth at this moment to whoever came by this click; nothing is changed."""
        impression_id = self._coupons.impression_of(advertiser_key, click_id)
        if impression_id is None:
            judged = Judged(Redemption.WRONG_ADVERTISER)
        else:
            found = self._offers.code(code_key(advertiser_key, code), impression_id)
            judged = _judged(judge(found, impression_id, self._clock()), found, impression_id)
        self._tally.add(advertiser_key, f"offer_check_{judged.result}")
        return judged

    def redeem(self, advertiser_key: int, code: str, order_id: str, click_id: str | None) -> Judged | Outcome:
        """Bind the code to its order, once; an Outcome where nothing could be made durable."""
        impression_id = self._coupons.impression_of(advertiser_key, click_id)
        if impression_id is None:
            self._tally.add(advertiser_key, f"offer_{Redemption.WRONG_ADVERTISER}")
            return Judged(Redemption.WRONG_ADVERTISER)
        order_key = conversion_key(self._secrets.orders, advertiser_key, EventName.PURCHASE, order_id)
        write = RedeemCode(advertiser_key, code, order_key, impression_id, True, self._clock())
        outcome = self._writer.commit(write)
        if outcome.result is not Result.JUDGED:
            return outcome
        found = self._offers.code(code_key(advertiser_key, code))
        return _judged(Redemption(outcome.text), found, impression_id)


def _judged(result: Redemption, found: Handed | None, impression_id: int) -> Judged:
    return Judged(result, found, found is not None and found.impression_id == impression_id != 0)
