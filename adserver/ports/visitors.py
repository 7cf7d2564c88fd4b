"""What may be read of visitors and of what they do."""

from typing import Protocol

from adserver.domain.arrival import Arrived, Grouped, Grouping
from adserver.domain.consent_record import ConsentRecord
from adserver.domain.pixel_sample import Sample
from adserver.domain.visitor import Profile


class Profiles(Protocol):
    def profile(self, visitor_key: int) -> Profile | None: ...
    def holds(self, visitor_key: int, advertiser_key: int | None = None) -> bool: ...
    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]: ...


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
