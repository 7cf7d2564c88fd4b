"""A slot's question and the reasons of its answer as JSON."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.advice import advice_of
from adserver.domain.caller import Place
from adserver.domain.campaign import Advertiser
from adserver.domain.decision import Decision
from adserver.domain.identity import write_id
from adserver.domain.page import MOST_CATEGORIES, MOST_KEYWORDS
from adserver.domain.pricing import CONTEXTUAL
from adserver.domain.verdict import Score, Verdict
from adserver.domain.visitor import MOST_SHOWN, Profile, Shown, fold_event
from adserver.flows.serve.explain import Explained, Looked, Question
from adserver.web.schemas.catalogue import ItemId
from adserver.web.schemas.fields import (
    AdvertiserId,
    CampaignId,
    Flag,
    GivenTime,
    ShownTime,
    SlotId,
    Strict,
)
from adserver.web.schemas.targeting import value_from
from pixel.events import Device, Event, EventName, Item

MOST_DOINGS = 200
MOST_VERDICTS = 500
CHOSEN = "chosen"


class DoingBody(Strict):
    """An event of the described visitor at a shop; the oldest are folded first, whatever their order."""

    advertiser_id: AdvertiserId
    event: EventName
    item_ids: list[ItemId] = Field(default_factory=list, max_length=50)
    at: GivenTime | None = Field(default=None, description="left out: at the moment that is asked about")


class ShownBody(Strict):
    """How often the described visitor has seen a campaign, last at a time."""

    campaign_id: CampaignId
    times: int = Field(default=1, strict=True, ge=1, le=MOST_SHOWN)
    at: GivenTime | None = None


class ProfileBody(Strict):
    """A visitor who need not exist."""

    events: list[DoingBody] = Field(default_factory=list, max_length=MOST_DOINGS)
    shown: list[ShownBody] = Field(default_factory=list, max_length=MOST_DOINGS)

    def profile(self, now_ms: int) -> Profile:
        profile = Profile(now_ms)
        for doing in sorted(self.events, key=lambda one: one.at or now_ms):
            event = Event(doing.event, items=tuple(map(Item, doing.item_ids)))
            fold_event(profile, doing.advertiser_id, event, doing.at or now_ms)
        profile.shown = [Shown(one.campaign_id, [one.at or now_ms] * one.times) for one in self.shown]
        return profile


def _spelled(dimension: str) -> AfterValidator:
    """As a campaign's targeting spells it."""
    return AfterValidator(lambda text: value_from(dimension, text))


Text = Annotated[str, Field(min_length=1, max_length=120)]
Country = Annotated[Text, _spelled("countries")]
Subdivision = Annotated[Text, _spelled("subdivisions")]
Language = Annotated[Text, _spelled("languages")]
Category = Annotated[Text, _spelled("categories")]
Keyword = Annotated[Text, _spelled("keywords")]


class PageBody(Strict):
    """Where and by what the page is looked at, and what its publisher says of it; left out: nobody knows."""

    country: Country | None = None
    subdivisions: list[Subdivision] = Field(
        default_factory=list, max_length=2, description="of the country: GB-ENG, and GB-WBK within it"
    )
    device: Device | None = None
    language: Language | None = None
    categories: list[Category] = Field(default_factory=list, max_length=MOST_CATEGORIES)
    keywords: list[Keyword] = Field(default_factory=list, max_length=MOST_KEYWORDS)

    @model_validator(mode="after")
    def _is_one_place(self) -> "PageBody":
        if any(one[:2] != self.country for one in self.subdivisions):
            raise PydanticCustomError("bad_subdivision", "Name the `country` that the subdivisions are of")
        return self

    def looked(self) -> Looked:
        regions = [one.partition("-")[2] for one in self.subdivisions]
        place = None if self.country is None else Place(self.country, *regions)
        words, categories = ",".join(self.keywords), ",".join(self.categories)
        return Looked(place, self.device, self.language, words or None, categories or None)


class VisitorBody(Strict):
    """Somebody by the id that an advertiser knows them by, which `GET /m/id` told its page."""

    advertiser_id: AdvertiserId
    id: Annotated[str, Field(max_length=100)]


class QuestionBody(Strict):
    """What a slot would ask. Without `visitor` and `profile`: somebody who sends no cookie of ours."""

    slot_id: SlotId
    visitor: VisitorBody | None = None
    profile: ProfileBody | None = None
    page: PageBody = Field(default_factory=PageBody)
    image: Flag = Field(default=False, description="whether the slot stands as a picture")
    test: Flag = Field(default=False, description="as for a browser that its owner has excluded")
    at: GivenTime | None = Field(default=None, description="left out: now")
    dice: float | None = Field(default=None, ge=0.0, lt=1.0, description="left out: a new throw")
    advertiser_id: AdvertiserId | None = Field(
        default=None,
        description="tell of all campaigns of this account, also of those that were no candidates",
    )

    def question(self, now_ms: int, visitor_key: int, advertiser_key: int | None) -> Question:
        at_ms = now_ms if self.at is None else self.at
        profile = None if self.profile is None else self.profile.profile(at_ms)
        return Question(
            self.slot_id,
            visitor_key,
            profile,
            self.image,
            self.test,
            self.at,
            self.dice,
            advertiser_key,
            self.page.looked(),
        )


class ScoreAnswer(Strict):
    """What a thousand ads were expected to earn, in millionths, and its parts."""

    ecpm_micros: float
    ranked_micros: float = Field(
        description="what it was compared by: its throw, by the exchange rate and the freshness"
    )
    rate_micros: int = Field(description="of the audience that holds the visitor")
    audience_id: str | None = Field(description="`contextual` for the page; null for the campaign's own rate")
    exchange_rate: float
    click_rate: float | None
    conversion_rate: float | None
    freshness: float = Field(description="what this visitor's views without a click leave of it, 1 for all")


class VerdictAnswer(Strict):
    campaign_id: str
    advertiser_id: str
    name: str
    verdict: str = Field(description="`chosen`, or the refusal's name")
    says: str = Field(description="why, and what to do next")
    score: ScoreAnswer | None
    short_of: str | None = Field(description="the budget that does not hold one more ad")
    free_at: ShownTime | None = Field(description="when the reason ends by itself, where that is known")


class ExplainedAnswer(Strict):
    slot_id: str
    at: ShownTime
    dice: float = Field(description="the throw; give it as `dice` to have the same answer again")
    filled: bool
    campaign_id: str | None = Field(description="null where no ad is shown, or another account's")
    creative_id: str | None
    item_ids: list[str]
    audience_id: str | None
    propensity: float | None = Field(description="how probable this answer was before the dice were thrown")
    candidates: list[VerdictAnswer] = Field(description="those you may see, the chosen one first")
    counts: dict[str, int] = Field(description="of all that you may see, by verdict")


Reaches = Callable[[int], bool]


def show_explained(
    explained: Explained, advertisers: Mapping[int, Advertiser], reaches: Reaches
) -> ExplainedAnswer:
    """Of accounts that the caller does not reach, nothing: where else a visitor was is not its to know."""
    answer, verdicts = explained.answer, explained.verdicts
    own = [one for one in verdicts if reaches(one.campaign.advertiser_key)]
    winner = next((one.score for one in verdicts if one.refusal is None), None)
    chosen = answer if isinstance(answer, Decision) and reaches(answer.campaign.advertiser_key) else None

    def shown(verdict: Verdict) -> VerdictAnswer:
        zone = advertisers[verdict.campaign.advertiser_key].timezone
        best = winner if chosen is not None or verdict.refusal is None else None
        return _show_verdict(verdict, advice_of(verdict, explained.slot, zone, best))

    return ExplainedAnswer(
        slot_id=write_id("slot", explained.slot.key),
        at=explained.at_ms,
        dice=explained.dice,
        filled=isinstance(answer, Decision),
        campaign_id=None if chosen is None else write_id("cmp", chosen.campaign.key),
        creative_id=None if chosen is None else write_id("crv", chosen.creative.key),
        item_ids=[] if chosen is None else [product.item_id for product in chosen.products],
        audience_id=None if chosen is None else _audience(chosen.audience_key),
        propensity=None if chosen is None else explained.propensity,
        candidates=[shown(one) for one in own[:MOST_VERDICTS]],
        counts=dict(Counter(CHOSEN if one.refusal is None else str(one.refusal) for one in own)),
    )


def _show_verdict(verdict: Verdict, says: str) -> VerdictAnswer:
    return VerdictAnswer(
        campaign_id=write_id("cmp", verdict.campaign.key),
        advertiser_id=write_id("adv", verdict.campaign.advertiser_key),
        name=verdict.campaign.name,
        verdict=CHOSEN if verdict.refusal is None else str(verdict.refusal),
        says=says,
        score=None if verdict.score is None else _show_score(verdict.score),
        short_of=verdict.short_of,
        free_at=verdict.frees_ms,
    )


def _show_score(score: Score) -> ScoreAnswer:
    return ScoreAnswer(
        ecpm_micros=score.ecpm_micros,
        ranked_micros=score.ranked_micros,
        rate_micros=score.rate_micros,
        audience_id=_audience(score.audience_key),
        exchange_rate=score.exchange_rate,
        click_rate=score.click_rate,
        conversion_rate=score.conversion_rate,
        freshness=score.freshness,
    )


def _audience(key: int) -> str | None:
    if key == CONTEXTUAL:
        return "contextual"
    return write_id("aud", key) if key else None
