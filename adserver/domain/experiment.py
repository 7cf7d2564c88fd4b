"""Experiments, and which arm a visitor is in for good; a holdout is an advertiser's own."""

from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import key_of
from adserver.domain.visitor import DAY_MS

WHOLE_BPS = 10_000
MOST_HOLDOUT_BPS = 5_000
WINDOW_MS = 14 * DAY_MS  # what a visitor does for so long after entering counts for the arm
SHOWN, HELD_OUT = 0, 1  # the arms of a holdout
UNTRIED = 2  # everybody, while there is none: what one could show follows from what they buy


class Subject(StrEnum):
    """What differs between the arms of a campaign."""

    CREATIVES = "creatives"
    OFFERS = "offers"  # creatives that differ in what they offer
    AUDIENCES = "audiences"


class Metric(StrEnum):
    """What the arms are compared by."""

    CLICK_RATE = "click_rate"
    PURCHASES = "purchases"  # and what follows, of each visitor
    LEADS = "leads"
    REVENUE = "revenue"


class Arm(msgspec.Struct, frozen=True, gc=False):
    """A share of visitors, and what of the campaign they may see or belong to."""

    name: str
    share_bps: int
    creative_keys: tuple[int, ...] = ()
    audience_keys: tuple[int, ...] = ()


class Experiment(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """A comparison within a campaign; the first arm is what the others are compared with.

    `visitors_planned` is told before it starts: whoever looks once looks then.
    """

    key: int
    advertiser_key: int
    campaign_key: int
    name: str
    subject: Subject
    arms: tuple[Arm, ...]
    metric: Metric
    visitors_planned: int
    starts_at_ms: int
    ends_at_ms: int | None = None
    version: int = 1
    created_at_ms: int = 0

    def runs(self, now_ms: int) -> bool:
        return self.starts_at_ms <= now_ms and (self.ends_at_ms is None or now_ms < self.ends_at_ms)


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That a visitor is in an experiment's arm from now on, if not before."""

    experiment_key: int
    arm: int
    campaign_key: int = 0  # whose ads are compared; 0 for all of the advertiser's


class Flaw(StrEnum):
    """Why an experiment cannot be."""

    ARMS_TOO_FEW = "arms_too_few"
    ARM_TWICE = "arm_twice"
    SHARES_EXCEED_ALL = "shares_exceed_all"
    ARM_SAYS_NOTHING = "arm_says_nothing"
    ARMS_ALIKE = "arms_alike"
    UNKNOWN_IN_ARM = "unknown_in_arm"
    OFFERS_ALIKE = "offers_alike"
    EXPERIMENT_ENDS_FIRST = "experiment_ends_first"
    EXPERIMENT_OVERLAPS = "experiment_overlaps"


def check(experiment: Experiment) -> Flaw | None:
    """Whether the experiment makes sense by itself."""
    arms = experiment.arms
    said = [_said(experiment.subject, arm) for arm in arms]
    if len(arms) < 2:
        return Flaw.ARMS_TOO_FEW
    if len({arm.name for arm in arms}) < len(arms):
        return Flaw.ARM_TWICE
    if sum(arm.share_bps for arm in arms) > WHOLE_BPS:
        return Flaw.SHARES_EXCEED_ALL
    if not all(said):
        return Flaw.ARM_SAYS_NOTHING
    if len(set(map(frozenset, said))) < len(arms):
        return Flaw.ARMS_ALIKE
    ends = experiment.ends_at_ms
    return Flaw.EXPERIMENT_ENDS_FIRST if ends is not None and ends <= experiment.starts_at_ms else None


def _said(subject: Subject, arm: Arm) -> tuple[int, ...]:
    """What the arm names of its subject; nothing where it names something else besides."""
    own, other = arm.creative_keys, arm.audience_keys
    if subject is Subject.AUDIENCES:
        own, other = other, own
    return () if other else own


def overlap(one: Experiment, other: Experiment) -> bool:
    """Whether both would be about the same campaign at the same time."""
    if one.campaign_key != other.campaign_key or one.key == other.key:
        return False
    return _begins_in_time(one, other) and _begins_in_time(other, one)


def _begins_in_time(one: Experiment, other: Experiment) -> bool:
    return other.ends_at_ms is None or one.starts_at_ms < other.ends_at_ms


# ---- the lot ----


def lot(purpose: bytes, salt: int, visitor_key: int) -> int:
    """Where the visitor falls among 10,000, always the same; each experiment draws anew."""
    digest = blake2b(digest_size=8, person=purpose)
    digest.update(salt.to_bytes(8, "big") + visitor_key.to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big") % WHOLE_BPS


def arm_of(experiment: Experiment, visitor_key: int) -> int | None:
    """The visitor's arm; None outside of all shares, and for whoever has no cookie."""
    if not visitor_key:
        return None
    place, end = lot(b"arm", experiment.key, visitor_key), 0
    for number, arm in enumerate(experiment.arms):
        end += arm.share_bps
        if place < end:
            return number
    return None


def is_held_out(visitor_key: int, advertiser: Advertiser) -> bool:
    """Whether the visitor sees no ads of the advertiser; nobody leaves where the share grows."""
    if not advertiser.holdout_bps or not visitor_key:
        return False
    return (
        lot(b"holdout", _salt(advertiser.key, advertiser.holdout_draw), visitor_key) < advertiser.holdout_bps
    )


@lru_cache(maxsize=10_000)  # asked at every ad
def _salt(advertiser_key: int, draw: int) -> int:
    """Of the advertiser, and of how often it has turned its holdout on: each time the lots are drawn anew."""
    return key_of(b"holdout", advertiser_key.to_bytes(8, "big"), draw.to_bytes(8, "big"))


def holdout_key(advertiser: Advertiser) -> int:
    """Under which the comparison of an advertiser is kept since its share was last changed.

    Without a holdout as well: what its visitors do tells what one could show.
    """
    return _compared(advertiser.key, advertiser.holdout_since_ms or 0)


def holdout_entry(advertiser: Advertiser, arm: int) -> Entry:
    """Whose ad has won is in the arm from now on; without a holdout nobody is in one."""
    return _entry(holdout_key(advertiser), arm if advertiser.holdout_bps else UNTRIED)


@lru_cache(maxsize=10_000)
def _entry(experiment_key: int, arm: int) -> Entry:
    return Entry(experiment_key, arm)


@lru_cache(maxsize=10_000)
def _compared(advertiser_key: int, since_ms: int) -> int:
    return key_of(b"compared", advertiser_key.to_bytes(8, "big"), since_ms.to_bytes(8, "big"))


def dated_holdout(known: Advertiser, wished: Advertiser, now_ms: int) -> Advertiser:
    """Another share is compared anew from now on, since some have seen ads; turned on, lots are new."""
    if wished.holdout_bps == known.holdout_bps:
        return wished
    return msgspec.structs.replace(
        wished,
        holdout_draw=known.holdout_draw + (known.holdout_bps == 0),
        holdout_since_ms=now_ms if wished.holdout_bps else None,
    )
