"""A pixel event comes in: named steps, each of which may end the walk with a Rejection."""

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from adserver.coupons import Coupons
from adserver.domain.arrival import STAY_MS, VISIT_MS, NoLanding, click_behind
from adserver.domain.attribution import conversion_key
from adserver.domain.caller import Caller, is_from
from adserver.domain.campaign import Advertiser
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.consent_record import Ended
from adserver.domain.item_id import ItemIdRule
from adserver.domain.live_view import LiveEvent, kept
from adserver.domain.memory import Memory
from adserver.domain.pricing import CONVERSION_EVENTS
from adserver.domain.recognition import Side, count_request, kind_on_page
from adserver.domain.tally import NETWORK
from adserver.domain.token import Secrets, TokenKeys
from adserver.domain.visitor import Profile
from adserver.ports import Clock, Deferred, Refreshed, Stores
from adserver.writes import ForgetVisitor, Outcome, RecordArrival, Result, StoreEvent, Withdraw
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

log = logging.getLogger("adserver.collect")

_PURCHASE = EventName.PURCHASE  # looked up once: a member's name takes an enum eight times as long as this
_UNKEPT = {
    Result.UNRECORDED: f"rejected_{Rejection.UNRECORDED}",
    Result.DUPLICATE: "duplicate_events",
}  # as it is counted
_CONSENT = {basis: f"consent_{basis}" for basis in Basis}
_ITEMS = {name: f"items_{name}" for name in EventName}
REJECTION_OF_BASIS = {
    Basis.OPTED_OUT: Rejection.OPTED_OUT,
    Basis.PRIVACY_CONTROL: Rejection.PRIVACY_SIGNAL,
    Basis.SALE_OPT_OUT: Rejection.PRIVACY_SIGNAL,
    Basis.CHILD: Rejection.KNOWN_CHILD,
}


class Collected(msgspec.Struct):
    """What became of a hit: events under way to disk, or the Rejection that ended the walk.

    `withdrawal` is an erasure under way, after which `set_cookie` may expire the visitor's.
    """

    rejection: Rejection | None = None
    stored: list[Deferred] = []
    set_cookie: bytes | None = None
    withdrawal: Deferred | None = None


class CollectPolicy(msgspec.Struct, frozen=True):
    """What signs cookies and click ids, the keys of order digests and of merchants' ids for visitors, and the
    operator's IAB id.
    """

    cookies: KeyRing
    tokens: TokenKeys
    orders: bytes
    tcf_vendor_id: int | None = None
    parties: bytes = b""


class Collect:
    """Takes hits from merchants' pages. `credit` submits what a visitor ordered to be credited."""

    def __init__(  # noqa: PLR0913, PLR0917  its ports and what signs, and what main hands in
        self,
        memory: Memory,
        stores: Stores,
        refresh: Refreshed,
        clock: Clock,
        mint_key: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        policy: CollectPolicy,
        credit: Callable[[int], None],
    ) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._watch = memory.watch
        self._samples = memory.samples
        self._repeats = memory.repeats
        self._live = memory.live
        self._count_answer = memory.count_answer
        self._profiles = stores.profiles
        self._writer = stores.writer
        self._refresh = refresh
        self._clock = clock
        self._mint_key = mint_key
        self._random_bytes = random_bytes
        self._policy = policy
        self._credit = credit
        self._coupons = Coupons(memory, stores, Secrets(policy.tokens, policy.orders))

    def shed(self) -> None:
        """Count a hit that is not read since there are too many requests."""
        self._tally.add(NETWORK, "shed_event")

    def take(self, hit: Hit | Rejection, caller: Caller) -> Collected:
        """Judge a hit and submit its events; counted under its name where it is refused."""
        if isinstance(hit, Rejection):
            return self._refuse(hit, 0)
        advertiser = self._advertiser(hit.merchant)
        if advertiser is None:
            return self._refuse(Rejection.UNKNOWN_MERCHANT, 0)
        verified = is_from(caller.origin, advertiser.domains)
        refused = self._refusal(caller, verified)
        now_ms = self._clock()
        if refused is not None:
            site = caller.origin if refused is Rejection.FOREIGN_ORIGIN else None
            self._live.refuse(advertiser.key, refused, now_ms, hit.events, site=site)
            return self._refuse(refused, advertiser.key)
        if not self._watch.takes(caller, max(1, len(hit.events)), now_ms):
            self._live.refuse(advertiser.key, Rejection.TOO_MANY, now_ms, hit.events)
            return self._refuse(Rejection.TOO_MANY, advertiser.key)
        consent = decide(self._signals(hit, advertiser, caller, verified, now_ms))
        self._count_signs(hit, consent, advertiser, caller, now_ms)
        collected = self._keep(hit, consent, advertiser, caller, now_ms)
        if consent.withdrawn and (hit.posted or caller.opted_out):
            self._withdraw(collected, consent, advertiser, caller)
        return collected

    def party_id(self, hit: Hit | Rejection, caller: Caller) -> str | None:
        """The id by which this merchant's server may name the visitor; None without consent, or to others."""
        advertiser = None if isinstance(hit, Rejection) else self._advertiser(hit.merchant)
        if isinstance(hit, Rejection) or advertiser is None or not caller.visitor_key:
            return None
        verified = is_from(caller.origin, advertiser.domains)
        consent = decide(self._signals(hit, advertiser, caller, verified, self._clock()))
        if not (verified and consent.may_store and consent.may_profile):
            return None
        return party_id(caller.visitor_key, advertiser.key, self._policy.parties)

    def _count_signs(
        self, hit: Hit, consent: Consent, advertiser: Advertiser, caller: Caller, now_ms: int
    ) -> None:
        """How the browser was known, and what the page says its visitor answered."""
        has_click_id = bool([event for event in hit.events if event.click_id is not None])
        kind = kind_on_page(caller, consent, caller.from_own_site and caller.origin is not None, has_click_id)
        count_request(self._tally, Side.PIXEL, kind, caller, advertiser.key)
        self._count_answer(advertiser.key, caller, consent.basis, now_ms)

    def _signals(
        self, hit: Hit, advertiser: Advertiser, caller: Caller, verified: bool, now_ms: int
    ) -> Signals:
        return Signals(
            region=caller.region,
            now_ms=now_ms,
            said=hit.said,
            vendor_id=self._policy.tcf_vendor_id,
            origin_verified=verified,
            assertions_held=advertiser.consent_hold is ConsentHold.HELD,
            global_privacy_control=caller.global_privacy_control,
            opted_out=caller.opted_out,
            has_cookie=bool(caller.visitor_key),
            site=(caller.origin or "") if verified else "",
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

    def _keep(
        self, hit: Hit, consent: Consent, advertiser: Advertiser, caller: Caller, now_ms: int
    ) -> Collected:
        """Submit what is allowed; where nothing may be stored, no more than the reason is counted."""
        self._tally.add(advertiser.key, _CONSENT[consent.basis])
        if not consent.may_store:
            self._live.refuse(advertiser.key, _rejection_of(consent), now_ms, hit.events, consent)
            return self._refuse(_rejection_of(consent), advertiser.key)
        for rejection in hit.rejections:
            self._live.refuse(advertiser.key, rejection, now_ms, consent=consent)
            self._tally.add(advertiser.key, f"rejected_{rejection}")
        if not hit.events:
            return Collected(hit.rejections[0] if hit.rejections else Rejection.MALFORMED)
        return self._store(hit, consent, advertiser, caller, now_ms)

    def _store(
        self, hit: Hit, consent: Consent, advertiser: Advertiser, caller: Caller, now_ms: int
    ) -> Collected:
        collected = Collected()
        visitor_key, first = self._recognise(collected, advertiser, caller)
        if not consent.may_profile:
            visitor_key, first = 0, False
        for event in hit.events:
            arrival = self.arrival_of(event, advertiser, consent, now_ms)
            if arrival is not None:
                collected.stored.append(self._writer.submit(arrival))
            if _may_keep(event, consent):
                self._note(event, advertiser.key, visitor_key, now_ms)
                write = self.write_of(event, advertiser, visitor_key, consent, now_ms, first)
                self._redeem(event, write)
                stored = self._writer.submit(write)
                stored.then(partial(self._note_outcome, now_ms))
                if self._live.is_watched(advertiser.key):
                    stored.then(partial(self._show, kept(advertiser.key, write.event, consent, now_ms)))
                collected.stored.append(stored)
            else:
                self._live.refuse(advertiser.key, _rejection_of(consent), now_ms, [event], consent)
        if not collected.stored:
            collected.rejection = self._refuse(_rejection_of(consent), advertiser.key).rejection
        return collected

    def _redeem(self, event: Event, write: StoreEvent) -> None:
        """Codes of offers that an order was made with; its click is known by them if by nothing else."""
        if event.coupons and write.conversion_key:
            for redemption in self._coupons.redemptions(
                write.advertiser_key, event.coupons, write.conversion_key, event.click_id, write.at_ms,
                by_server=False,
            ):  # fmt: skip
                self._writer.submit(redemption)

    def _recognise(self, collected: Collected, advertiser: Advertiser, caller: Caller) -> tuple[int, bool]:
        """The visitor, and whether this very answer gives them their cookie."""
        if caller.cookie_flaw:
            self._tally.add(advertiser.key, f"cookie_{caller.cookie_flaw}")
        if caller.visitor_key:
            return caller.visitor_key, False
        random_bytes = self._random_bytes(RANDOM_BYTES)
        collected.set_cookie = set_visitor(mint(random_bytes, self._policy.cookies), names_for(caller.secure))
        return visitor_of(random_bytes), True

    def _withdraw(
        self, collected: Collected, consent: Consent, advertiser: Advertiser, caller: Caller
    ) -> None:
        """Erase what an earlier yes allowed; the cookie goes with the last that is held by it, not before."""
        visitor_key, now_ms = caller.visitor_key, self._clock()
        if caller.opted_out and self._profiles.holds(visitor_key):
            whole = ForgetVisitor(visitor_key, 0, now_ms, Ended.OPTED_OUT, if_credited=True)
            self._erase(whole, collected, advertiser, caller)
        elif not caller.opted_out and self._holds_part(visitor_key, advertiser.key):
            part = Withdraw(visitor_key, advertiser.key, now_ms, if_credited=True)
            self._erase(part, collected, advertiser, caller)
        elif not consent.may_store and not self._profiles.holds(visitor_key):
            collected.set_cookie = expire_visitor(names_for(caller.secure))

    def _holds_part(self, visitor_key: int, advertiser_key: int) -> bool:
        """Whether anything of a visitor was done at this shop, or shown by it.

        A full profile lets shops and ads go before their rows, and keeps what rows no longer tell.
        """
        if self._profiles.holds(visitor_key, advertiser_key):
            return True
        profile = self._profiles.profile(visitor_key) or Profile(0)
        seen = {touch.campaign_key for touch in profile.touches} | {one.campaign_key for one in profile.shown}
        campaigns = [self._snapshot.campaigns.get(key) for key in seen]
        return profile.shop(advertiser_key) is not None or any(
            campaign is not None and campaign.advertiser_key == advertiser_key for campaign in campaigns
        )

    def _erase(
        self, write: Withdraw | ForgetVisitor, collected: Collected, advertiser: Advertiser, caller: Caller
    ) -> None:
        """What was ordered is credited first: afterwards nobody knows what they clicked."""
        done = collected.withdrawal = Deferred()

        def note(outcome: Outcome) -> None:
            if outcome.result is Result.UNCREDITED:
                self._credit_first(write).then(note)
                return
            if outcome.result is not Result.UNRECORDED:
                self._tally.add(advertiser.key, "withdrawn")
                if isinstance(write, ForgetVisitor) or outcome.result is Result.FORGOTTEN:
                    collected.set_cookie = expire_visitor(names_for(caller.secure))
            done.resolve(outcome)

        self._writer.submit(write).then(note)

    def _credit_first(self, write: Withdraw | ForgetVisitor) -> Deferred:
        """Runs among the outcomes of a batch, which others wait for too: a fault is an outcome as well."""
        try:
            self._credit(write.visitor_key)
        except Exception:
            log.exception("orders could not be credited, so that nothing was erased")
            failed = Deferred()
            failed.resolve(Outcome(Result.UNRECORDED))
            return failed
        return self._writer.submit(msgspec.structs.replace(write, if_credited=False))

    def _note(self, event: Event, advertiser_key: int, visitor_key: int, now_ms: int) -> None:
        """For the pixel's doctor: what pages say, before a rule changes its ids."""
        if event.items:
            self._tally.add(advertiser_key, _ITEMS[event.name], len(event.items))
            self._samples.offer(advertiser_key, event, now_ms)
        if event.name is _PURCHASE and event.order_id is None:
            self._tally.add(advertiser_key, "missing_transaction_id")
        if visitor_key and self._repeats.is_double(visitor_key, advertiser_key, event, now_ms):
            self._tally.add(advertiser_key, f"double_{event.name}")

    def _note_outcome(self, arrived_ms: int, outcome: Outcome) -> None:
        """From now on every worker's next slot request knows of it: how long did that take?"""
        unkept = _UNKEPT.get(outcome.result)
        if unkept is None:
            self._tally.observe("lag", self._clock() - arrived_ms)
        else:
            self._tally.add(NETWORK, unkept)

    def _show(self, event: LiveEvent, outcome: Outcome) -> None:
        """To whoever looks on, once it is durable; what was told before is told as such."""
        if outcome.result is Result.UNRECORDED:
            self._live.refuse(event.advertiser_key, Rejection.UNRECORDED, event.at_ms)
        else:
            again = outcome.result is Result.DUPLICATE
            self._live.note(msgspec.structs.replace(event, again=again))

    def arrival_of(
        self, event: Event, advertiser: Advertiser, consent: Consent, at_ms: int
    ) -> RecordArrival | None:
        """What an event says of the click that led to its page; a landing that is none is counted by name."""
        if event.click_id is None or not consent.may_measure:
            return None
        click = click_behind(event.click_id, advertiser.key, self._snapshot, self._policy.tokens, at_ms)
        if isinstance(click, NoLanding):
            if event.name is EventName.LANDED:
                self._tally.add(advertiser.key, f"landing_{click}")
            return None
        clicked_ms = click.decided_at_ms
        told_by_tag = event.name in (EventName.LANDED, EventName.ENGAGED)
        if not told_by_tag and not STAY_MS <= at_ms - clicked_ms <= VISIT_MS:
            return None
        return RecordArrival(
            click.impression_id, advertiser.key, event.name, clicked_ms, at_ms, event.landing_ms
        )

    def write_of(
        self,
        event: Event,
        advertiser: Advertiser,
        visitor_key: int,
        consent: Consent,
        now_ms: int,
        first: bool = False,
    ) -> StoreEvent:
        """What is kept of an event, whether a browser or the merchant's server tells it."""
        for flaw in event.flaws:
            self._tally.add(advertiser.key, f"flaw_{flaw}")
        event_key = self._mint_key()
        reference = event.order_id if event.name is _PURCHASE else event.lead_id
        key = 0
        counts = event.name in CONVERSION_EVENTS and consent.may_measure
        if counts and reference is not None:
            key = conversion_key(self._policy.orders, advertiser.key, event.name, reference)
        elif counts and event.name is not _PURCHASE:
            key = event_key  # a lead without an id: attribution takes one of a visitor in thirty days
        return StoreEvent(
            event_key,
            advertiser.key,
            visitor_key,
            first,
            self._without_references(_under(advertiser.item_id_rule, event), advertiser),
            now_ms,
            key,
            reference is not None,
            advertiser.trust_pixel_conversions,
            consent.proof,
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


def _rejection_of(consent: Consent) -> Rejection:
    return REJECTION_OF_BASIS.get(consent.basis, Rejection.NO_CONSENT)


def _may_keep(event: Event, consent: Consent) -> bool:
    """Without a profile no more than what measures the ads: orders and leads, of nobody."""
    return consent.may_profile or (consent.may_measure and event.name in CONVERSION_EVENTS)


def _under(rule: ItemIdRule | None, event: Event) -> Event:
    """The event with the catalogue's ids for those of the page."""
    if rule is None or not event.items:
        return event
    items = tuple(msgspec.structs.replace(item, item_id=rule.apply(item.item_id)) for item in event.items)
    return msgspec.structs.replace(event, items=items)
