"""The ports of accounts, campaigns, inventory, feeds and keys: saved by version, read by key or page."""

import msgspec
import pytest

from adserver.domain.approval import Reviewed
from adserver.domain.campaign import Approval
from adserver.domain.catalogue import Feed
from adserver.domain.money import Micros
from adserver.domain.product_set import SetRule
from adserver.storage.embedded import Storage
from adserver.writes import ApiKey, Entity, Receipt, Result, SaveEntity, Scope, Together
from tests.contract.stores import make_accounts, save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    NOW_MS,
    make_advertiser,
    make_audience,
    make_campaign,
    make_creative,
    make_message,
    make_product_set,
    make_shop_hook,
    make_site,
    make_slot,
)

KEY = ApiKey(key=5, digest="d" * 64, scope=Scope.ADVERTISER, owner_key=ADVERTISER, name="laptop")
RECEIPT = Receipt("owner", "order-1", "digest", 201, b"{}", NOW_MS)
QUEUED = ((702, CAMPAIGN), (703, CAMPAIGN), (704, 90))  # a creative, and its campaign


def read(storage: Storage, entity: Entity) -> object:
    ports = {
        "Advertiser": storage.accounts.advertiser,
        "Publisher": storage.accounts.publisher,
        "Audience": storage.audiences.audience,
        "Campaign": storage.campaigns.campaign,
        "Creative": storage.campaigns.creative,
        "Site": storage.inventory.site,
        "Slot": storage.inventory.slot,
        "Feed": storage.feeds.feed,
        "ProductSet": storage.product_sets.product_set,
        "ShopHook": storage.accounts.shop_hook,
    }
    return ports[type(entity).__name__](entity.key)


@pytest.mark.parametrize(
    "entity",
    [
        *make_accounts(),
        make_message(),
        make_audience(),
        make_shop_hook(),
        make_product_set(
            SetRule(categories=("Shoes",), price_min_micros=Micros(1), on_sale=False),
            exclusions=(SetRule(item_ids=("boots",)),),
        ),
        Feed(key=3, advertiser_key=ADVERTISER),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_entity_is_read_back_as_it_was_saved(empty: Storage, entity: Entity) -> None:
    assert read(empty, entity) is None
    assert save(empty, entity, is_new=True).result is Result.SAVED
    assert read(empty, entity) == entity


def test_the_same_state_once_more_is_saved(storage: Storage) -> None:
    assert save(storage, make_campaign(), is_new=True).result is Result.SAVED
    assert save(storage, make_campaign()).result is Result.SAVED


@pytest.mark.parametrize("version", [0, 1, 3])
def test_only_the_next_version_replaces_a_campaign(storage: Storage, version: int) -> None:
    assert save(storage, make_campaign(version=version, name="Winter")).result is Result.CONFLICT
    assert storage.campaigns.campaign(CAMPAIGN) == make_campaign()


def test_what_exists_is_not_made_again_and_what_does_not_is_not_replaced(storage: Storage) -> None:
    assert save(storage, make_slot(name="Other"), is_new=True).result is Result.CONFLICT
    assert save(storage, make_slot(key=801)).result is Result.CONFLICT
    assert save(storage, make_slot(name="Other")).result is Result.SAVED


def test_a_public_id_belongs_to_one_advertiser(storage: Storage) -> None:
    assert save(storage, make_advertiser(key=9), is_new=True).result is Result.CONFLICT
    assert storage.accounts.advertiser(9) is None
    assert storage.ledger.buckets([]) == []


def test_terms_of_every_version_are_kept(storage: Storage) -> None:
    save(storage, make_campaign(version=2, rate_micros=Micros(9)))
    old, new = storage.campaigns.terms(CAMPAIGN, 1), storage.campaigns.terms(CAMPAIGN, 2)
    assert old == make_campaign().terms
    assert new is not None and new.rate_micros == 9
    assert storage.campaigns.terms(CAMPAIGN, 3) is None


def test_pages_begin_after_a_key_and_hold_one_owners_only(storage: Storage) -> None:
    save_new(storage, make_campaign(key=90, advertiser_key=9), make_creative(key=701), make_site(key=81))
    save_new(storage, make_slot(key=801, site_key=81))
    assert [c.key for c in storage.campaigns.campaigns(ADVERTISER, -1, 9)] == [70, 71]
    assert [c.key for c in storage.campaigns.campaigns(None, 70, 9)] == [71, 90]
    assert [c.key for c in storage.campaigns.campaigns(None, -1, 1)] == [70]
    assert [c.key for c in storage.campaigns.creatives(CAMPAIGN, 700, 9)] == [701]
    assert [site.key for site in storage.inventory.sites(None, -1, 9)] == [80, 81]
    assert [slot.key for slot in storage.inventory.slots(81, -1, 9)] == [801]
    save_new(storage, make_audience(), make_audience(key=76, advertiser_key=9), make_audience(key=77))
    assert [a.key for a in storage.audiences.audiences(ADVERTISER, 75, 9)] == [77]
    assert [a.key for a in storage.audiences.audiences(None, -1, 2)] == [75, 76]
    assert [a.key for a in storage.accounts.advertisers(-1, 9)] == [ADVERTISER]
    assert [p.key for p in storage.accounts.publishers(-1, 9)] == [8]


def test_creatives_are_found_by_their_standing_across_campaigns_and_advertisers(storage: Storage) -> None:
    save_new(storage, make_campaign(key=90, advertiser_key=9), make_creative(key=701))
    pending = [make_creative(key=key, campaign_key=of, approval=Approval.PENDING) for key, of in QUEUED]
    save_new(storage, *pending)

    def found(after: int = -1, limit: int = 9, **of: int) -> list[int]:
        asked = Reviewed(Approval.PENDING, **of)
        return [creative.key for creative in storage.campaigns.reviewed(asked, after, limit)]

    assert found() == [702, 703, 704]
    assert found(702, 1) == [703]
    assert found(advertiser_key=ADVERTISER) == [702, 703]
    assert found(advertiser_key=9, campaign_key=90) == [704]
    assert found(advertiser_key=9, campaign_key=CAMPAIGN) == []
    rejected = msgspec.structs.replace(pending[0], approval=Approval.REJECTED, version=2)
    assert save(storage, rejected).result is Result.SAVED
    assert found() == [703, 704]
    assert [one.key for one in storage.campaigns.reviewed(Reviewed(Approval.REJECTED), -1, 9)] == [702]


# ---- keys and receipts ----


def test_a_key_is_found_by_its_digest(storage: Storage) -> None:
    assert save(storage, KEY, is_new=True).result is Result.SAVED
    assert storage.keys.find(KEY.digest) == KEY
    assert storage.keys.find("e" * 64) is None
    assert storage.keys.keys(-1, 9) == [KEY]
    revoked = msgspec.structs.replace(KEY, revoked_at_ms=NOW_MS)
    assert save(storage, revoked).result is Result.SAVED
    assert storage.keys.find(KEY.digest) == revoked


def test_a_key_that_was_revoked_stays_so_whoever_read_it_before(storage: Storage) -> None:
    save_new(storage, KEY)
    save(storage, msgspec.structs.replace(KEY, revoked_at_ms=NOW_MS))
    rotated = SaveEntity(msgspec.structs.replace(KEY, expires_at_ms=NOW_MS + 1), is_new=False)
    assert storage.writer.commit(Together((rotated,))).result is Result.CONFLICT
    found = storage.keys.find(KEY.digest)
    assert found is not None and found.revoked_at_ms == NOW_MS


def test_the_first_receipt_of_an_idempotency_key_stays(storage: Storage) -> None:
    assert storage.keys.receipt("owner", "order-1") is None
    assert storage.writer.commit(RECEIPT).result is Result.SAVED
    assert storage.writer.commit(RECEIPT).result is Result.SAVED
    other = msgspec.structs.replace(RECEIPT, request_digest="another")
    assert storage.writer.commit(other).result is Result.RECEIPT_EXISTS
    assert storage.keys.receipt("owner", "order-1") == RECEIPT


def test_an_idempotency_key_belongs_to_its_owner(storage: Storage) -> None:
    storage.writer.commit(RECEIPT)
    theirs = msgspec.structs.replace(RECEIPT, owner="someone else")
    assert storage.writer.commit(theirs).result is Result.SAVED
    assert storage.keys.receipt("someone else", "order-1") == theirs


def test_what_a_key_has_done_once_is_not_done_again(storage: Storage) -> None:
    first = Together((SaveEntity(make_creative(key=701), True), RECEIPT))
    assert storage.writer.commit(first).result is Result.SAVED
    second = Together((SaveEntity(make_creative(key=702), True), msgspec.structs.replace(RECEIPT, body=b"2")))
    assert storage.writer.commit(second).result is Result.RECEIPT_EXISTS
    assert storage.campaigns.creative(702) is None


def test_the_sets_of_an_advertiser_are_listed_in_order_and_no_others(empty: Storage) -> None:
    rule = SetRule(brands=("Nike",))
    for key in (3, 1, 2):
        save_new(empty, make_product_set(rule, key=key))
    save_new(empty, make_product_set(rule, key=4, advertiser_key=ADVERTISER + 1))
    assert [one.key for one in empty.product_sets.product_sets(ADVERTISER, 0, 2)] == [1, 2]
    assert [one.key for one in empty.product_sets.product_sets(ADVERTISER, 2, 2)] == [3]
