"""Products: written in pieces by imports and the API, read by key for the slot."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.catalogue import Product
from adserver.storage.batch import Batch
from adserver.storage.entities import log_catalogue_change
from adserver.storage.sqlite import Reader, as_list, prepared
from adserver.storage.tables import products
from adserver.writes import Outcome, RemoveProductsNotIn, Result, SaveProducts, SetPicture

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Product).decode
SAVED = Outcome(Result.SAVED)
REMOVED_AT_ONCE = 500  # in one write, so that no other waits long

_row = upsert(products)
_same_image = products.c.image_link.is_(_row.excluded.image_link)
_by_api = _row.excluded.feed_key == literal_column("0")
_was_put_later = ~_by_api & (products.c.put_ms > bindparam("at_ms"))
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
        },
    )
)
_left_out = (
    select(products.c.key)
    .where(products.c.feed_key == bindparam("feed_key"), products.c.import_key < bindparam("import_key"))
    .limit(REMOVED_AT_ONCE)
)
_REMOVE = prepared(delete(products).where(products.c.key.in_(_left_out)).returning(products.c.advertiser_key))
_SET_PICTURE = prepared(
    update(products)
    .where(products.c.key == bindparam("of_key"), products.c.image_link == bindparam("of_image"))
    .values(picture=bindparam("new_picture"))
)
_keys = func.json_each(bindparam("keys")).table_valued("value")
_SOME = prepared(select(products.c.body, products.c.picture).where(products.c.key.in_(select(_keys.c.value))))
_PAGE = prepared(
    select(products.c.body, products.c.picture)
    .where(products.c.advertiser_key == bindparam("advertiser_key"), products.c.key > bindparam("after"))
    .order_by(products.c.key)
    .limit(bindparam("most"))
)
_COUNT = prepared(select(func.count()).where(products.c.advertiser_key == bindparam("advertiser_key")))
_COUNT_OF_FEED = prepared(select(func.count()).where(products.c.feed_key == bindparam("feed_key")))
_WITHOUT_PICTURE = prepared(
    select(products.c.body, products.c.picture)
    .where(
        products.c.advertiser_key == bindparam("advertiser_key"),
        products.c.picture.is_(None),
        products.c.image_link.is_not(None),
    )
    .order_by(products.c.key)
    .limit(bindparam("most"))
)


def save_products(batch: Batch, write: SaveProducts) -> Outcome:
    """Insert or replace; a product keeps its thumbnail while its picture's address is the same.

    An import marks what the API has put since it began as seen, and changes nothing else of it.
    """
    if _is_otherwise(batch, write):
        return Outcome(Result.CONFLICT)
    rows = [
        {
            "key": product.key,
            "advertiser_key": write.advertiser_key,
            "feed_key": write.feed_key,
            "import_key": write.import_key,
            "put_ms": 0 if write.feed_key else write.at_ms,
            "at_ms": write.at_ms,
            "image_link": product.image_link,
            "picture": product.picture,
            "body": _encode(product),
        }
        for product in write.products
    ]
    batch.connection.executemany(_SAVE, rows)
    log_catalogue_change(batch, write.advertiser_key)
    return SAVED


def _is_otherwise(batch: Batch, write: SaveProducts) -> bool:
    """Whether somebody else changed a product since it was read; a batch sent twice did so itself."""
    if not write.was:
        return False
    keys = {"keys": as_list(product.key for product in write.was)}
    now = {product.key: product for product in map(_product, batch.connection.execute(_SOME, keys))}
    wished = {product.key: product for product in write.products}
    return any(now.get(was.key) not in (was, wished.get(was.key)) for was in write.was)


def remove_products_not_in(batch: Batch, write: RemoveProductsNotIn) -> Outcome:
    """Take out some of what an import no longer lists; the figure says how many, 0 when none is left.

    Keys of imports grow with time: what a newer import has written stays.
    """
    parameters = {"feed_key": write.feed_key, "import_key": write.import_key}
    removed = batch.connection.execute(_REMOVE, parameters).fetchall()
    for advertiser_key in {row[0] for row in removed}:
        log_catalogue_change(batch, advertiser_key)
    return Outcome(Result.SAVED, len(removed))


def set_picture(batch: Batch, write: SetPicture) -> Outcome:
    """Give a product its thumbnail, unless its picture's address has changed meanwhile."""
    row = {"of_key": write.product_key, "of_image": write.image_link, "new_picture": write.picture}
    batch.connection.execute(_SET_PICTURE, row)
    log_catalogue_change(batch, write.advertiser_key)
    return SAVED


class SqliteCatalogue:
    """Products as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def products(self, keys: Iterable[int]) -> Mapping[int, Product]:
        """The products that exist among `keys`, by key."""
        listed = ",".join(map(str, keys))
        rows = self._reader.rows(_SOME, {"keys": f"[{listed}]"}) if listed else []
        return {product.key: product for product in map(_product, rows)}

    def page(self, advertiser_key: int, after: int, limit: int) -> list[Product]:
        parameters = {"advertiser_key": advertiser_key, "after": after, "most": limit}
        return [_product(row) for row in self._reader.rows(_PAGE, parameters)]

    def count(self, advertiser_key: int) -> int:
        row = self._reader.row(_COUNT, {"advertiser_key": advertiser_key})
        return int(row[0]) if row else 0

    def count_of_feed(self, feed_key: int) -> int:
        row = self._reader.row(_COUNT_OF_FEED, {"feed_key": feed_key})
        return int(row[0]) if row else 0

    def without_picture(self, advertiser_key: int, limit: int) -> list[Product]:
        """Products whose picture was not fetched yet."""
        parameters = {"advertiser_key": advertiser_key, "most": limit}
        return [_product(row) for row in self._reader.rows(_WITHOUT_PICTURE, parameters)]


def _product(row: tuple[bytes, str | None]) -> Product:
    """The column alone knows the picture: the body may hold one of an address the product has left."""
    return msgspec.structs.replace(_decode(row[0]), picture=row[1])
