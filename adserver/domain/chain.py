"""An owner's hash chain: every charge, refund and cap change, each hashed with all that came before.

A head is `sha256(head before + entry)`, an entry being canonical JSON: keys sorted, no spaces, ASCII. Whoever
has yesterday's head and today's entries can tell whether yesterday was rewritten.
"""

import json
from hashlib import sha256

from adserver.domain.identity import write_id
from adserver.domain.pricing import AdEvent

_EVENT_NAMES = {event.value: event.name.lower() for event in AdEvent}

GENESIS = bytes(32)  # the head of a chain without entries


def next_head(head: bytes, entry: bytes) -> bytes:
    """The head after one more entry."""
    return sha256(head + entry).digest()


def canonical(fields: dict[str, object]) -> bytes:
    """The one spelling of an entry that is hashed."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def charge_entry(
    entry: int, charge_id: int, version: int, slot_key: int, amount_micros: int, at_ms: int, day: int
) -> bytes:
    """A charge as it is chained; written out, since it is made for each billed event.

    The event that was billed is the last two bits of the charge's id. What of the amount is the
    publisher's is not the advertiser's to know.
    """
    event = _EVENT_NAMES[charge_id & 3]
    return (
        f'{{"amount_micros":{amount_micros},"at_ms":{at_ms},"campaign_version":{version},'
        f'"charge_id":"{write_id("chg", charge_id)}","day":{day},"entry":{entry},"event":"{event}",'
        f'"kind":"charge","slot_id":"{write_id("slot", slot_key)}"}}'
    ).encode()


def refund_entry(
    entry: int, charge_id: int, refund_id: str, amount_micros: int, at_ms: int, day: int, reason: str
) -> bytes:
    return canonical(
        {
            "amount_micros": amount_micros,
            "at_ms": at_ms,
            "charge_id": write_id("chg", charge_id),
            "day": day,
            "entry": entry,
            "kind": "refund",
            "reason": reason,
            "refund_id": refund_id,
        }
    )


def caps_entry(
    entry: int, version: int, total: int | None, daily: int | None, day: int, at_ms: int, *, prepaid: bool
) -> bytes:
    """A change of budgets; the daily one holds from `day` on. `prepaid`: deposits are a budget too."""
    return canonical(
        {
            "at_ms": at_ms,
            "daily_budget_micros": daily,
            "day": day,
            "entry": entry,
            "kind": "caps",
            "prepaid": prepaid,
            "total_budget_micros": total,
            "version": version,
        }
    )


def deposit_entry(entry: int, deposit_key: int, amount_micros: int, reference: str, at_ms: int) -> bytes:
    return canonical(
        {
            "amount_micros": amount_micros,
            "at_ms": at_ms,
            "deposit_id": write_id("dep", deposit_key),
            "entry": entry,
            "kind": "deposit",
            "reference": reference,
        }
    )


def day_entry(entry: int, day: int, heads: dict[int, tuple[int, bytes]], at_ms: int) -> bytes:
    """The end of an account's day: how long each of its campaigns' chains is, and its head."""
    campaigns = {
        write_id("cmp", key): {"entries": entries, "head": head.hex()}
        for key, (entries, head) in heads.items()
    }
    return canonical({"at_ms": at_ms, "campaigns": campaigns, "day": day, "entry": entry, "kind": "day"})
