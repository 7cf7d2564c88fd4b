"""Who belongs to an audience by counts, items, values and nested rules, and when they are served."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.audience import (
    ANY_EVENT,
    Audience,
    Clause,
    ItemFilter,
    Rule,
    check,
)
from adserver.domain.audience_size import AudienceSize
from adserver.domain.doings import ITEM_KINDS, Reaction
from adserver.domain.identity import product_key
from adserver.domain.membership import LEAST_MEMBERS, Membership, Shelves, Standing, is_member
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.product_set import Members, SetRule
from adserver.domain.retention import Retention, let_go
from adserver.domain.visitor import Profile, fold_event, fold_touch
from pixel.events import Event, EventName, Item
from tests.domain.makers import (
    ADVERTISER,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    make_audience,
    make_catalogue,
    make_event,
    make_product,
    make_product_set,
    make_touch,
)
from tests.domain.plain_audience import Happened, plain_since

VIEW, CART, BUY = "view_item", "add_to_cart", "purchase"
ITEMS = ("boots", "hat", "wine", "gone")
SET_KEY = 5
CATALOGUE = make_catalogue(
    make_product("boots", brand="Acme", product_type="Shoes > Boots", price_micros=Micros(80)),
    make_product("hat", brand="Bolt", product_type="Hats", price_micros=Micros(20)),
    make_product("wine", brand="Acme", product_type="Wine", price_micros=Micros(10)),
)
SET = make_product_set(SetRule(price_max_micros=Micros(20)), key=SET_KEY)
SETS = Members()
SETS.put(SET)
SHELVES = Shelves(CATALOGUE, SETS)


def rule(event: str = VIEW, days: int = 30, **fields: object) -> Rule:
    return msgspec.structs.replace(Rule(event, days), **fields)


def audience(*rules: Rule, **fields: object) -> Audience:
    return make_audience(inclusions=rules, currency="EUR", **fields)


def visitor(*events: Event | tuple[Event, int]) -> Profile:
    """A visitor who did this, now or so long ago."""
    profile = Profile(NOW_MS)
    for one in events:
        event, age_ms = one if isinstance(one, tuple) else (one, 0)
        fold_event(profile, ADVERTISER, event, NOW_MS - age_ms)
    return profile


def did(name: str, *items: str | Item, **fields: object) -> Event:
    named = tuple(Item(one) if isinstance(one, str) else one for one in items)
    return make_event(EventName(name), items=named, currency="EUR", **fields)


def belongs(wanted: Audience, profile: Profile) -> bool:
    return is_member(wanted, profile, NOW_MS, SHELVES)


# ---- one rule ----


@pytest.mark.parametrize(
    ("fields", "times", "member"),
    [
        ({"at_least": 3}, 2, False),
        ({"at_least": 3}, 3, True),
        ({"at_least": 31}, 31, True),
        ({"at_most": 2}, 0, False),  # who never did it is excluded otherwise
        ({"at_most": 2}, 2, True),
        ({"at_most": 2}, 3, False),
        ({"at_most": 31}, 40, False),
        ({"at_least": 2, "at_most": 2}, 2, True),
    ],
)
def test_a_rule_counts(fields: dict[str, object], times: int, member: bool) -> None:
    assert belongs(audience(rule(**fields)), visitor(*[did(VIEW, "boots")] * times)) is member


def test_windows_of_counted_rules_are_half_open() -> None:
    twice = audience(rule(days=1, at_least=2))
    assert belongs(twice, visitor((did(VIEW, "a"), DAY_MS - 1), did(VIEW, "b")))
    assert not belongs(twice, visitor((did(VIEW, "a"), DAY_MS), did(VIEW, "b")))


@pytest.mark.parametrize(
    ("items", "seen"),
    [
        ({"item_ids": ("boots", "gone")}, {"boots", "gone"}),
        ({"brands": (" acme",)}, {"boots", "wine"}),
        ({"categories": ("Shoes",)}, {"boots"}),
        ({"categories": ("shoes > boots", "Hats")}, {"boots", "hat"}),
        ({"product_set_key": SET_KEY}, {"hat", "wine"}),
        ({"product_set_key": 99}, set()),  # not heard of yet
        ({"product_set_key": SET_KEY, "brands": ("Acme",)}, {"wine"}),
        ({"item_ids": ("boots",), "brands": ("Bolt",)}, set()),
    ],
)
def test_a_rule_asks_for_items(items: dict[str, object], seen: set[str]) -> None:
    wanted = audience(rule(items=ItemFilter(**items)))  # type: ignore[arg-type]
    assert {item for item in ITEMS if belongs(wanted, visitor(did(VIEW, item)))} == seen
    both = visitor(did(VIEW, *ITEMS))
    assert belongs(wanted, both) is bool(seen)


def test_a_rule_counts_events_that_name_its_items_only() -> None:
    twice = audience(rule(items=ItemFilter(item_ids=("boots",)), at_least=2))
    assert not belongs(twice, visitor(did(VIEW, "boots"), did(VIEW, "hat")))
    assert belongs(twice, visitor(did(VIEW, "boots"), did(VIEW, "hat"), did(VIEW, "hat", "boots")))


def order(value: int, currency: str = "EUR") -> Event:
    return msgspec.structs.replace(did(BUY, "boots"), value_micros=value, currency=currency)


@pytest.mark.parametrize(
    ("fields", "orders", "member"),
    [
        ({"total_at_least_micros": 100}, [order(60), order(39)], False),
        ({"total_at_least_micros": 100}, [order(60), order(40)], True),
        ({"total_at_least_micros": 100}, [order(60), order(40, "USD")], False),
        ({"one_at_least_micros": 100}, [order(60), order(99)], False),
        ({"one_at_least_micros": 100}, [order(60), order(100)], True),
        ({"one_at_least_micros": 100}, [order(100, "USD")], False),
        ({"total_at_least_micros": 1}, [], False),
    ],
)
def test_a_rule_asks_for_values(fields: dict[str, object], orders: list[Event], member: bool) -> None:
    assert belongs(audience(rule(BUY, **fields)), visitor(*orders)) is member


@pytest.mark.parametrize(
    ("least", "most", "member"),
    [(50, None, True), (51, None, False), (None, 50, True), (None, 49, False), (50, 50, True)],
)
def test_a_rule_asks_for_the_average_price_of_what_was_viewed(
    least: int | None, most: int | None, member: bool
) -> None:
    """As the page told it, else as the catalogue does: 20, 80 and, of the hat, 50."""
    views = visitor(did(VIEW, Item("boots", 1, 20)), did(VIEW, "boots"), did(VIEW, Item("hat", 3, 50)))
    wanted = audience(rule(average_at_least_micros=least, average_at_most_micros=most))
    assert belongs(wanted, views) is member


def test_a_price_that_nobody_knows_is_no_average() -> None:
    assert not belongs(audience(rule(average_at_most_micros=99)), visitor(did(VIEW, "gone")))


def test_reactions_to_ads_are_asked_for_like_events() -> None:
    profile = visitor(did(VIEW, "boots"))
    seen = audience(rule(Reaction.AD_SEEN, at_least=2))
    unclicked = audience(rule(Reaction.AD_SEEN), exclusions=(rule(Reaction.AD_CLICKED),))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS), ADVERTISER)
    assert not belongs(seen, profile) and belongs(unclicked, profile)
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS), ADVERTISER)
    fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=NOW_MS), ADVERTISER)
    assert belongs(seen, profile) and not belongs(unclicked, profile)
    landed = audience(rule(Reaction.AD_LANDED))
    assert not belongs(landed, profile)
    fold_event(profile, ADVERTISER, make_event(EventName.LANDED), NOW_MS)
    assert belongs(landed, profile)


def test_any_event_is_of_the_shop_and_no_reaction() -> None:
    anyone, twice = audience(rule(ANY_EVENT, 1)), audience(rule(ANY_EVENT, 1, at_least=2))
    profile = visitor((did("page_view"), DAY_MS - 1))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS), ADVERTISER)
    assert belongs(anyone, profile) and not belongs(twice, profile)
    assert not is_member(anyone, profile, NOW_MS + 1, SHELVES)
    assert belongs(twice, visitor(did("page_view"), did(VIEW, "hat")))


# ---- any world ----

item_filters = st.sampled_from(
    [
        ItemFilter(item_ids=("boots", "gone")),
        ItemFilter(brands=("Acme",)),
        ItemFilter(categories=("Hats",)),
        ItemFilter(product_set_key=SET_KEY),
    ]
)
amounts = st.sampled_from([None, 20, 60, 100])
days = st.sampled_from([1, 2, 14])


@st.composite
def rules(draw: st.DrawFn, *, growing: bool = False) -> Rule:
    """Any rule that is not refused; `growing`: one that holds the more, the more happened."""
    event = draw(st.sampled_from([VIEW, CART, BUY, "page_view", "landed", *Reaction, ANY_EVENT]))
    made = Rule(str(event), draw(days), at_least=draw(st.sampled_from([1, 1, 2, 3])))
    of_shop = event not in (*Reaction, ANY_EVENT)
    with_items = of_shop and EventName(event) in ITEM_KINDS
    if with_items and draw(st.booleans()):
        made = msgspec.structs.replace(made, items=draw(item_filters))
    if of_shop and draw(st.booleans()):
        made = msgspec.structs.replace(made, total_at_least_micros=draw(amounts))
        made = msgspec.structs.replace(made, one_at_least_micros=draw(amounts))
    if growing:
        return made
    if draw(st.booleans()):
        made = msgspec.structs.replace(made, at_most=made.at_least + draw(st.integers(0, 2)))
    if with_items and draw(st.booleans()):
        least, most = sorted([draw(st.integers(10, 50)), draw(st.integers(30, 90))])
        made = msgspec.structs.replace(made, average_at_least_micros=least, average_at_most_micros=most)
    return made


def leaf(made: Rule) -> Clause:
    return Clause(rule=made)


def groups(parts: st.SearchStrategy[Clause]) -> st.SearchStrategy[Clause]:
    several = st.lists(parts, min_size=1, max_size=3)
    with_one_out = st.builds(
        lambda kept, out: Clause(all=(*kept, Clause(exclude=out))),
        several,
        st.one_of(rules().map(leaf), st.lists(rules().map(leaf), min_size=1, max_size=2).map(
            lambda found: Clause(any=tuple(found)))),
    )  # fmt: skip
    return st.one_of(
        several.map(lambda found: Clause(any=tuple(found))),
        several.map(lambda found: Clause(all=tuple(found))),
        with_one_out,
    )


clauses = st.one_of(rules().map(leaf), groups(rules().map(leaf)), groups(groups(rules().map(leaf))))
nested = clauses.map(lambda clause: make_audience(inclusions=(), rules=clause, currency="EUR"))
lists = st.lists(rules(), max_size=3).map(tuple)
flat = st.builds(
    lambda kept, out: audience(*kept, exclusions=out), st.lists(rules(), min_size=1, max_size=3), lists
)
audiences = st.one_of(flat, nested)

happenings = st.tuples(
    st.sampled_from([VIEW, CART, BUY, "page_view", "landed", "ad_seen", "ad_clicked"]),
    st.sampled_from([0, 1, HOUR_MS, DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS, 13 * DAY_MS]),
    st.lists(st.tuples(st.sampled_from(ITEMS), st.sampled_from([0, 20, 70])), max_size=2),
    st.sampled_from([None, 20, 60, 100]),
    st.sampled_from(["EUR", "EUR", "USD"]),
)
AD_EVENT = {"ad_seen": AdEvent.IMPRESSION, "ad_clicked": AdEvent.CLICK}
Story = list[tuple[str, int, list[tuple[str, int]], int | None, str]]


def live(story: Story) -> tuple[Profile, list[Happened]]:
    """A visitor's life, folded and as a plain list; it begins with a page, since else no shop is known."""
    profile, happened = Profile(NOW_MS), [Happened("page_view", NOW_MS - 20 * DAY_MS)]
    fold_event(profile, ADVERTISER, make_event(EventName.PAGE_VIEW), NOW_MS - 20 * DAY_MS)
    for kind, age_ms, items, value, currency in story:
        at_ms = NOW_MS - age_ms
        if kind in AD_EVENT:
            fold_touch(profile, make_touch(AD_EVENT[kind], at_ms=at_ms), ADVERTISER)
            happened.append(Happened(kind, at_ms))
            continue
        named = tuple(Item(item, 1, price or None) for item, price in items)
        event = Event(EventName(kind), items=named, value_micros=value, currency=currency)
        fold_event(profile, ADVERTISER, event, at_ms)
        worth = sum(price for _, price in items) if all(price for _, price in items) else 0
        keyed = tuple((product_key(ADVERTISER, item), price) for item, price in items)
        happened.append(Happened(kind, at_ms, worth if value is None else value, currency, keyed))
    let_go(profile, Retention(), NOW_MS)
    return profile, happened


@settings(deadline=None, max_examples=400)
@given(audiences, st.lists(happenings, max_size=12))
def test_the_folded_profile_answers_as_the_whole_list_of_events_does(wanted: Audience, story: Story) -> None:
    assert check(wanted) is None
    profile, happened = live(story)
    expected = plain_since(wanted, happened, NOW_MS, CATALOGUE, {SET_KEY: SET})
    assert Membership(wanted).since_ms(profile, NOW_MS, SHELVES) == expected


@settings(deadline=None)
@given(rules(growing=True), st.integers(0, 20), st.lists(happenings, max_size=12))
def test_a_longer_window_never_shrinks(made: Rule, longer: int, story: Story) -> None:
    profile, _ = live(story)
    widened = msgspec.structs.replace(made, retention_days=made.retention_days + longer)
    assert belongs(audience(made), profile) <= belongs(audience(widened), profile)


@settings(deadline=None)
@given(clauses, rules(), st.lists(happenings, max_size=12))
def test_an_exclusion_never_lets_anyone_in(clause: Clause, out: Rule, story: Story) -> None:
    profile, _ = live(story)
    without = make_audience(inclusions=(), rules=clause, currency="EUR")
    guarded = Clause(all=(clause, Clause(exclude=leaf(out))))
    stricter = msgspec.structs.replace(without, rules=guarded)
    assert belongs(stricter, profile) <= belongs(without, profile)
    assert not (belongs(stricter, profile) and belongs(audience(out), profile))


@settings(deadline=None)
@given(audiences, st.lists(happenings, max_size=8))
def test_membership_is_right_at_once_after_each_event(wanted: Audience, story: Story) -> None:
    """What was asked before is asked again: nothing is remembered of an answer."""
    membership = Membership(wanted)
    for length in range(len(story) + 1):
        profile, happened = live(story[:length])
        expected = plain_since(wanted, happened, NOW_MS, CATALOGUE, {SET_KEY: SET})
        assert membership.since_ms(profile, NOW_MS, SHELVES) == expected


def test_what_asks_the_catalogue_names_the_items_to_read() -> None:
    boots = product_key(ADVERTISER, "boots")
    profile = visitor(did(VIEW, "boots"), did(CART, "hat"))
    by_brand = Membership(audience(rule(items=ItemFilter(brands=("Acme",)))))
    assert by_brand.asks_the_catalogue and by_brand.items_asked(profile.shops[0]) == [boots]
    by_id = Membership(audience(rule(items=ItemFilter(item_ids=("boots",)))))
    assert not by_id.asks_the_catalogue and by_id.items_asked(profile.shops[0]) == []


# ---- when they are served ----


@pytest.mark.parametrize(
    ("age_ms", "fields", "standing"),
    [
        (0, {}, Standing.SERVED),
        (29 * DAY_MS, {}, Standing.SERVED),  # for as long as one belongs
        (30 * DAY_MS, {}, Standing.OUTSIDE),
        (0, {"wait_minutes": 60}, Standing.WAITS),
        (HOUR_MS - 1, {"wait_minutes": 60}, Standing.WAITS),
        (HOUR_MS, {"wait_minutes": 60}, Standing.SERVED),
        (8 * DAY_MS - 1, {"stop_days": 8}, Standing.SERVED),
        (8 * DAY_MS, {"stop_days": 8}, Standing.STOPPED),
        (30 * DAY_MS, {"stop_days": 8}, Standing.OUTSIDE),
        (DAY_MS, {"wait_minutes": 60, "stop_days": 1}, Standing.STOPPED),
    ],
)
def test_members_are_served_between_waiting_and_stopping(
    age_ms: int, fields: dict[str, object], standing: Standing
) -> None:
    membership = Membership(audience(rule(), **fields))
    assert membership.standing(visitor((did(VIEW, "boots"), age_ms)), NOW_MS) is standing


def test_times_count_from_the_last_event_that_made_one_a_member() -> None:
    wanted = audience(rule(items=ItemFilter(item_ids=("boots",))), stop_days=8)
    again = visitor((did(VIEW, "boots"), 9 * DAY_MS), (did(VIEW, "hat"), 0))
    assert Membership(wanted).standing(again, NOW_MS) is Standing.STOPPED
    fold_event(again, ADVERTISER, did(VIEW, "boots"), NOW_MS)
    assert Membership(wanted).standing(again, NOW_MS) is Standing.SERVED


@pytest.mark.parametrize(("members", "standing"), [(None, "too_small"), (49, "too_small"), (50, "served")])
def test_what_is_narrowed_by_value_needs_enough_members(members: int | None, standing: str) -> None:
    profile = visitor(order(100))
    size = AudienceSize(members or 0)
    by_value = Membership(audience(rule(BUY, total_at_least_micros=100)))
    assert by_value.standing(profile, NOW_MS, SHELVES, size) == standing
    by_doing = Membership(audience(rule(BUY)))
    assert by_doing.standing(profile, NOW_MS, SHELVES, size) is Standing.SERVED
    assert by_doing.standing(profile, NOW_MS, SHELVES, size, narrowed=True) == standing
    assert LEAST_MEMBERS == 50
