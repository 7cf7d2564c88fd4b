"""A worker's picture of the accounts follows each change, and keeps the terms of what was shown."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.budget import BucketId
from adserver.domain.campaign import Pacing, Status
from adserver.domain.money import Micros
from adserver.domain.snapshot import Snapshot
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    make_advertiser,
    make_bucket,
    make_campaign,
    make_creative,
    make_publisher,
    make_site,
    make_slot,
)


def make_snapshot(*entities: object) -> Snapshot:
    snapshot = Snapshot()
    for entity in entities:
        snapshot.put(entity)  # type: ignore[arg-type]
    return snapshot


def live_keys(snapshot: Snapshot, advertiser_key: int = ADVERTISER) -> list[int]:
    return [campaign.key for campaign in snapshot.live_campaigns(advertiser_key)]


def test_each_entity_is_found_by_its_key() -> None:
    entities = (
        make_advertiser(),
        make_campaign(),
        make_creative(),
        make_publisher(),
        make_site(),
        make_slot(),
    )
    snapshot = make_snapshot(*entities)
    tables = (
        snapshot.advertisers,
        snapshot.campaigns,
        snapshot.creatives,
        snapshot.publishers,
        snapshot.sites,
        snapshot.slots,
    )
    for table, entity in zip(tables, entities, strict=True):
        assert table[entity.key] is entity  # type: ignore[index]
    assert snapshot.advertiser_keys == {"shop": ADVERTISER}


def test_active_and_paused_campaigns_are_live_and_no_others() -> None:
    snapshot = make_snapshot(*(make_campaign(key=n, status=status) for n, status in enumerate(Status)))
    assert [snapshot.campaigns[key].status for key in live_keys(snapshot)] == [Status.ACTIVE, Status.PAUSED]


def test_a_campaign_that_ends_is_no_longer_live() -> None:
    snapshot = make_snapshot(make_campaign(), make_campaign(status=Status.ENDED, version=2))
    assert live_keys(snapshot) == []
    assert snapshot.campaigns[CAMPAIGN].status is Status.ENDED


def test_campaigns_of_other_advertisers_are_not_looked_at() -> None:
    snapshot = make_snapshot(make_campaign(), make_campaign(key=71, advertiser_key=9))
    assert live_keys(snapshot) == [CAMPAIGN]
    assert live_keys(snapshot, 9) == [71]
    assert live_keys(snapshot, 10) == []


def test_terms_of_the_versions_seen_are_kept() -> None:
    old, new = make_campaign(), make_campaign(version=2, rate_micros=Micros(1))
    snapshot = make_snapshot(old, new)
    assert snapshot.terms(CAMPAIGN, 1) == old.terms
    assert snapshot.terms(CAMPAIGN, 2) == new.terms
    assert snapshot.terms(CAMPAIGN, 3) is None
    assert snapshot.terms(71, 1) is None


def test_a_creative_told_twice_is_one_creative() -> None:
    changed = make_creative(template="message", version=2)
    snapshot = make_snapshot(make_creative(), make_creative(key=701), changed)
    assert snapshot.creatives_of(CAMPAIGN) == [changed, make_creative(key=701)]
    assert snapshot.creatives_of(71) == []


def test_balances_are_as_the_ledger_last_told_them() -> None:
    snapshot = make_snapshot()
    snapshot.put_buckets([(BucketId(1, 0), make_bucket(10)), (BucketId(2, 0), make_bucket(20))])
    snapshot.put_buckets([(BucketId(1, 0), make_bucket(10, 5))])
    assert snapshot.buckets == {BucketId(1, 0): make_bucket(10, 5), BucketId(2, 0): make_bucket(20)}


def test_what_is_live_may_change_while_it_is_gone_through() -> None:
    snapshot = Snapshot()
    snapshot.put(make_campaign())
    for campaign in snapshot.live_campaigns(make_campaign().advertiser_key):
        snapshot.put(make_campaign(key=campaign.key + 1))
    assert len(snapshot.campaigns) == 2


STATES = st.lists(
    st.tuples(
        st.integers(1, 4), st.sampled_from(Status), st.sampled_from(Pacing), st.sampled_from((None, 9)),
        st.booleans(),
    )
)  # fmt: skip


@given(STATES)
def test_what_is_listed_is_what_a_walk_over_all_campaigns_would_find(
    states: list[tuple[int, Status, Pacing, int | None, bool]],
) -> None:
    snapshot = Snapshot()
    for key, status, pacing, daily, contextual in states:
        snapshot.put(
            make_campaign(
                key=key, status=status, pacing=pacing, daily_budget_micros=daily, contextual=contextual
            )
        )
    live = [one for one in snapshot.campaigns.values() if one.status in (Status.ACTIVE, Status.PAUSED)]
    paced = [one for one in live if one.pacing is Pacing.EVEN and one.daily_budget_micros is not None]
    assert {one.key: one for one in snapshot.paced_campaigns()} == {one.key: one for one in paced}
    assert {one.key for one in snapshot.contextual_campaigns()} == {one.key for one in live if one.contextual}
    assert {one.key for one in snapshot.live_campaigns(make_campaign().advertiser_key)} == {
        one.key for one in live
    }
