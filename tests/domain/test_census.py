"""One walk counts every group as asking each visitor of each audience would; a panel is drawn by lot, and bounded."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain import census as rules
from adserver.domain.audience import Audience, Rule
from adserver.domain.audience_reach import group_key, is_reachable
from adserver.domain.census import Census, Groups, audience_keys_of
from adserver.domain.membership import is_member
from adserver.domain.pricing import AudienceRate
from adserver.domain.visitor import Profile, fold_slot
from pixel.events import EventName
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_campaign, make_profile, make_shop

OTHER = ADVERTISER + 1
EVENTS = (EventName.VIEW_ITEM, EventName.ADD_TO_CART, EventName.PURCHASE)

rules_of = st.lists(st.builds(Rule, st.sampled_from(EVENTS), st.integers(1, 20)), min_size=1, max_size=2)
audiences_of_shop = st.lists(st.tuples(rules_of, rules_of | st.just([])), min_size=1, max_size=4)
days_ago = st.none() | st.integers(0, 25)
visits = st.tuples(st.tuples(*[days_ago] * len(EVENTS)), days_ago, st.booleans(), st.booleans())


def audience(key: int, inclusions: list[Rule], exclusions: list[Rule]) -> Audience:
    return Audience(
        key=key,
        advertiser_key=ADVERTISER,
        name="",
        inclusions=tuple(inclusions),
        exclusions=tuple(exclusions),
    )


def visitor(events: tuple[int | None, ...], slot: int | None, knows: bool, knows_other: bool) -> Profile:
    times = {
        name: NOW_MS - days * DAY_MS for name, days in zip(EVENTS, events, strict=True) if days is not None
    }
    shops = [make_shop(last_event_ms=times)] if knows else []
    shops += [make_shop(advertiser_key=OTHER, last_event_ms=times)] if knows_other else []
    profile = make_profile()
    profile.shops = shops
    if slot is not None:
        fold_slot(profile, NOW_MS - slot * DAY_MS)
    return profile


@settings(max_examples=60, deadline=None)
@given(audiences_of_shop, st.lists(visits, max_size=12), st.data())
def test_a_walk_counts_as_asking_everybody_of_everything(
    made: list[tuple[list[Rule], list[Rule]]],
    seen: list[tuple[tuple[int | None, ...], int | None, bool, bool]],
    data: st.DataObject,
) -> None:
    audiences = [audience(80 + place, *both) for place, both in enumerate(made)]
    named = data.draw(st.lists(st.sampled_from(audiences), unique_by=lambda one: one.key))
    rates = tuple(AudienceRate(one.key) for one in named)
    census = Census({ADVERTISER: Groups(audiences, [make_campaign(audience_rates=rates)])}, lambda: 0.0)
    profiles = [visitor(*one) for one in seen]
    for row, profile in enumerate(profiles, 1):
        census.add(row, profile, NOW_MS)

    panel, counts = census.counts(ADVERTISER, NOW_MS)
    mine = [one for one in profiles if one.shop(ADVERTISER) is not None]
    assert (panel.population, panel.reachable) == (len(mine), sum(is_reachable(one, NOW_MS) for one in mine))
    assert panel.rows == tuple(row for row, one in enumerate(profiles, 1) if one.shop(ADVERTISER) is not None)
    wanted = {group_key([one]): (one.key, [one]) for one in audiences}
    if len(named) > 1:
        wanted[group_key(named)] = (0, named)
    assert {one.group_key for one in counts} == set(wanted)
    for one in counts:
        audience_key, group = wanted[one.group_key]
        members = [who for who in profiles if any(is_member(each, who, NOW_MS) for each in group)]
        assert one.audience_key == audience_key
        assert one.members == len(members)
        assert one.reachable == sum(is_reachable(who, NOW_MS) for who in members)


def test_an_advertiser_whom_nobody_knows_has_an_empty_panel() -> None:
    panel, counts = Census({}, lambda: 0.0).counts(ADVERTISER, NOW_MS)
    assert (panel.population, panel.rows, counts) == (0, (), ())


def test_a_panel_is_bounded_and_whoever_comes_is_as_likely_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_PANEL", 20)
    dice, drawn, profile = random.Random(5), Counter[int](), make_profile()
    for _ in range(400):
        census = Census({}, dice.random)
        for row in range(100):
            census.add(row, profile, NOW_MS)
        panel, _ = census.counts(ADVERTISER, NOW_MS)
        assert (len(panel.rows), panel.population) == (20, 100)
        drawn.update(panel.rows)
    assert set(drawn) == set(range(100))
    # Each is drawn 80 times, with variance 400 x 0.2 x 0.8; of 99 degrees, 150 is exceeded once in a thousand.
    assert sum((drawn[row] - 80) ** 2 for row in range(100)) / 64 < 150


def test_a_campaign_without_audiences_names_nobody_in_particular() -> None:
    assert audience_keys_of(make_campaign()) == frozenset()
    assert audience_keys_of(make_campaign(audience_rates=(AudienceRate(5), AudienceRate(6)))) == {5, 6}
