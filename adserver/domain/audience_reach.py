"""How many visitors an audience holds, how many of them may be reached, and what to say before launch."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from math import sqrt

import msgspec

from adserver.domain.audience import Audience
from adserver.domain.audience_size import AudienceSize
from adserver.domain.identity import key_of
from adserver.domain.membership import NO_SHELVES, Membership, Shelves
from adserver.domain.visitor import DAY_MS, Profile

REACH_DAYS = 7  # seen at one of our slots today or on one of the six days before, in UTC
FEWEST_TOLD = 10  # a smaller group of people is told as "fewer than 10"
FEWEST_NARROWED = 50  # members without whom an audience narrowed by place, list or value is not served
MOST_PANEL = 2_000  # visitors of an advertiser who are looked up where a group was not counted yet
_CONFIDENCE = 1.96  # of 95 %


class Panel(msgspec.Struct, frozen=True, array_like=True):
    """Which of an advertiser's visitors are looked up for a quick count: all of them, or so many by lot.

    `rows` are places in the store of profiles, not ids: of whoever was erased, nothing is found there.
    """

    population: int
    reachable: int
    counted_ms: int
    rows: tuple[int, ...] = ()


class Share(msgspec.Struct, frozen=True):
    """How many there are: counted where the three are one, else read from a sample; 95 % lie within."""

    best: int
    least: int
    most: int

    @property
    def is_exact(self) -> bool:
        return self.least == self.best == self.most


class GroupSize(msgspec.Struct, frozen=True):
    """What is known of a group's size, and as of when."""

    members: Share
    reachable: Share
    counted_ms: int


class SizeWarning(StrEnum):
    """What of a size speaks against launching."""

    NOT_COUNTED = "not_counted"
    NOBODY = "nobody"
    TOO_FEW = "too_few"
    FEW = "few"
    NOBODY_REACHABLE = "nobody_reachable"


Asked = Callable[[Profile, int, Shelves], bool]


def asked_of(audience: Audience) -> Asked:
    """What tells of each profile at a time whether it belongs to the audience: made once, asked of many."""
    membership = Membership(audience)
    return lambda profile, now_ms, shelves: membership.since_ms(profile, now_ms, shelves) > 0


def exactly(count: int) -> Share:
    return Share(count, count, count)


def group_key(audiences: Iterable[Audience]) -> int:
    """Under which the visitors in any of some audiences are counted; another once one of those is changed."""
    parts = sorted((audience.key, audience.version) for audience in audiences)
    return key_of(b"group", *(f"{key}.{version}".encode() for key, version in parts))


def is_reachable(profile: Profile, now_ms: int) -> bool:
    """Whether the visitor was at one of our slots in the last days, with an ad or without."""
    return profile.slot_day > now_ms // DAY_MS - REACH_DAYS


def estimate(found: int, looked_at: int, population: int) -> Share:
    """How many of a population are like those found among some of it that were drawn by lot.

    Wilson's interval, narrowed as the sample nears the whole: who is not in the sample alone is in doubt.
    """
    if looked_at >= population:
        return exactly(found)
    if not looked_at:
        return Share(0, 0, population)
    share, doubt = found / looked_at, (population - looked_at) / (population - 1)
    spread = _CONFIDENCE**2 * doubt / looked_at
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    least = max(found, round(population * (middle - half)))
    most = min(population - looked_at + found, round(population * (middle + half)))
    return Share(min(max(round(population * share), least), most), least, most)


def sampled(
    group: tuple[Audience, ...],
    profiles: Iterable[Profile],
    panel: Panel,
    now_ms: int,
    shelves: Shelves = NO_SHELVES,
) -> GroupSize:
    """The size of a group by its advertiser's panel; of no audience: all of its visitors."""
    if not group:
        return GroupSize(exactly(panel.population), exactly(panel.reachable), panel.counted_ms)
    look = _Look(profiles, panel, group[0].advertiser_key)
    asked = [asked_of(audience) for audience in group]
    members = [one for one in look.profiles if any(belongs(one, now_ms, shelves) for belongs in asked)]
    reachable = [one for one in members if is_reachable(one, now_ms)]
    # Whoever came since is not in the panel: it is as of then.
    return GroupSize(look.share(len(members)), look.share(len(reachable)), panel.counted_ms)


def shared(
    one: Audience,
    other: Audience,
    profiles: Iterable[Profile],
    panel: Panel,
    now_ms: int,
    shelves: Shelves = NO_SHELVES,
) -> Share:
    """How many visitors are in both of two audiences, by their advertiser's panel."""
    look = _Look(profiles, panel, one.advertiser_key)
    in_one, in_other = asked_of(one), asked_of(other)
    asked = (now_ms, shelves)
    return look.share(sum(in_one(who, *asked) and in_other(who, *asked) for who in look.profiles))


class _Look:
    """Who of a panel is still there: of whoever was erased, somebody else may have taken the place."""

    def __init__(self, profiles: Iterable[Profile], panel: Panel, advertiser_key: int) -> None:
        self.profiles = [one for one in profiles if one.shop(advertiser_key) is not None]
        knows_all = len(panel.rows) >= panel.population
        self._population = len(self.profiles) if knows_all else panel.population

    def share(self, found: int) -> Share:
        return estimate(found, len(self.profiles), self._population)


def counted(size: AudienceSize) -> GroupSize:
    return GroupSize(exactly(size.members), exactly(size.reachable), size.counted_ms)


# ---- what is told ----


def told(count: int) -> int | None:
    """A figure of people as it may be shown: None for a few."""
    return None if 0 < count < FEWEST_TOLD else count


def told_overlap(both: int, one: int, other: int) -> int | None:
    """How many are in both of two audiences, unless that, or what is left of one of them, names a few."""
    parts = (both, one - both, other - both)
    return None if any(told(part) is None for part in parts) else both


def overlap_words(both: int, one: int, other: int) -> str:
    """A sentence about two audiences."""
    if told(both) is None:
        return f"fewer than {FEWEST_TOLD} people are in both"
    if not both:
        return "nobody is in both"
    if told_overlap(both, one, other) is None:
        return f"all but fewer than {FEWEST_TOLD} people of the smaller one, or of both, are in both"
    return f"{both:,} are in both: {both / one:.0%} of this audience, {both / other:.0%} of the other"


def warnings_of(size: GroupSize | None) -> list[SizeWarning]:
    if size is None:
        return [SizeWarning.NOT_COUNTED]
    members = size.members.best
    if not members:
        return [SizeWarning.NOBODY]
    if members < FEWEST_TOLD:
        return [SizeWarning.TOO_FEW]
    found = [SizeWarning.FEW] if members < FEWEST_NARROWED else []
    return found if size.reachable.best else [*found, SizeWarning.NOBODY_REACHABLE]


def words_of(size: GroupSize | None, of_whom: str = "in this audience") -> str:
    """A sentence for whoever is about to launch."""
    if size is None:
        return "not counted yet: the first count is there within a few minutes of the server's start"
    members, reachable = size.members, size.reachable
    if not members.best:
        return f"nobody {of_whom} yet"
    if members.best < FEWEST_TOLD:
        return f"fewer than {FEWEST_TOLD} people {of_whom}: too few to launch"
    seen = f"{_number(reachable)} were seen on our slots in {REACH_DAYS} days"
    words = f"of {_number(members)} {of_whom}, {seen}"
    if members.best < FEWEST_NARROWED:
        return f"{words}; narrowed by place, list or value, an audience needs {FEWEST_NARROWED} to be served"
    return words if reachable.best else f"{words}: hardly anybody would see the ads now"


def _number(share: Share) -> str:
    if told(share.best) is None:
        return f"fewer than {FEWEST_TOLD}"
    if share.is_exact:
        return f"{share.best:,}" if share.best else "none"
    return f"about {share.best:,}"
