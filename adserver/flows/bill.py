"""Impression, view, click and conversion: charged once or refused by name."""

import logging
from collections.abc import Callable, Sequence

import msgspec

from adserver.domain.attribution import LEAD_WINDOW_MS, ServerOrder, conversion_key, credit
from adserver.domain.caller import Caller
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.landing import landing_url
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO, Micros, basis_points_of
from adserver.domain.pricing import BILLED_EVENT, AdEvent, Terms, price_of
from adserver.domain.token import (
    BEACON_VALID_MS,
    CLICK_VALID_MS,
    LANDED,
    LANDING_VALID_MS,
    AdToken,
    Secrets,
    sign,
    verify,
)
from adserver.domain.visitor import Touch
from adserver.ports import Clock, Deferred, Stores
from adserver.writes import AdRecord, Conversion, CreditConversion, Outcome, RecordAd, Result

# A valid click proves that its ad was seen, whether or not the beacons came; a suspect one proves nothing.
CLICK_PROVES = {
    True: (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION, AdEvent.CLICK),
    False: (AdEvent.CLICK,),
}

log = logging.getLogger("adserver.bill")

INVALID = "invalid"
EXPIRED = "expired"


class BillingPolicy(msgspec.Struct, frozen=True):
    """The operator's settings: where unknown clicks lead, and how soon after its ad a click is suspect."""

    house_url: str
    click_delay_ms: int


class Landing(msgspec.Struct):
    """Where a click leads, always; and its charge under way, or the name of why there is none."""

    location: str
    charge: Deferred | str


class Credited(msgspec.Struct, frozen=True):
    """What became of a server's conversion."""

    outcome: Outcome
    campaign_key: int = 0
    reason: str = ""
    charge_id: int = 0  # of what was billed or reserved, if anything was


class Bill:
    """Turns what happened to served ads into charges."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        refresh: Callable[[], None],
        clock: Clock,
        secrets: Secrets,
        policy: BillingPolicy,
    ) -> None:
        self._snapshot = memory.snapshot
        self._calendar = memory.calendar
        self._in_flight = memory.in_flight
        self._tally = memory.tally
        self._campaigns = stores.campaigns
        self._catalogue = stores.catalogue
        self._ledger = stores.ledger
        self._pending = stores.pending
        self._profiles = stores.profiles
        self._writer = stores.writer
        self._refresh = refresh
        self._clock = clock
        self._secrets = secrets
        self._policy = policy

    @property
    def house_url(self) -> str:
        """Where a click leads that belongs to no ad."""
        return self._policy.house_url

    # ---- what browsers report ----

    def beacon(self, event: AdEvent, text: str, caller: Caller) -> Deferred | str:
        """An impression or view; its charge under way, or INVALID or EXPIRED."""
        token = self._read(text)
        if isinstance(token, str):
            return token
        now_ms = self._clock()
        if now_ms - token.decided_at_ms > BEACON_VALID_MS:
            return self._refuse(EXPIRED)
        return self._submit((event,), token, caller, now_ms)

    def click(self, text: str, caller: Caller) -> Landing:
        """A click leads to the address stored for its product or message, whatever becomes of its charge."""
        token = self._read(text)
        if isinstance(token, str):
            return Landing(self._policy.house_url, token)
        now_ms = self._clock()
        expired = now_ms - token.decided_at_ms > CLICK_VALID_MS
        suspect = expired or self._not_billed(token, caller, AdEvent.CLICK, now_ms) != ""
        location = self._location(token, now_ms, suspect)
        if expired:
            return Landing(location, self._refuse(EXPIRED))
        return Landing(location, self._submit(CLICK_PROVES[not suspect], token, caller, now_ms))

    def image_shown(self, token: AdToken, caller: Caller) -> Deferred | str:
        """An image slot's bytes are about to be sent: that is its impression."""
        return self._submit((AdEvent.IMPRESSION,), token, caller, self._clock())

    def _read(self, text: str) -> AdToken | str:
        token = verify(text, self._secrets.tokens)
        if token is None:
            return self._refuse(INVALID)
        if token.slot_key not in self._snapshot.slots or token.creative_key not in self._snapshot.creatives:
            self._refresh()  # another worker has shown what was made a moment ago
        return token

    def _refuse(self, name: str) -> str:
        self._tally.add(0, f"token_{name}")
        return name

    def _submit(
        self, events: Sequence[AdEvent], token: AdToken, caller: Caller, now_ms: int
    ) -> Deferred | str:
        records = [self._record(event, token, caller, now_ms) for event in events]
        found = tuple(record for record in records if record is not None)
        if len(found) < len(records):
            return self._refuse(INVALID)
        for record in found:
            if record.amount_micros:
                self._in_flight.answered(record.campaign_key, record.impression_id)
        charge = self._writer.submit(RecordAd(found))
        charge.then(self._count_unrecorded)
        return charge

    def _count_unrecorded(self, outcome: Outcome) -> None:
        if outcome.result is Result.UNRECORDED:
            self._tally.add(0, Result.UNRECORDED)

    def _record(self, event: AdEvent, token: AdToken, caller: Caller, now_ms: int) -> AdRecord | None:
        terms = self._terms(token.campaign_key, token.campaign_version)
        if terms is None:
            return None
        not_billed = self._not_billed(token, caller, event, now_ms)
        amount = ZERO if not_billed else price_of(event, terms)
        record = self._priced(event, token.campaign_key, terms, token.slot_key, amount, now_ms)
        return msgspec.structs.replace(
            record,
            impression_id=token.impression_id,
            campaign_version=token.campaign_version,
            creative_key=token.creative_key,
            product_key=token.product_key,
            visitor_key=0 if caller.opted_out else token.visitor_key,
            not_billed=not_billed,
        )

    def _not_billed(self, token: AdToken, caller: Caller, event: AdEvent, now_ms: int) -> str:
        """The reason why a real event costs nothing; empty when it is to be paid."""
        if token.test or caller.test:
            return "test"
        if caller.robot is not None:
            return str(caller.robot)
        if event is AdEvent.CLICK and now_ms - token.decided_at_ms < self._policy.click_delay_ms:
            return "too_soon"
        return ""

    def _priced(
        self, event: AdEvent, campaign_key: int, terms: Terms, slot_key: int, amount: Micros, now_ms: int
    ) -> AdRecord:
        """A record with its parties, its local day and both shares; the event's own fields still empty."""
        advertiser = self._advertiser_of(campaign_key)
        publisher_key, share_bps = self._publisher_of(slot_key)
        return AdRecord(
            event=event,
            impression_id=0,
            campaign_key=campaign_key,
            campaign_version=0,
            advertiser_key=advertiser.key,
            publisher_key=publisher_key,
            slot_key=slot_key,
            creative_key=0,
            product_key=0,
            visitor_key=0,
            at_ms=now_ms,
            day=self._calendar.span(now_ms, advertiser.timezone).day,
            currency=terms.currency,
            amount_micros=amount,
            publisher_micros=basis_points_of(amount, share_bps),
        )

    def _location(self, token: AdToken, now_ms: int, suspect: bool) -> str:
        """The product's or message's stored address, with the click id and the landing parameters."""
        target = self._target(token)
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        if target is None or campaign is None:
            return self._policy.house_url
        advertiser = self._advertiser_of(token.campaign_key)
        click = msgspec.structs.replace(token, decided_at_ms=now_ms, visitor_key=0, test=suspect)
        slot = self._snapshot.slots.get(token.slot_key)
        site = self._snapshot.sites.get(slot.site_key) if slot else None
        return landing_url(
            target,
            campaign.landing_params or advertiser.landing_params,
            site=site.domains[0] if site and site.domains else "",
            campaign=campaign.name,
            click_id=sign(click, self._secrets.tokens, LANDED),
        )

    def _target(self, token: AdToken) -> str | None:
        if token.product_key:
            product = self._catalogue.products((token.product_key,)).get(token.product_key)
            if product is not None:
                return product.link
        else:
            creative = self._snapshot.creatives.get(token.creative_key)
            if creative is not None and creative.link is not None:
                return creative.link
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        return campaign.fallback_url if campaign else None

    # ---- conversions ----

    def credit_new(self, limit: int = 200) -> int:
        """Attribute orders and leads that arrived by pixel; how many were settled."""
        waiting = self._ledger.new_conversions(limit)
        for conversion in waiting:
            try:
                self._credit(conversion, arrival=None)
            except Exception:
                log.exception("conversion %s was not credited; it is tried again", conversion.conversion_key)
        return len(waiting)

    def convert(self, order: ServerOrder) -> Credited:
        """Attribute and bill an order or lead that the merchant's own server reports."""
        key = conversion_key(self._secrets.orders, order.advertiser_key, order.event, order.reference)
        conversion = Conversion(
            conversion_key=key,
            advertiser_key=order.advertiser_key,
            event=order.event,
            by_server=True,
            trusted=True,
            visitor_key=0,
            click_id=order.click_id,
            value_micros=order.value_micros,
            currency=order.currency,
            arrived_at_ms=self._clock(),
            occurred_at_ms=order.occurred_at_ms,
        )
        return self._credit(conversion, arrival=conversion)

    def _credit(self, conversion: Conversion, arrival: Conversion | None) -> Credited:
        touch = credit(
            conversion.event,
            conversion.occurred_at_ms,
            self._touches(conversion),
            lambda touch: self._terms_for(conversion.advertiser_key, touch),
        )
        record, reason = None, "no_touch"
        if touch is not None and self._is_repeated_lead(conversion):
            reason = "repeated_lead"
        elif touch is not None:
            record, reason = self._conversion_record(conversion, touch)
        write = CreditConversion(
            conversion.conversion_key,
            conversion.by_server,
            record,
            touch.impression_id if touch and record else 0,
            reserve=not conversion.trusted,
            reason=reason,
            arrival=arrival,
        )
        outcome = self._writer.commit(write)
        return Credited(outcome, record.campaign_key if record else 0, reason, outcome.figure)

    def _touches(self, conversion: Conversion) -> list[Touch]:
        """What the visitor saw and clicked, by cookie, and by the click id of the landing page.

        A server knows no cookie; but where a browser told the same order, it is that browser's.
        """
        visitor_key = conversion.visitor_key
        if conversion.by_server:
            reported = self._pending.reported(conversion.conversion_key)
            visitor_key = reported.visitor_key if reported else 0
        profile = self._profiles.profile(visitor_key) if visitor_key else None
        touches = list(profile.touches) if profile else []
        token = verify(conversion.click_id or "", self._secrets.tokens, LANDED)
        if token is not None and conversion.arrived_at_ms - token.decided_at_ms <= LANDING_VALID_MS:
            touches.append(
                Touch(
                    AdEvent.CLICK,
                    token.impression_id,
                    token.campaign_key,
                    token.campaign_version,
                    token.slot_key,
                    token.creative_key,
                    token.product_key,
                    token.decided_at_ms,
                    token.test,
                )
            )
        return touches

    def _terms_for(self, advertiser_key: int, touch: Touch) -> Terms | None:
        terms = self._terms(touch.campaign_key, touch.campaign_version)
        campaign = self._snapshot.campaigns.get(touch.campaign_key)
        return terms if campaign is not None and campaign.advertiser_key == advertiser_key else None

    def _is_repeated_lead(self, conversion: Conversion) -> bool:
        if conversion.has_reference:
            return False
        since_ms = conversion.arrived_at_ms - LEAD_WINDOW_MS
        return self._ledger.lead_credited(
            conversion.advertiser_key, conversion.event, conversion.visitor_key, since_ms
        )

    def _conversion_record(self, conversion: Conversion, touch: Touch) -> tuple[AdRecord, str]:
        """The charge of a credited conversion; of amount 0, with the reason, where nothing can be billed."""
        terms = self._terms(touch.campaign_key, touch.campaign_version)
        assert terms is not None  # `credit` chose this touch by its terms
        amount, reason = ZERO, "not_cpa"
        if BILLED_EVENT[terms.pricing_model] is AdEvent.CONVERSION:
            amount, reason = _conversion_price(terms, conversion)
        record = self._priced(
            AdEvent.CONVERSION, touch.campaign_key, terms, touch.slot_key, amount, conversion.arrived_at_ms
        )
        return (
            msgspec.structs.replace(
                record,
                impression_id=conversion.conversion_key,
                campaign_version=touch.campaign_version,
                creative_key=touch.creative_key,
                product_key=touch.product_key,
            ),
            reason,
        )

    # ---- looking things up ----

    def _terms(self, campaign_key: int, version: int) -> Terms | None:
        """The terms of a campaign's version; another worker may have made it a moment ago."""
        terms = self._snapshot.terms(campaign_key, version)
        if terms is None:
            self._refresh()
            terms = self._snapshot.terms(campaign_key, version) or self._campaigns.terms(
                campaign_key, version
            )
            if terms is not None:
                self._snapshot.old_terms[campaign_key, version] = terms
        return terms

    def _campaign(self, campaign_key: int) -> Campaign:
        return self._snapshot.campaigns[campaign_key]

    def _advertiser_of(self, campaign_key: int) -> Advertiser:
        return self._snapshot.advertisers[self._campaign(campaign_key).advertiser_key]

    def _publisher_of(self, slot_key: int) -> tuple[int, int]:
        """The slot's publisher and their share in basis points."""
        if slot_key not in self._snapshot.slots:
            self._refresh()
        site = self._snapshot.sites[self._snapshot.slots[slot_key].site_key]
        return site.publisher_key, self._snapshot.publishers[site.publisher_key].revenue_share_bps


def _conversion_price(terms: Terms, conversion: Conversion) -> tuple[Micros, str]:
    if not terms.basket_bps:
        return price_of(AdEvent.CONVERSION, terms), ""
    if conversion.value_micros is None:
        return ZERO, "no_value"
    if conversion.currency != terms.currency:
        return ZERO, "currency_mismatch"
    return price_of(AdEvent.CONVERSION, terms, conversion.value_micros), ""
