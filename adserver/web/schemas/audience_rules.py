"""The rules of audiences as JSON: what is read can be sent again."""

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, model_serializer
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from adserver.domain.audience import EVENTS_OF_RULES, MOST_COUNTED, Clause, ItemFilter, Rule
from adserver.web.schemas.catalogue import ItemId
from adserver.web.schemas.fields import Cap, Micros, ProductSetId, Strict, id_writer
from adserver.web.schemas.product_sets import Words

MOST_ITEMS = 2_000
MOST_IN_GROUP = 40
_EVENTS = frozenset(map(str, EVENTS_OF_RULES))


def _known_event(name: str) -> str:
    if name not in _EVENTS:
        raise PydanticCustomError("unknown_event", "There is no such event")
    return name


RuleEvent = Annotated[
    str,
    AfterValidator(_known_event),
    WithJsonSchema(
        {
            "type": "string",
            "enum": [str(name) for name in EVENTS_OF_RULES],
            "description": "the shop's, or `ad_seen`, `ad_clicked`, `ad_landed`, or `any_event` of the shop",
        }
    ),
]
RetentionDays = Annotated[
    int, Field(strict=True, ge=1, le=540, description="no more than the event is kept: `longer_than_kept`")
]
Times = Annotated[int, Field(strict=True, ge=1, le=MOST_COUNTED)]


class Said(Strict):
    """A body that is shown without what it does not say."""

    @model_serializer(mode="wrap")
    def _without_silence(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialise(self).items() if value not in (None, [])}


class ItemFilterBody(Said):
    """Which items the event names: all that is said must hold of one of them, of a list one word."""

    item_ids: Annotated[list[ItemId], Field(default_factory=list, max_length=MOST_ITEMS)]
    product_set_id: Annotated[ProductSetId, id_writer("set")] | None = None
    categories: Words = Field(default_factory=list, description="beginnings, as in a product set")
    brands: Words = Field(default_factory=list)

    def filter(self) -> ItemFilter:
        return ItemFilter(
            item_ids=tuple(self.item_ids),
            product_set_key=self.product_set_id,
            categories=tuple(self.categories),
            brands=tuple(self.brands),
        )


class CountBody(Said):
    """How often it came within the window; once at least, since who never did it is excluded otherwise."""

    at_least: Times | None = None
    at_most: Times | None = None


class ValueBody(Said):
    """For how much, in the advertiser's currency: of all these events together, or of one of them."""

    total_at_least_micros: Cap | None = None
    one_at_least_micros: Cap | None = None


class AveragePriceBody(Said):
    """Of the items that were named, as the page told it, else as the catalogue does."""

    at_least_micros: Micros | None = None
    at_most_micros: Micros | None = None


class RuleBody(Said):
    """That the event came within so many days: so often, with such items, for so much."""

    event: RuleEvent
    retention_days: RetentionDays
    items: ItemFilterBody | None = None
    count: CountBody | None = None
    value: ValueBody | None = None
    average_price: AveragePriceBody | None = None

    def rule(self) -> Rule:
        count, value = self.count or CountBody(), self.value or ValueBody()
        price = self.average_price or AveragePriceBody()
        return Rule(
            self.event,
            self.retention_days,
            None if self.items is None else self.items.filter(),
            1 if count.at_least is None else count.at_least,
            count.at_most,
            value.total_at_least_micros,
            value.one_at_least_micros,
            price.at_least_micros,
            price.at_most_micros,
        )

    def clause(self) -> Clause:
        return Clause(rule=self.rule())


class AllBody(Strict):
    """All of these must apply; one of them may be an `exclude`."""

    all: Annotated[list["ClauseBody"], Field(max_length=MOST_IN_GROUP)]

    def clause(self) -> Clause:
        return Clause(all=tuple(one.clause() for one in self.all))


class AnyBody(Strict):
    """One of these is enough."""

    any: Annotated[list["ClauseBody"], Field(max_length=MOST_IN_GROUP)]

    def clause(self) -> Clause:
        return Clause(any=tuple(one.clause() for one in self.any))


class ExcludeBody(Strict):
    """Whoever this applies to is kept out."""

    exclude: "ClauseBody"

    def clause(self) -> Clause:
        return Clause(exclude=self.exclude.clause())


def _kind_of(given: object) -> str:
    named = (
        given if isinstance(given, dict) else type(given).model_fields if isinstance(given, Strict) else ()
    )
    return next((kind for kind in ("all", "any", "exclude") if kind in named), "rule")


ClauseBody = Annotated[
    Annotated[AllBody, Tag("all")]
    | Annotated[AnyBody, Tag("any")]
    | Annotated[ExcludeBody, Tag("exclude")]
    | Annotated[RuleBody, Tag("rule")],
    Discriminator(_kind_of),
]
for _body in (AllBody, AnyBody, ExcludeBody):
    _body.model_rebuild()


def show_rule(rule: Rule) -> RuleBody:
    counts = (None if rule.at_least == 1 else rule.at_least, rule.at_most)
    values = (rule.total_at_least_micros, rule.one_at_least_micros)
    prices = (rule.average_at_least_micros, rule.average_at_most_micros)
    return RuleBody.model_construct(
        event=str(rule.event),
        retention_days=rule.retention_days,
        items=None if rule.items is None else _show_filter(rule.items),
        count=_said(CountBody, ("at_least", "at_most"), counts),
        value=_said(ValueBody, ("total_at_least_micros", "one_at_least_micros"), values),
        average_price=_said(AveragePriceBody, ("at_least_micros", "at_most_micros"), prices),
    )


def _said(kind: type[Any], names: tuple[str, str], values: tuple[int | None, int | None]) -> Any:
    return None if values == (None, None) else kind.model_construct(**dict(zip(names, values, strict=True)))


def _show_filter(items: ItemFilter) -> ItemFilterBody:
    return ItemFilterBody.model_construct(
        item_ids=list(items.item_ids),
        product_set_id=items.product_set_key,
        categories=list(items.categories),
        brands=list(items.brands),
    )


def show_clause(clause: Clause) -> AllBody | AnyBody | ExcludeBody | RuleBody:
    if clause.rule is not None:
        return show_rule(clause.rule)
    if clause.exclude is not None:
        return ExcludeBody.model_construct(exclude=show_clause(clause.exclude))
    shown = [show_clause(one) for one in clause.group]
    return AllBody.model_construct(all=shown) if clause.all else AnyBody.model_construct(any=shown)
