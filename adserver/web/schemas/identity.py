"""By what browsers were known, as JSON."""

from collections.abc import Sequence

from msgspec.structs import asdict
from pydantic import ConfigDict, Field

from adserver.domain.recognition import Group, Recognition
from adserver.domain.retention import COUNT_RETENTION_MS
from adserver.web.schemas.fields import GivenTime, ShownTime, Strict

HOUR_MS = 3_600_000
USUAL_MS = 7 * 24 * HOUR_MS


class PeriodQuery(Strict):
    """Whole hours: those that begin within [from, to)."""

    from_: GivenTime | None = Field(default=None, alias="from", description="seven days before `to`")
    to: GivenTime | None = Field(default=None, description="now")

    def period(self, now_ms: int) -> tuple[int, int] | None:
        """[since, until); None where it ends before it begins, or is too long."""
        until_ms = now_ms if self.to is None else self.to
        since_ms = until_ms - USUAL_MS if self.from_ is None else self.from_
        since_ms -= since_ms % HOUR_MS
        return (since_ms, until_ms) if 0 <= until_ms - since_ms <= COUNT_RETENTION_MS + HOUR_MS else None


class GroupAnswer(Strict):
    kind: str | None = Field(description="null in a sum of all kinds")
    family: str | None = Field(description="null in a sum of all families")
    requests: int
    share: float
    window_days: int | None = Field(
        description="for so long such a browser is known, in a sum half of those that are; null: not at all"
    )


class IdentityAnswer(Strict):
    """Requests of people by what their browser was known by; groups below 10 are in `(other)`."""

    requests: int
    groups: list[GroupAnswer]
    kinds: list[GroupAnswer]
    families: list[GroupAnswer]


class SlotIdentityAnswer(IdentityAnswer):
    """What it costs: whose ad could not be chosen for them, shares of all requests; null where too few."""

    unknown_share: float | None = Field(description="since their browser was not known")
    refused_share: float | None = Field(description="since they, or the law by their silence, refuse it")


class Period(Strict):
    model_config = ConfigDict(serialize_by_alias=True)

    from_: ShownTime = Field(alias="from")
    to: ShownTime


class AdvertiserIdentity(Period):
    pixel: IdentityAnswer


class PublisherIdentity(Period):
    slots: SlotIdentityAnswer


class NetworkIdentity(Period):
    """Of all advertisers, and of all publishers."""

    pixel: IdentityAnswer
    slots: SlotIdentityAnswer


def _shown(report: Recognition) -> dict[str, object]:
    def show(groups: Sequence[Group]) -> list[GroupAnswer]:
        return [GroupAnswer(**asdict(one), share=round(one.requests / report.requests, 4)) for one in groups]

    return {
        "requests": report.requests,
        "groups": show(report.groups),
        "kinds": show(report.kinds),
        "families": show(report.families),
    }


def show_pixel_identity(report: Recognition) -> IdentityAnswer:
    return IdentityAnswer.model_validate(_shown(report))


def show_slot_identity(report: Recognition) -> SlotIdentityAnswer:
    def share(requests: int | None) -> float | None:
        return None if requests is None or not report.requests else round(requests / report.requests, 4)

    shares = {"unknown_share": share(report.unknown), "refused_share": share(report.refused)}
    return SlotIdentityAnswer.model_validate(_shown(report) | shares)
