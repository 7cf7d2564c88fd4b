"""`adserver replay`: a recorded day against a changed campaign, told in the terminal before it is saved."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from adserver.config import Settings
from adserver.domain.campaign import Refusal
from adserver.domain.identity import read_id
from adserver.domain.money import MICROS_PER_UNIT
from adserver.flows.replay import NoReplay, Replayed
from adserver.main.beside import NotMigrated, replay_database
from adserver.web.problems import PROBLEMS
from adserver.web.schemas.replays import FigureAnswer, ReplayAnswer, ReplayBody, show_replay

WRONG = 2
FIGURES = ("deliveries", "reach", "clicks", "billed", "spend_micros")
WORDS = {"billed": "paid events", "spend_micros": "spend"}
NO_REPLAY = {
    NoReplay.NO_CAMPAIGN: "there is no such campaign: see GET /api/v1/campaigns",
    NoReplay.NO_EXCHANGE_RATE: "its currency has no exchange rate: set one in ADSERVER_RANKING_RATES",
    NoReplay.NO_SAMPLES: "nothing was sampled on this day: name another with --day (they are kept 35 days)",
}


class Wish(msgspec.Struct, frozen=True):
    """What the command's options ask for."""

    campaign_id: str
    path: Path | None = None
    rate: Decimal | None = None
    daily_budget: Decimal | None = None
    day: str | None = None


def replay_now(settings: Settings, wish: Wish, *, as_json: bool) -> int:
    """Replay and print; the exit status."""
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        body = ReplayBody.model_validate(_asked(wish))
    except (ValidationError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        err.print(_flaws(fault), markup=False)
        return WRONG
    key = read_id("cmp", wish.campaign_id)
    replayed: Replayed | NoReplay | Refusal = NoReplay.NO_CAMPAIGN
    if key is not None:
        try:
            with err.status("reading samples") as status:
                tell = _teller(status.update)
                replayed = replay_database(settings, key, body.change.edit, body.day, tell)
        except (FileNotFoundError, NotMigrated) as missing:
            err.print(_without_database(missing), markup=False)
            return WRONG
    if not isinstance(replayed, Replayed):
        err.print(_refusal(replayed), markup=False)
        return WRONG
    answer = show_replay(replayed)
    if as_json:
        sys.stdout.write(answer.model_dump_json() + "\n")
    else:
        _print(answer)
    return 0


def _asked(wish: Wish) -> dict[str, Any]:
    """The file's change, and over it what the options say."""
    change: Any = {} if wish.path is None else msgspec.json.decode(wish.path.read_bytes())
    if not isinstance(change, dict):
        raise msgspec.DecodeError("the file holds no object")
    for name, amount in (("rate_micros", wish.rate), ("daily_budget_micros", wish.daily_budget)):
        if amount is not None:
            change[name] = int(amount * MICROS_PER_UNIT)
    return {"change": change, **({} if wish.day is None else {"day": wish.day})}


def _flaws(fault: Exception) -> str:
    if not isinstance(fault, ValidationError):
        return "the file is no JSON object: write it like the body of PATCH /api/v1/campaigns/{campaign_id}"
    flaws = [f"{'.'.join(map(str, one['loc'][-2:]))}: {one['msg']}" for one in fault.errors()]
    return "\n".join([*flaws, "correct these; the fields are those of PATCH /api/v1/campaigns/{campaign_id}"])


def _without_database(missing: Exception) -> str:
    if isinstance(missing, NotMigrated):
        return "the database is of an older version: run `adserver migrate`, and a server for a day"
    return f"no database at {missing}: set ADSERVER_DATA_DIR"


def _refusal(no: NoReplay | Refusal) -> str:
    if isinstance(no, NoReplay):
        return NO_REPLAY[no]
    kind = PROBLEMS[no.value]
    return f"this change would be refused: {kind.title}. {kind.detail}"


def _teller(update: Callable[[str], None]) -> Callable[[int], None]:
    return lambda samples: update(f"reading samples: {samples:,}")


def _print(answer: ReplayAnswer) -> None:
    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(
        f"{answer.day} ({answer.timezone}): {answer.samples:,} sampled requests, which stand for"
        f" {answer.requests:,}"
    )
    table = Table("", "as it is", "as it would be", box=None, pad_edge=False)
    for name in FIGURES:
        before, after = (getattr(one, name) for one in (answer.before, answer.after))
        told = (_told(name, figure, answer.currency) for figure in (before, after))
        table.add_row(WORDS.get(name, name), *told)
    out.print(table)
    refused = [f"{n:,.0f} {name}" for name, n in list(answer.after.refused.items())[:5]]
    if refused:
        out.print(f"not shown, as it would be: {', '.join(refused)}")
    for note in answer.notes:
        out.print(f"note: {note}")


def _told(name: str, figure: FigureAnswer, currency: str) -> str:
    if name == "spend_micros":
        expected, low, high = (one / MICROS_PER_UNIT for one in (figure.expected, figure.low, figure.high))
        return f"{expected:,.2f} {currency} ({low:,.2f} to {high:,.2f})"
    return f"{figure.expected:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})"
