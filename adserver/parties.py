"""Who is party to an ad event: its terms, its advertiser and their day, its publisher and their share."""

from collections.abc import Callable

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.memory import Memory
from adserver.domain.money import Micros, basis_points_of
from adserver.domain.pricing import AdEvent, Terms
from adserver.ports import Campaigns
from adserver.writes import AdRecord


class Parties:
    """What this worker knows of campaigns and slots; asks again for what another has just made."""

    def __init__(self, memory: Memory, campaigns: Campaigns, refresh: Callable[[], None]) -> None:
        self._snapshot = memory.snapshot
        self._calendar = memory.calendar
        self._campaigns = campaigns
        self.refresh = refresh

    def terms(self, campaign_key: int, version: int) -> Terms | None:
        """The terms of a campaign's version; another worker may have made it a moment ago."""
        terms = self._snapshot.terms(campaign_key, version)
        if terms is None:
            self.refresh()
            terms = self._snapshot.terms(campaign_key, version) or self._campaigns.terms(
                campaign_key, version
            )
            if terms is not None:
                self._snapshot.old_terms[campaign_key, version] = terms
        return terms

    def advertiser_of(self, campaign_key: int) -> Advertiser:
        return self._snapshot.advertisers[self._snapshot.campaigns[campaign_key].advertiser_key]

    def priced(
        self, event: AdEvent, campaign_key: int, terms: Terms, slot_key: int, amount: Micros, now_ms: int
    ) -> AdRecord:
        """A record with its parties, its local day and both shares; the event's own fields still empty."""
        advertiser = self.advertiser_of(campaign_key)
        publisher_key, share_bps = self._publisher_of(slot_key)
        day = self._calendar.span(now_ms, advertiser.timezone).day
        shares = (amount, basis_points_of(amount, share_bps))
        # By place, since so many names would take longer than all the rest; 0 is what the event itself says.
        return AdRecord(
            event, 0, campaign_key, 0, advertiser.key, publisher_key, slot_key, 0, 0, 0,
            now_ms, day, terms.currency, *shares,
        )  # fmt: skip

    def priced_again(self, record: AdRecord, event: AdEvent, amount: Micros) -> AdRecord:
        """The record of another event of the same ad, at the same moment."""
        _, share_bps = self._publisher_of(record.slot_key)
        return msgspec.structs.replace(
            record, event=event, amount_micros=amount, publisher_micros=basis_points_of(amount, share_bps)
        )

    def _publisher_of(self, slot_key: int) -> tuple[int, int]:
        """The slot's publisher and their share in basis points."""
        if slot_key not in self._snapshot.slots:
            self.refresh()
        site = self._snapshot.sites[self._snapshot.slots[slot_key].site_key]
        return site.publisher_key, self._snapshot.publishers[site.publisher_key].revenue_share_bps
