"""A pixel event comes in: named steps, each of which may end the walk with a Rejection."""

from collections.abc import Callable

import msgspec

from adserver.domain.attribution import conversion_key
from adserver.domain.caller import Caller, is_from
from adserver.domain.campaign import Advertiser
from adserver.domain.item_id import ItemIdRule
from adserver.domain.memory import Memory
from adserver.domain.pricing import CONVERSION_EVENTS
from adserver.ports import Clock, Deferred, Refreshed, Writer
from adserver.writes import Outcome, Result, StoreEvent
from pixel.consent import Basis, Consent, Signals, decide
from pixel.cookie import (
    RANDOM_BYTES,
    KeyRing,
    expire_visitor,
    mint,
    names_for,
    party_id,
    set_visitor,
    visitor_of,
)
from pixel.events import Event, EventName, Rejection
from pixel.parse import Hit

REJECTION_OF_BASIS = {
    Basis.OPTED_OUT: Rejection.OPTED_OUT,
    Basis.PRIVACY_CONTROL: Rejection.PRIVACY_SIGNAL,
    Basis.SALE_OPT_OUT: Rejection.PRIVACY_SIGNAL,
    Basis.CHILD: Rejection.KNOWN_CHILD,
}


class Collected(msgspec.Struct):
    """What became of a hit: events under way to disk, or the Rejection that ended the walk."""

    rejection: Rejection | None = None
    stored: list[Deferred] = []
    set_cookie: bytes | None = None


class CollectPolicy(msgspec.Struct, frozen=True):
    """What signs the visitor's cookie, the keys of order digests and of merchants' ids for visitors, and
    the operator's IAB id.
    """

    cookies: KeyRing
    orders: bytes
    tcf_vendor_id: int | None = None
    parties: bytes = b""


class Collect:
    """Takes hits from merchants' pages."""

    def __init__(
        self,
        memory: Memory,
        writer: Writer,
        refresh: Refreshed,
        clock: Clock,
        mint_key: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        policy: CollectPolicy,
    ) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._watch = memory.watch
        self._samples = memory.samples
        self._repeats = memory.repeats
        self._writer = writer
        self._refresh = refresh
        self._clock = clock
        self._mint_key = mint_key
        self._random_bytes = random_bytes
        self._policy = policy

    def take(self, hit: Hit | Rejection, caller: Caller) -> Collected:
        """Judge a hit and submit its events; counted under its name where it is refused."""
        if isinstance(hit, Rejection):
            return self._refuse(hit, 0)
        advertiser = self._advertiser(hit.merchant)
        if advertiser is None:
            return self._refuse(Rejection.UNKNOWN_MERCHANT, 0)
        verified = is_from(caller.origin, advertiser.domains)
        refused = self._refusal(caller, verified)
        if refused is not None:
            return self._refuse(refused, advertiser.key)
        if not self._watch.takes(caller, max(1, len(hit.events)), self._clock()):
            return self._refuse(Rejection.TOO_MANY, advertiser.key)
        consent = decide(self._signals(hit, caller, verified))
        if not (consent.may_store and consent.may_profile):
            return self._without_consent(consent, advertiser, caller)
        for rejection in hit.rejections:
            self._tally.add(advertiser.key, f"rejected_{rejection}")
        if not hit.events:
            return Collected(hit.rejections[0] if hit.rejections else Rejection.MALFORMED)
        self._tally.add(advertiser.key, f"consent_{consent.basis}")
        return self._store(hit, advertiser, caller)

    def party_id(self, hit: Hit | Rejection, caller: Caller) -> str | None:
        """The id by which this merchant's server may name the visitor; None without consent, or to others."""
        advertiser = None if isinstance(hit, Rejection) else self._advertiser(hit.merchant)
        if isinstance(hit, Rejection) or advertiser is None or not caller.visitor_key:
            return None
        verified = is_from(caller.origin, advertiser.domains)
        consent = decide(self._signals(hit, caller, verified))
        if not (verified and consent.may_store and consent.may_profile):
            return None
        return party_id(caller.visitor_key, advertiser.key, self._policy.parties)

    def _signals(self, hit: Hit, caller: Caller, verified: bool) -> Signals:
        return Signals(
            region=caller.region,
            now_ms=self._clock(),
            said=hit.said,
            vendor_id=self._policy.tcf_vendor_id,
            origin_verified=verified,
            global_privacy_control=caller.global_privacy_control,
            opted_out=caller.opted_out,
            has_cookie=bool(caller.visitor_key),
        )

    def _advertiser(self, public_id: str) -> Advertiser | None:
        if public_id not in self._snapshot.advertiser_keys:
            self._refresh(missing=True)
        key = self._snapshot.advertiser_keys.get(public_id)
        return None if key is None else self._snapshot.advertisers[key]

    def _refusal(self, caller: Caller, verified: bool) -> Rejection | None:
        if caller.origin is not None and not verified:
            return Rejection.FOREIGN_ORIGIN
        return caller.robot

    def _refuse(self, rejection: Rejection, owner_key: int) -> Collected:
        self._tally.add(owner_key, f"rejected_{rejection}")
        return Collected(rejection)

    def _without_consent(self, consent: Consent, advertiser: Advertiser, caller: Caller) -> Collected:
        """Nothing is stored but the reason's count; of a browser that has opted out, our cookie goes too."""
        self._tally.add(advertiser.key, f"consent_{consent.basis}")
        collected = self._refuse(REJECTION_OF_BASIS.get(consent.basis, Rejection.NO_CONSENT), advertiser.key)
        if consent.basis is Basis.OPTED_OUT and caller.visitor_key:
            collected.set_cookie = expire_visitor(names_for(caller.secure))
        return collected

    def _store(self, hit: Hit, advertiser: Advertiser, caller: Caller) -> Collected:
        collected = Collected()
        visitor_key, first = caller.visitor_key, False
        if caller.cookie_flaw:
            self._tally.add(advertiser.key, f"cookie_{caller.cookie_flaw}")
        if not visitor_key:
            random_bytes = self._random_bytes(RANDOM_BYTES)
            visitor_key, first = visitor_of(random_bytes), True
            cookie = mint(random_bytes, self._policy.cookies)
            collected.set_cookie = set_visitor(cookie, names_for(caller.secure))
        for event in hit.events:
            self._note(event, advertiser.key, visitor_key)
            write = self.write_of(event, advertiser, visitor_key, first)
            stored = self._writer.submit(write)
            stored.then(self._count_unrecorded)
            collected.stored.append(stored)
        return collected

    def _note(self, event: Event, advertiser_key: int, visitor_key: int) -> None:
        """For the pixel's doctor: what pages say, before a rule changes its ids."""
        now_ms = self._clock()
        if event.items:
            self._tally.add(advertiser_key, f"items_{event.name}", len(event.items))
            self._samples.offer(advertiser_key, event, now_ms)
        if event.name is EventName.PURCHASE and event.order_id is None:
            self._tally.add(advertiser_key, "missing_transaction_id")
        if self._repeats.is_double(visitor_key, advertiser_key, event, now_ms):
            self._tally.add(advertiser_key, f"double_{event.name}")

    def _count_unrecorded(self, outcome: Outcome) -> None:
        if outcome.result is Result.UNRECORDED:
            self._tally.add(0, f"rejected_{Rejection.UNRECORDED}")

    def write_of(
        self, event: Event, advertiser: Advertiser, visitor_key: int, first: bool = False
    ) -> StoreEvent:
        """What is kept of an event, whether a browser or the merchant's server tells it."""
        for flaw in event.flaws:
            self._tally.add(advertiser.key, f"flaw_{flaw}")
        event_key = self._mint_key()
        reference = event.order_id if event.name is EventName.PURCHASE else event.lead_id
        key = 0
        if event.name in CONVERSION_EVENTS and reference is not None:
            key = conversion_key(self._policy.orders, advertiser.key, event.name, reference)
        elif event.name in CONVERSION_EVENTS and event.name is not EventName.PURCHASE:
            key = event_key  # a lead without an id: attribution takes one of a visitor in thirty days
        return StoreEvent(
            event_key,
            advertiser.key,
            visitor_key,
            first,
            self._without_references(_under(advertiser.item_id_rule, event), advertiser),
            self._clock(),
            key,
            reference is not None,
            advertiser.trust_pixel_conversions,
        )

    def _without_references(self, event: Event, advertiser: Advertiser) -> Event:
        """Order and lead ids may name a person at the merchant's: only their keyed digests are kept."""
        if event.order_id is None and event.lead_id is None:
            return event
        digests = (
            reference and f"{conversion_key(self._policy.orders, advertiser.key, event.name, reference):x}"
            for reference in (event.order_id, event.lead_id)
        )
        order_id, lead_id = digests
        return msgspec.structs.replace(event, order_id=order_id, lead_id=lead_id)


def _under(rule: ItemIdRule | None, event: Event) -> Event:
    """The event with the catalogue's ids for those of the page."""
    if rule is None or not event.items:
        return event
    items = tuple(msgspec.structs.replace(item, item_id=rule.apply(item.item_id)) for item in event.items)
    return msgspec.structs.replace(event, items=items)
