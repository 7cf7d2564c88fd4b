"""What was acknowledged of money, and whether the ledger's own rows say the same when all is over."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adserver.domain.attribution import charge_of_conversion, conversion_key
from adserver.domain.identity import read_id
from adserver.domain.pricing import AdEvent
from pixel.events import EventName
from tests.simulation.letters import Told
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import Shop

REFUSED = {"cap_reached", "not_billable", "unattributed"}


@dataclass
class Books:
    """Kept by those who report orders, refund and pay; None in place of an answer: nobody was told."""

    orders: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))
    told_by_pixel: set[str] = field(default_factory=set)  # or tried to be
    cancelled_early: set[str] = field(default_factory=set)  # acknowledged before they were ever told
    sold: dict[str, str] = field(default_factory=dict)  # charge id by order
    refunds: dict[tuple[str, str], int] = field(default_factory=dict)  # amount by charge and refund id
    deposits: dict[str, int] = field(default_factory=dict)  # amount by reference
    approved: set[str] = field(default_factory=set)  # conversions
    wishes: dict[tuple[str, str], Any] = field(default_factory=dict)  # by campaign and field; ... if unsure
    answers: Counter[str] = field(default_factory=Counter)

    def order_answered(self, order: str, told: Told | None) -> None:
        self.orders[order].append(None if told is None else told["result"])
        if told is None:
            return
        self.answers[f"order {told['result']}"] += 1
        if told["result"] == "taken":
            assert self.sold.setdefault(order, told["charge_id"]) == told["charge_id"], (order, told)

    def refund_answered(self, charge_id: str, name: str, told: Told | None) -> None:
        """Of a refund or a cancellation; the same name is the same refund, however often it is told."""
        if told is None:
            return
        result = told["result"] if told.status == 200 else told["code"]
        self.answers[f"refund {result}"] += 1
        assert result in ("refunded", "nothing_left", "over_refunded"), told
        if result == "refunded":
            fields = told.fields
            amount = fields["amount_micros"] if "amount_micros" in fields else fields["refunded_micros"]
            assert self.refunds.setdefault((charge_id, name), amount) == amount, told

    def deposit_answered(self, reference: str, told: Told | None) -> None:
        if told is None:
            return
        self.answers["deposit" if told.status == 200 else told["code"]] += 1
        if told.status == 200:
            self.deposits[reference] = told["amount_micros"]
        else:
            assert told["code"] == "below_spent", told

    def wish_answered(self, campaign: str, name: str, value: object, told: Told | None) -> None:
        if told is None:
            self.wishes[campaign, name] = ...
        elif told.status == 200:
            self.answers[f"{name} set"] += 1
            self.wishes[campaign, name] = value
        else:
            assert told.status == 409 and told["code"] in ("below_spent", "conflict"), told
            self.answers[f"{name} {told['code']}"] += 1


def faults_of_books(server: RunningServer, shop: Shop, books: Books) -> list[str]:
    """Where the tables do not say what was acknowledged, or say more than could be."""
    return [
        *_faults_of_orders(server, shop, books),
        *_faults_of_refunds(server, books),
        *_faults_of_deposits(server, shop, books),
        *_faults_of_wishes(server, shop, books),
        *overspent(server),
    ]


def _faults_of_orders(server: RunningServer, shop: Shop, books: Books) -> Iterator[str]:
    """Each order that was told is kept, and billed where an answer said so, and nowhere else."""
    charges = [row[0] for row in server.rows("SELECT charge_id FROM charges")]
    kept = {row[0] for row in server.rows("SELECT conversion_key FROM conversions")}
    billed = {charge for charge in charges if charge & 3 == AdEvent.CONVERSION}
    keys = {order: key_of_order(server, shop, order) for order in books.orders.keys() | books.told_by_pixel}
    for order, answers in books.orders.items():
        charge = charge_of_conversion(keys[order])
        if any(answers) and keys[order] not in kept:
            yield f"order {order} is missing"
        if "taken" in answers and read_id("chg", books.sold[order]) != charge:
            yield f"order {order} was billed as {books.sold[order]}"
        if "taken" in answers and charge not in billed:
            yield f"order {order} was taken and has no charge"
        refusals = REFUSED if order in books.told_by_pixel else REFUSED | {"duplicate"}
        if set(answers) <= refusals and charge in billed:
            yield f"order {order} was refused and has a charge: {answers}"
        if order in books.cancelled_early and charge in billed:
            yield f"order {order} was cancelled before it came and has a charge"
    told = {charge_of_conversion(key) for key in keys.values()}
    yield from (f"charge {charge} is of an order nobody told" for charge in billed - told)
    for conversion in books.approved:
        if charge_of_conversion(read_id("cnv", conversion) or 0) not in billed:
            yield f"conversion {conversion} was approved and has no charge"


def key_of_order(server: RunningServer, shop: Shop, order: str) -> int:
    kept = json.loads((server.database_path.parent / "keys.json").read_bytes())
    advertiser = read_id("adv", shop.advertiser_id)
    assert advertiser is not None
    return conversion_key(bytes.fromhex(kept["orders"]), advertiser, EventName.PURCHASE, order)


def _faults_of_refunds(server: RunningServer, books: Books) -> Iterator[str]:
    rows = server.rows("SELECT charge_id, refund_id, amount_micros FROM refunds")
    kept = {(charge, name): amount for charge, name, amount in rows}
    if len(kept) != len(rows):
        yield "a refund is there twice"
    for (charge_id, name), amount in books.refunds.items():
        found = kept.get((read_id("chg", charge_id), name))
        if found != amount:
            yield f"refund {name} of {charge_id} was {amount}, and {found} is kept"


def _faults_of_deposits(server: RunningServer, shop: Shop, books: Books) -> Iterator[str]:
    rows = server.rows("SELECT reference, amount_micros FROM deposits")
    kept = dict(rows)
    if len(kept) != len(rows):
        yield "a deposit is there twice"
    for reference, amount in books.deposits.items():
        if kept.get(reference) != amount:
            yield f"deposit {reference} was {amount}, and {kept.get(reference)} is kept"
    account = read_id("adv", shop.advertiser_id)
    ((spent,),) = server.rows("SELECT spent + pending FROM budgets WHERE owner_key = ? AND day = 0", account)
    if spent > sum(kept.values()):
        yield f"{spent} is spent and pending, and {sum(kept.values())} was paid in"


def _faults_of_wishes(server: RunningServer, shop: Shop, books: Books) -> Iterator[str]:
    """Who alone changes campaigns finds them as the last answer said."""
    for (campaign, name), wished in books.wishes.items():
        ((body,),) = server.rows("SELECT body FROM campaigns WHERE key = ?", read_id("cmp", campaign))
        found = json.loads(body)[name]
        if wished is not ... and found != wished:
            yield f"campaign {campaign}: {name} was set to {wished}, and is {found}"


# ---- the caps, without the balances ----

_ENTRIES = """
SELECT entry, 'charge', charge_id, day, amount_micros, NULL FROM charges WHERE campaign_key = :campaign
UNION ALL
SELECT entry, 'refund', charge_id, day, -amount_micros, NULL FROM refunds WHERE campaign_key = :campaign
UNION ALL
SELECT entry, 'caps', 0, 0, 0, body FROM chain_notes WHERE owner_key = :campaign
ORDER BY 1
"""


def overspent(server: RunningServer) -> list[str]:
    """Where charges less refunds passed a cap that stood then; reckoned from their rows, not from balances."""
    faults = []
    for (campaign,) in server.rows("SELECT key FROM campaigns"):
        entries = server.rows(_ENTRIES.replace(":campaign", str(campaign)))
        faults += [f"campaign {campaign}: {fault}" for fault in _passed_caps(entries)]
    return faults


def _passed_caps(entries: list[tuple[Any, ...]]) -> Iterator[str]:
    """In the order in which they were booked; a daily cap holds from its day on, and not before."""
    spent: Counter[int] = Counter()  # by day, 0 for all of them
    left: Counter[int] = Counter()  # of each charge
    caps: list[tuple[int, int | None]] = []  # (first day, daily cap), newest last
    total: int | None = None
    for entry, kind, charge_id, day, amount, body in entries:
        if kind == "caps":
            note = json.loads(body)
            total = note["total_budget_micros"]
            caps.append((note["day"], note["daily_budget_micros"]))
        else:
            if kind == "charge" and charge_id in left:
                yield f"charge {charge_id} is there twice"
            left[charge_id] += amount
            spent[day] += amount
            spent[0] += amount
        daily = next((cap for since, cap in reversed(caps) if since <= day), None)
        if left[charge_id] < 0 or (total is not None and spent[0] > total):
            yield f"entry {entry}: {spent[0]} spent of {total}, {left[charge_id]} left of {charge_id}"
        if daily is not None and spent[day] > daily:
            yield f"entry {entry}: {spent[day]} spent of the {daily} of {day}"
