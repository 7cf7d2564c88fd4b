"""Products: written in pieces by imports and the API, with price histories; read by key for the slot."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.burn import Kind, kind_of
from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Product
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.price_history import (
    PriceHistory,
    Strike,
    StrikeCount,
    asks_for_lowest,
    noted,
    reduction_of,
    struck_micros,
)
from adserver.storage.batch import Batch
from adserver.storage.changes import log_catalogue_change
from adserver.storage.sqlite import Reader, as_list, listed, prepared
from adserver.storage.tables import advertisers, feeds, imports, products
from adserver.writes import DropFeed, Outcome, RemoveProductsNotIn, Result, SaveProducts, SetPicture

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Product).decode
_decode_history = msgspec.msgpack.Decoder(PriceHistory).decode
_decode_advertiser = lru_cache(maxsize=256)(msgspec.json.Decoder(Advertiser).decode)
SAVED = Outcome(Result.SAVED)
REMOVED_AT_ONCE = 500  # in one write, so that no other waits long

_OF_PRICE = ("price_history", "strike", "sale_from_ms", "sale_until_ms", "known_since_ms")
_row = upsert(products)
_same_image = products.c.image_link.is_(_row.excluded.image_link)
_by_api = _row.excluded.feed_key == literal_column("0")
_was_put_later = ~_by_api & (products.c.put_ms > bindparam("read_ms"))
_SAVE = prepared(
    _row.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "feed_key": func.iif(_by_api, products.c.feed_key, _row.excluded.feed_key),
            # The newest of the imports that list it: an older one that ends later must not take it out.
            "import_key": func.iif(
                _by_api, products.c.import_key, func.max(products.c.import_key, _row.excluded.import_key)
            ),
            "put_ms": func.iif(_by_api, _row.excluded.put_ms, products.c.put_ms),
            "body": func.iif(_was_put_later, products.c.body, _row.excluded.body),
            "image_link": func.iif(_was_put_later, products.c.image_link, _row.excluded.image_link),
            "picture": func.iif(_was_put_later | _same_image, products.c.picture, literal_column("NULL")),
            **{name: func.iif(_was_put_later, products.c[name], _row.excluded[name]) for name in _OF_PRICE},
        },
    )
)
_HISTORIES = prepared(
    select(products.c.key, products.c.price_history).where(products.c.key.in_(listed("keys")))
)
_left_out = (
    select(products.c.key)
    .where(products.c.feed_key == bindparam("feed_key"), products.c.import_key < bindparam("import_key"))
    .limit(REMOVED_AT_ONCE)
)
_REMOVE = prepared(delete(products).where(products.c.key.in_(_left_out)).returning(products.c.advertiser_key))
_DROP_IMPORTS = prepared(delete(imports).where(imports.c.feed_key == bindparam("feed_key")))
_DROP_FEED = prepared(delete(feeds).where(feeds.c.key == bindparam("feed_key")))
_SET_PICTURE = prepared(
    update(products)
    .where(products.c.key == bindparam("of_key"), products.c.image_link == bindparam("of_image"))
    .values(picture=bindparam("new_picture"))
)
_product_row = select(
    products.c.body, products.c.picture, products.c.price_history, advertisers.c.body
).outerjoin(advertisers, advertisers.c.key == products.c.advertiser_key)
_SOME = prepared(_product_row.where(products.c.key.in_(listed("keys"))))
_PAGE = prepared(
    _product_row.where(
        products.c.advertiser_key == bindparam("advertiser_key"), products.c.key > bindparam("after")
    )
    .order_by(products.c.key)
    .limit(bindparam("most"))
)
_BODIES = prepared(select(products.c.body).where(products.c.key.in_(listed("keys"))))
_COUNT = prepared(select(func.count()).where(products.c.advertiser_key == bindparam("advertiser_key")))
_count_of_feed = select(func.count()).where(products.c.feed_key == bindparam("feed_key"))
_COUNT_OF_FEED = prepared(_count_of_feed)
_COUNT_AMONG = prepared(_count_of_feed.where(products.c.key.in_(listed("keys"))))
_ON_SALE = prepared(
    select(
        products.c.strike,
        func.count(),
        func.min(products.c.known_since_ms),
        func.max(products.c.known_since_ms),
    )
    .where(
        products.c.advertiser_key == bindparam("advertiser_key"),
        products.c.strike.is_not(None),
        products.c.sale_from_ms.is_(None) | (products.c.sale_from_ms <= bindparam("now_ms")),
        products.c.sale_until_ms.is_(None) | (products.c.sale_until_ms > bindparam("now_ms")),
    )
    .group_by(products.c.strike)
)


def save_products(batch: Batch, write: SaveProducts) -> Outcome:
    """Insert or replace; a product keeps its thumbnail while its picture's address is the same.

    An import marks what the API has put since it began as seen, and changes nothing else of it.
    """
    if _is_otherwise(batch, write):
        return Outcome(Result.CONFLICT)
    known = _histories(batch, [product.key for product in write.products])
    rows = []
    for product in write.products:
        history = noted(known.get(product.key), product, write.at_ms) if write.at_ms else None
        if history is not None:
            known[product.key] = history
        rows.append(_row_of(product, write) | _price_columns(product, history))
    batch.connection.executemany(_SAVE, rows)
    log_catalogue_change(batch, write.advertiser_key)
    return SAVED


def _is_otherwise(batch: Batch, write: SaveProducts) -> bool:
    """Whether somebody else changed a product since it was read; a batch sent twice did so itself."""
    if not write.was:
        return False
    keys = {"keys": as_list(product.key for product in write.was)}
    now = {
        product.key: product for product in map(_put, map(_product, batch.connection.execute(_SOME, keys)))
    }
    wished = {product.key: _put(product) for product in write.products}
    return any(now.get(was.key) not in (_put(was), wished.get(was.key)) for was in write.was)


def _put(product: Product) -> Product:
    """As somebody has put it: without what was reckoned of its history."""
    return msgspec.structs.replace(product, reference_price_micros=None)


def _row_of(product: Product, write: SaveProducts) -> dict[str, Any]:
    return {
        "key": product.key,
        "advertiser_key": write.advertiser_key,
        "feed_key": write.feed_key,
        "import_key": write.import_key,
        "put_ms": 0 if write.feed_key else write.at_ms,
        "read_ms": write.read_ms or write.at_ms,
        "image_link": product.image_link,
        "picture": product.picture,
        "body": _encode(product),
    }


def _price_columns(product: Product, history: PriceHistory | None) -> dict[str, Any]:
    """What may be struck through stays as it is until the product is saved again: so it is reckoned here."""
    reduction = reduction_of(product, history)
    return {
        "price_history": None if history is None else _encode(history),
        "strike": None if reduction is None else reduction.strike.value,
        "sale_from_ms": None if reduction is None else product.sale_from_ms,
        "sale_until_ms": None if reduction is None else product.sale_until_ms,
        "known_since_ms": None if reduction is None else reduction.known_since_ms,
    }


def _histories(batch: Batch, keys: Iterable[int]) -> dict[int, PriceHistory]:
    rows = batch.connection.execute(_HISTORIES, {"keys": as_list(keys)})
    return {key: _decode_history(history) for key, history in rows if history is not None}


def remove_products_not_in(batch: Batch, write: RemoveProductsNotIn) -> Outcome:
    """Take out some of what an import no longer lists; the figure says how many, 0 when none is left.

    Keys of imports grow with time: what a newer import has written stays.
    """
    parameters = {"feed_key": write.feed_key, "import_key": write.import_key}
    removed = batch.connection.execute(_REMOVE, parameters).fetchall()
    for advertiser_key in {row[0] for row in removed}:
        log_catalogue_change(batch, advertiser_key)
    return Outcome(Result.SAVED, len(removed))


def drop_feed(batch: Batch, write: DropFeed) -> Outcome:
    """Whatever import has written them; the feed itself is the last to go, so that it can be asked again."""
    removed = remove_products_not_in(batch, RemoveProductsNotIn(write.feed_key, LARGEST_KEY))
    if not removed.figure:
        for drop in (_DROP_IMPORTS, _DROP_FEED):
            batch.connection.execute(drop, {"feed_key": write.feed_key})
    return removed


def set_picture(batch: Batch, write: SetPicture) -> Outcome:
    """Give a product its thumbnail, unless its picture's address has changed meanwhile."""
    row = {"of_key": write.product_key, "of_image": write.image_link, "new_picture": write.picture}
    batch.connection.execute(_SET_PICTURE, row)
    log_catalogue_change(batch, write.advertiser_key)
    return SAVED


def kinds_in(batch: Batch, keys: Iterable[int]) -> dict[int, Kind]:
    """Of products that are bought just now."""
    return _kinds(batch.connection.execute(_BODIES, {"keys": as_list(keys)}).fetchall())


def kinds_read(reader: Reader, keys: Iterable[int]) -> dict[int, Kind]:
    return _kinds(reader.rows(_BODIES, {"keys": as_list(keys)}))


def _kinds(rows: Iterable[tuple[bytes]]) -> dict[int, Kind]:
    return {product.key: kind_of(product) for product in (_decode(body) for (body,) in rows)}


class SqliteCatalogue:
    """Products as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def products(self, keys: Iterable[int]) -> Mapping[int, Product]:
        """The products that exist among `keys`, by key."""
        wanted = as_list(keys)
        rows = self._reader.rows(_SOME, {"keys": wanted}) if wanted != "[]" else []
        return {product.key: product for product in map(_product, rows)}

    def page(self, advertiser_key: int, after: int, limit: int) -> list[Product]:
        parameters = {"advertiser_key": advertiser_key, "after": after, "most": limit}
        return [_product(row) for row in self._reader.rows(_PAGE, parameters)]

    def count(self, advertiser_key: int) -> int:
        row = self._reader.row(_COUNT, {"advertiser_key": advertiser_key})
        return int(row[0]) if row else 0

    def count_of_feed(self, feed_key: int, among: Sequence[int] | None = None) -> int:
        """How many products a feed has brought; `among` these keys only, where some are given."""
        if among is None:
            row = self._reader.row(_COUNT_OF_FEED, {"feed_key": feed_key})
        else:
            row = self._reader.row(_COUNT_AMONG, {"feed_key": feed_key, "keys": as_list(among)})
        return int(row[0]) if row else 0

    def price_history(self, product_key: int) -> PriceHistory | None:
        """What was asked for a product; None where there is none, or nothing is known."""
        row = self._reader.row(_HISTORIES, {"keys": as_list([product_key])})
        return None if row is None or row[1] is None else _decode_history(row[1])

    def on_sale(self, advertiser_key: int, now_ms: int) -> list[StrikeCount]:
        """How many products are on sale now, by what may be struck through for them."""
        rows = self._reader.rows(_ON_SALE, {"advertiser_key": advertiser_key, "now_ms": now_ms})
        return [StrikeCount(Strike(strike), *figures) for strike, *figures in rows]


def _product(row: tuple[bytes, str | None, bytes | None, bytes | None]) -> Product:
    """The column alone knows the picture: the body may hold one of an address the product has left.

    What is struck through is as its history and its advertiser's country say.
    """
    product, history = _decode(row[0]), row[2]
    struck = None
    if product.sale_price_micros is not None:
        reduction = reduction_of(product, None if history is None else _decode_history(history))
        advertiser = None if row[3] is None else _decode_advertiser(row[3])
        struck = struck_micros(reduction, product, lowest=asks_for_lowest(advertiser))
    return msgspec.structs.replace(product, picture=row[1], reference_price_micros=struck)
