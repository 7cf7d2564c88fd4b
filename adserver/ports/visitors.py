"""What may be read of visitors and of what they do."""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from adserver.domain.arrival import Arrived, Grouped, Grouping
from adserver.domain.audience_reach import Panel
from adserver.domain.audience_size import AudienceSize
from adserver.domain.consent_record import ConsentRecord
from adserver.domain.funnel import Exit, Group, Journey, JourneyKey, Step, Told
from adserver.domain.live_view import LiveEvent
from adserver.domain.pixel_sample import Sample
from adserver.domain.replay import Recorded
from adserver.domain.visitor import Profile


class Profiles(Protocol):
    def profile(self, visitor_key: int) -> Profile | None: ...
    def holds(self, visitor_key: int, advertiser_key: int | None = None) -> bool: ...
    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]: ...


class DecisionSamples(Protocol):
    """Sampled decisions of [since, until), oldest first, a piece at a time."""

    def between(self, since_ms: int, until_ms: int) -> Iterator[list[Recorded]]: ...


class Consents(Protocol):
    """What profiles stand on or stood on, for whoever knows the visitor's id."""

    def given(self, visitor_key: int, advertiser_key: int) -> list[ConsentRecord]: ...


class Arrivals(Protocol):
    """What became of the clicks of an advertiser's ads in the UTC days that begin within [since, until)."""

    def total(self, advertiser_key: int, since_ms: int, until_ms: int) -> Arrived: ...
    def groups(
        self, advertiser_key: int, since_ms: int, until_ms: int, by: Grouping, limit: int
    ) -> list[Grouped]: ...


class Pixel(Protocol):
    """What an advertiser's pages have told of late."""

    def hours(self, advertiser_key: int, since_ms: int) -> list[tuple[str, int, int]]: ...
    def samples(self, advertiser_key: int, since_ms: int) -> list[Sample]: ...


class LiveViews(Protocol):
    """Shops that somebody looks at, and what came in there, the newest first."""

    def watched(self, now_ms: int) -> list[int]: ...
    def until_ms(self, advertiser_key: int) -> int: ...
    def events(
        self, advertiser_key: int, after: int, since_ms: int, limit: int
    ) -> list[tuple[int, LiveEvent]]: ...


class AudienceSizes(Protocol):
    """How many visitors audiences hold, as they were counted; and the profiles, place by place, to count."""

    def of_groups(self, group_keys: Collection[int]) -> dict[int, AudienceSize]: ...
    def panel(self, advertiser_key: int) -> Panel | None: ...
    def profiles_after(self, row: int, limit: int) -> list[tuple[int, Profile]]: ...
    def profiles_at(self, rows: Sequence[int]) -> list[Profile]: ...


class Funnels(Protocol):
    """Events in the order of their keys, what was made of them so far, and the figures of the days."""

    def cursor(self) -> int: ...
    def told(self, after: int, until: int, limit: int) -> list[Told]: ...
    def journeys(self, keys: Collection[JourneyKey]) -> dict[JourneyKey, Journey]: ...
    def figures(
        self, advertiser_key: int, since_ms: int, until_ms: int
    ) -> dict[tuple[Group, Step], tuple[int, int]]: ...
    def exits(
        self, advertiser_key: int, since_ms: int, until_ms: int, limit: int
    ) -> list[tuple[Exit, int]]: ...
