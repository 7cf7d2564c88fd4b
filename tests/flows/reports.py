"""A network of three advertisers and two publishers, what happened at random there, and a plain way to count it."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adserver.domain.identity import first_key_at
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.report import Dimension
from adserver.storage.embedded import Storage
from adserver.writes import RecordAd, RecordDecision, RefundCharge, Result
from tests.contract.stores import make_record, save_new
from tests.domain.makers import (
    DAY_MS,
    make_advertiser,
    make_campaign,
    make_creative,
    make_publisher,
    make_site,
    make_slot,
)

NETWORK_ZONE = "Europe/Paris"
ZONES = {7: "Europe/Paris", 17: "Asia/Kathmandu", 27: "Asia/Kolkata"}
CURRENCIES = {7: "EUR", 17: "USD", 27: "EUR"}
CAMPAIGNS = {70: 7, 71: 7, 170: 17, 270: 27}  # of whom
CREATIVES = {700: 70, 701: 71, 702: 71, 1700: 170, 2700: 270}
SITES = {80: 8, 180: 18}
SLOTS = {800: 80, 801: 80, 1800: 180}
AUDIENCES = (0, 75, 76)
PRODUCTS = (0, 900, 901)
COUNTRIES = ("FR", "IN", "")
DEVICES = ("mobile", "desktop")
FIRST, LAST = date(2026, 10, 23), date(2026, 10, 27)  # clocks go back in Paris on the 25th
BEGIN_MS = int(datetime(2026, 10, 22, 12, tzinfo=UTC).timestamp()) * 1000
END_MS = int(datetime(2026, 10, 28, 12, tzinfo=UTC).timestamp()) * 1000


@dataclass(frozen=True)
class Fact:
    """One thing that happened, as a test knows it."""

    what: str
    at_ms: int
    campaign: int
    slot: int
    creative: int
    product: int
    audience: int
    country: str
    device: str
    visitor: int = 0
    spend: int = 0
    revenue: int = 0

    @property
    def advertiser(self) -> int:
        return CAMPAIGNS[self.campaign]

    @property
    def site(self) -> int:
        return SLOTS[self.slot]

    @property
    def publisher(self) -> int:
        return SITES[self.site]

    @property
    def currency(self) -> str:
        return CURRENCIES[self.advertiser]


def make_network(storage: Storage) -> None:
    for key, zone in ZONES.items():
        about = {"key": key, "public_id": f"m{key}", "name": f"Shop {key}"}
        save_new(storage, make_advertiser(**about, timezone=zone, currency=CURRENCIES[key]))
    for key, owner in CAMPAIGNS.items():
        save_new(storage, make_campaign(key=key, advertiser_key=owner, currency=CURRENCIES[owner]))
    for key, owner in CREATIVES.items():
        save_new(storage, make_creative(key=key, campaign_key=owner))
    for key in set(SITES.values()):
        save_new(storage, make_publisher(key=key, name=f"Press {key}"))
    for key, owner in SITES.items():
        save_new(storage, make_site(key=key, publisher_key=owner))
    for key, owner in SLOTS.items():
        save_new(storage, make_slot(key=key, site_key=owner))


@dataclass
class History:
    """What happened, and the writes that told it, in the order of their times."""

    facts: list[Fact] = field(default_factory=list)
    writes: list[tuple[int, Any]] = field(default_factory=list)


def happened(seed: int, ads: int = 120, weeks: int = 0) -> History:
    """Ads, some of them seen, clicked, refunded, suspect or for a test, on any minute of these days.

    `weeks`: and as many before and after.
    """
    dice, history = random.Random(seed), History()
    for number in range(1, ads + 1):
        _show(dice, history, number, weeks)
    history.writes.sort(key=lambda one: one[0])
    return history


def _show(dice: random.Random, history: History, number: int, weeks: int) -> None:
    creative = dice.choice(list(CREATIVES))
    at_ms = _moment(dice) + dice.randint(-weeks, weeks) * 7 * DAY_MS
    shown = Fact(
        "fills",
        at_ms,
        CREATIVES[creative],
        dice.choice(list(SLOTS)),
        creative,
        0,
        dice.choice(AUDIENCES),
        dice.choice(COUNTRIES),
        dice.choice(DEVICES),
    )
    impression = first_key_at(at_ms) + number
    is_test = dice.random() < 0.1
    decision = RecordDecision(
        impression, at_ms, shown.slot, shown.campaign, creative, 0, (), audience_key=shown.audience,
        country=shown.country, device=shown.device, test=is_test,
    )  # fmt: skip
    history.writes.append((at_ms, decision))
    if not is_test:
        history.facts.append(shown)
    visitor = dice.choice((0, 0, *range(5_000, 5_012)))
    for event, what in ((0, "impressions"), (1, "viewable"), (2, "clicks")):
        if dice.random() < 0.2:
            break
        at_ms += dice.choice((900, 60_000, 3_600_000))
        amount = dice.choice((0, 250_001)) if event == 2 else 0
        spoilt = "test" if is_test else "suspect" if dice.random() < 0.1 else ""
        product = dice.choice(PRODUCTS)
        told = replace(shown, what=what, at_ms=at_ms, product=product, visitor=visitor)
        _tell(dice, history, impression, AdEvent(event), told, 0 if spoilt else amount, spoilt)


def _tell(
    dice: random.Random,
    history: History,
    impression: int,
    event: AdEvent,
    fact: Fact,
    amount: int,
    spoilt: str,
) -> None:
    share = amount * 7 // 10
    record = make_record(
        impression,
        event,
        campaign_key=fact.campaign,
        advertiser_key=fact.advertiser,
        publisher_key=fact.publisher,
        slot_key=fact.slot,
        creative_key=fact.creative,
        product_key=fact.product,
        audience_key=fact.audience,
        at_ms=fact.at_ms,
        day=int(day_of(fact.at_ms, ZONES[fact.advertiser]).strftime("%Y%m%d")),
        currency=fact.currency,
        amount_micros=Micros(amount),
        publisher_micros=Micros(share),
        not_billed=spoilt,
        visitor_key=fact.visitor,
    )
    history.writes.append((fact.at_ms, RecordAd((record,))))
    if spoilt:
        return
    history.facts.append(replace(fact, spend=amount, revenue=share))
    if amount and dice.random() < 0.4:
        back = dice.choice((amount, 100_000))
        later = fact.at_ms + dice.choice((1_000, 40_000_000))
        history.writes.append((later, RefundCharge(impression << 2 | event, "r", Micros(back), "why", later)))
        share_back = share * back // amount
        history.facts.append(replace(fact, what="refunds", at_ms=later, spend=-back, revenue=-share_back))


def _moment(dice: random.Random) -> int:
    """Often at the border of a day somewhere."""
    if dice.random() < 0.5:
        day = FIRST + timedelta(days=dice.randrange((LAST - FIRST).days + 1))
        zone = ZoneInfo(dice.choice(list(ZONES.values())))
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        return int(midnight.timestamp()) * 1000 + dice.choice((-1, 0, 1, -60_000, 60_000))
    return dice.randrange(BEGIN_MS, END_MS - 40_000_000)


def write(storage: Storage, writes: Iterable[tuple[int, Any]]) -> None:
    for _, one in writes:
        assert storage.writer.commit(one).result is not Result.UNRECORDED


def day_of(at_ms: int, zone: str) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()


COUNTS = ("fills", "impressions", "viewable", "clicks")


def counted(
    facts: Iterable[Fact],
    by: tuple[Dimension, ...],
    zone: str,
    *,
    with_fills: bool,
    days: tuple[date, date] = (FIRST, LAST),
) -> dict[tuple[tuple[str, ...], str], dict[str, int]]:
    """By the groups' texts and currency: what a report should say."""
    found: dict[tuple[tuple[str, ...], str], dict[str, int]] = {}
    names = (*COUNTS, "spend_micros", "revenue_micros")
    for fact in facts:
        if not days[0] <= day_of(fact.at_ms, zone) <= days[1] or (fact.what == "fills" and not with_fills):
            continue
        group = tuple(_text(fact, one, zone) for one in by)
        sums = found.setdefault((group, fact.currency), dict.fromkeys(names, 0))
        if fact.what in COUNTS:
            sums[fact.what] += 1
        sums["spend_micros"] += fact.spend
        sums["revenue_micros"] += fact.revenue
    return found


def _text(fact: Fact, dimension: Dimension, zone: str) -> str:
    day = day_of(fact.at_ms, zone)
    texts = {
        Dimension.DAY: day.isoformat(),
        Dimension.WEEK: (day - timedelta(days=day.weekday())).isoformat(),
        Dimension.MONTH: day.isoformat()[:7],
        Dimension.QUARTER: f"{day.year}-Q{(day.month - 1) // 3 + 1}",
        Dimension.YEAR: str(day.year),
        Dimension.HOUR: _hour(fact.at_ms, zone),
    }
    return texts[dimension] if dimension in texts else str(getattr(fact, dimension))


def _hour(at_ms: int, zone: str) -> str:
    """The hour on the wall, which on one night of the year comes twice."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


def keys_in(storage: Storage) -> Iterator[int]:
    yield from (row[0] for row in storage.reader.rows("SELECT charge_id FROM charges"))
