"""Whoever is at a slot may be reached: noted once a day, with consent alone; a census and a panel count the same."""

import random
from collections import defaultdict
from itertools import count
from pathlib import Path

import msgspec
import pytest

from adserver.domain import census as census_rules
from adserver.domain.audience import Audience, ItemFilter, Rule
from adserver.domain.audience_reach import GroupSize, Share, exactly
from adserver.domain.audience_size import AudienceSize
from adserver.domain.caller import Caller
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate
from adserver.domain.product_set import SetRule
from adserver.flows import audience_sizes
from adserver.flows.audience_sizes import AudienceSizeReports, CountAudiences
from adserver.writes import ForgetVisitor, Result, SaveProducts, SeenAtSlot, StoreEvent
from pixel.consent import Region
from pixel.events import EventName
from tests.contract.stores import make_accounts, save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CARTERS,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    PRODUCT_SET,
    VIEWERS,
    make_advertiser,
    make_audience,
    make_campaign,
    make_event,
    make_product,
    make_product_set,
)
from tests.flows.street import READER, VISITOR, Street

CARTED = make_audience(EventName.ADD_TO_CART, key=CARTERS)
_keys = count(1)


@pytest.fixture
def open_street(street: Street) -> Street:
    street.open()
    return street


def slot_day(street: Street) -> int:
    profile = street.storage.profiles.profile(VISITOR)
    assert profile is not None
    return profile.slot_day


def visit(street: Street, caller: Caller = READER, **said: object) -> None:
    """At the slot, until what it wrote is durable."""
    street.visit(caller, **said)
    street.counted()


def submitted(street: Street, monkeypatch: pytest.MonkeyPatch) -> list[SeenAtSlot]:
    notes: list[SeenAtSlot] = []
    submit = street.serve._writer.submit

    def watch(write: object) -> object:
        if isinstance(write, SeenAtSlot):
            notes.append(write)
        return submit(write)  # type: ignore[arg-type]

    monkeypatch.setattr(street.serve._writer, "submit", watch)
    return notes


# ---- who was at a slot ----


def test_a_day_at_our_slots_is_noted_once(open_street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = submitted(open_street, monkeypatch)
    for _ in range(3):
        visit(open_street)
    assert notes == [SeenAtSlot(VISITOR, NOW_MS)]
    assert slot_day(open_street) == NOW_MS // DAY_MS
    open_street.now_ms += DAY_MS
    visit(open_street)
    assert (len(notes), slot_day(open_street)) == (2, NOW_MS // DAY_MS + 1)


def test_a_slot_without_an_ad_is_a_slot_too(street: Street) -> None:
    street.open_shop()
    street.look()
    street.refresh.poll()
    assert not street.visit().filled
    street.counted()
    assert slot_day(street) == NOW_MS // DAY_MS


@pytest.mark.parametrize(
    "caller",
    [
        msgspec.structs.replace(READER, region=Region.STRICT),  # where nobody was asked
        msgspec.structs.replace(READER, global_privacy_control=True),
        msgspec.structs.replace(READER, opted_out=True),
        msgspec.structs.replace(READER, test=True),
        msgspec.structs.replace(READER, visitor_key=0),
        msgspec.structs.replace(READER, visitor_key=VISITOR + 1),  # of whom nothing is known
    ],
    ids=["no consent", "privacy control", "opted out", "test", "no cookie", "unknown"],
)
def test_nothing_is_noted_without_consent_nor_of_nobody(
    open_street: Street, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = submitted(open_street, monkeypatch)
    visit(open_street, caller)
    assert notes == [] and slot_day(open_street) == 0


# ---- counting ----


def crowd(street: Street, visitors: int, advertiser_key: int = ADVERTISER) -> None:
    """Visitors of whom every second has filled a cart, and every third was at a slot."""
    writes: list[StoreEvent | SeenAtSlot] = []
    for visitor in range(1, visitors + 1):
        names = [EventName.VIEW_ITEM, EventName.ADD_TO_CART][: 1 + visitor % 2]
        writes += [
            StoreEvent(next(_keys), advertiser_key, visitor, False, make_event(name, "boots"), street.now_ms)
            for name in names
        ]
        writes += [SeenAtSlot(visitor, street.now_ms)] if visitor % 3 == 0 else []
    assert {one.result for one in street.storage.writer.commit_many(writes)} == {Result.ACCEPTED}


@pytest.fixture
def shop(street: Street) -> Street:
    both = (AudienceRate(VIEWERS), AudienceRate(CARTERS))
    save_new(street.storage, *make_accounts(), make_audience(), CARTED)
    save(street.storage, make_campaign(version=2, audience_rates=both))
    return street


def counting(street: Street) -> CountAudiences:
    return CountAudiences(street.storage, street.clock, random.Random(3).random)


def reports(street: Street) -> AudienceSizeReports:
    return AudienceSizeReports(street.storage, street.clock)


def exact(members: int, reachable: int, at_ms: int = NOW_MS) -> GroupSize:
    return GroupSize(exactly(members), exactly(reachable), at_ms)


def test_before_the_first_count_nothing_is_known_and_afterwards_all_is(shop: Street) -> None:
    crowd(shop, 60)
    assert reports(shop).of_audience(CARTED) is None
    assert reports(shop).preview(CARTED) is None and reports(shop).overlap(CARTED, CARTED) is None
    assert counting(shop).run() == 60
    assert reports(shop).of_audience(CARTED) == exact(30, 10)
    assert reports(shop).of_audiences([CARTED, make_audience()]) == [exact(30, 10), exact(60, 20)]
    assert reports(shop).of_campaign(make_campaign()) == exact(60, 20)
    overlap = reports(shop).overlap(make_audience(), CARTED)
    assert overlap is not None and (overlap.one, overlap.other, overlap.both) == (
        exact(60, 20), exact(30, 10), exactly(30),
    )  # fmt: skip


def test_a_campaign_counts_each_visitor_of_all_its_audiences_once(shop: Street) -> None:
    crowd(shop, 60)
    counting(shop).run()
    named = shop.storage.campaigns.campaign(CAMPAIGN)
    assert named is not None and reports(shop).of_campaign(named) == exact(60, 20)


def test_a_draft_and_a_changed_audience_are_counted_at_once(shop: Street) -> None:
    crowd(shop, 60)
    counting(shop).run()
    buyers = Audience(key=0, advertiser_key=ADVERTISER, name="", inclusions=(Rule(EventName.PURCHASE, 30),))
    assert reports(shop).preview(buyers) == exact(0, 0)
    changed = make_audience(exclusions=(Rule(EventName.ADD_TO_CART, 30),), version=2)
    save(shop.storage, changed)
    assert reports(shop).of_audiences([changed]) == [None]  # a list tells what was counted, and no more
    assert reports(shop).of_audience(changed) == exact(30, 10)
    shop.now_ms += HOUR_MS
    counting(shop).run()
    assert reports(shop).of_audiences([changed]) == [exact(30, 10, shop.now_ms)]


def test_workers_hear_of_the_sizes(shop: Street) -> None:
    crowd(shop, 60)
    counting(shop).run()
    shop.refresh.poll()
    shop.refresh.load_sizes()
    assert shop.memory.snapshot.audience_sizes == {
        VIEWERS: AudienceSize(60, NOW_MS, 20), CARTERS: AudienceSize(30, NOW_MS, 10),
    }  # fmt: skip


def test_of_an_audience_that_was_changed_workers_know_no_size_until_it_is_counted(shop: Street) -> None:
    crowd(shop, 60)
    counting(shop).run()
    shop.refresh.poll()
    shop.refresh.load_sizes()
    changed = make_audience(exclusions=(Rule(EventName.ADD_TO_CART, 30),), version=2)
    save(shop.storage, changed)
    sizes = shop.memory.snapshot.audience_sizes
    shop.refresh.poll()
    assert VIEWERS not in sizes and sizes[CARTERS] == AudienceSize(30, NOW_MS, 10)
    shop.refresh.load_sizes()
    assert VIEWERS not in shop.memory.snapshot.audience_sizes
    shop.now_ms += HOUR_MS
    counting(shop).run()
    shop.refresh.load_sizes()
    assert shop.memory.snapshot.audience_sizes[VIEWERS] == AudienceSize(30, shop.now_ms, 10)


def test_rules_that_ask_the_catalogue_are_counted_by_it(shop: Street) -> None:
    said = SetRule(categories=("Shoes",))
    save_new(shop.storage, make_product_set(said))
    filters = (
        ItemFilter(brands=("Stride",)), ItemFilter(categories=("Shoes",)), ItemFilter(product_set_key=PRODUCT_SET)
    )  # fmt: skip
    rules = [Rule(EventName.VIEW_ITEM, 30, items=one) for one in filters]
    rules.append(Rule(EventName.VIEW_ITEM, 30, average_at_least_micros=1))
    asking = [make_audience(key=1_900 + n, inclusions=(one,), currency="EUR") for n, one in enumerate(rules)]
    save_new(shop.storage, *asking)
    crowd(shop, 60)
    sold = make_product("boots", brand="Stride", product_type="Shoes > Boots")
    other = make_product("boots", brand="Other", product_type="Hats", price_micros=Micros(0))
    for product, held in ((sold, exact(60, 20)), (other, exact(0, 0))):
        shop.storage.writer.commit(SaveProducts(ADVERTISER, (product,)))
        counting(shop).run()
        assert reports(shop).of_audiences(asking) == [held] * len(asking)
        assert [reports(shop).preview(one) for one in asking] == [held] * len(asking)
        overlap = reports(shop).overlap(asking[0], asking[1])
        assert overlap is not None and overlap.both == held.members


def test_a_walk_goes_in_stretches_and_stands_only_at_its_end(
    shop: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_sizes, "STRETCH", 25)
    crowd(shop, 60)
    job = counting(shop)
    assert [job.run(), job.run()] == [25, 25]
    assert reports(shop).of_audience(CARTED) is None
    assert job.run() == 10
    assert reports(shop).of_audience(CARTED) == exact(30, 10)


def test_a_job_rests_after_a_walk_the_longer_the_longer_that_took(
    shop: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_sizes, "STRETCH", 25)
    crowd(shop, 30)
    job = counting(shop)
    job.run()
    shop.now_ms += 60_000
    job.run()
    for waited_ms, done in ((audience_sizes.REST_LENGTHS * 60_000 - 1, 0), (1, 25)):
        shop.now_ms += waited_ms
        assert job.run() == done


def test_what_stays_as_it_was_is_saved_once_an_hour(shop: Street) -> None:
    crowd(shop, 4)
    job, counted_ms = counting(shop), []
    for minutes in (0, 30, 29, 1):
        shop.now_ms += minutes * 60_000
        job.run()
        size = reports(shop).of_audience(CARTED)
        assert size is not None
        counted_ms.append(size.counted_ms - NOW_MS)
    assert counted_ms == [0, 0, 0, HOUR_MS]
    crowd(shop, 6)
    shop.now_ms += 60_000
    job.run()
    assert reports(shop).of_audience(CARTED) == exact(3, 1, shop.now_ms)


def test_a_clock_that_went_back_does_not_put_the_count_off(shop: Street) -> None:
    job = counting(shop)
    job.run()
    shop.now_ms -= 30 * DAY_MS
    crowd(shop, 3)
    assert job.run() == 3


def test_a_shop_with_more_visitors_than_a_panel_is_told_with_an_interval(
    shop: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census_rules, "MOST_PANEL", 40)
    crowd(shop, 120)
    counting(shop).run()
    assert reports(shop).of_audience(CARTED) == exact(60, 20)  # the census is exact all the same
    draft = msgspec.structs.replace(CARTED, key=0)
    size = reports(shop).preview(draft)
    assert size is not None and not size.members.is_exact
    assert size.members.least <= 60 <= size.members.most < 120


def test_whoever_is_forgotten_is_counted_no_more(shop: Street) -> None:
    crowd(shop, 5)
    counting(shop).run()
    shop.now_ms += DAY_MS
    assert shop.storage.writer.commit(ForgetVisitor(5, 77, NOW_MS)).result is Result.SAVED
    assert reports(shop).preview(CARTED) == exact(2, 1)
    counting(shop).run()
    assert reports(shop).of_audience(CARTED) == exact(2, 1, shop.now_ms)


# ---- real shoppers ----


@pytest.fixture
def journeys(shared_data: Path) -> list[tuple[int, EventName, int]]:
    """(visitor, event, when) of the first real shoppers, moved so that the last day is today."""
    names = {"pv": EventName.VIEW_ITEM, "cart": EventName.ADD_TO_CART, "fav": EventName.ADD_TO_WISHLIST,
             "buy": EventName.PURCHASE}  # fmt: skip
    lines = (shared_data / "clickstream" / "taobao_journeys" / "events.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    rows = [row for row in rows if 1_511_500_000 <= int(row[4]) <= 1_512_400_000]
    newest = max(int(row[4]) for row in rows)
    shoppers = {user: place for place, user in enumerate(sorted({row[0] for row in rows})[:120], 1)}
    kept = [row for row in rows if row[0] in shoppers]
    return sorted(
        ((shoppers[row[0]], names[row[3]], NOW_MS - (newest - int(row[4])) * 1_000) for row in kept),
        key=lambda one: one[2],
    )


def test_real_shoppers_are_counted_as_by_hand(
    shop: Street, journeys: list[tuple[int, EventName, int]]
) -> None:
    writes = [
        StoreEvent(next(_keys), ADVERTISER, visitor, False, make_event(name, "boots"), at_ms)
        for visitor, name, at_ms in journeys
    ]
    assert {one.result for one in shop.storage.writer.commit_many(writes)} == {Result.ACCEPTED}
    abandoned = Audience(
        key=90, advertiser_key=ADVERTISER, name="Left a cart", inclusions=(Rule(EventName.ADD_TO_CART, 3),),
        exclusions=(Rule(EventName.PURCHASE, 5),),
    )  # fmt: skip
    save_new(shop.storage, abandoned)
    counting(shop).run()

    did: dict[int, dict[EventName, int]] = defaultdict(dict)
    for visitor, name, at_ms in journeys:
        did[visitor][name] = max(at_ms, did[visitor].get(name, 0))
    carted = {who for who, last in did.items() if last.get(EventName.ADD_TO_CART, 0) > NOW_MS - 3 * DAY_MS}
    bought = {who for who, last in did.items() if last.get(EventName.PURCHASE, 0) > NOW_MS - 5 * DAY_MS}
    wanted = len(carted - bought)
    assert 10 < wanted < len(did)
    found = reports(shop).of_audience(abandoned)
    assert found is not None and found.members == Share(wanted, wanted, wanted)
    assert reports(shop).preview(msgspec.structs.replace(abandoned, key=0)) == found


def test_an_advertiser_that_is_opened_later_is_counted_too(shop: Street) -> None:
    other = make_advertiser(key=99, public_id="other")
    save_new(shop.storage, other)
    crowd(shop, 4, advertiser_key=99)
    counting(shop).run()
    panel = shop.storage.audience_sizes.panel(99)
    assert panel is not None and panel.population == 4
