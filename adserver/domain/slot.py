"""Publishers, their sites, and the slots that ask for ads."""

from enum import StrEnum

import msgspec

from adserver.domain.blocks import NO_BLOCKS, Blocks
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.money import ZERO, Micros
from creatives.formats import RESPONSIVE


class OnEmpty(StrEnum):
    """What a slot shows when no ad may be shown."""

    HOUSE = "house"
    COLLAPSE = "collapse"
    PASSBACK = "passback"


class Publisher(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Someone who lends us places; `revenue_share_bps` of each charge is theirs."""

    key: int
    name: str
    revenue_share_bps: int = 7_000
    blocks: Blocks = NO_BLOCKS
    created_at_ms: int = 0


class Site(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A publisher's pages, under one or more domains (which cover their sub-domains)."""

    key: int
    publisher_key: int
    name: str
    domains: tuple[str, ...]
    click_prefixes: tuple[str, ...] = ()
    consent_hold: ConsentHold = ConsentHold.NONE
    consent_held_at_ms: int | None = None
    blocks: Blocks = NO_BLOCKS
    created_at_ms: int = 0
    categories: tuple[str, ...] = ()  # of what its pages are about; campaigns may ask for some


class Slot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A place on a publisher's page. Without a size of its own, width and height are 0: it is responsive."""

    key: int
    site_key: int
    name: str
    width: int
    height: int
    floor_cpm_micros: Micros = ZERO
    currency: str | None = None  # of the floor; a floor binds only campaigns of its currency
    on_empty: OnEmpty = OnEmpty.HOUSE
    blocks: Blocks = NO_BLOCKS
    created_at_ms: int = 0

    @property
    def format_name(self) -> str:
        return f"{self.width}x{self.height}" if self.width or self.height else RESPONSIVE

    @property
    def is_responsive(self) -> bool:
        return self.format_name == RESPONSIVE
