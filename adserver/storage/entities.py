"""Accounts, inventory, campaigns, feeds and keys: saved with their caps, read by key or by page."""

import sqlite3
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Table,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from adserver.domain.approval import Reviewed
from adserver.domain.audience import Audience
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed
from adserver.domain.experiment import Experiment
from adserver.domain.imports import Import
from adserver.domain.network import Network
from adserver.domain.offer import OfferPool
from adserver.domain.payout_hold import PayoutHold, conflicting
from adserver.domain.pricing import Terms
from adserver.domain.product_set import ProductSet
from adserver.domain.saved_report import SavedReport
from adserver.domain.shop_hook import ShopHook
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.suppression import SuppressionList
from adserver.domain.user import Invitation, User
from adserver.storage.audit_log import tell_change
from adserver.storage.batch import Batch
from adserver.storage.caps import save_caps
from adserver.storage.imports import prune_imports
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    advertisers,
    api_keys,
    audiences,
    campaign_versions,
    campaigns,
    change_log,
    creatives,
    experiments,
    feeds,
    imports,
    invitations,
    networks,
    offer_pools,
    payout_holds,
    product_sets,
    publishers,
    receipts,
    saved_reports,
    shop_hooks,
    sites,
    slots,
    suppression_lists,
    users,
)
from adserver.writes import Answered, ApiKey, Entity, Outcome, PurgeReceipts, Receipt, Result, SaveEntity

LARGEST = 2**63 - 1
SAVED, CONFLICT = Outcome(Result.SAVED), Outcome(Result.CONFLICT)

# entity -> its table, and the fields that are columns besides `key`
_TABLES: dict[type, tuple[Table, tuple[str, ...]]] = {
    Advertiser: (advertisers, ("public_id",)),
    Publisher: (publishers, ()),
    Site: (sites, ("publisher_key",)),
    Slot: (slots, ("site_key",)),
    Audience: (audiences, ("advertiser_key",)),
    Campaign: (campaigns, ("advertiser_key",)),
    Creative: (creatives, ("campaign_key", "approval")),
    ProductSet: (product_sets, ("advertiser_key",)),
    Feed: (feeds, ("advertiser_key",)),
    Import: (imports, ("feed_key", "state")),
    ApiKey: (api_keys, ("digest",)),
    ShopHook: (shop_hooks, ("advertiser_key",)),
    OfferPool: (offer_pools, ("advertiser_key",)),
    User: (users, ("email",)),
    Invitation: (invitations, ("digest",)),
    Network: (networks, ()),
    Experiment: (experiments, ("advertiser_key",)),
    PayoutHold: (payout_holds, ("publisher_key",)),
    SuppressionList: (suppression_lists, ("advertiser_key",)),
    SavedReport: (saved_reports, ("owner",)),
}
SNAPSHOT_KINDS = (
    Advertiser, Publisher, Site, Slot, Audience, ProductSet, OfferPool, SuppressionList, Experiment, Campaign,
    Creative,
)  # fmt: skip

Kind = TypeVar("Kind")

encode = msgspec.json.Encoder().encode
_decoders: dict[type, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in _TABLES}
_terms_decoder = msgspec.json.Decoder(Terms)


def _save_one(table: Table, columns: tuple[str, ...]) -> str:
    changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in (*columns, "body")}
    return prepared(update(table).where(table.c.key == bindparam("of_key")).values(changed))


_INSERT = {kind: prepared(insert(table)) for kind, (table, _) in _TABLES.items()}
_UPDATE = {kind: _save_one(table, columns) for kind, (table, columns) in _TABLES.items()}
_BODY = {
    kind: prepared(select(table.c.body).where(table.c.key == bindparam("key")))
    for kind, (table, _) in _TABLES.items()
}
_PAGE = {
    kind: prepared(
        select(table.c.body).where(table.c.key > bindparam("after")).order_by(table.c.key)
        .limit(bindparam("most"))
    )
    for kind, (table, _) in _TABLES.items()
}  # fmt: skip
_PAGE_OF_OWNER = {
    kind: prepared(
        select(table.c.body)
        .where(table.c[columns[0]] == bindparam("owner"), table.c.key > bindparam("after"))
        .order_by(table.c.key).limit(bindparam("most"))
    )
    for kind, (table, columns) in _TABLES.items() if columns
}  # fmt: skip
_REVIEWED = prepared(
    select(creatives.c.body)
    .where(
        creatives.c.approval == bindparam("approval"),
        creatives.c.key > bindparam("after"),
        bindparam("campaign").is_(None) | (creatives.c.campaign_key == bindparam("campaign")),
        bindparam("advertiser").is_(None) | creatives.c.campaign_key.in_(
            select(campaigns.c.key).where(campaigns.c.advertiser_key == bindparam("advertiser"))
        ),
    )
    .order_by(creatives.c.key).limit(bindparam("most"))
)  # fmt: skip
_KEY_BY_DIGEST = prepared(select(api_keys.c.body).where(api_keys.c.digest == bindparam("digest")))
_INSERT_VERSION = prepared(insert(campaign_versions))
_VERSION = prepared(
    select(campaign_versions.c.terms).where(
        campaign_versions.c.campaign_key == bindparam("campaign_key"),
        campaign_versions.c.version == bindparam("version"),
    )
)
LOG = prepared(insert(change_log).prefix_with("OR REPLACE"))
_RECEIPT = prepared(
    select(receipts).where(
        receipts.c.owner == bindparam("owner"), receipts.c.idempotency_key == bindparam("idempotency_key")
    )
)
_INSERT_RECEIPT = prepared(insert(receipts))
_PURGE_RECEIPTS = prepared(
    delete(receipts).where(
        tuple_(receipts.c.owner, receipts.c.idempotency_key).in_(
            select(receipts.c.owner, receipts.c.idempotency_key)
            .where(receipts.c.at_ms < bindparam("before_ms"))
            .limit(bindparam("most"))
        )
    )
)


def save_entity(batch: Batch, write: SaveEntity) -> Outcome:
    """Insert or replace an entity; caps first, so that a refused cap changes nothing.

    Versioned entities are replaced only from the version before: a concurrent change is a CONFLICT.
    The same state once more is SAVED, so that a batch sent twice is harmless.
    """
    entity, kind = write.entity, type(write.entity)
    body = encode(entity)
    stored_body = batch.connection.execute(_BODY[kind], {"key": entity.key}).fetchone()
    if stored_body is not None and stored_body[0] == body:
        return SAVED
    if (stored_body is None) is not write.is_new or _is_stale(kind, stored_body, entity):
        return CONFLICT
    if isinstance(entity, Campaign | Advertiser):
        known = None if stored_body is None else _decoders[kind].decode(stored_body[0])
        refused = save_caps(batch, entity, known, write)
        if refused is not None:
            return refused
    if isinstance(entity, PayoutHold) and write.is_new and _is_held(batch, entity):
        return CONFLICT
    try:
        _save_body(batch, entity, body, write.is_new)
    except sqlite3.IntegrityError:
        return CONFLICT
    if isinstance(entity, Import):  # which tells of itself
        prune_imports(batch, entity.feed_key)
    else:
        tell_change(batch, write, None if stored_body is None else stored_body[0], body)
    if kind in SNAPSHOT_KINDS:
        log = {"sequence": batch.sequence, "key": entity.key, "kind": kind.__name__}
        batch.connection.execute(LOG, log)
        batch.touched_balances = True
    return SAVED


def _is_stale(kind: type, stored: tuple[bytes] | None, entity: Entity) -> bool:
    version = getattr(entity, "version", None)
    if stored is not None and isinstance(entity, ApiKey):  # read before it was revoked: it stays so
        return entity.revoked_at_ms is None and _decoders[kind].decode(stored[0]).revoked_at_ms is not None
    if stored is None or version is None:
        return False
    return bool(_decoders[kind].decode(stored[0]).version != version - 1)


def _is_held(batch: Batch, hold: PayoutHold) -> bool:
    """Whether another hold has some of it already: two that are placed at once would withhold twice."""
    asked = {"owner": hold.publisher_key, "after": -1, "most": LARGEST}
    rows = batch.connection.execute(_PAGE_OF_OWNER[PayoutHold], asked)
    return conflicting(hold, (_decoders[PayoutHold].decode(row[0]) for row in rows)) is not None


def _save_body(batch: Batch, entity: Entity, body: bytes, is_new: bool) -> None:
    kind = type(entity)
    columns = {name: getattr(entity, name) for name in _TABLES[kind][1]}
    if is_new:
        batch.connection.execute(_INSERT[kind], {"key": entity.key, **columns, "body": body})
    else:
        changed = {f"new_{name}": value for name, value in columns.items()}
        batch.connection.execute(_UPDATE[kind], {"of_key": entity.key, **changed, "new_body": body})
    if isinstance(entity, Campaign):
        row = {"campaign_key": entity.key, "version": entity.version, "terms": encode(entity.terms)}
        batch.connection.execute(_INSERT_VERSION, row)


def save_receipt(batch: Batch, receipt: Receipt) -> Outcome:
    """Keep the answer to an Idempotency-Key; the first one stays."""
    key = {"owner": receipt.owner, "idempotency_key": receipt.idempotency_key}
    stored = batch.connection.execute(_RECEIPT, key).fetchone()
    if stored is not None:
        return SAVED if Receipt(*stored) == receipt else Outcome(Result.RECEIPT_EXISTS)
    batch.connection.execute(_INSERT_RECEIPT, msgspec.structs.asdict(receipt))
    return SAVED


def receipt_exists(batch: Batch, receipt: Receipt) -> Outcome | None:
    """RECEIPT_EXISTS where this Idempotency-Key was answered before."""
    key = {"owner": receipt.owner, "idempotency_key": receipt.idempotency_key}
    known = batch.connection.execute(_RECEIPT, key).fetchone()
    return None if known is None else Outcome(Result.RECEIPT_EXISTS)


def keep_outcome(batch: Batch, receipt: Receipt, outcome: Outcome) -> Outcome:
    """Keep what became of a write that moves money, for its Idempotency-Key."""
    kept = msgspec.msgpack.encode(Answered(outcome, receipt.body))
    batch.connection.execute(_INSERT_RECEIPT, msgspec.structs.asdict(receipt) | {"body": kept})
    return outcome


def purge_receipts(batch: Batch, write: PurgeReceipts) -> Outcome:
    """Forget old receipts, a few at a time: nobody waits for long; once more is harmless."""
    purged = batch.connection.execute(_PURGE_RECEIPTS, msgspec.structs.asdict(write))
    return Outcome(Result.SAVED, purged.rowcount)


def stored(batch: Batch, kind: type[Kind], key: int) -> Kind | None:
    """An entity as the transaction sees it."""
    row = batch.connection.execute(_BODY[kind], {"key": key}).fetchone()
    return None if row is None else _decoders[kind].decode(row[0])


# ---- reading ----


def entity(reader: Reader, kind: type[Kind], key: int) -> Kind | None:
    row = reader.row(_BODY[kind], {"key": key})
    return None if row is None else _decoders[kind].decode(row[0])


def page_of(reader: Reader, kind: type[Kind], owner: int | str | None, after: int, limit: int) -> list[Kind]:
    if owner is None:
        rows = reader.rows(_PAGE[kind], {"after": after, "most": limit})
    else:
        rows = reader.rows(_PAGE_OF_OWNER[kind], {"owner": owner, "after": after, "most": limit})
    return [_decoders[kind].decode(row[0]) for row in rows]


class SqliteAccounts:
    """Advertisers with their shops' webhooks, and publishers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def advertiser(self, key: int) -> Advertiser | None:
        return entity(self._reader, Advertiser, key)

    def advertisers(self, after: int, limit: int) -> list[Advertiser]:
        return page_of(self._reader, Advertiser, None, after, limit)

    def publisher(self, key: int) -> Publisher | None:
        return entity(self._reader, Publisher, key)

    def publishers(self, after: int, limit: int) -> list[Publisher]:
        return page_of(self._reader, Publisher, None, after, limit)

    def shop_hook(self, key: int) -> ShopHook | None:
        return entity(self._reader, ShopHook, key)


class SqliteInventory:
    """Sites and slots."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def site(self, key: int) -> Site | None:
        return entity(self._reader, Site, key)

    def sites(self, publisher_key: int | None, after: int, limit: int) -> list[Site]:
        return page_of(self._reader, Site, publisher_key, after, limit)

    def slot(self, key: int) -> Slot | None:
        return entity(self._reader, Slot, key)

    def slots(self, site_key: int | None, after: int, limit: int) -> list[Slot]:
        return page_of(self._reader, Slot, site_key, after, limit)


class SqliteCampaigns:
    """Campaigns, the terms of each of their versions, and their creatives."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def campaign(self, key: int) -> Campaign | None:
        return entity(self._reader, Campaign, key)

    def campaigns(self, advertiser_key: int | None, after: int, limit: int) -> list[Campaign]:
        return page_of(self._reader, Campaign, advertiser_key, after, limit)

    def terms(self, key: int, version: int) -> Terms | None:
        row = self._reader.row(_VERSION, {"campaign_key": key, "version": version})
        return None if row is None else _terms_decoder.decode(row[0])

    def creative(self, key: int) -> Creative | None:
        return entity(self._reader, Creative, key)

    def creatives(self, campaign_key: int, after: int, limit: int) -> list[Creative]:
        return page_of(self._reader, Creative, campaign_key, after, limit)

    def reviewed(self, of: Reviewed, after: int, limit: int) -> list[Creative]:
        asked = {"campaign": of.campaign_key, "advertiser": of.advertiser_key, "approval": of.approval}
        rows = self._reader.rows(_REVIEWED, asked | {"after": after, "most": limit})
        return [_decoders[Creative].decode(row[0]) for row in rows]


class SqliteSavedReports:
    """Reports that accounts and the network keep under a name."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def saved_report(self, key: int) -> SavedReport | None:
        return entity(self._reader, SavedReport, key)

    def saved_reports(self, owner: str, after: int, limit: int) -> list[SavedReport]:
        return page_of(self._reader, SavedReport, owner, after, limit)


class SqliteAudiences:
    """Audiences of advertisers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def audience(self, key: int) -> Audience | None:
        return entity(self._reader, Audience, key)

    def audiences(self, advertiser_key: int | None, after: int, limit: int) -> list[Audience]:
        return page_of(self._reader, Audience, advertiser_key, after, limit)


class SqliteProductSets:
    """Product sets of advertisers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def product_set(self, key: int) -> ProductSet | None:
        return entity(self._reader, ProductSet, key)

    def product_sets(self, advertiser_key: int, after: int, limit: int) -> list[ProductSet]:
        return page_of(self._reader, ProductSet, advertiser_key, after, limit)


class SqliteKeys:
    """API keys and the receipts of what was done with them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def find(self, digest: str) -> ApiKey | None:
        row = self._reader.row(_KEY_BY_DIGEST, {"digest": digest})
        return None if row is None else _decoders[ApiKey].decode(row[0])

    def keys(self, after: int, limit: int) -> list[ApiKey]:
        return page_of(self._reader, ApiKey, None, after, limit)

    def receipt(self, owner: str, idempotency_key: str) -> Receipt | None:
        row = self._reader.row(_RECEIPT, {"owner": owner, "idempotency_key": idempotency_key})
        return None if row is None else Receipt(*row)


class SqliteFeeds:
    """Feeds and the report of each one's last import."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def feed(self, key: int) -> Feed | None:
        return entity(self._reader, Feed, key)

    def feeds(self, advertiser_key: int | None, after: int, limit: int) -> list[Feed]:
        return page_of(self._reader, Feed, advertiser_key, after, limit)
