"""The auditor: recomputes every balance from the charges, in one consistent reading of the file."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from adserver.domain.budget import WHOLE_LIFE
from adserver.domain.pricing import BILLED_EVENT, AdEvent, Terms, price_of
from adserver.storage.sqlite import connect
from adserver.writes import Result

MOST_VIOLATIONS_TOLD = 20

Check = Callable[[sqlite3.Connection], Iterator[str | None]]
"""Yields one item for each row that was checked: None where it is right, else what is wrong."""


class Finding(msgspec.Struct, frozen=True):
    """One invariant: how many rows were checked, and what was wrong."""

    name: str
    rows: int
    violation_count: int
    violations: tuple[str, ...]


def audit(path: Path) -> list[Finding]:
    """Check every invariant of the ledger; safe beside a running server.

    Its snapshot holds the write-ahead log: while it lasts, that grows, and erased bytes stay in it.
    """
    connection = connect(path, writing=False)
    try:
        connection.execute("BEGIN")  # one snapshot for all checks
        return [_finding(name, check(connection)) for name, check in CHECKS.items()]
    finally:
        connection.close()


def _finding(name: str, results: Iterator[str | None]) -> Finding:
    rows, wrong = 0, []
    for result in results:
        rows += 1
        if result is not None:
            wrong.append(result)
    return Finding(name, rows, len(wrong), tuple(wrong[:MOST_VIOLATIONS_TOLD]))


def _within_caps(connection: sqlite3.Connection) -> Iterator[str | None]:
    for owner, day, cap, spent, pending in connection.execute(
        "SELECT owner_key, day, cap, spent, pending FROM budgets"
    ):
        sound = spent >= 0 and pending >= 0 and (cap is None or spent + pending <= cap)
        yield None if sound else f"balance {owner}/{day}: spent {spent}, pending {pending}, cap {cap}"


def _spent_is_charged(connection: sqlite3.Connection) -> Iterator[str | None]:
    charged = _by_bucket(connection, "SELECT campaign_key, advertiser_key, day, amount_micros FROM charges")
    yield from _compare(connection, "spent", charged)


def _pending_is_reserved(connection: sqlite3.Connection) -> Iterator[str | None]:
    reserved = _by_bucket(
        connection,
        "SELECT campaign_key, advertiser_key, day, amount_micros FROM conversions"  # noqa: S608  our own word
        f" WHERE state = '{Result.PENDING.value}'",
    )
    yield from _compare(connection, "pending", reserved)


def _by_bucket(connection: sqlite3.Connection, sql: str) -> dict[tuple[int, int], int]:
    """Sums of amounts in each of the four buckets that every row moves."""
    sums: dict[tuple[int, int], int] = {}
    for campaign, advertiser, day, amount in connection.execute(sql):
        for owner in (campaign, advertiser):
            for bucket_day in (WHOLE_LIFE, day):
                sums[owner, bucket_day] = sums.get((owner, bucket_day), 0) + amount
    return sums


def _compare(
    connection: sqlite3.Connection, column: str, sums: dict[tuple[int, int], int]
) -> Iterator[str | None]:
    for owner, day, kept in connection.execute(f"SELECT owner_key, day, {column} FROM budgets"):  # noqa: S608
        found = sums.pop((owner, day), 0)
        yield None if found == kept else f"balance {owner}/{day}: {column} {kept}, its rows say {found}"
    for (owner, day), found in sums.items():
        yield f"no balance {owner}/{day}, its rows say {column} {found}"


def _postings_balance(connection: sqlite3.Connection) -> Iterator[str | None]:
    for currency, total in connection.execute(
        "SELECT currency, SUM(amount_micros) FROM postings GROUP BY currency"
    ):
        yield None if total == 0 else f"postings in {currency} sum to {total}"


def _postings_are_charges(connection: sqlite3.Connection) -> Iterator[str | None]:
    expected: dict[tuple[str, str], int] = {}
    for advertiser, publisher, currency, amount, share in connection.execute(
        "SELECT advertiser_key, publisher_key, currency, SUM(amount_micros), SUM(publisher_micros)"
        " FROM charges GROUP BY 1, 2, 3"
    ):
        parts = (
            (f"advertiser:{advertiser}", -amount),
            (f"publisher:{publisher}", share),
            ("network", amount - share),
        )
        for account, part in parts:
            expected[account, currency] = expected.get((account, currency), 0) + part
    for account, currency, total in connection.execute(
        "SELECT account, currency, SUM(amount_micros) FROM postings GROUP BY 1, 2"
    ):
        due = expected.pop((account, currency), 0)
        yield None if due == total else f"{account} {currency}: posted {total}, charges say {due}"
    for (account, currency), due in expected.items():
        yield None if due == 0 else f"{account} {currency}: nothing posted, charges say {due}"


def _full_price(connection: sqlite3.Connection) -> Iterator[str | None]:
    decode = msgspec.json.Decoder(Terms).decode
    for charge, amount, currency, body in connection.execute(
        "SELECT charge_id, amount_micros, currency, terms FROM charges LEFT JOIN campaign_versions AS v"
        " ON v.campaign_key = charges.campaign_key AND v.version = charges.campaign_version"
    ):
        if body is None:
            yield f"charge {charge}: no terms of its campaign's version"
            continue
        yield _price_fault(charge, amount, currency, decode(body))


def _price_fault(charge: int, amount: int, currency: str, terms: Terms) -> str | None:
    event = AdEvent(charge & 3)
    if BILLED_EVENT[terms.pricing_model] is not event or currency != terms.currency:
        return f"charge {charge}: not what its terms bill"
    if terms.basket_bps:
        limit = terms.max_charge_micros
        return None if limit is None or amount <= limit else f"charge {charge}: {amount} over {limit}"
    due = price_of(event, terms)
    return None if due == amount else f"charge {charge}: {amount} where {due} is due"


def _charged_or_refused(connection: sqlite3.Connection) -> Iterator[str | None]:
    for (charge,) in connection.execute(
        "SELECT charge_id FROM refused_charges WHERE charge_id IN (SELECT charge_id FROM charges)"
    ):
        yield f"charge {charge} is both taken and refused"
    yield from (None for _ in connection.execute("SELECT 1 FROM refused_charges"))


def _charges_have_events(connection: sqlite3.Connection) -> Iterator[str | None]:
    """Each charge comes from an ad event or a paid conversion, and each of those has its charge."""
    for charge, event, conversion in connection.execute(
        "SELECT c.charge_id, a.charge_id, v.conversion_key FROM charges AS c"
        " LEFT JOIN ad_events AS a ON a.charge_id = c.charge_id"
        " LEFT JOIN conversions AS v ON v.conversion_key = c.charge_id >> 2 AND v.state = 'taken'"
    ):
        known = conversion if charge & 3 == AdEvent.CONVERSION else event
        yield None if known is not None else f"charge {charge} comes from nothing"
    for key, charge in connection.execute(
        "SELECT v.conversion_key, c.charge_id FROM conversions AS v"
        " LEFT JOIN charges AS c ON c.charge_id = (v.conversion_key << 2) + 3 WHERE v.state = 'taken'"
    ):
        yield None if charge is not None else f"conversion {key} is taken without a charge"


CHECKS: dict[str, Check] = {
    "spent and pending are within every cap": _within_caps,
    "spent is the sum of its charges": _spent_is_charged,
    "pending is the sum of what waits": _pending_is_reserved,
    "postings sum to zero in each currency": _postings_balance,
    "postings are the charges' parts": _postings_are_charges,
    "each charge is at its full price": _full_price,
    "nothing is both taken and refused": _charged_or_refused,
    "each charge has its event, each paid conversion its charge": _charges_have_events,
}


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """The findings as `adserver audit --json` prints them."""
    return {
        "clean": not any(finding.violation_count for finding in findings),
        "checks": [msgspec.to_builtins(finding) for finding in findings],
    }
