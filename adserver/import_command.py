"""`adserver feed import`: one import in this process, with its progress in the terminal."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from adserver.config import Settings
from adserver.domain.catalogue import ImportReport
from adserver.domain.feed_advice import advice_for, advice_on
from adserver.domain.identity import read_id, write_id
from adserver.domain.imports import AskedBy, ImportState, Watch
from adserver.flows.imports import RunImports
from adserver.main.beside import imports_beside, open_storage
from adserver.ports import Stores
from adserver.printout import printable

MOST_ROWS_PRINTED = 20
MOST_CHARACTERS_OF_A_REFUSAL = 300
NO_SUCH_FEED = 2


def import_now(
    settings: Settings, feed_id: str, path: Path | None, *, allow_shrink: bool, as_json: bool
) -> int:
    """Run it and print what came of it; the exit status."""
    console = Console(stderr=True)
    if not settings.database_path.exists():
        console.print(f"no database at {settings.database_path}: set ADSERVER_DATA_DIR")
        return NO_SUCH_FEED
    with closing(open_storage(settings.database_path)) as storage:
        imports = imports_beside(settings, storage)
        report = _run(imports, storage, console, feed_id, path, allow_shrink=allow_shrink)
    if report is None:
        return NO_SUCH_FEED
    if as_json:
        sys.stdout.write(json.dumps(_as_json(report)) + "\n")
    else:
        _print(console, report)
    return 0 if report.fatal is None else 1


def _run(
    imports: RunImports,
    storage: Stores,
    console: Console,
    feed_id: str,
    path: Path | None,
    *,
    allow_shrink: bool,
) -> ImportReport | None:
    """None where there is nothing to import, which was said."""
    key = read_id("feed", feed_id)
    feed = None if key is None else storage.feeds.feed(key)
    advertiser = None if feed is None else storage.accounts.advertiser(feed.advertiser_key)
    if feed is None or advertiser is None:
        console.print(f"there is no feed {feed_id}: see GET /api/v1/advertisers/.../feeds")
        return None
    if path is None and feed.url is None:
        console.print(f"feed {feed_id} has no address: name the FILE to import")
        return None
    asked: dict[str, Any] = {"allow_shrink": allow_shrink, "by": AskedBy.COMMAND}
    with _bar(console) as progress:
        watch = Shown(progress)
        if path is None:
            return imports.run(advertiser, feed, **asked, watch=watch)
        with path.open("rb") as file:
            return imports.run(advertiser, feed, file, **asked, watch=watch)


def _bar(console: Console) -> Progress:
    """Nothing is drawn where standard error is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class Shown(Watch):
    """An import's progress as a line of the terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("waiting", total=None, told="")
        self._rows = 0

    def moved(self, state: ImportState) -> None:
        total = self._rows if state is ImportState.PUBLISHING and self._rows else None
        self._progress.update(self._task, description=str(state), total=total, completed=0, told="")

    def heard(self, rows: int, bytes_read: int, of_bytes: int | None) -> None:
        told = f"{rows:,} rows" if rows else f"{bytes_read:,} bytes"
        if bytes_read:
            self._rows = rows
            self._progress.update(self._task, completed=bytes_read, total=of_bytes, told=told)
        else:
            self._progress.update(self._task, completed=rows, told=told)


def _as_json(report: ImportReport) -> dict[str, Any]:
    return {
        "import_id": write_id("imp", report.import_key),
        "products": report.products,
        "rejected": [
            {"line": row.line, "item_id": row.item_id, "reason": row.reason, "advice": advice_for(row.reason)}
            for row in report.rejected
        ],
        "rejected_count": report.rejected_count,
        "notes": report.notes,
        "waits": report.waits,
        "fatal": report.fatal,
    }


def _print(console: Console, report: ImportReport) -> None:
    out = Console(highlight=False, markup=False, soft_wrap=True)
    live = f"{report.products:,} products are live, " if report.fatal is None else ""
    out.print(f"{live}{report.rejected_count:,} rows were left out")
    for row in report.rejected[:MOST_ROWS_PRINTED]:
        item_id = printable(row.item_id or "no id")
        out.print(f"  line {row.line}: {item_id}: {row.reason}. {advice_for(row.reason)}")
    if report.rejected_count > MOST_ROWS_PRINTED:
        out.print(f"  ... and {report.rejected_count - MOST_ROWS_PRINTED:,} more; --json has up to 10,000")
    if report.fatal is not None:
        import_id = write_id("imp", report.import_key)
        wait = f"; {import_id} waits for your yes: --allow-shrink imports it all the same"
        fatal = printable(report.fatal, MOST_CHARACTERS_OF_A_REFUSAL)
        console.print(f"nothing was changed: {fatal}{wait if report.waits else ''}", markup=False)
        advice = "" if report.waits else advice_on(report.fatal)
        if advice:
            console.print(f"what to do: {advice}", markup=False, soft_wrap=True)
