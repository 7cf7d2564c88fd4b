"""An advertiser's month: what was charged and given back, by campaign and down to the event."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.budget import day_span
from adserver.domain.campaign import Advertiser
from adserver.domain.money import Micros
from adserver.domain.payment import Payment
from adserver.domain.proof import DailyHead
from adserver.domain.proof import Place as ChainPlace
from adserver.domain.statement import CampaignSums, Line, Month, Sums, Tally, month_of, month_with, total
from adserver.flows.statement.named import NamedLine, Names, Ports
from adserver.ports import Clock, Proofs, Statements

CAMPAIGNS_AT_ONCE = 200
LINES_AT_ONCE = 500
MOST_HEADS = 31  # of a month
LAST_DAY = 99_991_231

Place = tuple[int, int]  # a campaign's key and an entry of its chain
FIRST: Place = (-1, 0)


class CampaignPart(msgspec.Struct, frozen=True):
    """A campaign's part of the month."""

    sums: CampaignSums
    name: str
    head: DailyHead | None  # its newest signed one of the month


class AdvertiserStatement(msgspec.Struct, frozen=True):
    """A month of an account, net of VAT; `heads` are the account's own signed ones."""

    month: Month
    is_closed: bool
    campaigns: list[CampaignPart]
    total: Sums
    unbilled: Tally
    deposits: list[Payment]
    balance: Micros | None  # deposits less what was charged, at the month's end; of prepaid accounts
    heads: list[DailyHead]


class ProvenCharge(msgspec.Struct, frozen=True):
    """A charge and its refunds: each as a line of a statement, and as it stands in the chain.

    `head` is the first signed one that holds them all; None while no such day is sealed.
    """

    lines: list[NamedLine]
    entries: list[bytes]
    head: DailyHead | None


class AdvertiserStatements:
    """Months are the advertiser's own; a charge belongs to the month in which it was booked."""

    def __init__(self, statements: Statements, proofs: Proofs, names: Ports, clock: Clock) -> None:
        self._statements = statements
        self._proofs = proofs
        self._names = names
        self._clock = clock

    def statement(self, advertiser: Advertiser, year: int, number: int) -> AdvertiserStatement:
        month, names = month_of(year, number, advertiser.timezone), Names(self._names)
        sums = self._statements.sums(advertiser.key, month)
        unbilled = self._statements.unbilled(advertiser.key, month).values()
        deposits = self._statements.deposits(advertiser.key, month)
        parts = [CampaignPart(one, names.campaign(one.campaign_key), self._head(one, month)) for one in sums]
        return AdvertiserStatement(
            month,
            month.end_ms <= self._clock(),
            parts,
            total(one.sums for one in sums),
            Tally(sum(one.count for one in unbilled), Micros(sum(one.micros for one in unbilled))),
            deposits,
            self._statements.balance(advertiser.key, month) if advertiser.prepaid or deposits else None,
            self._proofs.heads_between(advertiser.key, *month.days, MOST_HEADS),
        )

    def _head(self, sums: CampaignSums, month: Month) -> DailyHead | None:
        heads = self._proofs.heads_between(sums.campaign_key, *month.days, MOST_HEADS)
        return heads[-1] if heads else None

    def page(
        self, advertiser: Advertiser, year: int, number: int, after: Place, limit: int
    ) -> tuple[list[NamedLine], Place | None]:
        """Lines by campaign and entry, and where the next page begins."""
        month, names = month_of(year, number, advertiser.timezone), Names(self._names)
        lines = self._lines(advertiser, month, after, limit + 1)
        shown = lines[:limit]
        place = (shown[-1].campaign_key, shown[-1].entry) if len(lines) > limit else None
        return names.lines(shown, month, ZoneInfo(advertiser.timezone)), place

    def charge(self, advertiser: Advertiser, charge_id: int) -> ProvenCharge | None:
        """One charge of the account with all that proves it."""
        places = self._proofs.places(charge_id)
        if not places or places[0].advertiser_key != advertiser.key:
            return None
        names, zone = Names(self._names), ZoneInfo(advertiser.timezone)
        lines, entries = [], []
        for place in places:
            month = month_with(place.at_ms, advertiser.timezone)
            line = self._statements.lines(place.campaign_key, month, place.entry - 1, 1)
            lines += names.lines(line, month, zone)
            entries += self._proofs.entries(place.campaign_key, place.entry - 1, place.entry)
        return ProvenCharge(lines, entries, self._head_over(places[-1]))

    def _head_over(self, place: ChainPlace) -> DailyHead | None:
        """What an approval books later than its day is in the head of a few days after, at the most."""
        since = day_span(place.at_ms, "UTC").day
        heads = self._proofs.heads_between(place.campaign_key, since, LAST_DAY, MOST_HEADS)
        return next((head for head in heads if head.entries >= place.entry), None)

    def pieces(self, advertiser: Advertiser, year: int, number: int) -> Iterator[list[NamedLine]]:
        """All lines of the month, a piece at a time."""
        month, names = month_of(year, number, advertiser.timezone), Names(self._names)
        place = FIRST
        while lines := self._lines(advertiser, month, place, LINES_AT_ONCE):
            yield names.lines(lines, month, ZoneInfo(advertiser.timezone))
            place = (lines[-1].campaign_key, lines[-1].entry)

    def _lines(self, advertiser: Advertiser, month: Month, after: Place, limit: int) -> list[Line]:
        key, entry = after
        lines = self._statements.lines(key, month, entry, limit) if key >= 0 else []
        while len(lines) < limit:
            campaigns = self._names.campaigns.campaigns(advertiser.key, key, CAMPAIGNS_AT_ONCE)
            if not campaigns:
                break
            for campaign in campaigns:
                if len(lines) < limit:
                    lines += self._statements.lines(campaign.key, month, 0, limit - len(lines))
            key = campaigns[-1].key
        return lines
