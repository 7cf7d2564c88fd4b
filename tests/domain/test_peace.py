"""What leaves people in peace: each table by itself, and that no order of events brings back what was bought."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.burn import Burn, BurnScope, Kind, category_keys, kind_of
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.catalogue import Product
from adserver.domain.contender import line_up_of
from adserver.domain.decision import Candidate, Decision, Together
from adserver.domain.eligibility import Refusal
from adserver.domain.membership import Memberships
from adserver.domain.peace import (
    DEFAULT_POLICY,
    FATIGUE,
    MOST_DAILY_ADS,
    PeacePolicy,
    Sights,
    fatigue_factor,
    peace_of,
)
from adserver.domain.pricing import AdEvent, AudienceRate, PricingModel
from adserver.domain.ranking import THROWS
from adserver.domain.sightings import Ad, noted, profile_of
from adserver.domain.snapshot import Snapshot
from adserver.domain.visitor import (
    MOST_SHOWN,
    PURCHASE_RETENTION_MS,
    Preference,
    Profile,
    fold_event,
    fold_preference,
    fold_touch,
)
from pixel.events import EventName
from pixel.site_cookie import MOST_SEEN
from tests.domain.deciding import decide
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    VIEWERS,
    make_advertiser,
    make_audience,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_creative,
    make_event,
    make_interest,
    make_message,
    make_product,
    make_profile,
    make_purchase,
    make_request,
    make_shop,
    make_touch,
)

BUY, VIEW = EventName.PURCHASE, EventName.VIEW_ITEM
BOOTS = make_product("boots", item_group_id="g-boots", product_type="Shoes > Boots")
RED_BOOTS = make_product("red boots", item_group_id="g-boots", product_type="Shoes > Boots > Red")
SANDALS = make_product("sandals", item_group_id="g-sandals", product_type="Shoes > Sandals")
LAMP = make_product("lamp", google_product_category="Home > Lamps")
CATALOGUE = make_catalogue(BOOTS, RED_BOOTS, SANDALS, LAMP)
KINDS = {key: kind_of(product) for key, product in CATALOGUE.items()}
BURNS = {scope: Burn(scope, 30) for scope in BurnScope}


def kinds(product_keys: object) -> dict[int, Kind]:
    return KINDS


def candidate(
    advertiser: object = None, policy: PeacePolicy = DEFAULT_POLICY, **campaign: object
) -> Candidate:
    """A campaign of the shop, with the peace that it, its advertiser and the operator say."""
    creatives = campaign.pop("creatives", None)
    made = make_candidate(make_campaign(**campaign), **({"creatives": creatives} if creatives else {}))
    peace = peace_of(made.contender.campaign, advertiser or make_advertiser(), policy)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, contender=msgspec.structs.replace(made.contender, peace=peace))


def answer(
    profile: Profile | None, one: Candidate, now_ms: int = NOW_MS, **request: object
) -> Refusal | list[str]:
    """The items shown, or why none."""
    asked = make_request(now_ms=now_ms, cards=4, **request)
    decided = decide(asked, profile, [one], CATALOGUE, 0.5)
    if isinstance(decided, Decision):
        return [product.item_id for product in decided.products]
    return decided.refusals[one.contender.campaign.key]


def seen(*times_ms: int, campaign_key: int = CAMPAIGN, creative_key: int = CREATIVE) -> Profile:
    """A viewer of the boots who was shown an ad of the shop at these times."""
    profile = make_profile()
    see(profile, times_ms, campaign_key=campaign_key, creative_key=creative_key)
    return profile


def see(
    profile: Profile, times_ms: Sequence[int], advertiser_key: int = ADVERTISER, **fields: object
) -> None:
    for at_ms in times_ms:
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=at_ms, **fields), advertiser_key)


# ---- caps ----


def test_all_campaigns_of_an_advertiser_share_its_cap() -> None:
    profile = seen(*[NOW_MS - n * HOUR_MS for n in range(4)], campaign_key=CAMPAIGN + 1)
    assert answer(profile, candidate()) == ["boots"]
    see(profile, [NOW_MS], campaign_key=CAMPAIGN + 2)
    assert answer(profile, candidate()) is Refusal.ADVERTISER_CAP
    assert answer(profile, candidate(), NOW_MS + 21 * HOUR_MS) == ["boots"]


def test_an_operator_may_set_no_end() -> None:
    profile = seen(*[NOW_MS] * MOST_SHOWN)
    assert answer(profile, candidate(policy=PeacePolicy(0, 24, 0, 0))) == ["boots"]
    own = make_advertiser(annoyance_budget=20)
    assert answer(profile, candidate(own, PeacePolicy(0, 24, 0, 0))) is Refusal.ANNOYANCE_BUDGET


@pytest.mark.parametrize("per", Period)
def test_an_advertiser_may_set_its_own_cap(per: Period) -> None:
    careful = make_advertiser(frequency_cap=FrequencyCap(1, per))
    assert answer(seen(NOW_MS), candidate(careful)) is Refusal.ADVERTISER_CAP
    often = make_advertiser(frequency_cap=FrequencyCap(50, per))
    assert answer(seen(*[NOW_MS] * 11), candidate(often)) == ["boots"]


@pytest.mark.parametrize(
    ("own", "limit", "seen_today", "expected"),
    [
        (None, 24, 11, ["boots"]),
        (None, 24, 12, Refusal.ANNOYANCE_BUDGET),
        (3, 24, 2, ["boots"]),
        (3, 24, 3, Refusal.ANNOYANCE_BUDGET),
        (20, 24, 19, ["boots"]),
        (20, 24, 20, Refusal.ANNOYANCE_BUDGET),
        (20, 15, 14, ["boots"]),
        (20, 15, 15, Refusal.ANNOYANCE_BUDGET),
    ],
)
def test_a_visitor_has_one_budget_of_everybodys_ads(
    own: int | None, limit: int, seen_today: int, expected: object
) -> None:
    """An advertiser's own may be lower, or higher as far as the operator lets it."""
    profile = make_profile()
    for place in range(seen_today):
        see(profile, [NOW_MS - DAY_MS + 1], advertiser_key=100 + place, campaign_key=1_000 + place)
    one = candidate(make_advertiser(annoyance_budget=own), PeacePolicy(annoyance_limit=limit))
    assert answer(profile, one) == expected
    assert answer(profile, one, test=True) == ["boots"]
    assert answer(profile, one, NOW_MS + 1) == ["boots"]


def test_a_creative_that_is_worn_out_leaves_the_others() -> None:
    once = FrequencyCap(1, Period.DAY)
    worn, other = make_creative(frequency_cap=once), make_creative(key=CREATIVE + 1, frequency_cap=once)
    one = candidate(creatives=[worn, other])
    profile = seen(NOW_MS)
    decided = decide(make_request(), profile, [one], CATALOGUE, 0.0)
    assert isinstance(decided, Decision) and decided.creative.key == CREATIVE + 1
    see(profile, [NOW_MS], creative_key=CREATIVE + 1)
    assert answer(profile, one) is Refusal.CREATIVE_CAP
    assert answer(profile, one, test=True) == ["boots"]
    assert answer(profile, one, NOW_MS + DAY_MS) == ["boots"]


# ---- fatigue ----


@given(st.integers(0, 10_000))
def test_each_view_without_a_click_makes_the_next_click_less_likely(views: int) -> None:
    assert 0 < fatigue_factor(views + 1) <= fatigue_factor(views) <= 1
    assert fatigue_factor(0) == 1 and fatigue_factor(10) == 0.5
    assert list(FATIGUE) == sorted(set(FATIGUE), reverse=True)


@given(st.integers(0, 4), st.integers(0, 4), st.floats(0, 0.999))
def test_of_two_campaigns_alike_the_one_less_seen_is_shown(of_one: int, of_other: int, dice: float) -> None:
    """Also where a line-up would answer together; what is paid for views is worth the same however often."""
    profile = make_profile()
    for key, times in ((CAMPAIGN, of_one), (CAMPAIGN + 1, of_other)):
        see(profile, [NOW_MS - 2 * DAY_MS] * times, campaign_key=key)
    for model, counts in ((PricingModel.CPC, True), (PricingModel.CPM, False)):
        pair = [
            candidate(key=key, pricing_model=model, rate_micros=2_000) for key in (CAMPAIGN, CAMPAIGN + 1)
        ]
        line_up = line_up_of([one.contender for one in pair])
        assert line_up.joint is not None
        for asked in (pair, [Together(line_up, line_up.joint, 1.0)]):
            decided = decide(make_request(), profile, asked, CATALOGUE, dice)
            assert isinstance(decided, Decision)
            if counts and of_one != of_other:
                assert decided.campaign.key == CAMPAIGN + (of_other < of_one)
            else:
                assert decided.campaign.key == CAMPAIGN + int(dice * THROWS % 1 * 2)


def test_the_more_often_a_campaign_was_seen_the_less_often_it_is_tried() -> None:
    pair = [
        candidate(key=key, rate_micros=2_000, creatives=[make_creative(key=key, campaign_key=key)])
        for key in (CAMPAIGN, CAMPAIGN + 1)
    ]
    shares = []
    for times in (0, 5, 19):
        profile = make_profile()
        see(profile, [NOW_MS - 2 * DAY_MS] * times)
        decided = [decide(make_request(), profile, pair, CATALOGUE, n / THROWS) for n in range(THROWS)]
        shares.append(sum(isinstance(one, Decision) and one.campaign.key == CAMPAIGN for one in decided))
    assert shares[0] > shares[1] > shares[2]


@pytest.mark.parametrize(
    ("clicked_ms", "suspect", "expected"),
    [
        (0, False, Refusal.FATIGUED),
        (NOW_MS - 10 * DAY_MS, False, ["boots"]),
        (NOW_MS - 10 * DAY_MS, True, Refusal.FATIGUED),
    ],
)
def test_too_many_views_without_a_click_end_a_campaign(
    clicked_ms: int, suspect: bool, expected: object
) -> None:
    profile = seen(*[NOW_MS - (20 - n) * DAY_MS for n in range(20)])
    if clicked_ms:
        fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=clicked_ms, suspect=suspect), ADVERTISER)
    assert answer(profile, candidate()) == expected
    assert answer(profile, candidate(policy=PeacePolicy(fatigue_views=0))) == ["boots"]
    assert answer(profile, candidate(), NOW_MS + 10 * DAY_MS) == ["boots"]


# ---- after a purchase ----

AFTER = NOW_MS + HOUR_MS


def bought(*then: str, product: Product = BOOTS, before: tuple[str, ...] = ("boots", "sandals")) -> Profile:
    """Somebody who looked at some things, bought one, and looked at others."""
    profile = Profile(0)
    for item_id in before:
        fold_event(profile, ADVERTISER, make_event(VIEW, item_id), NOW_MS - HOUR_MS, kinds)
    fold_event(profile, ADVERTISER, make_event(BUY, product.item_id), NOW_MS, kinds)
    for item_id in then:
        fold_event(profile, ADVERTISER, make_event(VIEW, item_id), AFTER, kinds)
    return profile


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ((), Refusal.BOUGHT_ALREADY),
        (("boots",), Refusal.BOUGHT_ALREADY),
        (("lamp",), ["lamp"]),
        (("lamp", "boots"), ["lamp"]),
        (("sandals",), ["sandals"]),
    ],
)
def test_after_an_order_only_what_was_looked_at_since_is_a_reason_for_an_ad(
    then: tuple[str, ...], expected: object
) -> None:
    assert answer(bought(*then), candidate(), AFTER) == expected


@pytest.mark.parametrize("days", [1, 30, 60])
def test_the_rest_ends_with_its_days(days: int) -> None:
    shop = make_advertiser(rest_after_purchase_days=days)
    profile = bought()
    for interest in profile.shops[0].interests:
        interest.at_ms = NOW_MS - 1
    ends_ms = NOW_MS + days * DAY_MS
    assert answer(profile, candidate(shop), ends_ms - 1) is Refusal.BOUGHT_ALREADY
    assert answer(profile, candidate(shop), ends_ms) == (["sandals"] if days < 30 else Refusal.NO_PRODUCT)


def test_a_form_begun_after_an_order_is_a_new_wish() -> None:
    one = candidate(creatives=[make_message()])
    profile = bought()
    profile.shops[0].form_started_ms = NOW_MS - 1
    assert answer(profile, one, AFTER) is Refusal.BOUGHT_ALREADY
    profile.shops[0].form_started_ms = AFTER
    assert answer(profile, one, AFTER) == []


@pytest.mark.parametrize(
    "campaign",
    [{"addresses_buyers": True}, {"audience_rates": (AudienceRate(VIEWERS, None),)}],
)
def test_a_campaign_for_buyers_has_no_rest(campaign: dict[str, object]) -> None:
    audiences = Memberships({VIEWERS: make_audience(BUY, key=VIEWERS)})
    one = msgspec.structs.replace(candidate(**campaign), audiences=audiences)
    assert answer(bought(), one, AFTER) == ["sandals"]
    viewers = Memberships({VIEWERS: make_audience(VIEW, key=VIEWERS)})
    if "audience_rates" in campaign:
        assert answer(bought(), msgspec.structs.replace(one, audiences=viewers)) is Refusal.BOUGHT_ALREADY


def test_a_shop_may_have_no_rest_and_a_test_visitor_has_none() -> None:
    assert answer(bought(), candidate(make_advertiser(rest_after_purchase_days=0)), AFTER) == ["sandals"]
    assert answer(bought(), candidate(), AFTER, test=True) == ["sandals"]


def test_who_says_i_bought_it_of_one_product_is_still_shown_the_others() -> None:
    profile = make_profile(make_shop(make_interest("boots"), make_interest("sandals")))
    fold_preference(profile, ADVERTISER, Preference.BOUGHT, BOOTS.key, NOW_MS, kinds)
    assert answer(profile, candidate()) == ["sandals"]
    assert answer(profile, candidate(burn=BURNS[BurnScope.CATEGORY])) == ["sandals"]
    assert answer(profile, candidate(burn=BURNS[BurnScope.SHOP])) is Refusal.BURNED


# ---- burns ----

ALL = ("boots", "red boots", "sandals", "lamp")
OPEN = make_advertiser(rest_after_purchase_days=0)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (BurnScope.PRODUCT, ["lamp", "sandals", "red boots"]),
        (BurnScope.GROUP, ["lamp", "sandals"]),
        (BurnScope.CATEGORY, ["lamp", "sandals"]),
        (BurnScope.SHOP, Refusal.BURNED),
    ],
)
def test_a_purchase_burns_as_much_as_the_campaign_wishes(scope: BurnScope, expected: object) -> None:
    profile = bought(before=ALL)
    for place, interest in enumerate(sorted(profile.shops[0].interests, key=lambda one: one.at_ms)):
        interest.at_ms -= place
    items = answer(profile, candidate(OPEN, burn=BURNS[scope]))
    if isinstance(expected, list):
        assert isinstance(items, list) and sorted(items) == sorted(expected)
        in_shop = answer(profile, candidate(msgspec.structs.replace(OPEN, burn=BURNS[scope])))
        assert in_shop == items
    else:
        assert items is expected
    a_month_later = [
        msgspec.structs.replace(one, at_ms=NOW_MS + DAY_MS) for one in profile.shops[0].interests
    ]
    profile.shops[0].interests = a_month_later
    later = answer(profile, candidate(OPEN, burn=BURNS[scope]), NOW_MS + 30 * DAY_MS)
    assert isinstance(later, list) and sorted(later) == ["lamp", "red boots", "sandals"]


def test_a_category_burns_what_lies_under_it_and_not_what_lies_beside_or_above() -> None:
    burn = candidate(OPEN, burn=BURNS[BurnScope.CATEGORY])
    of_red = bought(product=RED_BOOTS, before=ALL)
    items = answer(of_red, burn)
    assert isinstance(items, list) and "sandals" in items and "boots" not in items  # of one group
    other_group = msgspec.structs.replace(of_red.shops[0].purchases[0], group_key=1)
    of_red.shops[0].purchases = [other_group]
    items = answer(of_red, burn)
    assert isinstance(items, list) and "boots" in items and "red boots" not in items
    assert category_keys(BOOTS) == category_keys(RED_BOOTS)[:2] and category_keys(LAMP)


def test_where_all_that_was_looked_at_is_burned_that_is_said() -> None:
    profile = bought("red boots")
    assert answer(profile, candidate(burn=BURNS[BurnScope.GROUP]), AFTER) is Refusal.BURNED
    assert answer(profile, candidate(), AFTER) == ["red boots"]


def test_what_is_like_a_purchase_is_known_when_it_has_left_the_catalogue() -> None:
    profile = bought("red boots", "lamp")
    left = {key: one for key, one in CATALOGUE.items() if key != BOOTS.key}
    one = candidate(burn=BURNS[BurnScope.GROUP])
    decided = decide(make_request(now_ms=AFTER), profile, [one], left, 0.5)
    assert isinstance(decided, Decision) and [one.item_id for one in decided.products] == ["lamp"]


THINGS = st.tuples(
    st.sampled_from((VIEW, BUY, EventName.ADD_TO_CART, EventName.REMOVE_FROM_CART, EventName.REFUND,
                     EventName.ADD_TO_WISHLIST, EventName.VIEW_CART)),
    st.sampled_from(ALL),
    st.integers(0, 40 * DAY_MS),
)  # fmt: skip


@given(
    st.lists(THINGS, min_size=1, max_size=12),
    st.sampled_from(BurnScope),
    st.booleans(),
    st.booleans(),
)
def test_what_was_bought_is_never_shown_whatever_comes_after_it(
    things: list[tuple[EventName, str, int]], scope: BurnScope, addresses_buyers: bool, test: bool
) -> None:
    """Until purchases are let go: looked at again, carted, taken out, sent back, for buyers, for testers."""
    profile, owned, at_ms = Profile(0), {}, NOW_MS
    one = candidate(OPEN, burn=BURNS[scope], addresses_buyers=addresses_buyers)
    for name, item_id, wait_ms in things:
        at_ms += wait_ms
        fold_event(profile, ADVERTISER, make_event(name, item_id), at_ms, kinds)
        if name is BUY:
            owned[item_id] = at_ms
        items = answer(profile, one, at_ms, test=test)
        fresh = {item for item, ms in owned.items() if ms > at_ms - PURCHASE_RETENTION_MS}
        assert isinstance(items, Refusal) or fresh.isdisjoint(items)


# ---- who is served what ----

BOTH = [make_creative(), make_message(key=CREATIVE + 1, frequency_cap=None)]
STRANGER = profile_of(())
CAPPED = make_advertiser(frequency_cap=FrequencyCap(5, Period.DAY))
ONCE = FrequencyCap(1, Period.DAY)


@pytest.mark.parametrize(
    ("profile", "one", "expected"),
    [
        (make_profile(), candidate(contextual=True, creatives=BOTH), ["boots"]),
        (STRANGER, candidate(creatives=BOTH), Refusal.NOT_IN_AUDIENCE),
        (STRANGER, candidate(contextual=True, creatives=BOTH), []),
        (STRANGER, candidate(CAPPED, contextual=True, creatives=BOTH, frequency_cap=ONCE), []),
        (None, candidate(creatives=BOTH), Refusal.NOT_IN_AUDIENCE),
        (None, candidate(contextual=True, creatives=BOTH), []),
        (None, candidate(contextual=True, creatives=BOTH, frequency_cap=ONCE), Refusal.FREQUENCY_UNKNOWN),
        (None, candidate(CAPPED, contextual=True, creatives=BOTH), Refusal.FREQUENCY_UNKNOWN),
        (
            None,
            candidate(contextual=True, creatives=[make_message(frequency_cap=ONCE)]),
            Refusal.FREQUENCY_UNKNOWN,
        ),
    ],
)
def test_who_cannot_be_counted_sees_only_contextual_ads_with_no_cap_of_their_own(
    profile: Profile | None, one: Candidate, expected: object
) -> None:
    assert answer(profile, one) == expected


@given(st.lists(st.tuples(st.integers(0, 8 * DAY_MS), st.integers(0, 5)), max_size=60).map(sorted))
def test_whoever_has_only_the_sites_cookie_is_under_every_cap(asked: list[tuple[int, int]]) -> None:
    """In any day at most five of an advertiser and twelve in all, in any week three of a capped creative."""
    snapshot, policy = Snapshot(), PeacePolicy(annoyance_budget=6, advertiser_cap=3)
    shops = [make_advertiser(key=key, public_id=str(key)) for key in (1, 2, 3)]
    weekly, candidates = FrequencyCap(3, Period.WEEK), []
    for key in range(6):
        shop = shops[key % 3]
        campaign = make_campaign(key=10 + key, advertiser_key=shop.key, contextual=True)
        cap = weekly if key == 0 else None
        creative = make_message(key=100 + key, campaign_key=10 + key, frequency_cap=cap)
        for entity in (shop, campaign, creative):
            snapshot.put(entity)
        candidates.append(candidate(shop, policy, key=10 + key, advertiser_key=shop.key, contextual=True,
                                    creatives=[creative]))  # fmt: skip
    seen_here, shown = (), []
    for offset_ms, wanted in asked:
        now_ms = NOW_MS + offset_ms
        profile = profile_of(seen_here, snapshot.ad_of)
        if isinstance(answer(profile, candidates[wanted], now_ms), Refusal):
            continue
        keys = {100 + wanted, *(key for key, _, _ in seen_here)}
        seen_here = noted(
            seen_here, 100 + wanted, now_ms, {key: snapshot.counted_for_ms(key) for key in keys}
        )
        shown.append((now_ms, wanted))
    for at_ms, wanted in shown:
        day = [one for one in shown if at_ms <= one[0] < at_ms + DAY_MS]
        week = [one for one in shown if at_ms <= one[0] < at_ms + 7 * DAY_MS]
        assert len(day) <= 6 and len([one for one in day if one[1] % 3 == wanted % 3]) <= 3
        assert len([one for one in week if one[1] == 0]) <= 3
    assert len(seen_here) <= MOST_SEEN


def test_a_sites_cookie_has_room_for_a_week_of_as_many_ads_as_may_be_allowed() -> None:
    assert MOST_SEEN >= 8 * MOST_DAILY_ADS  # what is left of an eighth day, as hours are counted whole


def test_a_cookie_of_before_names_campaigns_and_still_counts() -> None:
    snapshot = Snapshot()
    for entity in (make_advertiser(), make_campaign(), make_creative()):
        snapshot.put(entity)
    assert snapshot.ad_of(CREATIVE) == Ad(CAMPAIGN, CREATIVE, ADVERTISER)
    assert snapshot.ad_of(CAMPAIGN) == Ad(CAMPAIGN, 0, ADVERTISER)
    assert snapshot.ad_of(12_345) == Ad(12_345)  # of nobody we know: one ad of the day's all the same
    sights = Sights(profile_of(((CAMPAIGN, NOW_MS // HOUR_MS, 2),), snapshot.ad_of), NOW_MS)
    assert sights.today == 2 and sights.of_advertiser(ADVERTISER, ONCE) == 2


def test_an_advertisers_own_purchases_of_before_burn_themselves_alone() -> None:
    profile = make_profile(make_shop(make_interest("red boots"), purchases=[make_purchase("boots")]))
    assert answer(profile, candidate(OPEN, burn=BURNS[BurnScope.CATEGORY])) == ["red boots"]
