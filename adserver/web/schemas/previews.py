"""Previews as JSON: what to show in place of what would be shown, and what there is to look at."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from adserver.domain.situation import Situation
from adserver.flows.preview import CARDS_OF_IMAGE, MOST_CARDS, Shown, Wish
from adserver.web.schemas.fields import Name, Strict
from creatives.formats import FORMATS

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}$")]


class PreviewWish(Strict):
    """A query; what is not named is as anybody would see it."""

    item_ids: list[Name] = Field(default=[], max_length=MOST_CARDS, description="products, best first")
    language: Language | None = Field(default=None, description="of our own words, such as ar or pt-BR")
    theme: Literal["light", "dark", "auto"] | None = None
    situation: Situation | None = Field(default=None, description="whose `copies` to speak")

    def wish(self) -> Wish:
        return Wish(tuple(self.item_ids), self.language, self.theme, self.situation)


class PreviewFormat(Strict):
    format: str
    width: int = Field(description="0 where the document fills its frame")
    height: int
    html: str = Field(description="addresses, without the query that was asked with")
    gif: str
    png: str


class Undrawn(Strict):
    item_id: str | None = Field(description="null where they are the advertiser's own words")
    scripts: str = Field(description="whose letters no font has; image creatives leave them out")


class PreviewAnswer(Strict):
    item_ids: list[str] = Field(description=f"the products; pictures show the first {CARDS_OF_IMAGE}")
    formats: list[PreviewFormat]
    sheet: str
    undrawn: list[Undrawn]


def show_preview(creative_id: str, shown: Shown, undrawn: Sequence[tuple[str | None, str]]) -> PreviewAnswer:
    base = f"/api/v1/creatives/{creative_id}/preview"
    return PreviewAnswer(
        item_ids=[product.item_id for product in shown.products],
        formats=[
            PreviewFormat(
                format=name,
                width=format_.width,
                height=format_.height,
                html=f"{base}/{name}.html",
                gif=f"{base}/{name}.gif",
                png=f"{base}/{name}.png",
            )
            for name, format_ in FORMATS.items()
        ],
        sheet=f"{base}/sheet.png",
        undrawn=[Undrawn(item_id=item_id, scripts=scripts) for item_id, scripts in undrawn],
    )
