"""A ledger over months: random charges and refunds, what they come to in plain Python, and the flows over it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from adserver.domain.budget import local_day
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.statement import month_of
from adserver.flows.statement import AdvertiserStatements, Ports, PublisherStatements
from adserver.storage.embedded import Storage
from adserver.writes import RecordAd, RefundCharge, Result
from tests.contract.stores import make_accounts, make_record, open_copy, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    PUBLISHER,
    SITE,
    SLOT,
    make_advertiser,
    make_campaign,
    make_publisher,
    make_site,
    make_slot,
)

CPM_CAMPAIGN = CAMPAIGN + 5
OTHER_PUBLISHER, OTHER_SITE, OTHER_SLOT = PUBLISHER + 1, SITE + 1, SLOT + 1
EVENT_OF = {CAMPAIGN: AdEvent.CLICK, CPM_CAMPAIGN: AdEvent.IMPRESSION}
PUBLISHER_OF = {SLOT: PUBLISHER, SLOT + 2: PUBLISHER, OTHER_SLOT: OTHER_PUBLISHER}
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati")
MONTHS = [(2026, number) for number in range(8, 13)] + [(2027, number) for number in range(1, 8)]
FIRST_MS = month_of(2026, 9, "UTC").start_ms
LAST_MS = month_of(2027, 3, "UTC").end_ms
NOW_MS = month_of(2027, 1, "UTC").start_ms


class Spent(msgspec.Struct, frozen=True):
    """A charge to be made, and what is given back of it: (after how long, in ms, and how much)."""

    campaign_key: int
    slot_key: int
    at_ms: int
    amount: int
    share: int
    given_back: tuple[tuple[int, int], ...]


def instants() -> st.SearchStrategy[int]:
    """Any, and those around the ends of months in the zones."""
    ends = [month_of(*month, zone).start_ms for month in MONTHS[2:8] for zone in ZONES]
    around = st.tuples(st.sampled_from(ends), st.sampled_from([-1, 0, 1])).map(sum)
    return st.one_of(st.integers(FIRST_MS, LAST_MS), around)


@st.composite
def spendings(draw: st.DrawFn) -> Spent:
    amount = draw(st.integers(1, 9_000))
    wishes = draw(st.lists(st.tuples(st.integers(0, 90 * 86_400_000), st.integers(1, amount)), max_size=2))
    return Spent(
        draw(st.sampled_from(sorted(EVENT_OF))),
        draw(st.sampled_from(sorted(PUBLISHER_OF))),
        draw(instants()),
        amount,
        draw(st.integers(0, amount)),
        tuple(wishes),
    )


def open_books(folder: Path, timezone: str) -> Storage:
    """Two publishers with three slots, and an advertiser of this zone with a campaign by click and one by mille."""
    storage = open_copy("sqlite", folder)
    accounts = [one for one in make_accounts() if one.key != ADVERTISER]
    save_new(storage, make_advertiser(timezone=timezone), *accounts)
    save_new(
        storage,
        make_campaign(key=CPM_CAMPAIGN, name="Mille", pricing_model=PricingModel.CPM),
        make_slot(key=SLOT + 2, name="Below"),
        make_publisher(key=OTHER_PUBLISHER, name="Blog"),
        make_site(key=OTHER_SITE, publisher_key=OTHER_PUBLISHER, domains=("blog.example",)),
        make_slot(key=OTHER_SLOT, site_key=OTHER_SITE),
    )
    return storage


def book(storage: Storage, spendings: Iterable[Spent], timezone: str) -> None:
    """Put it all into the ledger, through the writer."""
    for impression_id, spent in enumerate(spendings, 1):
        event = EVENT_OF[spent.campaign_key]
        record = make_record(
            impression_id,
            event,
            campaign_key=spent.campaign_key,
            slot_key=spent.slot_key,
            publisher_key=PUBLISHER_OF[spent.slot_key],
            at_ms=spent.at_ms,
            day=local_day(spent.at_ms, timezone),
            amount_micros=Micros(spent.amount),
            publisher_micros=Micros(spent.share),
        )
        writes: list[RecordAd | RefundCharge] = [RecordAd((record,))]
        for number, (after_ms, amount) in enumerate(spent.given_back):
            at_ms = spent.at_ms + after_ms
            charge = impression_id << 2 | event
            writes.append(RefundCharge(charge, f"r-{number}", Micros(amount), "returned", at_ms))
        outcomes = storage.writer.commit_all(writes, False)
        assert outcomes[0].result is Result.TAKEN


def month_name(at_ms: int, timezone: str) -> tuple[int, int]:
    """The month of an instant, by the calendar of Python alone."""
    local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(timezone))
    return local.year, local.month


def expected(
    storage: Storage, timezone: str, owner: str, amount: str
) -> dict[tuple[tuple[int, int], int, str], tuple[int, int]]:
    """(month, owner, kind) -> how many and how much, row by row from the ledger's tables."""
    found: defaultdict[tuple[tuple[int, int], int, str], list[int]] = defaultdict(list)
    for key, at_ms, micros in storage.reader.rows(f"SELECT {owner}, at_ms, {amount} FROM charges"):
        found[month_name(at_ms, timezone), key, "charge"].append(micros)
    rows = storage.reader.rows(f"SELECT {owner}, at_ms, charged_ms, {amount} FROM refunds")
    for key, at_ms, charged_ms, micros in rows:
        month = month_name(at_ms, timezone)
        kind = "refund" if month_name(charged_ms, timezone) == month else "credit_note"
        found[month, key, kind].append(micros)
    return {key: (len(amounts), sum(amounts)) for key, amounts in found.items()}


def names(storage: Storage) -> Ports:
    return Ports(storage.accounts, storage.campaigns, storage.inventory, storage.catalogue, storage.origins)


def advertisers_books(storage: Storage, now_ms: int = NOW_MS) -> AdvertiserStatements:
    return AdvertiserStatements(storage.statements, storage.proofs, names(storage), lambda: now_ms)


def publishers_books(storage: Storage, timezone: str = "UTC", now_ms: int = NOW_MS) -> PublisherStatements:
    return PublisherStatements(storage.payouts, storage.holds, names(storage), lambda: now_ms, timezone)
