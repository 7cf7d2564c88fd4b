"""What may be written of the ads that were served."""

import msgspec

from adserver.domain.experiment import Entry
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent


class AdRecord(msgspec.Struct, frozen=True, array_like=True):
    """One impression, view or click of a served ad, with what it costs.

    `day` is the advertiser's local day of arrival. `publisher_micros` is the publisher's share of
    `amount_micros`. `not_billed` names why a billable event costs nothing (suspect, test), else empty.
    """

    event: AdEvent
    impression_id: int
    campaign_key: int
    campaign_version: int
    advertiser_key: int
    publisher_key: int
    slot_key: int
    creative_key: int
    product_key: int
    visitor_key: int
    at_ms: int
    day: int
    currency: str
    amount_micros: Micros = ZERO
    publisher_micros: Micros = ZERO
    not_billed: str = ""
    audience_key: int = 0  # whose rate it is charged at; 0 for the campaign's own


class RecordAd(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ad events of one impression, in order; the outcome is the last one's."""

    records: tuple[AdRecord, ...]


class KeepDecisionSample(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One decision in so many with its features, for a replay; an ad's `sample_key` is its impression's."""

    sample_key: int
    at_ms: int
    slot_key: int
    visitor_key: int
    body: bytes


class RecordDecision(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That an ad was served. `image_key` ties an image slot's picture to its link, 0 for documents.

    `price_micros` is what its billed event would take from a budget, 0 where none has a cap, and `chance`
    how likely that event is as far as the worker knows. `propensity` is how likely the ad was chosen.
    `country` and `device` are empty where nobody knows.
    """

    impression_id: int
    at_ms: int
    slot_key: int
    campaign_key: int
    creative_key: int
    visitor_key: int
    product_keys: tuple[int, ...]
    image_key: int = 0
    token: str = ""
    price_micros: Micros = ZERO
    chance: float = 0.0
    advertiser_key: int = 0
    currency: str = ""
    entries: tuple[Entry, ...] = ()  # the experiments' arms that it puts the visitor in
    propensity: float = 1.0
    audience_key: int = 0
    country: str = ""
    device: str = ""
    test: bool = False
