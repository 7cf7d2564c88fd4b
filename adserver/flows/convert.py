"""An order or lead is credited to the ad that led to it, billed once, and given back when it is cancelled."""

import logging
from collections.abc import Sequence

import msgspec

from adserver.coupons import Coupons
from adserver.domain.attribution import (
    CANCELLED,
    Cancellation,
    NoCredit,
    Ordered,
    ServerOrder,
    conversion_key,
    credit,
)
from adserver.domain.identity import product_key
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import BILLED_EVENT, AdEvent, ProductMatch, Terms, price_of
from adserver.domain.token import LANDED, LANDING_VALID_MS, Secrets, verify
from adserver.domain.visitor import DAY_MS, Touch
from adserver.parties import Parties
from adserver.ports import Clock, Stores
from adserver.writes import (
    AdRecord,
    CancelConversion,
    Conversion,
    CreditConversion,
    Outcome,
    Receipt,
    Result,
    WithReceipt,
)

log = logging.getLogger("adserver.convert")


class Credited(msgspec.Struct, frozen=True):
    """What became of a server's conversion."""

    outcome: Outcome
    campaign_key: int = 0
    reason: str = ""
    charge_id: int = 0  # of what was billed or reserved, if anything was


def credited(outcome: Outcome, context: bytes) -> Credited:
    """What became of a conversion, from its outcome and what its receipt holds besides."""
    campaign_key, reason = _decode_context(context)
    return Credited(outcome, campaign_key, _reason(outcome, reason), outcome.figure)


def _reason(outcome: Outcome, reason: str) -> str:
    """Why nothing is billed; where attribution saw no reason, it was the writer's: the order is cancelled."""
    return reason or (CANCELLED if outcome.result is Result.NOT_BILLABLE else "")


_decode_context = msgspec.msgpack.Decoder(tuple[int, str]).decode


class Convert:
    """Turns orders and leads into charges of the ads that led to them."""

    def __init__(
        self, memory: Memory, stores: Stores, parties: Parties, clock: Clock, secrets: Secrets
    ) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._parties = parties
        self._conversions = stores.conversions
        self._profiles = stores.profiles
        self._accounts = stores.accounts
        self._catalogue = stores.catalogue
        self._writer = stores.writer
        self._clock = clock
        self._secrets = secrets
        self._offers = stores.offers
        self._coupons = Coupons(memory, stores, secrets)

    def credit_new(self, limit: int = 200) -> int:
        """Attribute orders and leads that arrived by pixel; how many were settled."""
        waiting = self._conversions.new(limit)
        for outcome in self._writer.commit_many(self._credits(waiting)):
            self._count(outcome)
        return len(waiting)

    def credit_visitor(self, visitor_key: int) -> None:
        """Attribute what one visitor ordered, before they are erased, and what they clicked with them."""
        for outcome in self._writer.commit_many(self.credits_of(visitor_key)):
            self._count(outcome)

    def submit_credits(self, visitor_key: int) -> None:
        """The same from the event loop: on its way before whatever is submitted next."""
        for write in self.credits_of(visitor_key):
            self._writer.submit(write).then(self._count)

    def credits_of(self, visitor_key: int) -> list[CreditConversion]:
        return self._credits(self._conversions.new_of(visitor_key))

    def _credits(self, waiting: Sequence[Conversion]) -> list[CreditConversion]:
        writes = (self._attributed_or_left(conversion) for conversion in waiting)
        return [write for write in writes if write is not None]

    def _count(self, outcome: Outcome) -> None:
        self._tally.add(0, f"conversion_{outcome.result}")

    def _attributed_or_left(self, conversion: Conversion) -> CreditConversion | None:
        try:
            return self._attributed(conversion)
        except Exception:
            log.exception("conversion %s was not credited; it is tried again", conversion.conversion_key)
            return None

    def convert(self, order: ServerOrder, receipt: Receipt | None = None) -> Credited:
        """Attribute and bill an order or lead that the merchant's own server reports.

        With a receipt, its answer is kept in the same transaction; see `credited`.
        """
        key = conversion_key(self._secrets.orders, order.advertiser_key, order.event, order.reference)
        conversion = Conversion(
            conversion_key=key,
            advertiser_key=order.advertiser_key,
            event=order.event,
            by_server=True,
            trusted=True,
            visitor_key=order.visitor_key,
            click_id=order.click_id,
            value_micros=order.value_micros,
            currency=order.currency,
            arrived_at_ms=self._clock(),
            occurred_at_ms=order.occurred_at_ms,
            product_keys=tuple(product_key(order.advertiser_key, item_id) for item_id in order.item_ids),
        )
        self._redeem(order, key)
        kept = msgspec.structs.replace(conversion, visitor_key=0)  # has done its work
        return self._commit(self._attributed(conversion, arrival=kept), receipt)

    def _redeem(self, order: ServerOrder, key: int) -> None:
        """The codes of its offers are redeemed first: they may be all that tells of its click."""
        if order.coupons:
            self._writer.commit_many(
                self._coupons.redemptions(
                    order.advertiser_key, order.coupons, key, order.click_id, order.occurred_at_ms,
                    by_server=True,
                )
            )  # fmt: skip

    def cancel(self, cancellation: Cancellation, receipt: Receipt | None = None) -> Outcome:
        """Take an order or lead back, in whole or in part; what was billed is refunded.

        NOT_BILLABLE where the price stays the same, PENDING with what is reserved still, NOT_CHARGED where
        it was not told or not credited yet: it is noted, and costs that much less when it comes.
        """
        told, now_ms = cancellation, self._clock()
        advertiser = self._accounts.advertiser(told.advertiser_key)
        assert advertiser is not None  # whoever asks speaks for it
        write = CancelConversion(
            conversion_key=conversion_key(
                self._secrets.orders, told.advertiser_key, told.event, told.reference
            ),
            advertiser_key=told.advertiser_key,
            refund_id=told.refund_id,
            returned_micros=told.returned_micros,
            currency=told.currency,
            reason=told.reason,
            at_ms=now_ms,
            since_ms=now_ms - advertiser.refund_days * DAY_MS,
        )
        return self._writer.commit(write if receipt is None else WithReceipt(write, receipt))

    def _commit(self, write: CreditConversion, receipt: Receipt | None) -> Credited:
        context = (write.record.campaign_key if write.record else 0, write.reason)
        body = msgspec.msgpack.encode(context)
        kept = None if receipt is None else msgspec.structs.replace(receipt, body=body)
        outcome = self._writer.commit(write if kept is None else WithReceipt(write, kept))
        self._count(outcome)
        return credited(outcome, body)

    def _attributed(self, conversion: Conversion, arrival: Conversion | None = None) -> CreditConversion:
        touches = self._touches(conversion)
        touch = credit(
            conversion.event,
            conversion.occurred_at_ms,
            touches,
            lambda touch: self._terms_for(conversion.advertiser_key, touch),
            self._ordered(conversion, touches),
        )
        record, reason = None, str(touch)
        if not isinstance(touch, NoCredit):
            record, reason = self._conversion_record(conversion, touch)
        return CreditConversion(
            conversion.conversion_key,
            conversion.by_server,
            record,
            0 if isinstance(touch, NoCredit) else touch.impression_id,
            reserve=not conversion.trusted,
            reason=reason,
            arrival=arrival,
            visitor_key=0 if arrival is None else conversion.visitor_key,
            delay_ms=None if isinstance(touch, NoCredit) else _delay_ms(conversion, touch),
        )

    def _ordered(self, conversion: Conversion, touches: list[Touch]) -> Ordered:
        """What was ordered; the catalogue is asked for groups only where some ad's terms turn on them."""
        keys = frozenset(conversion.product_keys)
        advertised = {
            touch.product_key
            for touch in touches
            if (terms := self._terms_for(conversion.advertiser_key, touch)) is not None
            and terms.product_match is ProductMatch.SAME_GROUP
        }
        if not keys or not advertised:
            return Ordered(keys)
        products = self._catalogue.products(keys | advertised)
        groups = {key: one.item_group_id for key, one in products.items() if one.item_group_id}
        return Ordered(keys, groups)

    def _touches(self, conversion: Conversion) -> list[Touch]:
        """What the visitor saw and clicked, by cookie, and by the click id of the landing page.

        Where that is missing, the click whose code the order was made with is as good.

        Where a server names neither visitor nor click, but a browser told the same order, it is that
        browser's: anyone may guess an order id, so what the server knows itself stands alone.
        """
        visitor_key = conversion.visitor_key
        click_id = conversion.click_id or self._offers.click_of(
            conversion.conversion_key, by_server=conversion.by_server
        )
        token = verify(click_id or "", self._secrets.tokens, LANDED)
        clicked = token is not None and not token.test
        if conversion.by_server and not visitor_key and not clicked:
            visitor_key = self._conversions.visitor_of(conversion.conversion_key)
        profile = self._profiles.profile(visitor_key) if visitor_key else None
        touches = list(profile.touches) if profile else []
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
                    token.audience_key,
                )
            )
        return touches

    def _terms_for(self, advertiser_key: int, touch: Touch) -> Terms | None:
        terms = self._parties.terms(touch.campaign_key, touch.campaign_version)
        campaign = self._snapshot.campaigns.get(touch.campaign_key)
        return terms if campaign is not None and campaign.advertiser_key == advertiser_key else None

    def _conversion_record(self, conversion: Conversion, touch: Touch) -> tuple[AdRecord, str]:
        """The charge of a credited conversion; of amount 0, with the reason, where nothing can be billed."""
        terms = self._parties.terms(touch.campaign_key, touch.campaign_version)
        assert terms is not None  # `credit` chose this touch by its terms
        amount, reason = ZERO, "not_cpa"
        if BILLED_EVENT[terms.pricing_model] is AdEvent.CONVERSION:
            amount, reason = _conversion_price(terms, conversion, touch.audience_key)
        record = self._parties.priced(
            AdEvent.CONVERSION, touch.campaign_key, terms, touch.slot_key, amount, conversion.arrived_at_ms
        )
        return (
            msgspec.structs.replace(
                record,
                at_ms=self._clock(),  # booked in a month that is open, for the day in which it arrived
                impression_id=conversion.conversion_key,
                campaign_version=touch.campaign_version,
                creative_key=touch.creative_key,
                product_key=touch.product_key,
                audience_key=touch.audience_key,
            ),
            reason,
        )


def _delay_ms(conversion: Conversion, touch: Touch) -> int | None:
    """How long it took after its click; of a view nothing is learnt."""
    is_click = touch.event is AdEvent.CLICK
    return max(0, conversion.occurred_at_ms - touch.at_ms) if is_click else None


def _conversion_price(terms: Terms, conversion: Conversion, audience_key: int) -> tuple[Micros, str]:
    if not terms.basket_bps:
        return price_of(AdEvent.CONVERSION, terms, audience_key=audience_key), ""
    if conversion.value_micros is None:
        return ZERO, "no_value"
    if conversion.currency != terms.currency:
        return ZERO, "currency_mismatch"
    return price_of(AdEvent.CONVERSION, terms, conversion.value_micros, audience_key), ""
