"""The commands: `adserver serve | work | migrate | demo | feed | audit | replay | doctor | keys`."""

import gc
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from adserver.config import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A self-hosted retargeting ad server. Settings are ADSERVER_* variables; see the README.",
)
feed_app = typer.Typer(no_args_is_help=True, help="Product feeds.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(feed_app, name="feed")
app.add_typer(keys_app, name="keys")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
DataDir = Annotated[Path | None, typer.Option("--data", help="A folder to keep; default: thrown away.")]
Workers = Annotated[int, typer.Option(min=1, max=200, help="Processes that answer requests.")]
FeedFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
SentFile = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, readable=True)]
FeedId = Annotated[str, typer.Argument(help="The feed's id, such as feed_0q3v...")]
Shrink = Annotated[bool, typer.Option(help="Import even if more than half of the catalogue would leave.")]
DEMO_PORT = 8000


def _settings() -> Settings:
    """The settings, or one readable sentence for each that is wrong."""
    from pydantic import ValidationError

    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            typer.echo(f"ADSERVER_{name}: {fault['msg']}", err=True)
        raise typer.Exit(2) from None
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("httpx", "httpcore", "alembic"):  # whole addresses, which may hold a password; chatter
        logging.getLogger(name).setLevel(logging.WARNING)
    return settings


@contextmanager
def _importing() -> Iterator[None]:
    """A third faster where nobody looks for garbage among what is imported, then or ever: it leaves none."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _processes() -> ModuleType:
    """The whole server, imported."""
    with _importing():
        from adserver import processes
    return processes


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000, workers: Workers = 1) -> None:
    """Run the server: N workers that answer, a writer that commits, and the jobs: a process each."""
    _processes().Supervisor(host, port, workers, _settings()).run()


@app.command()
def work() -> None:
    """Run only the jobs, beside a server started with another command."""
    _processes().run_jobs(_settings(), 255)


@app.command()
def migrate() -> None:
    """Bring the database's tables up to date (`serve` does it too)."""
    from adserver.main.beside import sole_storage

    sole_storage(_settings().database_path).close()
    typer.echo("the database is up to date")


@app.command()
def demo(port: Port = DEMO_PORT, data: DataDir = None, as_json: Json = False) -> None:
    """A throw-away server with a shop, a service, a news page and campaigns of every pricing model."""
    with _importing():
        from adserver.demo.run import run_demo
    run_demo(port, data, as_json)


def _currency(code: str | None) -> str | None:
    from pixel.amounts import CURRENCIES

    if code is not None and code.upper() not in CURRENCIES:
        raise typer.BadParameter("a currency is an ISO 4217 code such as EUR")
    return code and code.upper()


def _link_template(template: str | None) -> str | None:
    from adserver.domain.feed import LINK_PLACEHOLDERS, is_link_template

    if template is not None and not is_link_template(template):
        names = ", ".join(f"{{{name}}}" for name in LINK_PLACEHOLDERS)
        raise typer.BadParameter(f"a whole address with one of {names} in it")
    return template


FeedCurrency = Annotated[
    str | None, typer.Option("--currency", callback=_currency, help="Of prices that name none, such as EUR.")
]
FeedLink = Annotated[
    str | None,
    typer.Option("--link", callback=_link_template, help="Where products are: https://shop.example/{id}"),
]


@feed_app.command("check")
def feed_check(
    file: FeedFile, currency: FeedCurrency = None, link: FeedLink = None, as_json: Json = False
) -> None:
    """Read a product feed without a server: what would be imported, and each row left out with its reason."""
    from rich.console import Console

    from adserver.domain.feed import FeedRules
    from adserver.flows.feed import check_feed
    from adserver.printout import print_check, progress_bar

    out, err = Console(), Console(stderr=True)
    rules = FeedRules(feed_currency=currency, link_template=link)
    with progress_bar(err, file.stat().st_size) as tell:
        checked = check_feed(file, rules=rules, progress=tell)
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(checked).decode() + "\n")
    else:
        print_check(checked, str(file), out, err)
    raise typer.Exit(checked.exit_status)


@feed_app.command("import")
def feed_import(
    feed_id: FeedId, file: SentFile = None, allow_shrink: Shrink = False, as_json: Json = False
) -> None:
    """Import a feed now, beside a running server or without one: FILE, or what lies at the feed's address.

    Exit status 0 where the catalogue is what the feed says, 1 where it is not, 2 where there is no such feed.
    """
    from adserver.import_command import import_now

    raise typer.Exit(import_now(_settings(), feed_id, file, allow_shrink=allow_shrink, as_json=as_json))


@app.command()
def audit(as_json: Json = False) -> None:
    """Recompute every balance from the charges; exit status 0 only if all invariants hold."""
    from adserver.main.audit import audit_database

    def tell(checks: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{checks:,} checks ", nl=False, err=True)

    try:
        report = audit_database(_settings(), tell)
    except FileNotFoundError as missing:
        typer.echo(f"no database at {missing}: set ADSERVER_DATA_DIR", err=True)
        raise typer.Exit(2) from None
    tell(sum(check["rows"] for check in report["checks"]))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        for check in report["checks"]:
            typer.echo(
                f"{'ok  ' if not check['violations'] else 'FAIL'} {check['name']} ({check['rows']} rows)"
            )
            for violation in check["violations"]:
                typer.echo(f"     {violation}")
    raise typer.Exit(0 if report["clean"] else 1)


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = None if text is None else Decimal(text)
    except InvalidOperation:
        amount = Decimal("-1")
    if amount is not None and not Decimal(0) < amount < 10**9:
        raise typer.BadParameter("an amount in the campaign's currency, such as 2.50")
    return amount


CampaignId = Annotated[str, typer.Option("--campaign", help="The campaign's id, such as cmp_0q3v...")]
ChangeFile = Annotated[
    Path | None,
    typer.Argument(exists=True, dir_okay=False, readable=True, help="JSON, as in a PATCH of the campaign."),
]
Amount = Annotated[str | None, typer.Option(help="In the campaign's currency, such as 2.50.")]
Day = Annotated[str | None, typer.Option(help="Such as 2026-11-21; by default yesterday.")]


@app.command()
def replay(
    campaign: CampaignId,
    file: ChangeFile = None,
    rate: Amount = None,
    daily_budget: Amount = None,
    day: Day = None,
    as_json: Json = False,
) -> None:
    """Tell what a changed campaign would have delivered and cost on a recorded day, before it is saved.

    Nothing is changed. Exit status 0, or 2 where there is nothing to replay; it says why.
    """
    from adserver.replay_command import Wish, replay_now

    wish = Wish(campaign, file, _amount(rate), _amount(daily_budget), day)
    raise typer.Exit(replay_now(_settings(), wish, as_json=as_json))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation and what to do; exit status 1 where something is serious."""
    from adserver.domain.installation import facts_in_words, inspect, is_healthy
    from adserver.main.beside import examine_installation

    found = examine_installation(_settings())
    findings = inspect(found)
    if as_json:
        import msgspec

        document = {"healthy": is_healthy(findings), "serving": found.is_serving, "findings": findings}
        typer.echo(msgspec.json.encode(document).decode())
    else:
        for line in facts_in_words(found):
            typer.echo(line)
        for finding in findings:
            typer.echo(f"{finding.severity.upper():7} {finding.code}: {finding.message}")
    raise typer.Exit(0 if is_healthy(findings) else 1)


@app.command()
def invite(email: str, as_json: Json = False) -> None:
    """Make a link with which EMAIL becomes an operator of the console, or chooses another password."""
    from adserver.domain.user import Flaw, Grant, Role
    from adserver.flows.users import Invited, Why
    from adserver.main.beside import open_storage, system_clock, users_beside

    settings = _settings()
    storage = open_storage(settings.database_path)
    invited = users_beside(storage, system_clock()).invite(None, email, (Grant(Role.OPERATOR),))
    storage.close()
    if not isinstance(invited, Invited):
        words = {
            Flaw.BAD_EMAIL: "that is no e-mail address; write it like you@example.org, in plain letters",
            Why.NOT_KEPT: "nothing could be written; see whether the disk is full, and repeat",
        }
        typer.echo(f"no link was made: {words.get(invited, invited.value)}", err=True)
        raise typer.Exit(1)
    link = f"{settings.base_url}/console/welcome/{invited.text}"
    hint = "It works once, within seven days. Open it in a browser that reaches this server."
    typer.echo(json.dumps({"link": link}) if as_json else f"{link}\n{hint}")


@keys_app.command("create")
def keys_create(name: str = "operator", as_json: Json = False) -> None:
    """Make an operator's API key. It is shown once: keep it."""
    from adserver.main.beside import create_operator_key, open_storage, system_clock

    storage = open_storage(_settings().database_path)
    text = create_operator_key(storage, system_clock(), name)
    storage.close()
    typer.echo(json.dumps({"key": text}) if as_json else f"{text}\nThis is its only sight; keep it.")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
