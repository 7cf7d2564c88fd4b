"""Saved reports, as they come in and go out."""

from typing import Annotated, Any
from urllib.parse import parse_qs

from msgspec.structs import replace
from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from adserver.domain.identity import write_id
from adserver.domain.report import Side
from adserver.domain.saved_report import SavedReport
from adserver.web.schemas.fields import AdvertiserId, Change, Name, Paging, PublisherId, ShownTime, Strict
from adserver.web.schemas.reports import Filters, ReportAsked

_LISTS = {"metrics", "group_by", *Filters.model_fields}
_OF_NO_QUESTION = ("advertiser_id", "publisher_id", "format")


def _answerable(text: str) -> str:
    """A question that the address of reports would take; whose it is, the saved report says."""
    try:
        asked_of(text)
    except ValidationError:
        raise PydanticCustomError("not_a_report", "A report's address takes no such question") from None
    return text


def asked_of(query: str) -> ReportAsked:
    """The question behind a query string."""
    given: dict[str, Any] = parse_qs(query.removeprefix("?"), keep_blank_values=True, max_num_fields=50)
    if any(name in given for name in _OF_NO_QUESTION):
        raise PydanticCustomError("not_a_report", "Whose report it is, the saved report says itself")
    told = {name: values if name in _LISTS else values[-1] for name, values in given.items()}
    return ReportAsked.model_validate(told)


Question = Annotated[
    str,
    StringConstraints(max_length=4_000),
    AfterValidator(_answerable),
    Field(description="what stands behind the `?` of a report's address"),
]


class OwnerAsked(Strict):
    """Whose they are; an account's own key need not say."""

    advertiser_id: AdvertiserId | None = None
    publisher_id: PublisherId | None = None


class SavedReportList(Paging, OwnerAsked):
    pass


class SavedReportDraft(OwnerAsked):
    name: Name
    query: Question

    def saved_report(self, side: Side, owner_key: int) -> SavedReport:
        return SavedReport(key=0, side=side, owner_key=owner_key, name=self.name, query=self.query)


class SavedReportChange(Change):
    name: Name | None = None
    query: Question | None = None

    def edit(self, known: SavedReport) -> SavedReport:
        return replace(known, **self.given())


class SavedReportAnswer(Strict):
    id: str
    side: Side
    advertiser_id: str | None
    publisher_id: str | None
    name: str
    query: str
    created_at: ShownTime


def show_saved_report(saved: SavedReport) -> SavedReportAnswer:
    return SavedReportAnswer(
        id=write_id("rep", saved.key),
        side=saved.side,
        advertiser_id=write_id("adv", saved.owner_key) if saved.side is Side.ADVERTISER else None,
        publisher_id=write_id("pub", saved.owner_key) if saved.side is Side.PUBLISHER else None,
        name=saved.name,
        query=saved.query,
        created_at=saved.created_at_ms,
    )
