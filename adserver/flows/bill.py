"""Impression, view and click: charged once or refused by name."""

from collections.abc import Sequence

import msgspec

from adserver.coupons import Click, Coupons
from adserver.domain.approval import live_version
from adserver.domain.caller import Caller
from adserver.domain.campaign import Campaign
from adserver.domain.landing import landing_url
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO
from adserver.domain.pricing import AdEvent, price_of
from adserver.domain.tally import NETWORK
from adserver.domain.token import (
    BEACON_VALID_MS,
    CLICK_VALID_MS,
    LANDED,
    AdToken,
    Secrets,
    sign,
    verify,
)
from adserver.parties import Parties
from adserver.ports import Clock, Deferred, Stores
from adserver.writes import AdRecord, Outcome, RecordAd, Result

# A valid click proves that its ad was seen, whether or not the beacons came; a suspect one proves nothing.
CLICK_PROVES = {
    True: (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION, AdEvent.CLICK),
    False: (AdEvent.CLICK,),
}

_CHARGE = {result: f"charge_{result}" for result in Result}

INVALID = "invalid"
EXPIRED = "expired"


class BillingPolicy(msgspec.Struct, frozen=True):
    """The operator's settings: where unknown clicks lead, and how soon after its ad a click is suspect."""

    house_url: str
    click_delay_ms: int


class Landing(msgspec.Struct):
    """Where a click leads, always; and its charge under way, or the name of why there is none.

    With the charge's outcome, the location may have got the code that the click was handed.
    """

    location: str
    charge: Deferred | str


class Bill:
    """Turns what happened to served ads into charges."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        parties: Parties,
        clock: Clock,
        secrets: Secrets,
        policy: BillingPolicy,
    ) -> None:
        self._snapshot = memory.snapshot
        self._parties = parties
        self._tally = memory.tally
        self._watch = memory.watch
        self._catalogue = stores.catalogue
        self._writer = stores.writer
        self._clock = clock
        self._secrets = secrets
        self._policy = policy
        self._coupons = Coupons(memory, stores, secrets)

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
        not_billed = self._not_billed(token, caller, event, now_ms)
        return self._submit((event,), token, caller, now_ms, not_billed)

    def shed(self) -> None:
        """Count an impression or view that is not read since there are too many requests."""
        self._tally.add(NETWORK, "shed_beacon")

    def click(self, text: str, caller: Caller) -> Landing:
        """A click leads to the address stored for its product or message, whatever becomes of its charge."""
        token = self._read(text)
        if isinstance(token, str):
            return Landing(self._policy.house_url, token)
        now_ms = self._clock()
        if now_ms - token.decided_at_ms > CLICK_VALID_MS:
            return Landing(self._location(token, self._click_id(token, now_ms, True)), self._refuse(EXPIRED))
        not_billed = self._not_billed(token, caller, AdEvent.CLICK, now_ms)
        click_id = self._click_id(token, now_ms, bool(not_billed))
        landing = Landing(self._location(token, click_id), "")
        self._promise(token, caller, click_id, now_ms, not_billed, landing)
        proved = CLICK_PROVES[not not_billed]
        landing.charge = self._submit(proved, token, caller, now_ms, not_billed)
        return landing

    def _promise(
        self, token: AdToken, caller: Caller, click_id: str, now_ms: int, not_billed: str, landing: Landing
    ) -> None:
        """What the ad offered goes along, where the click leads to the advertiser's page."""
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        if campaign is None or landing.location == self._policy.house_url:
            return
        visitor_key = 0 if caller.opted_out else token.visitor_key
        click = Click(click_id, visitor_key, now_ms, campaign.terms.currency, bool(not_billed))
        self._coupons.promise(token, click, landing)

    def image_shown(self, token: AdToken, caller: Caller) -> Deferred | str:
        """An image slot's bytes are about to be sent: that is its impression."""
        now_ms = self._clock()
        not_billed = self._not_billed(token, caller, AdEvent.IMPRESSION, now_ms)
        return self._submit((AdEvent.IMPRESSION,), token, caller, now_ms, not_billed)

    def _read(self, text: str) -> AdToken | str:
        token = verify(text, self._secrets.tokens)
        if token is None:
            return self._refuse(INVALID)
        if token.slot_key not in self._snapshot.slots or token.creative_key not in self._snapshot.creatives:
            self._parties.refresh()  # another worker has shown what was made a moment ago
        return token

    def _refuse(self, name: str) -> str:
        self._tally.add(0, f"token_{name}")
        return name

    def _submit(
        self, events: Sequence[AdEvent], token: AdToken, caller: Caller, now_ms: int, not_billed: str
    ) -> Deferred | str:
        records = self._records(events, token, caller, now_ms, not_billed)
        if not records:
            return self._refuse(INVALID)
        charge = self._writer.submit(RecordAd(records))
        charge.then(self._count)
        return charge

    def _count(self, outcome: Outcome) -> None:
        self._tally.add(NETWORK, _CHARGE[outcome.result])

    def _records(
        self, events: Sequence[AdEvent], token: AdToken, caller: Caller, now_ms: int, not_billed: str
    ) -> tuple[AdRecord, ...]:
        """One for each event, which differ in their prices only; none where the terms are nobody's."""
        terms = self._parties.terms(token.campaign_key, token.campaign_version)
        if terms is None:
            return ()
        amounts = [
            ZERO if not_billed else price_of(event, terms, audience_key=token.audience_key)
            for event in events
        ]
        record = self._parties.priced(
            events[0], token.campaign_key, terms, token.slot_key, amounts[0], now_ms
        )
        first = msgspec.structs.replace(
            record,
            impression_id=token.impression_id,
            campaign_version=token.campaign_version,
            creative_key=token.creative_key,
            product_key=token.product_key,
            visitor_key=0 if caller.opted_out else token.visitor_key,
            audience_key=token.audience_key,
            not_billed=not_billed,
        )
        priced = zip(events[1:], amounts[1:], strict=True)
        return (first, *[self._parties.priced_again(first, event, amount) for event, amount in priced])

    def _not_billed(self, token: AdToken, caller: Caller, event: AdEvent, now_ms: int) -> str:
        """The reason why a real event costs nothing; empty when it is to be paid. Counted: asked once."""
        if token.test or caller.test:
            return "test"
        if caller.robot is not None:
            return str(caller.robot)
        if now_ms - token.decided_at_ms < self._policy.click_delay_ms and event is AdEvent.CLICK:
            return "too_soon"
        if event is AdEvent.CLICK and self._is_elsewhere(token, caller):
            return "elsewhere"
        return self._watch.suspicion(event, token, caller, now_ms) or ""

    def _is_elsewhere(self, token: AdToken, caller: Caller) -> bool:
        """Whether a click is known to come from a country that its campaign was not to be shown in.

        A region may change on the way to work, and an unknown place proves nothing; what was shown under
        earlier terms is judged by nobody's later ones.
        """
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        if caller.place is None or campaign is None or campaign.version != token.campaign_version:
            return False
        return campaign.targeting.leaves_out(caller.place.country)

    def _click_id(self, token: AdToken, now_ms: int, suspect: bool) -> str:
        click = msgspec.structs.replace(token, decided_at_ms=now_ms, visitor_key=0, test=suspect)
        return sign(click, self._secrets.tokens, LANDED)

    def _location(self, token: AdToken, click_id: str) -> str:
        """The product's or message's stored address, with the click id and the landing parameters."""
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        target = None if campaign is None else self._target(token, campaign)
        if target is None or campaign is None:
            return self._policy.house_url
        advertiser = self._parties.advertiser_of(token.campaign_key)
        slot = self._snapshot.slots.get(token.slot_key)
        site = self._snapshot.sites.get(slot.site_key) if slot else None
        return landing_url(
            target,
            campaign.landing_params or advertiser.landing_params,
            site=site.domains[0] if site and site.domains else "",
            campaign=campaign.name,
            click_id=click_id,
        )

    def _target(self, token: AdToken, campaign: Campaign) -> str | None:
        if token.product_key:
            shown = {campaign.advertiser_key: (token.product_key,)}
            found = self._snapshot.shelf.products(shown, self._catalogue.products)
            if token.product_key in found:
                return found[token.product_key].link
        else:
            creative = self._snapshot.creatives.get(token.creative_key)
            live = None if creative is None else live_version(creative)
            if live is not None and live.link is not None:
                return live.link
        return campaign.fallback_url
