"""What came of fetching each product's picture, and which are to be tried next."""

import msgspec
from sqlalchemy import and_, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.picture import PictureCounts, PictureState
from adserver.storage.batch import Batch
from adserver.storage.changes import CATALOGUE, log_catalogue_change
from adserver.storage.sqlite import Reader, listed, prepared
from adserver.storage.sqlite import as_list as list_of
from adserver.storage.tables import change_log, pictures, products
from adserver.writes import ForgetPictures, KeepPicture, Outcome, Result, RetryPictures

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PictureState).decode
RETRIED_AT_ONCE = 500  # in one write, so that no other waits long

_of_product = and_(products.c.key == bindparam("of_key"), products.c.image_link == bindparam("of_image"))
_SHOW = prepared(
    update(products)
    .where(_of_product, products.c.picture.is_distinct_from(bindparam("new_picture")))
    .values(picture=bindparam("new_picture"))
)
_columns = ("product_key", "advertiser_key", "reason", "due_ms", "body")
_row = upsert(pictures).from_select(
    _columns,
    select(
        products.c.key,
        products.c.advertiser_key,
        *(bindparam(name, type_=pictures.c[name].type) for name in ("reason", "due_ms", "body")),
    ).where(_of_product),
)
_KEEP = prepared(
    _row.on_conflict_do_update(
        index_elements=["product_key"],
        set_={name: _row.excluded[name] for name in ("reason", "due_ms", "body")},
    )
)
_FORGET = prepared(delete(pictures).where(pictures.c.product_key.in_(listed("keys"))))
_troubled_keys = (
    select(pictures.c.product_key)
    .where(
        pictures.c.advertiser_key == bindparam("advertiser_key"),
        pictures.c.reason.is_not(None),
        pictures.c.due_ms > bindparam("now_ms"),
    )
    .limit(RETRIED_AT_ONCE)
)
_RETRY = prepared(
    update(pictures).where(pictures.c.product_key.in_(_troubled_keys)).values(due_ms=bindparam("now_ms"))
)
_CHANGED = prepared(
    select(change_log.c.sequence, -change_log.c.key)
    .where(
        change_log.c.sequence > bindparam("sequence"), change_log.c.kind == literal_column(f"'{CATALOGUE}'")
    )
    .order_by(change_log.c.sequence)
)
_of_advertiser = products.c.advertiser_key == bindparam("advertiser_key")
_lacks_picture = and_(_of_advertiser, products.c.picture.is_(None), products.c.image_link.is_not(None))
_LACKING = prepared(
    select(products.c.key, pictures.c.body)
    .outerjoin(pictures, pictures.c.product_key == products.c.key)
    .where(_lacks_picture, products.c.key > bindparam("after"))
    .order_by(products.c.key)
    .limit(bindparam("most"))
)
_DUE = prepared(
    select(pictures.c.product_key, pictures.c.body, pictures.c.due_ms)
    .where(pictures.c.due_ms <= bindparam("now_ms"))
    .order_by(pictures.c.due_ms)
    .limit(bindparam("most"))
)
_UNWATCHED = prepared(
    select(products.c.key)
    .outerjoin(pictures, pictures.c.product_key == products.c.key)
    .where(
        products.c.key > bindparam("after"),
        products.c.picture.is_not(None),
        products.c.image_link.is_not(None),
        pictures.c.product_key.is_(None),
    )
    .order_by(products.c.key)
    .limit(bindparam("most"))
)
_PRODUCTS = prepared(select(func.count()).where(_of_advertiser))
_WITHOUT_ADDRESS = prepared(select(func.count()).where(_of_advertiser, products.c.image_link.is_(None)))
_WITHOUT_PICTURE = prepared(select(func.count()).where(_lacks_picture))
_with_product = pictures.join(products, products.c.key == pictures.c.product_key)
_of_troubled = and_(
    pictures.c.advertiser_key == bindparam("advertiser_key"),
    pictures.c.reason.is_not(None),
    products.c.image_link.is_not(None),
)
_REASONS = prepared(
    select(pictures.c.reason, products.c.picture.is_not(None), func.count())
    .select_from(_with_product)
    .where(_of_troubled)
    .group_by(pictures.c.reason, products.c.picture.is_not(None))
)
_troubles = select(pictures.c.product_key, pictures.c.body, pictures.c.due_ms).select_from(_with_product)
_page = and_(_of_troubled, pictures.c.product_key > bindparam("after"))
_TROUBLES = prepared(_troubles.where(_page).order_by(pictures.c.product_key).limit(bindparam("most")))
_TROUBLES_OF_REASON = prepared(
    _troubles.where(_page, pictures.c.reason == bindparam("of_reason"))
    .order_by(pictures.c.product_key)
    .limit(bindparam("most"))
)


def keep_picture(batch: Batch, write: KeepPicture) -> Outcome:
    """Note what came of a try, and show its picture; unless the product's address has changed meanwhile."""
    state = write.state
    of_product = {"of_key": write.product_key, "of_image": write.image_link}
    row = {"reason": state.reason, "due_ms": state.due_ms, "body": _encode(state)}
    batch.connection.execute(_KEEP, of_product | row)
    if write.picture is not None:
        shown = batch.connection.execute(_SHOW, of_product | {"new_picture": write.picture})
        if shown.rowcount:
            log_catalogue_change(batch, write.advertiser_key)
    return Outcome(Result.SAVED)


def forget_pictures(batch: Batch, write: ForgetPictures) -> Outcome:
    batch.connection.execute(_FORGET, {"keys": list_of(write.product_keys)})
    return Outcome(Result.SAVED)


def retry_pictures(batch: Batch, write: RetryPictures) -> Outcome:
    """Some of those in trouble are due now; the figure says how many, 0 when none is left."""
    parameters = {"advertiser_key": write.advertiser_key, "now_ms": write.now_ms}
    return Outcome(Result.SAVED, batch.connection.execute(_RETRY, parameters).rowcount)


def _known(product_key: int, body: bytes, due_ms: int) -> tuple[int, PictureState]:
    """The column alone knows when it is due: somebody may have asked for a retry."""
    return product_key, msgspec.structs.replace(_decode(body), due_ms=due_ms)


class SqlitePictureBook:
    """Implements PictureBook."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def changed_since(self, sequence: int) -> tuple[int, list[int]]:
        rows = self._reader.rows(_CHANGED, {"sequence": sequence})
        return (rows[-1][0] if rows else sequence), [row[1] for row in rows]

    def lacking(self, advertiser_key: int, after: int, limit: int) -> list[tuple[int, PictureState | None]]:
        parameters = {"advertiser_key": advertiser_key, "after": after, "most": limit}
        rows = self._reader.rows(_LACKING, parameters)
        return [(key, None if body is None else _decode(body)) for key, body in rows]

    def due(self, now_ms: int, limit: int) -> list[tuple[int, PictureState]]:
        rows = self._reader.rows(_DUE, {"now_ms": now_ms, "most": limit})
        return [_known(*row) for row in rows]

    def unwatched(self, after: int, limit: int) -> list[int]:
        rows = self._reader.rows(_UNWATCHED, {"after": after, "most": limit})
        return [int(row[0]) for row in rows]

    def counts(self, advertiser_key: int) -> PictureCounts:
        parameters = {"advertiser_key": advertiser_key}
        reasons: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for reason, is_shown, count in self._reader.rows(_REASONS, parameters):
            reasons[is_shown][reason] = count
        figures = []
        for statement in (_PRODUCTS, _WITHOUT_ADDRESS, _WITHOUT_PICTURE):
            row = self._reader.row(statement, parameters)
            figures.append(int(row[0]) if row else 0)
        return PictureCounts(figures[0], figures[1], figures[2], *reasons)

    def troubles(
        self, advertiser_key: int, reason: str | None, after: int, limit: int
    ) -> list[tuple[int, PictureState]]:
        parameters = {"advertiser_key": advertiser_key, "after": after, "most": limit}
        if reason is None:
            rows = self._reader.rows(_TROUBLES, parameters)
        else:
            rows = self._reader.rows(_TROUBLES_OF_REASON, parameters | {"of_reason": reason})
        return [_known(*row) for row in rows]
