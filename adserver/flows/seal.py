"""The heads of a day are fixed when it has ended, and signed, so that nobody rewrites yesterday."""

from datetime import UTC, datetime, timedelta

from adserver.domain.proof import signed_message
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Seals, Signer, Writer
from adserver.writes import Result, SealDay, SignHeads

PAGE = 200


class Seal:
    """A job: seals what the last UTC day left open, then signs what is sealed; safe to run twice.

    Days in which the server was off are sealed with the one that ended last.
    """

    def __init__(self, writer: Writer, seals: Seals, signer: Signer, clock: Clock) -> None:
        self._writer = writer
        self._seals = seals
        self._signer = signer
        self._clock = clock

    def run(self) -> int:
        """How many accounts' days were signed; what could not be written now is in the next run."""
        self._seal()
        signed = 0
        while unsigned := self._seals.unsigned(PAGE):
            done = [self._sign(advertiser_key, day) for advertiser_key, day in unsigned]
            signed += sum(done)
            if not all(done):
                break
        return signed

    def _seal(self) -> None:
        now_ms = self._clock()
        ended_ms = now_ms - now_ms % DAY_MS
        day, after = _yesterday(ended_ms), -1
        while due := self._seals.due(day, ended_ms, after, PAGE):
            for advertiser_key in due:
                self._writer.commit(SealDay(advertiser_key, day, now_ms))
            after = due[-1]

    def _sign(self, advertiser_key: int, day: int) -> bool:
        """All of an account's day in one write: its notice tells them all."""
        signatures = tuple(
            (head.owner_key, head.day, self._signer.sign(signed_message(head, advertiser_key)))
            for head in self._seals.heads(advertiser_key, day)
        )
        return self._writer.commit(SignHeads(signatures)).result is Result.SAVED


def _yesterday(ended_ms: int) -> int:
    """The day, as yyyymmdd, that ended at this instant."""
    date = datetime.fromtimestamp(ended_ms // 1000, UTC) - timedelta(days=1)
    return date.year * 10_000 + date.month * 100 + date.day
