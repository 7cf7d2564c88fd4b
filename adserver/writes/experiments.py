"""What may be written of experiments: who is in them, and the ads that a holdout kept back."""

import msgspec

from adserver.domain.experiment import Entry


class EnterExperiments(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That a visitor is in these arms from now on; who is in them already stays since when they are."""

    visitor_key: int
    advertiser_key: int
    currency: str
    at_ms: int
    entries: tuple[Entry, ...]


class RecordGhost(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That an ad won and was not shown, since its advertiser holds the visitor out. It costs nothing.

    It is counted in the visitor's frequency as the impression it would have been.
    """

    ghost_key: int
    at_ms: int
    slot_key: int
    advertiser_key: int
    campaign_key: int
    campaign_version: int
    creative_key: int
    visitor_key: int
    audience_key: int
    currency: str
    entries: tuple[Entry, ...]
