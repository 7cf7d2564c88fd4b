"""Codes of offers: what a click leads on with, and the same codes told with orders."""

from collections.abc import Iterable
from functools import partial
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.memory import Memory
from adserver.domain.money import MICROS_PER_UNIT
from adserver.domain.offer import (
    HandCode,
    NoCode,
    OfferPool,
    PoolKind,
    RedeemCode,
    code_key,
    expires_ms,
    generated_codes,
    is_over,
    why_no_code,
)
from adserver.domain.token import LANDED, AdToken, Secrets, verify
from adserver.ports import Stores
from adserver.writes import Outcome, Result
from creatives.card import Offer

SECOND_MS = 1_000


class Click(msgspec.Struct, frozen=True):
    """A click on an ad; `click_id` is the one that its landing page is told."""

    click_id: str
    visitor_key: int
    at_ms: int
    currency: str
    suspect: bool


class Leading(Protocol):
    """Where a click leads; its query has the click's id."""

    location: str


class Coupons:
    """Codes, as far as this worker knows their pools."""

    def __init__(self, memory: Memory, stores: Stores, secrets: Secrets) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._offers = stores.offers
        self._writer = stores.writer
        self._secrets = secrets

    def promise(self, token: AdToken, click: Click, landing: Leading) -> None:
        """Have the click lead on with what its ad offers; with a code of its own once that is durable.

        Call it before the click's charge is submitted: whoever waits for that has the code by then, if any.
        """
        promised = self._snapshot.pools.as_made(token.creative_key)
        known = promised or self._snapshot.creatives.get(token.creative_key)
        creative = None if known is None else live_version(known)
        if creative is None or creative.offer is None:
            return
        offer = creative.offer
        if creative.pool_key is not None:
            pool = self._snapshot.pools.pool(creative.pool_key)
            self._hand(token, click, offer, pool, landing)
        else:
            _lead_on(click, offer, landing, offer.code, offer.ends_at_ms)

    def _hand(
        self, token: AdToken, click: Click, offer: Offer, pool: OfferPool | None, landing: Leading
    ) -> None:
        no = why_no_code(pool, offer, token.decided_at_ms, click.at_ms, suspect=click.suspect)
        if pool is None or no is not None:
            self._tally.add(0 if pool is None else pool.advertiser_key, f"offer_{no or NoCode.GONE}")
            return
        fresh: tuple[str, ...] = ()
        if pool.kind is PoolKind.GENERATED:
            fresh = generated_codes(pool, token.impression_id, self._secrets.orders)
        write = HandCode(
            pool.key, pool.advertiser_key, token.impression_id, click.click_id, click.visitor_key,
            click.at_ms, expires_ms(pool, offer, click.at_ms), offer.percent, offer.amount_micros, fresh,
        )  # fmt: skip
        self._writer.submit(write).then(partial(self._hear, click, offer, pool, landing))

    def _hear(self, click: Click, offer: Offer, pool: OfferPool, landing: Leading, outcome: Outcome) -> None:
        """The code is durable; an earlier one of the same click may be over by now."""
        ends_ms = outcome.figure or None
        if outcome.result is Result.HANDED and is_over(ends_ms, click.at_ms):
            self._tally.add(pool.advertiser_key, f"offer_{NoCode.EXPIRED}")
        elif outcome.result is Result.HANDED:
            _lead_on(click, offer, landing, outcome.text, ends_ms)

    def redemptions(
        self,
        advertiser_key: int,
        coupons: Iterable[str],
        order_key: int,
        click_id: str | None,
        at_ms: int,
        *,
        by_server: bool,
    ) -> list[RedeemCode]:
        """What is to be written of an order's coupons; a shop has others besides, which are none of ours."""
        ours = [one for one in coupons if self._offers.code(code_key(advertiser_key, one)) is not None]
        impression_id = self.impression_of(advertiser_key, click_id) if ours else 0
        return [
            RedeemCode(advertiser_key, code, order_key, impression_id or 0, by_server, at_ms) for code in ours
        ]

    def impression_of(self, advertiser_key: int, click_id: str | None) -> int | None:
        """Of the ad whose click it is; 0 where it is none of ours, None where it is another advertiser's."""
        token = verify(click_id or "", self._secrets.tokens, LANDED)
        if token is None:
            return 0
        campaign = self._snapshot.campaigns.get(token.campaign_key)
        if campaign is not None and campaign.advertiser_key != advertiser_key:
            return None
        return token.impression_id


def _lead_on(click: Click, offer: Offer, landing: Leading, code: str | None, ends_ms: int | None) -> None:
    """Add to the query what the tag tells the page; nothing of what is over."""
    if is_over(ends_ms, click.at_ms):
        return
    said: dict[str, object] = {} if code is None else {"rt_offer": code}
    if offer.percent is not None:
        said["rt_offer_percent"] = offer.percent
    if offer.amount_micros is not None:
        whole, rest = divmod(offer.amount_micros, MICROS_PER_UNIT)
        decimals = f"{rest:06}".rstrip("0").ljust(2, "0")
        said |= {"rt_offer_amount": f"{whole}.{decimals}", "rt_offer_currency": click.currency}
    if ends_ms is not None:
        said["rt_offer_ends"] = ends_ms // SECOND_MS
        said["rt_offer_left"] = (ends_ms - click.at_ms) // SECOND_MS
    page, mark, fragment = landing.location.partition("#")
    landing.location = f"{page}&{urlencode(said)}{mark}{fragment}"
