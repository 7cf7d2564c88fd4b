"""When a feed's address is asked next, and what is known of it so that nothing is sent twice."""

import msgspec

MINUTE_MS = 60_000
MOST_WAIT_MS = 86_400_000  # between two tries, however often it failed
READ_ANEW_MS = 86_400_000  # though the address says that nothing changed: our own reading may have
TOLD_AT_FAILURES = 3  # when the advertiser hears of it
JITTER = 10  # a tenth of the wait at most, so that feeds made in one minute are not fetched in one


class Validators(msgspec.Struct, frozen=True):
    """What an answer said of its version; sent back, it asks whether there is another."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


NOT_KNOWN = Validators()


class Download(msgspec.Struct, frozen=True):
    """What came of a fetch: so many bytes of this version, or `unchanged` and none."""

    size_bytes: int
    validators: Validators = NOT_KNOWN
    unchanged: bool = False


class Fetching(msgspec.Struct, frozen=True, kw_only=True):
    """How far the fetching of one feed has come; `validators` are of what was published at `read_ms`.

    `fresh_ms` is when the catalogue was last known to be what the feed says. `failures` are since the last
    import that did not fail, and `why` is the last one's reason.
    """

    validators: Validators = NOT_KNOWN
    read_ms: int = 0
    fresh_ms: int | None = None
    failures: int = 0
    next_ms: int | None = None  # None: at once, where there is a schedule
    why: str | None = None
    mostly_rejected: bool = False  # of what is live: more rows were left out than became products

    def worth_asking(self, now_ms: int) -> Validators:
        """The validators to send, none where the feed is to be read anew in any case."""
        return self.validators if now_ms < self.read_ms + READ_ANEW_MS else NOT_KNOWN


NEVER_FETCHED = Fetching()


def anew(known: Fetching, now_ms: int) -> Fetching:
    """The same where the feed is to be found or read otherwise: due now, and whole."""
    return msgspec.structs.replace(known, validators=NOT_KNOWN, failures=0, why=None, next_ms=now_ms)


def after_success(known: Fetching, interval_minutes: int | None, now_ms: int, dice: float) -> Fetching:
    """The same, once the catalogue is what the feed says."""
    return msgspec.structs.replace(
        known, fresh_ms=now_ms, failures=0, why=None, next_ms=_after(interval_minutes, 0, now_ms, dice)
    )


def after_failure(
    known: Fetching, interval_minutes: int | None, now_ms: int, dice: float, why: str
) -> Fetching:
    """Each failure doubles the wait, up to a day or what the schedule says where that is longer."""
    failures = known.failures + 1
    return msgspec.structs.replace(
        known, failures=failures, why=why, next_ms=_after(interval_minutes, failures, now_ms, dice)
    )


def _after(interval_minutes: int | None, failures: int, now_ms: int, dice: float) -> int | None:
    """The time of the next fetch; `dice` in [0, 1) adds up to a tenth of the wait."""
    if interval_minutes is None:
        return None
    interval_ms = interval_minutes * MINUTE_MS
    wait_ms = max(interval_ms, min(interval_ms << min(failures, 32), MOST_WAIT_MS))
    return now_ms + wait_ms + int(wait_ms * dice) // JITTER
