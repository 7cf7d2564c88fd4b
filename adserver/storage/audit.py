"""The auditor: recomputes every balance and every chain from the charges, beside a running server.

It reads in pages. Charges, refunds, notes and postings are never changed, so what lies below a mark that was
read once is the same on every page; what does change is read together, in one short transaction.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from adserver.domain.budget import WHOLE_LIFE, life_cap
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.chain import GENESIS, charge_entry, next_head, refund_entry
from adserver.domain.pricing import BILLED_EVENT, AdEvent, AudienceNotInTerms, Terms, price_of
from adserver.storage.batch import NETWORK
from adserver.storage.deposits import DEPOSITS
from adserver.storage.sqlite import connect
from adserver.writes import Result

MOST_VIOLATIONS_TOLD = 20
PAGE = 2_000

Progress = Callable[[int], None]
"""Told now and then how many rows were checked so far."""

WITHIN_CAPS = "spent and pending are within every cap"
CAPS_ORDERED = "caps are what was ordered, and paid in where it must be"
SPENT = "spent is the sum of its charges less their refunds"
PENDING = "pending is the sum of what waits"
ACCOUNTS = "an account's balances are the sums of its campaigns'"
FULL_PRICE = "each charge is at its full price"
EVENTS = "each charge has its event, and was not refused too"
PAID = "each paid conversion has its charge"
REFUNDS = "refunds are within their charges"
CHAINS = "each chain is whole, and ends in its head"
SEALS = "each sealed day's head lies on its chain"
POSTINGS = "postings are the parts of charges, refunds and deposits"
ZERO_SUM = "postings sum to zero in each currency"
CODES = "each pool's counts are those of its codes"
CHECKS = (WITHIN_CAPS, CAPS_ORDERED, SPENT, PENDING, ACCOUNTS, FULL_PRICE, EVENTS, PAID, REFUNDS, CHAINS,
          SEALS, POSTINGS, ZERO_SUM, CODES)  # fmt: skip


class Finding(msgspec.Struct):
    """One invariant: how many rows were checked, and what was wrong."""

    name: str
    rows: int = 0
    violation_count: int = 0
    violations: tuple[str, ...] = ()


class Balance(NamedTuple):
    """A row of `budgets`."""

    owner: int
    day: int
    cap: int | None
    spent: int
    pending: int
    entries: int
    head: bytes | None


class Account(msgspec.Struct):
    """What an advertiser's account was at one moment: all that changes, read together."""

    advertiser: Advertiser
    campaigns: dict[int, Campaign]
    balances: dict[tuple[int, int], Balance]
    pending: dict[tuple[int, int], int]  # what waits, by campaign and day
    deposited: int


def audit(path: Path, progress: Progress | None = None) -> list[Finding]:
    """Check every invariant of the ledger; safe beside a running server, whose log is never held for long."""
    connection = connect(path, writing=False)
    try:
        return audit_over(connection, progress)
    finally:
        connection.close()


def audit_over(connection: sqlite3.Connection, progress: Progress | None = None) -> list[Finding]:
    """The same over a connection that the caller has, and keeps."""
    return _Audit(connection, progress or (lambda rows: None)).run()


class _Audit:
    def __init__(self, connection: sqlite3.Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress
        self._findings = {name: Finding(name) for name in CHECKS}
        self._terms: dict[tuple[int, int], Terms | None] = {}
        self._due: dict[tuple[str, str], int] = {}  # what must be posted, by account and currency
        self._newest_posting = 0  # no posting is without a balance that it moved
        self._lengths: dict[int, int] = {}  # of the chains, when that posting was the newest

    def run(self) -> list[Finding]:
        with self._moment():
            self._newest_posting = self._one("SELECT COALESCE(MAX(sequence), 0) FROM balance_moves")
            self._lengths = dict(self._rows("SELECT owner_key, entries FROM budgets WHERE day = 0"))
        for (advertiser,) in self._rows("SELECT key FROM advertisers ORDER BY key"):
            self._account(advertiser)
        self._conversions()
        self._postings()
        self._codes()
        return list(self._findings.values())

    def _codes(self) -> None:
        for pool, *told_and_found in self._rows(_STOCKS):
            told, found = told_and_found[:3], told_and_found[3:]
            self._check(
                CODES, told == found, f"pool {pool}: free, handed, redeemed {told}, its codes {found}"
            )

    # ---- an account at one moment ----

    def _account(self, key: int) -> None:
        with self._moment():
            account = self._read_account(key)
        for balance in account.balances.values():
            self._within_cap(balance)
        self._caps_ordered(account)
        self._pending_waits(account)
        self._sums_of_campaigns(account)
        for campaign in account.campaigns:
            self._campaign(account, campaign)
        self._chain(account.balances[key, WHOLE_LIFE], lambda kind, row: self._deposit(account, kind, row))

    def _read_account(self, key: int) -> Account:
        body = self._one("SELECT body FROM advertisers WHERE key = ?", key)
        campaigns = self._rows("SELECT key, body FROM campaigns WHERE advertiser_key = ?", key)
        owners = [key, *(campaign for campaign, _ in campaigns)]
        balances = [Balance(*row) for owner in owners for row in self._rows(_BALANCES, owner)]
        waiting = self._rows(
            "SELECT campaign_key, day, SUM(amount_micros) FROM conversions"
            " WHERE advertiser_key = ? AND state = 'pending' GROUP BY 1, 2", key
        )  # fmt: skip
        return Account(
            msgspec.json.decode(body, type=Advertiser),
            {campaign: msgspec.json.decode(body, type=Campaign) for campaign, body in campaigns},
            {(balance.owner, balance.day): balance for balance in balances},
            _with_whole_life({(campaign, day): amount for campaign, day, amount in waiting}),
            self._one("SELECT COALESCE(SUM(amount_micros), 0) FROM deposits WHERE advertiser_key = ?", key),
        )

    def _within_cap(self, balance: Balance) -> None:
        owner, day, cap, spent, pending, *_ = balance
        sound = spent >= 0 and pending >= 0 and (cap is None or spent + pending <= cap)
        self._check(WITHIN_CAPS, sound, f"balance {owner}/{day}: spent {spent}, pending {pending}, cap {cap}")

    def _caps_ordered(self, account: Account) -> None:
        advertiser = account.advertiser
        deposited = account.deposited if advertiser.prepaid else None
        ordered = {key: campaign.total_budget_micros for key, campaign in account.campaigns.items()}
        ordered[advertiser.key] = life_cap(advertiser.total_budget_micros, deposited)  # type: ignore[arg-type]
        for key, due in ordered.items():
            balance = account.balances.get((key, WHOLE_LIFE))
            cap = balance.cap if balance else -1
            self._check(CAPS_ORDERED, cap == due, f"balance {key}/0: cap {cap}, ordered {due}")

    def _pending_waits(self, account: Account) -> None:
        for (owner, day), balance in account.balances.items():
            if owner != account.advertiser.key:
                due = account.pending.pop((owner, day), 0)
                told = f"balance {owner}/{day}: pending {balance.pending}, what waits says {due}"
                self._check(PENDING, balance.pending == due, told)
        for (owner, day), due in account.pending.items():
            self._check(PENDING, False, f"no balance {owner}/{day}, where {due} waits")

    def _sums_of_campaigns(self, account: Account) -> None:
        key, sums = account.advertiser.key, dict[int, tuple[int, int]]()
        for (owner, day), balance in account.balances.items():
            if owner != key:
                spent, pending = sums.get(day, (0, 0))
                sums[day] = (spent + balance.spent, pending + balance.pending)
        for day in sums.keys() | {day for owner, day in account.balances if owner == key}:
            own = account.balances.get((key, day))
            kept = (own.spent, own.pending) if own else (0, 0)
            due = sums.get(day, (0, 0))
            self._check(ACCOUNTS, kept == due, f"account {key}/{day}: {kept}, its campaigns say {due}")

    # ---- chains ----

    def _campaign(self, account: Account, key: int) -> None:
        """Every entry of a campaign's chain, and what its balances must be by them."""
        spent: dict[tuple[int, int], int] = {}

        def add(kind: str, row: Any) -> None:
            if kind == "charge":
                self._charge(row, spent)
            elif kind == "refund":
                self._refund(row, spent)

        life = account.balances.get((key, WHOLE_LIFE))
        if life is not None:
            self._chain(life, add)
        due = _with_whole_life(spent)
        for (owner, day), balance in account.balances.items():
            if owner == key:
                found = due.pop((owner, day), 0)
                told = f"balance {key}/{day}: spent {balance.spent}, its charges say {found}"
                self._check(SPENT, balance.spent == found, told)
        for (_, day), found in due.items():
            self._check(SPENT, not found, f"no balance {key}/{day}, its charges say {found}")

    def _chain(self, balance: Balance, add: Callable[[str, Any], None]) -> None:
        """Replay a chain as far as its balance said, and look whether it ends where it must."""
        head, number = GENESIS, 0
        sealed = dict(self._rows(
            "SELECT entries, head FROM daily_heads WHERE owner_key = ? AND entries <= ?",
            balance.owner, balance.entries,
        ))  # fmt: skip
        for number, (kind, entry, body, row) in enumerate(self._entries(balance), 1):
            self._check(CHAINS, entry == number, f"chain of {balance.owner}: entry {entry} at place {number}")
            head = next_head(head, body)
            if number in sealed:
                told = f"chain of {balance.owner}: entry {number} is not the one that was sealed"
                self._check(SEALS, sealed[number] == head, told)
            add(kind, row)
        whole = number == balance.entries and head == (balance.head or GENESIS)
        told = f"chain of {balance.owner}: {number} entries to {head.hex()}, where {balance.entries} are due"
        self._check(CHAINS, whole, told)

    def _entries(self, balance: Balance) -> Iterator[tuple[str, int, bytes, Any]]:
        """Kind, number, canonical bytes and row of each entry, in order, page by page."""
        for start in range(1, balance.entries + 1, PAGE):
            of = (balance.owner, start, min(start + PAGE - 1, balance.entries))
            page: list[tuple[str, int, bytes, Any]] = [
                ("note", entry, body, body) for entry, body in self._rows(_NOTES, *of)
            ]
            page += [_charge_item(_Charge(*row)) for row in self._rows(_CHARGES, *of)]
            page += [_refund_item(_Refund(*row)) for row in self._rows(_REFUNDS, *of)]
            yield from sorted(page, key=lambda item: item[1])
            self._progress(sum(finding.rows for finding in self._findings.values()))

    def _charge(self, charge: "_Charge", spent: dict[tuple[int, int], int]) -> None:
        key = (charge.campaign, charge.day)
        spent[key] = spent.get(key, 0) + charge.amount
        self._check(FULL_PRICE, *_price(charge, self._terms_of(charge)))
        sound = charge.event_id is not None and charge.refused_id is None
        self._check(EVENTS, sound, f"charge {charge.id} comes from nothing, or was refused too")
        if charge.entry <= self._lengths.get(charge.campaign, 0):
            self._owe(charge, charge.amount, charge.share)

    def _refund(self, refund: "_Refund", spent: dict[tuple[int, int], int]) -> None:
        key = (refund.campaign, refund.day)
        spent[key] = spent.get(key, 0) - refund.amount
        within = refund.all_amounts <= refund.charged and refund.all_shares <= refund.charged_share
        self._check(
            REFUNDS, within, f"charge {refund.id} of {refund.charged}: refunds of {refund.all_amounts}"
        )
        if refund.entry <= self._lengths.get(refund.campaign, 0):
            self._owe(refund, -refund.amount, -refund.share)

    def _deposit(self, account: Account, kind: str, body: bytes) -> None:
        fields = msgspec.json.decode(body)
        advertiser = account.advertiser
        if fields["kind"] == "deposit" and fields["entry"] <= self._lengths.get(advertiser.key, 0):
            amount = fields["amount_micros"]
            self._post(f"advertiser:{advertiser.key}", advertiser.currency, amount)
            self._post(DEPOSITS, advertiser.currency, -amount)

    def _terms_of(self, charge: "_Charge") -> Terms | None:
        key = (charge.campaign, charge.version)
        if key not in self._terms:
            rows = self._rows(
                "SELECT terms FROM campaign_versions WHERE campaign_key = ? AND version = ?", *key
            )
            self._terms[key] = msgspec.json.decode(rows[0][0], type=Terms) if rows else None
        return self._terms[key]

    # ---- what else must fit ----

    def _conversions(self) -> None:
        """Page by page of their own keys; a conversion and its charge were committed together."""
        after = (-1, 0)
        while rows := self._rows(_TAKEN, *after, PAGE):
            for key, _, state, charge in rows:
                sound = state != Result.TAKEN or charge is not None
                self._check(PAID, sound, f"conversion {key} is taken without a charge")
            after = rows[-1][:2]

    def _postings(self) -> None:
        posted, totals = dict[tuple[str, str], int](), dict[str, int]()
        after: tuple[Any, ...] = (-1, "", "")
        while rows := self._rows(_POSTED, *after, PAGE):
            for sequence, account, currency, amount in rows:
                if sequence <= self._newest_posting:
                    posted[account, currency] = posted.get((account, currency), 0) + amount
                    totals[currency] = totals.get(currency, 0) + amount
            after = rows[-1][:3]
        for currency, total in totals.items():
            self._check(ZERO_SUM, total == 0, f"postings in {currency} sum to {total}")
        for key in posted.keys() | self._due.keys():
            found, due = posted.get(key, 0), self._due.get(key, 0)
            self._check(POSTINGS, found == due, f"{key[0]} {key[1]}: posted {found}, due {due}")

    def _owe(self, of: "_Charge | _Refund", amount: int, share: int) -> None:
        self._post(f"advertiser:{of.advertiser}", of.currency, -amount)
        self._post(f"publisher:{of.publisher}", of.currency, share)
        self._post(NETWORK, of.currency, amount - share)

    def _post(self, account: str, currency: str, amount: int) -> None:
        self._due[account, currency] = self._due.get((account, currency), 0) + amount

    # ---- reading and telling ----

    def _check(self, name: str, sound: bool, told: str) -> None:
        finding = self._findings[name]
        finding.rows += 1
        if not sound:
            finding.violation_count += 1
            if finding.violation_count <= MOST_VIOLATIONS_TOLD:
                finding.violations = (*finding.violations, told)

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """All reads in it see the file as it is at one moment."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def _one(self, sql: str, *parameters: object) -> Any:
        return self._connection.execute(sql, parameters).fetchone()[0]


# ---- rows of a page ----


class _Charge(NamedTuple):
    id: int
    campaign: int
    version: int
    advertiser: int
    publisher: int
    slot: int
    audience: int
    at_ms: int
    day: int
    currency: str
    amount: int
    share: int
    entry: int
    event_id: int | None
    refused_id: int | None


class _Refund(NamedTuple):
    id: int
    refund_id: str
    campaign: int
    advertiser: int
    publisher: int
    at_ms: int
    day: int
    currency: str
    amount: int
    share: int
    reason: str
    entry: int
    charged: int
    charged_share: int
    all_amounts: int
    all_shares: int


_BALANCES = "SELECT owner_key, day, cap, spent, pending, entries, head FROM budgets WHERE owner_key = ?"
_STOCKS = """
    SELECT pool_key, free, handed, redeemed, COALESCE(of_codes.total - of_codes.given, 0),
           COALESCE(of_codes.given, 0), COALESCE(of_codes.used, 0)
    FROM offer_stocks LEFT JOIN (
        SELECT pool_key, COUNT(*) AS total, COUNT(handed_ms) AS given, COUNT(redeemed_ms) AS used
        FROM offer_codes GROUP BY pool_key
    ) AS of_codes USING (pool_key)
"""
_NOTES = "SELECT entry, body FROM chain_notes WHERE owner_key = ? AND entry BETWEEN ? AND ?"
_CHARGES = """
SELECT c.charge_id, c.campaign_key, c.campaign_version, c.advertiser_key, c.publisher_key, c.slot_key,
       c.audience_key, c.at_ms, c.day, c.currency, c.amount_micros, c.publisher_micros, c.entry,
       COALESCE(e.charge_id, v.conversion_key), r.charge_id
FROM charges AS c
LEFT JOIN ad_events AS e ON e.charge_id = c.charge_id AND c.charge_id & 3 != 3
LEFT JOIN conversions AS v
       ON v.conversion_key = c.charge_id >> 2 AND c.charge_id & 3 = 3 AND v.state = 'taken'
LEFT JOIN refused_charges AS r ON r.charge_id = c.charge_id
WHERE c.campaign_key = ? AND c.entry BETWEEN ? AND ?
"""
_REFUNDS = """
SELECT r.charge_id, r.refund_id, r.campaign_key, r.advertiser_key, r.publisher_key, r.at_ms, r.day,
       r.currency, r.amount_micros, r.publisher_micros, r.reason, r.entry,
       COALESCE(c.amount_micros, 0), COALESCE(c.publisher_micros, 0),
       (SELECT SUM(o.amount_micros) FROM refunds AS o WHERE o.charge_id = r.charge_id),
       (SELECT SUM(o.publisher_micros) FROM refunds AS o WHERE o.charge_id = r.charge_id)
FROM refunds AS r LEFT JOIN charges AS c ON c.charge_id = r.charge_id
WHERE r.campaign_key = ? AND r.entry BETWEEN ? AND ?
"""
_TAKEN = """
SELECT v.conversion_key, v.by_server, v.state, c.charge_id FROM conversions AS v
LEFT JOIN charges AS c ON c.charge_id = (v.conversion_key << 2) + 3
WHERE (v.conversion_key, v.by_server) > (?, ?) ORDER BY v.conversion_key, v.by_server LIMIT ?
"""
_POSTED = """
SELECT sequence, account, currency, amount_micros FROM postings
WHERE (sequence, account, currency) > (?, ?, ?) ORDER BY sequence, account, currency LIMIT ?
"""


def _charge_item(row: _Charge) -> tuple[str, int, bytes, Any]:
    body = charge_entry(row.entry, row.id, row.version, row.slot, row.amount, row.at_ms, row.day)
    return "charge", row.entry, body, row


def _refund_item(row: _Refund) -> tuple[str, int, bytes, Any]:
    body = refund_entry(row.entry, row.id, row.refund_id, row.amount, row.at_ms, row.day, row.reason)
    return "refund", row.entry, body, row


def _with_whole_life(sums: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """Sums by owner and day, and with them each owner's whole life."""
    whole = dict(sums)
    for (owner, _), amount in sums.items():
        whole[owner, WHOLE_LIFE] = whole.get((owner, WHOLE_LIFE), 0) + amount
    return whole


def _price(charge: _Charge, terms: Terms | None) -> tuple[bool, str]:
    """Whether a charge is what its campaign's version says, and what to tell where it is not."""
    if terms is None:
        return False, f"charge {charge.id}: no terms of its campaign's version"
    event = AdEvent(charge.id & 3)
    if BILLED_EVENT[terms.pricing_model] is not event or charge.currency != terms.currency:
        return False, f"charge {charge.id}: not what its terms bill"
    if terms.basket_bps:
        limit = terms.max_charge_micros
        return limit is None or charge.amount <= limit, f"charge {charge.id}: {charge.amount} over {limit}"
    try:
        due = price_of(event, terms, audience_key=charge.audience)
    except AudienceNotInTerms:
        return False, f"charge {charge.id}: of an audience that its terms do not name"
    return charge.amount == due, f"charge {charge.id}: {charge.amount} where {due} is due"


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """The findings as `adserver audit --json` prints them."""
    return {
        "clean": not any(finding.violation_count for finding in findings),
        "checks": [msgspec.to_builtins(finding) for finding in findings],
    }
