"""What pages say is noted as they say it, kept as the catalogue says it, and examined without much reading."""

import pytest

from adserver.domain.identity import product_key
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import MatchedBy
from adserver.flows import pixel_doctor
from adserver.flows.arrivals import ArrivalReports
from adserver.flows.pixel_doctor import Examined, PixelDoctor
from adserver.writes import AddCounts, KeepSamples, SaveProducts
from tests.contract.stores import save
from tests.domain.makers import ADVERTISER, HOUR_MS, make_advertiser, make_product
from tests.flows.street import SHOPPER, VISITOR, Street

GLA = ItemIdRule(strip_prefix="gla_")
IDS = tuple(f"{number}" for number in range(100, 130))


@pytest.fixture
def shop(street: Street) -> Street:
    street.open_shop()
    street.storage.writer.commit(SaveProducts(ADVERTISER, tuple(make_product(one) for one in IDS)))
    return street


def set_rule(shop: Street, rule: ItemIdRule) -> None:
    save(shop.storage, make_advertiser(version=2, item_id_rule=rule))
    shop.refresh.poll()


def report(shop: Street) -> None:
    """A second passes: what the worker noted goes to disk."""
    shop.storage.writer.commit(AddCounts(shop.memory.tally.take(shop.now_ms - shop.now_ms % HOUR_MS)))
    samples = shop.memory.samples.take()
    if samples:
        shop.storage.writer.commit(KeepSamples(samples))


def look_at(shop: Street, prefix: str, **query: object) -> None:
    for one in IDS:
        assert shop.hit(id=prefix + one, **query).rejection is None
        report(shop)


def sampled(shop: Street) -> int:
    """How many ids found a place: two may have the same, of which the newer keeps it."""
    kept = {one.item_id for one in shop.storage.pixel.samples(ADVERTISER, 0)}
    assert len(kept) > len(IDS) // 2
    return len(kept)


def examine(shop: Street, **advertiser: object) -> Examined:
    storage = shop.storage
    pages_of = ArrivalReports(storage, shop.clock).pages
    doctor = PixelDoctor(storage.pixel, storage.catalogue, storage.feeds, shop.clock, pages_of)
    return doctor.examine(make_advertiser(**advertiser))


def test_ids_that_the_feed_does_not_have_are_found_with_the_rule_that_mends_them(shop: Street) -> None:
    look_at(shop, "gla_")
    examined = examine(shop)
    (finding,) = [one for one in examined.diagnosis.findings if one.code == "ids_unmatched"]
    assert finding.figures == {"ids": sampled(shop), "share": 0, "share_proposed": 1}
    assert examined.proposal is not None and examined.proposal.rule == GLA


def test_under_its_rule_the_profile_holds_what_the_catalogue_has(shop: Street) -> None:
    set_rule(shop, GLA)
    assert shop.hit(id="gla_100", e="add_to_cart").rejection is None
    profile = shop.storage.profiles.profile(VISITOR)
    assert profile is not None
    (visited,) = profile.shops
    assert [one.product_key for one in visited.interests] == [product_key(ADVERTISER, "100")]
    order = {"e": "purchase", "id": "gla_100", "transaction_id": "R-1"}
    assert shop.hit(**order).rejection is None
    profile = shop.storage.profiles.profile(VISITOR)
    assert profile is not None and profile.shops[0].interests == []
    assert [one.product_key for one in profile.shops[0].purchases] == [product_key(ADVERTISER, "100")]


def test_samples_keep_the_pages_words_so_that_a_rule_can_be_taken_back(shop: Street) -> None:
    set_rule(shop, GLA)
    look_at(shop, "gla_")
    kept = {one.item_id for one in shop.storage.pixel.samples(ADVERTISER, 0)}
    assert kept <= {f"gla_{one}" for one in IDS}
    examined = examine(shop, item_id_rule=GLA)
    (figures,) = examined.diagnosis.events
    assert (figures.sampled_ids, figures.found_share, figures.items) == (sampled(shop), 1.0, 30)
    assert examined.proposal is None
    wrong = examine(shop, item_id_rule=ItemIdRule(add_prefix="x"))
    assert wrong.proposal is not None and wrong.proposal.rule == GLA


def test_of_a_large_catalogue_only_a_part_is_read(shop: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_doctor, "MOST_PRODUCTS", 4)
    monkeypatch.setattr(pixel_doctor, "PAGE", 2)
    look_at(shop, "gla_")
    proposal = examine(shop).proposal
    assert proposal is not None and (proposal.rule, proposal.matched) == (GLA, sampled(shop))


def test_groups_are_recognised_from_the_catalogue(shop: Street) -> None:
    variants = tuple(make_product(f"v{one}", item_group_id=f"model{7 * one}") for one in range(500, 530))
    shop.storage.writer.commit(SaveProducts(ADVERTISER, variants))
    for variant in variants:
        shop.hit(id=variant.item_group_id)
        report(shop)
    proposal = examine(shop).proposal
    assert proposal is not None and (proposal.by, proposal.rule) == (MatchedBy.ITEM_GROUP_ID, None)


def test_events_are_counted_for_the_doctor(shop: Street) -> None:
    shop.hit(more=(("id", "101"),), event_id="a")
    shop.hit(more=(("id", "101"),), event_id="b")
    shop.hit(e="purchase", id=None)
    counts = shop.counted()
    assert counts["items_view_item"] == 4
    assert counts["double_view_item"] == 1
    assert counts["missing_transaction_id"] == 1
    assert counts["consent_open_region"] == 3


def test_samples_hold_nothing_of_the_visitor(shop: Street) -> None:
    shop.hit(SHOPPER, id="100")
    report(shop)
    names = [column[1] for column in shop.rows("PRAGMA table_info(pixel_samples)")]
    assert names == ["advertiser_key", "event", "place", "item_id", "price_micros", "currency", "at_ms"]
    assert str(VISITOR) not in str(shop.rows("SELECT * FROM pixel_samples"))
    assert len(shop.rows("SELECT * FROM pixel_samples")) == 1
