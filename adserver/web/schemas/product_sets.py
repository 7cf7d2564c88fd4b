"""Product sets as JSON, and what is said of what they hold."""

from collections.abc import Callable
from typing import Annotated

from msgspec.structs import asdict, replace
from pydantic import Field

from adserver.domain.catalogue import Product
from adserver.domain.identity import write_id
from adserver.domain.product_set import ProductSet, SetRule
from adserver.domain.set_survey import Odd, Oddity, Survey
from adserver.web.schemas.catalogue import ItemId
from adserver.web.schemas.fields import Change, Flag, Line, Micros, Name, ShownTime, Strict

MOST_RULES = 20
MOST_WORDS = 200
MOST_ITEMS = 2_000
_LISTS = ("categories", "brands", "labels", "item_ids")

Words = Annotated[list[Line], Field(max_length=MOST_WORDS)]


class SetRuleBody(Strict):
    """What is said of a product: all of it must hold, of a list one word."""

    categories: Words = Field(
        default_factory=list,
        description="beginnings of `product_type` or `google_product_category`: `Shoes > Running`",
    )
    brands: Words = Field(default_factory=list)
    labels: Words = Field(default_factory=list, description="any of `custom_label_0` to `custom_label_4`")
    item_ids: Annotated[list[ItemId], Field(default_factory=list, max_length=MOST_ITEMS)]
    price_min_micros: Micros | None = Field(default=None, description="of what is asked now, sales included")
    price_max_micros: Micros | None = None
    on_sale: Flag | None = None

    def rule(self) -> SetRule:
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return SetRule(**said | {name: tuple(said[name]) for name in _LISTS})


Inclusions = Annotated[
    list[SetRuleBody],
    Field(max_length=MOST_RULES, description="any of them takes a product in; with none, all are in"),
]
Exclusions = Annotated[
    list[SetRuleBody], Field(max_length=MOST_RULES, description="any of them keeps a product out")
]


def _rules(bodies: list[SetRuleBody]) -> tuple[SetRule, ...]:
    return tuple(body.rule() for body in bodies)


class ProductSetRules(Strict):
    """A set to look at before it is saved."""

    inclusions: Inclusions = Field(default_factory=list)
    exclusions: Exclusions = Field(default_factory=list)

    def product_set(self, advertiser_key: int, name: str = "") -> ProductSet:
        return ProductSet(
            key=0,
            advertiser_key=advertiser_key,
            name=name,
            inclusions=_rules(self.inclusions),
            exclusions=_rules(self.exclusions),
        )


class ProductSetDraft(ProductSetRules):
    name: Name


class ProductSetChange(Change):
    name: Name | None = None
    inclusions: Inclusions | None = None
    exclusions: Exclusions | None = None

    def edit(self, product_set: ProductSet) -> ProductSet:
        given = self.given()
        rules = {name: _rules(given.pop(name)) for name in ("inclusions", "exclusions") if name in given}
        return replace(product_set, **given, **rules)


class ProductSetAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    inclusions: list[SetRuleBody]
    exclusions: list[SetRuleBody]
    version: int
    created_at: ShownTime


class ExampleAnswer(Strict):
    item_id: str
    title: str
    brand: str | None
    asked_micros: int


class OddAnswer(Strict):
    code: Oddity
    word: str | None
    did_you_mean: str | None
    says: str


class SurveyAnswer(Strict):
    """What the set holds now."""

    size: int
    catalogue_size: int
    examples: list[ExampleAnswer]
    notes: list[OddAnswer] = Field(description="what of the set is probably not meant")


class SurveyedSetAnswer(ProductSetAnswer, SurveyAnswer):
    pass


def show_product_set(product_set: ProductSet) -> ProductSetAnswer:
    return ProductSetAnswer(
        id=write_id("set", product_set.key),
        advertiser_id=write_id("adv", product_set.advertiser_key),
        name=product_set.name,
        inclusions=_show_rules(product_set.inclusions),
        exclusions=_show_rules(product_set.exclusions),
        version=product_set.version,
        created_at=product_set.created_at_ms,
    )


def show_survey(survey: Survey, now_ms: int) -> SurveyAnswer:
    return SurveyAnswer(
        size=survey.size,
        catalogue_size=survey.catalogue_size,
        examples=[_show_example(product, now_ms) for product in survey.examples],
        notes=[
            OddAnswer(code=odd.oddity, word=odd.word, did_you_mean=odd.meant, says=SAYINGS[odd.oddity](odd))
            for odd in survey.odd()
        ],
    )


def show_surveyed(product_set: ProductSet, survey: Survey, now_ms: int) -> SurveyedSetAnswer:
    shown, surveyed = show_product_set(product_set), show_survey(survey, now_ms)
    return SurveyedSetAnswer(**dict(shown), **dict(surveyed))


def _show_rules(rules: tuple[SetRule, ...]) -> list[SetRuleBody]:
    """In the spelling of a body, so that what was read can be sent again."""
    said = map(asdict, rules)
    return [SetRuleBody.model_construct(**one | {name: list(one[name]) for name in _LISTS}) for one in said]


def _show_example(product: Product, now_ms: int) -> ExampleAnswer:
    return ExampleAnswer(
        item_id=product.item_id,
        title=product.title,
        brand=product.brand,
        asked_micros=product.asked_micros(now_ms),
    )


def _unknown(kind: str, next_: str) -> Callable[[Odd], str]:
    def says(odd: Odd) -> str:
        proposal = f"; did you mean '{odd.meant}'?" if odd.meant else f"; {next_}."
        return f"No product has this {kind}{proposal}"

    return says


SAYINGS: dict[Oddity, Callable[[Odd], str]] = {
    Oddity.UNKNOWN_CATEGORY: _unknown("category", "write it as the feed does, from its first step on"),
    Oddity.UNKNOWN_BRAND: _unknown("brand", "write it as the feed does, or have the feed say brands"),
    Oddity.UNKNOWN_LABEL: _unknown("label", "have the feed say it as a custom label, or leave it out"),
    Oddity.UNKNOWN_ITEM: _unknown("item id", "write it letter by letter as the feed does"),
    Oddity.NO_PRICE_IN_RANGE: lambda odd: "No product is asked at such a price; widen the range.",
    Oddity.NOTHING_ON_SALE: lambda odd: "No product is on sale now; such a rule holds once a sale begins.",
    Oddity.HOLDS_NOTHING: lambda odd: "No product is in this set now: a campaign of it shows no cards.",
    Oddity.HOLDS_EVERYTHING: lambda odd: "Every product is in this set now: it changes nothing.",
}
