"""A census: one walk over all profiles, which counts the visitors of every audience of every advertiser."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from adserver.domain.audience import Audience
from adserver.domain.audience_reach import MOST_PANEL, Panel, asked_of, group_key, is_reachable
from adserver.domain.campaign import Campaign
from adserver.domain.membership import NO_SHELVES, Shelves
from adserver.domain.visitor import Profile

NOBODY = (0, 0)


class GroupCount(msgspec.Struct, frozen=True, array_like=True):
    """A group as it was counted; `audience_key` is 0 where it is several audiences together."""

    group_key: int
    audience_key: int
    members: int
    reachable: int


class Groups:
    """What is counted of one advertiser: its audiences, and those that a campaign names together.

    A visitor's memberships are one number with a bit for each audience, so that a group costs no more than
    a comparison, however many campaigns there are.
    """

    def __init__(self, audiences: Sequence[Audience], campaigns: Iterable[Campaign]) -> None:
        self._asked = tuple(asked_of(audience) for audience in audiences)
        bits = {audience.key: 1 << place for place, audience in enumerate(audiences)}
        self._masks: dict[int, list[Audience]] = {bits[audience.key]: [audience] for audience in audiences}
        for campaign in campaigns:
            named = [one for one in audiences if one.key in audience_keys_of(campaign)]
            if named:
                self._masks.setdefault(sum(bits[one.key] for one in named), named)
        self._members = dict.fromkeys(self._masks, 0)
        self._reachable = dict.fromkeys(self._masks, 0)

    def add(self, profile: Profile, is_reached: bool, now_ms: int, shelves: Shelves) -> None:
        mask, bit = 0, 1
        for belongs in self._asked:
            if belongs(profile, now_ms, shelves):
                mask |= bit
            bit <<= 1
        if not mask:
            return
        for group in self._masks:
            if mask & group:
                self._members[group] += 1
                self._reachable[group] += is_reached

    def counts(self) -> tuple[GroupCount, ...]:
        return tuple(
            GroupCount(
                group_key(named),
                named[0].key if len(named) == 1 else 0,
                self._members[mask],
                self._reachable[mask],
            )
            for mask, named in self._masks.items()
        )


class Census:
    """Adds profile by profile. `dice` in [0, 1) draw the panel of an advertiser with many visitors.

    Held in memory are a few numbers for each group and at most MOST_PANEL for each advertiser.
    """

    def __init__(self, groups: Mapping[int, Groups], dice: Callable[[], float]) -> None:
        self._groups = groups
        self._dice = dice
        self._rows: dict[int, list[int]] = {}
        self._seen: dict[int, tuple[int, int]] = {}  # by advertiser: visitors, and the reachable of them

    def add(self, row: int, profile: Profile, now_ms: int, shelves: Shelves = NO_SHELVES) -> None:
        """`shelves` hold what rules may ask of the visitor's items."""
        is_reached = is_reachable(profile, now_ms)
        for shop in profile.shops:
            advertiser_key = shop.advertiser_key
            visitors, reachable = self._seen.get(advertiser_key, NOBODY)
            self._seen[advertiser_key] = (visitors + 1, reachable + is_reached)
            self._draw(advertiser_key, row, visitors)
            groups = self._groups.get(advertiser_key)
            if groups is not None:
                groups.add(profile, is_reached, now_ms, shelves)

    def _draw(self, advertiser_key: int, row: int, before: int) -> None:
        """Each visitor is as likely to be among the panel, however many come after (Vitter's algorithm R)."""
        rows = self._rows.setdefault(advertiser_key, [])
        if before < MOST_PANEL:
            rows.append(row)
            return
        place = int(self._dice() * (before + 1))
        if place < MOST_PANEL:
            rows[place] = row

    def counts(self, advertiser_key: int, counted_ms: int) -> tuple[Panel, tuple[GroupCount, ...]]:
        """What was counted of an advertiser, be it nobody."""
        rows = self._rows.get(advertiser_key, ())
        panel = Panel(*self._seen.get(advertiser_key, NOBODY), counted_ms, tuple(sorted(rows)))
        groups = self._groups.get(advertiser_key)
        return panel, () if groups is None else groups.counts()


def audience_keys_of(campaign: Campaign) -> frozenset[int]:
    """Whom a campaign names; none of them: every visitor who knows its advertiser's pages."""
    return frozenset(named.audience_key for named in campaign.terms.audience_rates)
