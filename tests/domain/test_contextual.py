"""A contextual campaign answers for the page whom it does not know, with its message, at its own rate."""

import pytest

from adserver.domain.campaign import AudienceCreatives, FrequencyCap, Period, Status
from adserver.domain.decision import Decision
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import CONTEXTUAL, AdEvent, AudienceRate, cheapest_price, price_of
from adserver.domain.rates import Rates
from adserver.domain.visitor import Profile, Shown
from adserver.flows.refresh import worth_of
from pixel.events import EventName
from tests.domain.deciding import decide
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    NOW_MS,
    VIEWERS,
    make_audience,
    make_balance,
    make_bucket,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_creative,
    make_interest,
    make_message,
    make_product,
    make_profile,
    make_request,
    make_shop,
)
from tests.domain.test_snapshot import live_keys, make_snapshot

MESSAGE_KEY = 701
CATALOGUE = make_catalogue(make_product("boots"))
OTHER_SHOP = make_shop(make_interest("boots"), advertiser_key=ADVERTISER + 1)
STRANGER = make_profile(OTHER_SHOP)
CARDS, WORDS = make_creative(), make_message(key=MESSAGE_KEY)
NAMED = (AudienceRate(VIEWERS, Micros(900_000)),)
BOUGHT_BEFORE = make_audience(EventName.PURCHASE)
DAILY_CAP = FrequencyCap(2, Period.DAY)


def answer(profile: Profile | None, creatives=(CARDS, WORDS), request=None, **campaign: object) -> object:
    """The decision, or the one refusal, for a campaign that is contextual unless told otherwise."""
    candidate = make_candidate(
        make_campaign(**{"contextual": True} | campaign),
        creatives=list(creatives),
        audiences={VIEWERS: BOUGHT_BEFORE},
    )
    found = decide(request or make_request(), profile, [candidate], CATALOGUE, 0.5)
    return found if isinstance(found, Decision) else found.refusals[CAMPAIGN]


def shown_times(times: int) -> Profile:
    return Profile(0, shown=[Shown(CAMPAIGN, [NOW_MS] * times)])


@pytest.mark.parametrize(
    "profile", [None, Profile(0), STRANGER], ids=["nothing kept", "nothing known", "of another shop"]
)
def test_whom_it_does_not_know_sees_its_message_at_the_campaigns_own_rate(profile: Profile | None) -> None:
    found = answer(profile, audience_rates=NAMED)
    assert isinstance(found, Decision)
    assert (found.creative.key, found.products, found.audience_key) == (MESSAGE_KEY, (), CONTEXTUAL)


@pytest.mark.parametrize(
    ("profile", "options", "expected"),
    [
        (None, {"contextual": False}, Refusal.NOT_IN_AUDIENCE),
        (STRANGER, {"contextual": False}, Refusal.NOT_IN_AUDIENCE),
        (None, {"creatives": (CARDS,)}, Refusal.NO_MESSAGE),
        (None, {"creatives": ()}, Refusal.NO_CREATIVE),
        (None, {"status": Status.PAUSED}, Refusal.PAUSED),
        (None, {"frequency_cap": DAILY_CAP}, Refusal.FREQUENCY_UNKNOWN),
        (shown_times(2), {"frequency_cap": DAILY_CAP}, Refusal.FREQUENCY_CAP),
        (make_profile(make_shop(blocked_at_ms=1)), {}, Refusal.SHOP_UNWANTED),
        (make_profile(), {"creatives": (WORDS,)}, Refusal.NO_OPEN_FORM),
    ],
)
def test_every_no_has_its_name(
    profile: Profile | None, options: dict[str, object], expected: Refusal
) -> None:
    assert answer(profile, **options) is expected


def test_a_cap_holds_its_ad_back_only_when_it_is_reached() -> None:
    assert isinstance(answer(shown_times(1), frequency_cap=DAILY_CAP), Decision)
    tester = make_request(test=True)
    assert isinstance(answer(None, request=tester, frequency_cap=DAILY_CAP), Decision)


def test_a_visitor_whom_its_audience_holds_sees_their_own_products() -> None:
    found = answer(make_profile())
    assert isinstance(found, Decision)
    assert (found.creative.key, found.audience_key) == (CREATIVE, 0)


def test_a_visitor_of_the_shop_whom_no_audience_holds_is_answered_for_the_page() -> None:
    for contextual, expected in ((True, CONTEXTUAL), (False, Refusal.NOT_IN_AUDIENCE)):
        found = answer(make_profile(), audience_rates=NAMED, contextual=contextual)
        assert expected == (found.audience_key if isinstance(found, Decision) else found)


def test_what_an_audience_is_shown_keeps_no_message_from_the_page() -> None:
    only_cards = (AudienceCreatives(VIEWERS, (CREATIVE,)),)
    assert isinstance(answer(None, audience_rates=NAMED, audience_creatives=only_cards), Decision)


def test_money_and_floor_are_asked_at_the_rate_for_the_page() -> None:
    own, dear = Micros(100_000), (AudienceRate(VIEWERS, Micros(9_000_000)),)
    campaign = make_campaign(contextual=True, rate_micros=own, audience_rates=dear)
    for left, expected in ((own, None), (own - 1, Refusal.BUDGET_EXHAUSTED)):
        balance = make_balance(total=make_bucket(left))
        candidate = make_candidate(campaign, creatives=[WORDS], balance=balance)
        found = decide(make_request(), None, [candidate], {}, 0.5)
        assert found.refusals.get(CAMPAIGN) is expected
    assert price_of(AdEvent.CLICK, campaign.terms, audience_key=CONTEXTUAL) == own
    assert cheapest_price(campaign.terms) == 9_000_000
    assert cheapest_price(campaign.terms, contextual=True) == own


def test_a_forecast_weighs_the_page_as_one_audience_more() -> None:
    named = make_campaign(rate_micros=Micros(100_000), audience_rates=NAMED)
    contextual = make_campaign(contextual=True, rate_micros=Micros(100_000), audience_rates=NAMED)
    dear, mixed = worth_of(named, Rates())[0], worth_of(contextual, Rates())[0]
    assert mixed == pytest.approx(dear * (900_000 + 100_000) / 2 / 900_000)


def test_only_live_contextual_campaigns_are_looked_at_for_a_page() -> None:
    snapshot = make_snapshot(
        make_campaign(key=1),
        make_campaign(key=2, contextual=True),
        make_campaign(key=3, contextual=True, advertiser_key=9),
        make_campaign(key=4, contextual=True, status=Status.DRAFT),
    )
    assert [campaign.key for campaign in snapshot.contextual_campaigns()] == [2, 3]
    snapshot.put(make_campaign(key=2, version=2))
    snapshot.put(make_campaign(key=3, contextual=True, advertiser_key=9, status=Status.ENDED, version=2))
    assert snapshot.contextual_campaigns() == []
    assert live_keys(snapshot) == [1, 2]
