"""The best campaign wins with products the visitor wants and can buy; every other one has its reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.campaign import AudienceCreatives, Status
from adserver.domain.catalogue import Availability, Product
from adserver.domain.choice import choose_products
from adserver.domain.contender import MESSAGE
from adserver.domain.decision import Candidate, Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, AudienceRate, PricingModel
from adserver.domain.ranking import THROWS
from adserver.domain.rates import Rates
from adserver.domain.situation import form_is_open
from adserver.domain.visitor import Level, Profile, Shop
from adserver.domain.worth import chance_of, ecpm_micros
from pixel.events import EventName
from tests.domain.deciding import decide
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CARTERS,
    DAY_MS,
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
    make_purchase,
    make_request,
    make_shop,
    make_slot,
)

CPM, VCPM, CPC, CPA = PricingModel
BOOTS = make_product("boots")
CATALOGUE = make_catalogue(BOOTS, make_product("scarf"), make_product("hat"))


def cpm_candidate(key: int, rate: int, **fields: object) -> Candidate:
    campaign = make_campaign(key=key, pricing_model=CPM, rate_micros=Micros(rate))
    return make_candidate(campaign, **fields)


def answer(*candidates: Candidate, profile: Profile | None = None, dice: float = 0.0,
           products: dict[int, Product] | None = None, **request: object) -> Decision | NoAd:  # fmt: skip
    chosen_from = CATALOGUE if products is None else products
    return decide(make_request(**request), profile or make_profile(), candidates, chosen_from, dice)


def chosen(shop: Shop, *products: Product, most: int = 9) -> list[str]:
    return [p.item_id for p in choose_products(shop, make_catalogue(*products), most, NOW_MS)]


# ---- one reason each ----

PAUSED = make_candidate(make_campaign(status=Status.PAUSED))
BROKE = make_candidate(balance=make_balance(day=make_bucket(0)))
FLOOR = make_slot(floor_cpm_micros=Micros(2_000_001), currency="EUR")
SERVICE = make_candidate(creatives=[make_message()])


@pytest.mark.parametrize(
    ("candidate", "options", "expected"),
    [
        (PAUSED, {}, Refusal.PAUSED),
        (make_candidate(make_campaign(status=Status.DRAFT)), {}, Refusal.NOT_ACTIVE),
        (make_candidate(make_campaign(starts_at_ms=NOW_MS + 1)), {}, Refusal.NOT_STARTED),
        (make_candidate(make_campaign(ends_at_ms=NOW_MS)), {}, Refusal.OVER),
        (make_candidate(creatives=[]), {}, Refusal.NO_CREATIVE),
        (BROKE, {}, Refusal.BUDGET_EXHAUSTED),
        (cpm_candidate(1, 1_000), {"slot": FLOOR}, Refusal.BELOW_FLOOR),
        (make_candidate(make_campaign(pricing_model=VCPM)), {"image": True}, Refusal.NO_PICTURE_MEASURE),
        (make_candidate(make_campaign(advertiser_key=9)), {}, Refusal.NOT_IN_AUDIENCE),
        (make_candidate(), {"products": {}}, Refusal.NO_PRODUCT),
        (SERVICE, {}, Refusal.NO_OPEN_FORM),
        (make_candidate(exchange_rate=None), {}, Refusal.NO_EXCHANGE_RATE),
    ],
)
def test_a_campaign_that_may_not_answer_says_why(
    candidate: Candidate, options: dict[str, object], expected: Refusal
) -> None:
    found = answer(candidate, **options)  # type: ignore[arg-type]
    assert found == NoAd({candidate.contender.campaign.key: expected})


def test_without_candidates_there_is_no_ad_and_nobody_to_blame() -> None:
    assert answer() == NoAd({})


# ---- ranking ----


def test_the_highest_expected_revenue_wins_and_the_others_are_outranked() -> None:
    found = answer(cpm_candidate(1, 2_000_000), cpm_candidate(2, 3_000_000), cpm_candidate(3, 1_000_000))
    assert isinstance(found, Decision)
    assert found.campaign.key == 2
    assert found.ecpm_micros == 3_000_000
    assert found.refusals == {1: Refusal.OUTRANKED, 3: Refusal.OUTRANKED}


@pytest.mark.parametrize(("tie", "winner"), [(0.0, 1), (0.3333, 1), (0.34, 2), (0.67, 3), (0.999999, 3)])
@pytest.mark.parametrize("throw", [0, 17, 63])
def test_what_the_dice_say_besides_their_throw_chooses_among_equals(
    throw: int, tie: float, winner: int
) -> None:
    dice = (throw + tie) / THROWS
    equals = [cpm_candidate(key, 2_000_000) for key in (1, 2, 3)]
    found = answer(cpm_candidate(9, 1_000_000), *equals, dice=dice)
    assert isinstance(found, Decision)
    assert found.campaign.key == winner
    assert set(found.refusals) == {1, 2, 3, 9} - {winner}


def test_currencies_are_compared_by_the_operators_rates_and_floors_are_not_converted() -> None:
    dollars = make_campaign(key=2, currency="USD", pricing_model=CPM, rate_micros=Micros(2_100_000))
    floor = make_slot(floor_cpm_micros=Micros(9_000_000), currency="EUR")
    cheap = make_candidate(dollars, exchange_rate=0.9)
    assert isinstance(answer(cheap, slot=floor), Decision)  # the floor is of another currency
    found = answer(cpm_candidate(1, 2_000_000), cheap)
    assert isinstance(found, Decision)
    assert found.campaign.key == 1
    assert found.refusals == {2: Refusal.OUTRANKED}


@pytest.mark.parametrize(("rate", "filled"), [(2_000_000, True), (1_999_000, False)])
def test_a_floor_is_the_least_that_is_accepted(rate: int, filled: bool) -> None:
    slot = make_slot(floor_cpm_micros=Micros(2_000_000), currency="EUR")
    assert isinstance(answer(cpm_candidate(1, rate), slot=slot), Decision) is filled


def creative_shown(dice: float, *rivals: Candidate) -> int:
    two = [make_creative(key=701), make_creative(key=702)]
    found = answer(make_candidate(creatives=two), *rivals, dice=dice)
    assert isinstance(found, Decision)
    return found.creative.key


def test_the_dice_show_a_campaigns_creatives_equally_often() -> None:
    shown = [creative_shown(throw / 1000) for throw in range(1000)]
    assert 450 < shown.count(701) < 550


def test_a_tie_between_campaigns_says_nothing_of_the_creative() -> None:
    """Below 0.5 the first of two equal campaigns wins; it must still show both of its creatives."""
    rival = make_candidate(campaign=make_campaign(key=999))
    shown = {creative_shown(throw / 1000, rival) for throw in range(500)}
    assert {701, 702} <= shown


def test_a_creative_that_cannot_be_shown_leaves_the_place_to_one_that_can() -> None:
    message = make_creative(key=701, template=MESSAGE)
    for throw in range(20):
        found = answer(make_candidate(creatives=[message, make_creative(key=702)]), dice=throw / 20)
        assert isinstance(found, Decision) and found.creative.key == 702


candidates = st.lists(
    st.builds(
        cpm_candidate,
        st.integers(min_value=1, max_value=30),
        st.sampled_from([1_000_000, 2_000_000, 3_000_000]),
        balance=st.sampled_from([make_balance(), make_balance(total=make_bucket(0))]),
        exchange_rate=st.sampled_from([1.0, 0.5, None]),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.contender.campaign.key,
)


@given(candidates, st.floats(min_value=0, max_value=1, exclude_max=True))
def test_every_candidate_wins_or_has_a_reason(found: list[Candidate], dice: float) -> None:
    one, other = answer(*found, dice=dice), answer(*found, dice=dice)
    assert one == other  # same inputs, same decision
    winner = {one.campaign.key} if isinstance(one, Decision) else set()
    assert winner.isdisjoint(one.refusals)
    assert winner | set(one.refusals) == {candidate.contender.campaign.key for candidate in found}
    if isinstance(one, Decision):
        beaten = [c for c in found if one.refusals.get(c.contender.campaign.key) is Refusal.OUTRANKED]
        assert all(
            c.contender.campaign.terms.rate_micros * c.exchange_rate <= one.ecpm_micros for c in beaten
        )


# ---- products ----


def test_the_warmest_products_come_first_and_as_many_as_fit() -> None:
    shop = make_shop(
        make_interest("boots", Level.IN_CART), make_interest("scarf", Level.WISHED), make_interest("hat")
    )
    products = [make_product(name) for name in ("hat", "scarf", "boots")]
    assert chosen(shop, *products) == ["boots", "scarf", "hat"]
    assert chosen(shop, *products, most=2) == ["boots", "scarf"]


def test_what_was_bought_is_not_shown_even_when_looked_at_again() -> None:
    shop = make_shop(make_interest("boots"), make_interest("hat"), purchases=[make_purchase("boots")])
    assert chosen(shop, BOOTS, make_product("hat")) == ["hat"]


@pytest.mark.parametrize(("age_ms", "shown"), [(180 * DAY_MS - 1, []), (180 * DAY_MS, ["boots"])])
def test_a_purchase_is_remembered_for_a_hundred_and_eighty_days(age_ms: int, shown: list[str]) -> None:
    shop = make_shop(make_interest("boots"), purchases=[make_purchase("boots", NOW_MS - age_ms)])
    assert chosen(shop, BOOTS) == shown


@pytest.mark.parametrize(("age_ms", "shown"), [(30 * DAY_MS - 1, ["boots"]), (30 * DAY_MS, [])])
def test_an_interest_lasts_for_thirty_days(age_ms: int, shown: list[str]) -> None:
    assert chosen(make_shop(make_interest("boots", at_ms=NOW_MS - age_ms)), BOOTS) == shown


@pytest.mark.parametrize(
    ("availability", "shown"),
    [
        (Availability.IN_STOCK, True),
        (Availability.PREORDER, True),
        (Availability.BACKORDER, True),
        (Availability.OUT_OF_STOCK, False),
    ],
)
def test_what_cannot_be_bought_is_not_shown(availability: Availability, shown: bool) -> None:
    product = make_product(availability=availability)
    assert bool(chosen(make_shop(make_interest("boots")), product)) is shown


items = st.sampled_from(["boots", "scarf", "hat", "gone"])


@given(
    st.lists(st.builds(make_interest, items, st.sampled_from(Level)), max_size=6),
    st.lists(st.builds(make_purchase, items), max_size=3),
    st.dictionaries(items.filter(lambda name: name != "gone"), st.sampled_from(Availability)),
    st.integers(min_value=1, max_value=4),
)
def test_nothing_bought_or_sold_out_is_ever_chosen(
    interests: list[object], purchases: list[object], stock: dict[str, Availability], most: int
) -> None:
    shop = make_shop(*interests, purchases=purchases)  # type: ignore[arg-type]
    products = [make_product(name, availability=word) for name, word in stock.items()]
    found = choose_products(shop, make_catalogue(*products), most, NOW_MS)
    assert len(found) <= most
    bought = {purchase.product_key for purchase in shop.purchases}
    assert all(product.in_stock and product.key not in bought for product in found)


# ---- services ----


@pytest.mark.parametrize(
    ("started", "submitted", "is_open"),
    [
        (0, 0, False),
        (NOW_MS, 0, True),
        (NOW_MS, NOW_MS - 1, True),  # begun again since
        (NOW_MS, NOW_MS, False),
        (NOW_MS - 1, NOW_MS, False),
        (NOW_MS - 14 * DAY_MS, 0, False),
        (NOW_MS - 14 * DAY_MS + 1, 0, True),
    ],
)
def test_a_form_is_open_when_begun_lately_and_not_sent(started: int, submitted: int, is_open: bool) -> None:
    shop = make_shop(form_started_ms=started, form_submitted_ms=submitted)
    assert form_is_open(shop, NOW_MS) is is_open


def test_a_message_is_shown_to_who_left_a_form_open() -> None:
    profile = make_profile(make_shop(form_started_ms=NOW_MS))
    found = answer(SERVICE, profile=profile, products={})
    assert isinstance(found, Decision)
    assert found.products == ()


# ---- figures ----


@pytest.mark.parametrize(
    ("fields", "rates", "expected"),
    [
        ({"pricing_model": CPM, "rate_micros": Micros(2_000_000)}, Rates(), 2_000_000),
        ({"pricing_model": VCPM, "rate_micros": Micros(2_000_000)}, Rates(), 0.7 * 2_000_000),
        ({"pricing_model": VCPM, "rate_micros": Micros(2_000_000)}, Rates(80, 9, 9, 6), 0.2 * 2_000_000),
        ({"pricing_model": CPC}, Rates(), 1000 * 0.005 * 250_000),
        ({"pricing_model": CPC}, Rates(800, 9), 1000 * 0.01 * 250_000),
        ({"pricing_model": CPA}, Rates(), 1000 * 0.005 * 0.02 * 250_000),
        ({"pricing_model": CPA}, Rates(800, 9, 1), 1000 * 0.01 * (2 / 59) * 250_000),
        (
            {"pricing_model": CPA, "basket_bps": 500, "max_charge_micros": Micros(4_000_000)},
            Rates(),
            1000 * 0.005 * 0.02 * 4_000_000,
        ),
    ],
)
def test_a_thousand_impressions_are_worth_what_they_will_bring(
    fields: dict[str, object], rates: Rates, expected: float
) -> None:
    assert ecpm_micros(make_campaign(**fields), rates) == pytest.approx(expected)


def test_money_under_way_is_weighed_with_its_chance() -> None:
    rates = Rates(800, 9, 1)
    assert chance_of(AdEvent.IMPRESSION, rates) == 1.0
    assert chance_of(AdEvent.VIEWABLE_IMPRESSION, Rates(80, views=6)) == pytest.approx(0.2)
    assert chance_of(AdEvent.CLICK, rates) == pytest.approx(0.01)
    assert chance_of(AdEvent.CONVERSION, rates) == pytest.approx(0.01 * 2 / 59)


def test_a_campaign_of_a_shop_never_visited_is_out_of_audience() -> None:
    stranger = msgspec.structs.replace(make_campaign(), key=CAMPAIGN + 1, advertiser_key=ADVERTISER + 1)
    found = answer(make_candidate(), make_candidate(stranger))
    assert isinstance(found, Decision)
    assert found.refusals == {CAMPAIGN + 1: Refusal.NOT_IN_AUDIENCE}


# ---- audiences ----

AUDIENCES = {
    VIEWERS: make_audience(EventName.VIEW_ITEM, key=VIEWERS),
    CARTERS: make_audience(EventName.ADD_TO_CART, key=CARTERS),
}
VIEWER = make_profile(make_shop(make_interest("boots"), last_event_ms={EventName.VIEW_ITEM: NOW_MS}))
CARTER = make_profile(
    make_shop(
        make_interest("boots"),
        last_event_ms={EventName.VIEW_ITEM: NOW_MS, EventName.ADD_TO_CART: NOW_MS},
    )
)
RATES = (AudienceRate(VIEWERS, Micros(1_000_000)), AudienceRate(CARTERS, Micros(5_000_000)))


def rated(rates: tuple[AudienceRate, ...] = RATES, **fields: object) -> Candidate:
    """A CPM campaign at 2 for nobody, 1 for who looked and 5 for who left a cart."""
    terms = {"pricing_model": CPM, "rate_micros": Micros(2_000_000), "audience_rates": rates}
    campaign = make_campaign(**terms | {k: v for k, v in fields.items() if k == "audience_creatives"})
    rest = {k: v for k, v in fields.items() if k != "audience_creatives"}
    return make_candidate(campaign, **{"audiences": AUDIENCES} | rest)


def served(candidate: Candidate, profile: Profile, *rivals: Candidate, **request: object) -> Decision:
    found = answer(candidate, *rivals, profile=profile, **request)  # type: ignore[arg-type]
    assert isinstance(found, Decision)
    return found


def test_each_visitor_is_ranked_at_the_rate_of_their_own_audience() -> None:
    rival = cpm_candidate(1, 3_000_000)
    cheap, dear = served(rated(), VIEWER, rival), served(rated(), CARTER, rival)
    assert (cheap.campaign.key, cheap.refusals) == (1, {CAMPAIGN: Refusal.OUTRANKED})
    assert (dear.campaign.key, dear.ecpm_micros, dear.audience_key) == (CAMPAIGN, 5_000_000, CARTERS)
    assert served(rated(), VIEWER).audience_key == VIEWERS
    assert cheap.audience_key == 0


def test_a_floor_is_held_against_the_rate_of_the_audience() -> None:
    floor = make_slot(floor_cpm_micros=Micros(5_000_000), currency="EUR")
    assert answer(rated(), profile=VIEWER, slot=floor) == NoAd({CAMPAIGN: Refusal.BELOW_FLOOR})
    assert served(rated(), CARTER, slot=floor).audience_key == CARTERS


@pytest.mark.parametrize("test", [False, True])
def test_a_campaign_with_audiences_serves_their_members_only(test: bool) -> None:
    stranger = make_profile(make_shop(make_interest("boots")))
    for profile, rates in ((stranger, RATES), (VIEWER, RATES[1:])):
        found = answer(rated(rates), profile=profile, test=test)
        assert found == NoAd({CAMPAIGN: Refusal.NOT_IN_AUDIENCE})


@pytest.mark.parametrize(
    ("remaining", "profile", "may"), [(999, VIEWER, False), (1_000, VIEWER, True),
                                      (4_999, CARTER, False), (5_000, CARTER, True)],
)  # fmt: skip
def test_a_budget_must_hold_the_price_of_this_visitor(remaining: int, profile: Profile, may: bool) -> None:
    short = rated(balance=make_balance(total=make_bucket(remaining)))
    found = answer(short, profile=profile)
    assert isinstance(found, Decision) if may else found == NoAd({CAMPAIGN: Refusal.BUDGET_EXHAUSTED})


def test_an_audience_is_shown_its_own_creatives() -> None:
    two = [make_creative(key=701), make_creative(key=702)]
    own = rated(creatives=two, audience_creatives=(AudienceCreatives(CARTERS, (702,)),))
    throws = [throw / 20 for throw in range(20)]
    assert {served(own, CARTER, dice=dice).creative.key for dice in throws} == {702}
    assert {served(own, VIEWER, dice=dice).creative.key for dice in throws} == {701, 702}


def test_creatives_that_this_worker_has_not_heard_of_are_none() -> None:
    unheard = rated(audience_creatives=(AudienceCreatives(CARTERS, (709,)),))
    assert answer(unheard, profile=CARTER) == NoAd({CAMPAIGN: Refusal.NO_CREATIVE})


def test_a_message_of_the_winning_audience_is_not_replaced_by_anothers_cards() -> None:
    look = [make_creative(key=701), make_message(key=702)]
    shown = (AudienceCreatives(CARTERS, (702,)), AudienceCreatives(VIEWERS, (701,)))
    candidate = rated(creatives=look, audience_creatives=shown)
    assert answer(candidate, profile=CARTER) == NoAd({CAMPAIGN: Refusal.NO_OPEN_FORM})
    assert served(candidate, VIEWER).creative.key == 701


def test_figures_are_weighed_with_the_rate_of_the_audience() -> None:
    clicks = make_campaign(audience_rates=(AudienceRate(1, Micros(500_000)), AudienceRate(2)))
    assert (
        ecpm_micros(clicks, Rates(), 1)
        == 2 * ecpm_micros(clicks, Rates())
        == 2 * ecpm_micros(clicks, Rates(), 2)
    )
    share = make_campaign(pricing_model=CPA, basket_bps=500, max_charge_micros=Micros(4_000_000),
                          audience_rates=(AudienceRate(2),))  # fmt: skip
    assert ecpm_micros(share, Rates(), 2) == ecpm_micros(share, Rates())
