"""How many visitors an audience holds: a census goes through all profiles, a panel answers what is new."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from adserver.domain.audience import Audience, all_rules
from adserver.domain.audience_reach import (
    GroupSize,
    Panel,
    Share,
    counted,
    group_key,
    sampled,
    shared,
)
from adserver.domain.campaign import Advertiser, Campaign, Status
from adserver.domain.catalogue import Product
from adserver.domain.census import Census, Groups, audience_keys_of
from adserver.domain.membership import Membership, Shelves
from adserver.domain.product_set import Members
from adserver.domain.shelf import Shelf
from adserver.domain.visitor import Profile
from adserver.ports import Clock, Stores
from adserver.writes import Result, SaveAudienceSizes

STRETCH = 500  # profiles at a time, some 10 ms; then others have their turn
REST_MS = 20_000  # between two walks at the least
REST_LENGTHS = 5  # and so many times as long as the walk took: the more there are, the less often
PAGE = 500
UNCHANGED_MS = 3_600_000
MOST_PRODUCTS = 5_000  # kept in memory during a walk, of about a kilobyte each
SAVED_AT_ONCE = 20  # advertisers: some milliseconds, in which nothing else is written


class Overlap(msgspec.Struct, frozen=True):
    """Two audiences, and how many visitors are in both."""

    one: GroupSize
    other: GroupSize
    both: Share


class _Catalogue:
    """What some audiences' rules ask of visitors' items, read for many visitors at once."""

    def __init__(self, stores: Stores, audiences: Iterable[Audience]) -> None:
        self._read = stores.catalogue.products
        self._shelf = Shelf[Product](MOST_PRODUCTS)
        self._sets = Members()
        self._asking: dict[int, list[Membership]] = {}  # by advertiser
        for membership in map(Membership, audiences):
            if membership.asks_the_catalogue:
                self._asking.setdefault(membership.audience.advertiser_key, []).append(membership)
                self._know_sets(stores, membership.audience)

    def shelves(self, profiles: Iterable[Profile]) -> Shelves:
        """Of all their items; nothing is read where no rule asks."""
        wanted: dict[int, set[int]] = {}
        if self._asking:
            for shop in (shop for profile in profiles for shop in profile.shops):
                for membership in self._asking.get(shop.advertiser_key, ()):
                    wanted.setdefault(shop.advertiser_key, set()).update(membership.items_asked(shop))
        keys = {advertiser_key: sorted(found) for advertiser_key, found in wanted.items()}
        return Shelves(self._shelf.products(keys, self._read), self._sets)

    def _know_sets(self, stores: Stores, audience: Audience) -> None:
        named = {rule.items.product_set_key for rule in all_rules(audience) if rule.items is not None}
        for key in named - {None}:
            product_set = stores.product_sets.product_set(key or 0)
            if product_set is not None:
                self._sets.put(product_set)


class CountAudiences:
    """A job: one walk after another, in stretches, each audience of every advertiser in the same walk.

    What was counted stands once the walk has come to its end; one that is broken off begins anew. It only
    reads until then, and holds no more than a few numbers for each audience in memory.
    """

    def __init__(self, stores: Stores, clock: Clock, dice: Callable[[], float]) -> None:
        self._stores = stores
        self._clock = clock
        self._dice = dice
        self._census: Census | None = None
        self._catalogue = _Catalogue(stores, ())
        self._row = 0
        self._began_ms = 0
        self._ended_ms = -REST_MS
        self._saved: dict[int, tuple[int, int]] = {}  # by advertiser: digest, and when

    def run(self) -> int:
        """The next stretch; how many profiles it had."""
        now_ms = self._clock()
        if self._census is None:
            if self._rests(now_ms):
                return 0
            self._census, self._row, self._began_ms = self._begin(), 0, now_ms
        found = self._stores.audience_sizes.profiles_after(self._row, STRETCH)
        shelves = self._catalogue.shelves([profile for _, profile in found])
        for row, profile in found:
            self._census.add(row, profile, now_ms, shelves)
            self._row = row
        if len(found) < STRETCH:
            self._finish(self._census, now_ms)
        return len(found)

    def _rests(self, now_ms: int) -> bool:
        took_ms = max(0, self._ended_ms - self._began_ms)
        return 0 <= now_ms - self._ended_ms < max(REST_MS, REST_LENGTHS * took_ms)

    def _begin(self) -> Census:
        stores = self._stores
        by_advertiser: dict[int, tuple[list[Audience], list[Campaign]]] = {}
        for audience in _each(lambda after: stores.audiences.audiences(None, after, PAGE)):
            by_advertiser.setdefault(audience.advertiser_key, ([], []))[0].append(audience)
        for campaign in _each(lambda after: stores.campaigns.campaigns(None, after, PAGE)):
            if campaign.advertiser_key in by_advertiser and campaign.status is not Status.ENDED:
                by_advertiser[campaign.advertiser_key][1].append(campaign)
        self._catalogue = _Catalogue(stores, (one for known, _ in by_advertiser.values() for one in known))
        return Census({key: Groups(*known) for key, known in by_advertiser.items()}, self._dice)

    def _finish(self, census: Census, now_ms: int) -> None:
        self._census, self._ended_ms = None, now_ms
        self._catalogue = _Catalogue(self._stores, ())
        advertisers = _each(lambda after: self._stores.accounts.advertisers(after, PAGE))
        writes = (SaveAudienceSizes(one.key, *census.counts(one.key, now_ms)) for one in advertisers)
        changed = filter(self._says_something_new, writes)
        while some := list(islice(changed, SAVED_AT_ONCE)):
            outcomes = self._stores.writer.commit_many(some)
            saved = [
                one for one, outcome in zip(some, outcomes, strict=True) if outcome.result is Result.SAVED
            ]
            self._saved.update({one.advertiser_key: (_digest(one), now_ms) for one in saved})

    def _says_something_new(self, write: SaveAudienceSizes) -> bool:
        """What stays as it was is saved once an hour: shops may be many, and most of them quiet."""
        digest, saved_ms = self._saved.get(write.advertiser_key, (0, 0))
        return digest != _digest(write) or not 0 <= write.panel.counted_ms - saved_ms < UNCHANGED_MS


class AudienceSizeReports:
    """Reads only. A group that no census has counted yet is read from its advertiser's panel."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._sizes = stores.audience_sizes
        self._audiences = stores.audiences
        self._clock = clock

    def of_audience(self, audience: Audience) -> GroupSize | None:
        """None where nobody was counted yet."""
        return self._of_group(audience.advertiser_key, (audience,))

    def of_audiences(self, audiences: Sequence[Audience]) -> list[GroupSize | None]:
        """Of a page of a list, as far as they were counted."""
        keys = [group_key([audience]) for audience in audiences]
        known = self._sizes.of_groups(keys)
        return [counted(known[key]) if key in known else None for key in keys]

    def of_campaign(self, campaign: Campaign) -> GroupSize | None:
        """All of its audiences together, each visitor once; without any, all who know the shop's pages."""
        found = map(self._audiences.audience, sorted(audience_keys_of(campaign)))
        return self._of_group(campaign.advertiser_key, tuple(one for one in found if one is not None))

    def of_campaigns(self, campaigns: Sequence[Campaign]) -> list[GroupSize | None]:
        """Of a page of a list, as far as they were counted: nobody is looked up."""
        keys = [sorted(audience_keys_of(campaign)) for campaign in campaigns]
        read = {key: self._audiences.audience(key) for key in {key for group in keys for key in group}}
        groups = [group_key(filter(None, (read[key] for key in group))) for group in keys]
        known = self._sizes.of_groups(groups)
        return [
            (counted(known[at]) if at in known else None)
            if group
            else self._sampled(campaign.advertiser_key, ())
            for campaign, group, at in zip(campaigns, keys, groups, strict=True)
        ]

    def preview(self, draft: Audience) -> GroupSize | None:
        """The size of an audience that is not saved."""
        return self._sampled(draft.advertiser_key, (draft,))

    def previews(self, drafts: Sequence[Audience]) -> list[GroupSize | None]:
        """The sizes of some of one advertiser's, for which its visitors are read once."""
        panel = self._sizes.panel(drafts[0].advertiser_key) if drafts else None
        if panel is None:
            return [None] * len(drafts)
        profiles, now_ms = self._sizes.profiles_at(panel.rows), self._clock()
        shelves = _Catalogue(self._stores, drafts).shelves(profiles)
        return [sampled((draft,), profiles, panel, now_ms, shelves) for draft in drafts]

    def of_any(self, advertiser_key: int, group: Sequence[Audience]) -> GroupSize | None:
        """Of some audiences together, saved or not; without any, all who know the shop's pages."""
        return self._sampled(advertiser_key, tuple(group))

    def overlap(self, one: Audience, other: Audience) -> Overlap | None:
        """Of two audiences of the same advertiser; all three figures of one and the same look."""
        panel = self._sizes.panel(one.advertiser_key)
        if panel is None:
            return None
        now_ms = self._clock()
        profiles = self._sizes.profiles_at(panel.rows)
        asked = (profiles, panel, now_ms, _Catalogue(self._stores, (one, other)).shelves(profiles))
        return Overlap(sampled((one,), *asked), sampled((other,), *asked), shared(one, other, *asked))

    def _of_group(self, advertiser_key: int, group: tuple[Audience, ...]) -> GroupSize | None:
        key = group_key(group)
        known = self._sizes.of_groups([key]) if group else {}
        return counted(known[key]) if key in known else self._sampled(advertiser_key, group)

    def _sampled(self, advertiser_key: int, group: tuple[Audience, ...]) -> GroupSize | None:
        panel = self._sizes.panel(advertiser_key)
        return None if panel is None else self._of_panel(panel, group)

    def _of_panel(self, panel: Panel, group: tuple[Audience, ...]) -> GroupSize:
        profiles = self._sizes.profiles_at(panel.rows) if group else []
        shelves = _Catalogue(self._stores, group).shelves(profiles)
        return sampled(group, profiles, panel, self._clock(), shelves)


def _digest(write: SaveAudienceSizes) -> int:
    """Of all but when it was counted."""
    return hash((msgspec.structs.replace(write.panel, counted_ms=0), write.groups))


Listed = TypeVar("Listed", Advertiser, Audience, Campaign)


def _each(page_after: Callable[[int], Sequence[Listed]]) -> Iterator[Listed]:
    """All of a kind, page by page."""
    after = -1
    while page := page_after(after):
        yield from page
        after = page[-1].key
