"""An order or lead told by a signed postback: proved, told once, and credited."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from adserver.domain.attribution import ServerOrder
from adserver.domain.identity import write_id
from adserver.domain.postback import is_of_now, is_signed, postback_secret
from adserver.ports import Accounts, Clock
from adserver.writes import Outcome, Receipt, Result


class Unproved(StrEnum):
    """Why a postback is not acted on."""

    BAD_SIGNATURE = "bad_signature"
    TOO_OLD = "too_old"
    REPLAYED = "replayed"


class Credit(Protocol):
    """What crediting an order answers."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def reason(self) -> str: ...


class Posted(msgspec.Struct, frozen=True):
    """A sound postback: the order, and what makes it valid once."""

    order: ServerOrder
    timestamp: int
    nonce: str


class Postback:
    """Hears postbacks. `convert` is the flow's that credits orders and keeps a receipt with its effect."""

    def __init__(
        self,
        accounts: Accounts,
        clock: Clock,
        convert: Callable[[ServerOrder, Receipt], Credit],
        server_key: bytes,
    ) -> None:
        self.clock = clock
        self._accounts = accounts
        self._convert = convert
        self._server_key = server_key

    def secret(self, advertiser_key: int) -> str:
        return postback_secret(self._server_key, advertiser_key)

    def is_signed(self, advertiser_key: int | None, parameters: Mapping[str, str]) -> bool:
        """Whether an advertiser of ours signed these parameters."""
        key = -1 if advertiser_key is None else advertiser_key
        signed = is_signed(self.secret(key), parameters)
        return signed and advertiser_key is not None and self._accounts.advertiser(advertiser_key) is not None

    def hear(self, posted: Posted) -> Credit | Unproved:
        """Credit the order. Its nonce is a receipt of the same transaction: kept 7 days, for all workers."""
        now_ms = self.clock()
        if not is_of_now(posted.timestamp, now_ms):
            return Unproved.TOO_OLD
        owner = f"postback {write_id('adv', posted.order.advertiser_key)}"
        credit = self._convert(posted.order, Receipt(owner, posted.nonce, "", 0, b"", now_ms))
        return Unproved.REPLAYED if credit.outcome.result is Result.RECEIPT_EXISTS else credit
