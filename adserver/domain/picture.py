"""What is remembered of a product's picture: what came of fetching it, and when it is tried again."""

import hashlib
from enum import StrEnum

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.fetching import NOT_KNOWN, Validators

MINUTE_MS = 60_000
DAY_MS = 86_400_000
LOOK_AGAIN_MS = (
    2 * DAY_MS
)  # whether there is another picture behind the same address: a question of few bytes
FETCH_AGAIN_MS = 7 * DAY_MS  # the same, where the host only ever sends the whole picture
PASSING_MS = 10 * MINUTE_MS
MOST_DOUBLINGS = 3  # of a day: what is wrong with a picture is looked at again within eight
MOST_LINKS = 5  # of one product
REST_MS = 5 * MINUTE_MS
MOST_REST_MS = 60 * MINUTE_MS
FAILURES_BEFORE_REST = 3
HOST_RESTING = "host_resting"

_PASSING = frozenset(
    {"unreachable", "timed_out", "status_408", "status_429", HOST_RESTING}
    | {"picture_decoder_died", "picture_decoder_too_slow"}
)
_OF_THE_HOST = frozenset({"unreachable", "timed_out", "status_408", "status_429"})


class Shown(StrEnum):
    """What a product with a trouble shows all the same."""

    NOTHING = "nothing"
    ANOTHER = "another_picture"  # one of `additional_image_links`
    OLDER = "older_picture"  # what was at the address before


class PictureState(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the last try; `reason` says why `image_link` itself is not shown, None where it is."""

    links: int  # a digest of all the addresses that it may be fetched from
    source: str | None = None  # the address whose picture is shown
    validators: Validators = NOT_KNOWN  # of that
    reason: str | None = None
    failures: int = 0  # tries in a row that gave no picture
    tried_ms: int
    due_ms: int

    def shown(self, product: Product) -> Shown:
        if product.picture is None:
            return Shown.NOTHING
        return Shown.ANOTHER if self.source != product.image_link else Shown.OLDER


class Tried(msgspec.Struct, frozen=True):
    """What a try of a product's addresses gave: a picture or that it is unchanged, from where; or why not."""

    source: str | None
    picture: str | None = None  # None with a source: unchanged
    validators: Validators = NOT_KNOWN
    reason: str | None = None  # of the first address


def links_of(product: Product) -> tuple[str, ...]:
    """The addresses to try, in turn."""
    first = () if product.image_link is None else (product.image_link,)
    return tuple(dict.fromkeys(first + product.additional_image_links))[:MOST_LINKS]


def digest_of(links: tuple[str, ...]) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(links).encode()).digest()[:7], "big")


def is_wanted(product: Product, state: PictureState | None) -> bool:
    """Whether a product without a picture is tried now: never, or not at the addresses that it has now."""
    links = links_of(product)
    return bool(links) and (state is None or state.links != digest_of(links))


def state_after(
    product: Product, known: PictureState | None, tried: Tried, now_ms: int, dice: float
) -> PictureState:
    """`dice` in [0, 1) spreads what was tried at once over the next times."""
    links = digest_of(links_of(product))
    if tried.source is None:
        same = known is not None and known.links == links
        failures = 1 + (known.failures if same and known is not None else 0)
        wait_ms = _wait_after_failure_ms(tried.reason or "", failures)
    else:
        failures = 0
        wait_ms = LOOK_AGAIN_MS if tried.validators else FETCH_AGAIN_MS
    return PictureState(
        links=links,
        source=tried.source or (known.source if known is not None and product.picture else None),
        validators=tried.validators,
        reason=tried.reason,
        failures=failures,
        tried_ms=now_ms,
        due_ms=now_ms + wait_ms + int(wait_ms * dice / 4),
    )


def state_unnoted(product: Product, now_ms: int, dice: float) -> PictureState:
    """Of a picture that is shown and of which nothing is noted: it is looked at again within the week."""
    due_ms = now_ms + int(FETCH_AGAIN_MS * dice)
    links = digest_of(links_of(product))
    return PictureState(links=links, source=product.image_link, tried_ms=now_ms, due_ms=due_ms)


def _wait_after_failure_ms(reason: str, failures: int) -> int:
    if is_passing(reason):
        return min(PASSING_MS << min(failures - 1, 16), DAY_MS)
    return DAY_MS << min(failures - 1, MOST_DOUBLINGS)


def is_passing(reason: str) -> bool:
    """Whether it may be well again without anybody's doing."""
    return reason in _PASSING or reason.startswith("status_5")


def blames_host(reason: str) -> bool:
    """Whether a host that says so is better left alone for a while."""
    return reason in _OF_THE_HOST or reason.startswith("status_5")


class HostState(msgspec.Struct, frozen=True):
    """How a host of pictures did of late."""

    failures: int = 0
    rests_until_ms: int = 0

    def after(self, *, failed: bool, now_ms: int) -> "HostState":
        """Some failures in a row, and it is left alone for minutes, twice as long each further time."""
        if not failed:
            return HostState()
        failures = self.failures + 1
        if failures < FAILURES_BEFORE_REST:
            return HostState(failures)
        wait_ms = min(REST_MS << min(failures - FAILURES_BEFORE_REST, 16), MOST_REST_MS)
        return HostState(failures, now_ms + wait_ms)


class Trouble(msgspec.Struct, frozen=True):
    """A product whose picture is not the one that its feed names."""

    product: Product
    state: PictureState

    @property
    def key(self) -> int:
        return self.product.key


class PictureCounts(msgspec.Struct, frozen=True):
    """How many of an advertiser's products show a picture, wait for it or name none; why others show none."""

    products: int
    without_address: int
    without_picture: int  # though they name an address
    reasons: dict[str, int]  # of those that were tried and show none
    substituted: dict[str, int]  # the same of those that show another or an older picture

    @property
    def shown(self) -> int:
        return self.products - self.without_address - self.without_picture

    @property
    def waiting(self) -> int:
        return max(0, self.without_picture - sum(self.reasons.values()))
