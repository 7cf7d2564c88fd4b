"""Whether clicks arrive: how many landed, how soon, and how many were gone again at once."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import accumulate
from operator import sub

import msgspec

from adserver.domain.snapshot import Snapshot
from adserver.domain.token import LANDED, LANDING_VALID_MS, AdToken, TokenKeys, verify

STAY_MS = 10_000  # who does anything so long after landing did not bounce
VISIT_MS = 30 * 60_000  # what is done so long after a click belongs to another visit

# The edges of a histogram: below each a count, and one more for what took longer than all.
EDGES_SECONDS = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 60, 600)
TOOK = tuple(f"took_{place}" for place in range(len(EDGES_SECONDS) + 1))  # from the click to the landing
LOADED = tuple(
    f"loaded_{place}" for place in range(len(EDGES_SECONDS) + 1)
)  # what the browser says of its page
FIGURES = ("clicks", "clicks_suspect", "landed", "engaged", *TOOK, *LOADED)


class NoLanding(StrEnum):
    """Why a landing that a page tells is not counted."""

    NOT_OURS = "not_ours"
    OTHER_ADVERTISER = "other_advertiser"
    EXPIRED = "expired"
    SUSPECT = "suspect"
    NO_CLICK = "no_click"  # none is on record
    REPEATED = "repeated"  # the page was loaded again, or its address passed on


class Grouping(StrEnum):
    CAMPAIGN = "campaign"
    PAGE = "page"
    DAY = "day"
    SITE = "site"


class Arrived(msgspec.Struct, frozen=True):
    """What became of some clicks, as numbers in the order of FIGURES.

    `clicks` are those that bars nothing from billing; of `clicks_suspect` no landing is counted. A landing
    counts on the day of its click, so that those who landed are never more than those who clicked.
    """

    figures: tuple[int, ...] = (0,) * len(FIGURES)

    @property
    def clicks(self) -> int:
        return self.figures[0]

    @property
    def clicks_suspect(self) -> int:
        return self.figures[1]

    @property
    def landed(self) -> int:
        return self.figures[2]

    @property
    def engaged(self) -> int:
        return self.figures[3]

    @property
    def landing_rate(self) -> float | None:
        return self.landed / self.clicks if self.clicks else None

    @property
    def bounce_rate(self) -> float | None:
        return (self.landed - self.engaged) / self.landed if self.landed else None

    def seconds_to_land(self, share: float) -> float | None:
        """Within so many seconds of its click this share of the landings was there."""
        return quantile_seconds(self.figures[4 : 4 + len(TOOK)], share)

    def seconds_to_load(self, share: float) -> float | None:
        """What of it was the page's own slowness, as browsers tell it."""
        return quantile_seconds(self.figures[4 + len(TOOK) :], share)

    def without(self, other: "Arrived") -> "Arrived":
        return Arrived(tuple(map(sub, self.figures, other.figures)))


class ClickPlace(msgspec.Struct, frozen=True):
    """Which clicks are summed up: those of a UTC day on one product, or on one message, in one slot."""

    advertiser_key: int
    day_ms: int
    campaign_key: int
    slot_key: int
    product_key: int
    creative_key: int  # 0 where a product was clicked


class Grouped(msgspec.Struct, frozen=True):
    """A group's sums; the keys by which it was not grouped are 0."""

    place: ClickPlace
    arrived: Arrived


def total(parts: Iterable[Arrived]) -> Arrived:
    return Arrived(tuple(map(sum, zip(Arrived().figures, *(part.figures for part in parts), strict=True))))


def bucket_of(took_ms: int) -> int:
    """The place of a duration in a histogram."""
    return sum(took_ms >= edge * 1000 for edge in EDGES_SECONDS)


def quantile_seconds(histogram: Sequence[int], share: float) -> float | None:
    """Read from a histogram, evenly spread within each place; beyond the last edge, that edge."""
    whole = sum(histogram)
    if not whole:
        return None
    reached = list(accumulate(histogram))
    place = next(place for place, count in enumerate(reached) if count >= share * whole and count)
    if place == len(EDGES_SECONDS):
        return EDGES_SECONDS[-1]
    lower = EDGES_SECONDS[place - 1] if place else 0
    before = reached[place] - histogram[place]
    return lower + (EDGES_SECONDS[place] - lower) * (share * whole - before) / histogram[place]


def click_behind(
    click_id: str, advertiser_key: int, snapshot: Snapshot, keys: TokenKeys, now_ms: int
) -> AdToken | NoLanding:
    """The click of this advertiser's ad that an id stands for."""
    token = verify(click_id, keys, LANDED)
    if token is None:
        return NoLanding.NOT_OURS
    campaign = snapshot.campaigns.get(token.campaign_key)
    if campaign is None or campaign.advertiser_key != advertiser_key:
        return NoLanding.OTHER_ADVERTISER
    if now_ms - token.decided_at_ms > LANDING_VALID_MS:
        return NoLanding.EXPIRED
    return NoLanding.SUSPECT if token.test else token
