"""A verdict in words: why, and what to do next, with the figures of the very case."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from adserver.domain.eligibility import Refusal
from adserver.domain.money import MICROS_PER_UNIT
from adserver.domain.refusal_words import words_of
from adserver.domain.slot import Slot
from adserver.domain.verdict import Score, Verdict

CHOSEN = "It is shown: of all that could answer, it was expected to earn most, or it was its turn."
BUDGET_NAMES = {
    "total": "its total budget",
    "daily": "its daily budget",
    "account_total": "the account's total budget, or what was deposited,",
    "account_daily": "the account's daily budget",
}


def advice_of(verdict: Verdict, slot: Slot, timezone: str, winner: Score | None) -> str:
    """A sentence or two; `timezone` is the advertiser's, in which its days begin."""
    refusal = verdict.refusal
    if refusal is None:
        return CHOSEN
    words = words_of(refusal)
    return f"Not shown: {_reason(verdict, slot, timezone, winner) or words.says}. {words.advice}"


def _reason(verdict: Verdict, slot: Slot, timezone: str, winner: Score | None) -> str | None:
    """What of the case says more than the refusal's name; None where nothing does."""
    match verdict.refusal:
        case Refusal.BUDGET_EXHAUSTED if verdict.short_of is not None:
            until = "" if verdict.frees_ms is None else f" until {_time(verdict.frees_ms, timezone)}"
            return f"{BUDGET_NAMES[verdict.short_of]} does not hold one more ad{until}"
        case Refusal.FREQUENCY_CAP if verdict.frees_ms is not None:
            again = _time(verdict.frees_ms, timezone)
            return f"{words_of(Refusal.FREQUENCY_CAP).says}; it may be shown to them again from {again}"
        case Refusal.NOT_STARTED if verdict.frees_ms is not None:
            return f"it begins at {_time(verdict.frees_ms, timezone)}"
        case Refusal.BELOW_FLOOR if slot.currency is not None:
            return (
                f"the slot costs at least {_money(slot.floor_cpm_micros, slot.currency)} for a thousand ads"
            )
        case Refusal.OUTRANKED if verdict.score is not None and winner is not None:
            return _outranked(verdict.score.ranked_micros, winner.ranked_micros)
    return None


def _outranked(own: float, best: float) -> str:
    if own >= best:
        return "it was taken to earn as much as the one that is shown, and it was not its turn"
    return (
        f"a thousand of its ads were taken to earn {own / MICROS_PER_UNIT:.4f},"
        f" of the one that is shown {best / MICROS_PER_UNIT:.4f}"
    )


def _time(at_ms: int, timezone: str) -> str:
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d %H:%M} {timezone} time"


def _money(micros: int, currency: str) -> str:
    return f"{micros / MICROS_PER_UNIT:.2f} {currency}"
