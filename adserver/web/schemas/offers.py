"""Pools of single-use codes, uploads and redemptions as JSON; codes as CSV too."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self

import msgspec
from msgspec.structs import replace
from pydantic import Field, model_validator

from adserver.domain.identity import write_id
from adserver.domain.offer import OfferPool, PoolKind, Redemption, Stock
from adserver.flows.manage import Uploaded
from adserver.flows.redeem import Judged
from adserver.web.schemas.conversions import ClickId, Reference
from adserver.web.schemas.fields import AdvertiserId, Change, GivenTime, Line, Name, Paging, ShownTime, Strict

MOST_CODES = 100_000
MOST_FLAWS = 1_000  # that are named one by one

# What shops' exports call the column; a word such as COUPON would be a code as well.
CODE_HEADS = frozenset(
    "code codes coupon coupons couponcode vouchercode voucher vouchers discountcode promocode promotioncode "
    "gutschein gutscheincode rabattcode codepromo codicesconto codigo código".split()
)

_NO_LETTERS = re.compile(r"[\W_]+")  # `Coupon Code`, `coupon_code`
Lines = list[tuple[int, str]]
Prefix = Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9-]{0,11})?$", examples=["AUTUMN-"])]
Minutes = Annotated[int, Field(strict=True, ge=1, le=525_600)]


class OfferPoolDraft(Strict):
    """A new pool: `uploaded` codes are the shop's own, `generated` ones are made at the click."""

    advertiser_id: AdvertiserId
    name: Name
    kind: PoolKind
    prefix: Prefix = Field(default="", description="of generated codes")
    length: int | None = Field(
        default=None, strict=True, ge=8, le=24, description="letters behind the prefix; 10 if left out"
    )
    valid_minutes: Minutes | None = Field(default=None, description="after the click")
    ends_at: GivenTime | None = Field(default=None, description="when no code of it is worth anything")

    @model_validator(mode="after")
    def _only_generated_codes_have_a_pattern(self) -> Self:
        if self.kind is PoolKind.UPLOADED and (self.prefix or self.length is not None):
            raise ValueError("prefix and length are for generated codes")
        return self

    def pool(self) -> OfferPool:
        return OfferPool(
            key=0,
            advertiser_key=self.advertiser_id,
            name=self.name,
            kind=self.kind,
            prefix=self.prefix,
            length=10 if self.length is None else self.length,
            valid_minutes=self.valid_minutes,
            ends_at_ms=self.ends_at,
        )


class OfferPoolChange(Change):
    liftable = frozenset({"valid_minutes", "ends_at"})

    name: Name | None = None
    valid_minutes: Minutes | None = None
    ends_at: GivenTime | None = None

    def edit(self, pool: OfferPool) -> OfferPool:
        given = self.given()
        if "ends_at" in given:
            given["ends_at_ms"] = given.pop("ends_at")
        return replace(pool, **given)


class OfferPoolList(Paging):
    advertiser_id: AdvertiserId | None = None


class CountsAnswer(Strict):
    free: int
    handed: int = Field(description="all that clicks have got")
    redeemed: int
    expired: int = Field(description="handed, and not redeemed in time")


class OfferPoolAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    kind: PoolKind
    prefix: str
    length: int | None
    valid_minutes: int | None
    ends_at: ShownTime | None
    shown: bool = Field(description="whether enough codes are free for its offers to be shown")
    counts: CountsAnswer
    version: int
    created_at: ShownTime


def show_pool(pool: OfferPool, stock: Stock) -> OfferPoolAnswer:
    return OfferPoolAnswer(
        id=write_id("pool", pool.key),
        advertiser_id=write_id("adv", pool.advertiser_key),
        name=pool.name,
        kind=pool.kind,
        prefix=pool.prefix,
        length=pool.length if pool.kind is PoolKind.GENERATED else None,
        valid_minutes=pool.valid_minutes,
        ends_at=pool.ends_at_ms,
        shown=pool.low_ms is None,
        counts=CountsAnswer(**msgspec.structs.asdict(stock)),
        version=pool.version,
        created_at=pool.created_at_ms,
    )


class BadCodes(msgspec.Struct, frozen=True):
    """Why nothing of an upload is read: a problem's code."""

    code: str


class _CodesBody(msgspec.Struct, forbid_unknown_fields=True):
    codes: list[str]


def read_codes(body: bytes) -> Lines | BadCodes:
    """Codes with their lines (in JSON their places, from 1), of a JSON object or a CSV file."""
    try:
        lines = _of_json(body) if body.lstrip()[:1] == b"{" else _of_csv(body.decode("utf-8-sig"))
    except (msgspec.MsgspecError, UnicodeDecodeError, csv.Error):
        return BadCodes("bad_codes")
    if not lines:
        return BadCodes("bad_codes")
    return BadCodes("too_many_codes") if len(lines) > MOST_CODES else lines


def _of_json(body: bytes) -> Lines:
    return list(enumerate(msgspec.json.decode(body, type=_CodesBody).codes, 1))


def _of_csv(text: str) -> Lines:
    """The column under a head like `code`, else the first; parted by commas, semicolons or tabs."""
    first = text.partition("\n")[0]
    parted_by = next((sign for sign in "\t;" if sign in first and "," not in first), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=parted_by, strict=True)
    lines: Lines = []
    column = 0
    for cells in rows:
        named = [_NO_LETTERS.sub("", cell.lower()) for cell in cells]
        heads = [] if lines else [place for place, name in enumerate(named) if name in CODE_HEADS]
        if heads:
            column = next((place for place in heads if named[place] == "code"), heads[0])
        elif any(cell.strip() for cell in cells):
            lines.append((rows.line_num, cells[column] if column < len(cells) else ""))
    return lines


class FlawAnswer(Strict):
    line: int = Field(description="of the file; in JSON the code's place, from 1")
    reason: Literal["bad_code", "repeated", "known"]


class UploadAnswer(Strict):
    added: int
    rejected: dict[str, int] = Field(description="how many codes were left out, by reason")
    lines: list[FlawAnswer] = Field(description="the first 1,000 of them")


def show_upload(uploaded: Uploaded) -> UploadAnswer:
    reasons: Iterable[str] = (flaw.reason.value for flaw in uploaded.flaws)
    named = [FlawAnswer(line=flaw.line, reason=flaw.reason.value) for flaw in uploaded.flaws[:MOST_FLAWS]]
    return UploadAnswer(added=uploaded.added, rejected=dict(Counter(reasons)), lines=named)


class CheckBody(Strict):
    advertiser_id: AdvertiserId
    code: Line
    rtclid: ClickId | None = Field(default=None, description="the click id that the shopper came with")


class RedeemBody(CheckBody):
    order_id: Reference


class JudgedAnswer(Strict):
    """What a code is worth, and for `valid` and `redeemed` what to take off the price."""

    result: Redemption
    detail: str = Field(description="what it means, and what to do next")
    same_click: bool = Field(description="whether `rtclid` is of the click that the code was handed to")
    percent: int | None
    amount_micros: int | None
    pool_id: str | None
    handed_at: ShownTime | None
    expires_at: ShownTime | None


_DETAIL = {
    Redemption.VALID: "Grant it, then tell the order by `/offers/redeem` or with its `coupon`.",
    Redemption.REDEEMED: "The code is this order's; told again, the answer is the same.",
    Redemption.ALREADY_REDEEMED: "Another order was made with it: do not grant it again.",
    Redemption.SHARED_CODE: "It was handed to another click: do not grant it to this shopper.",
    Redemption.EXPIRED: "Its time is over by the server's clock: do not grant it.",
    Redemption.NOT_HANDED: "It is in a pool, but no click got it yet: do not grant it.",
    Redemption.UNKNOWN_CODE: "It is in none of this advertiser's pools: treat it as one of your own.",
    Redemption.WRONG_ADVERTISER: "`rtclid` is of another advertiser's ad: do not grant it.",
}
_GRANTED = (Redemption.VALID, Redemption.REDEEMED)


def show_judged(judged: Judged) -> JudgedAnswer:
    code = judged.code
    granted = code if judged.result in _GRANTED else None
    return JudgedAnswer(
        result=judged.result,
        detail=_DETAIL[judged.result],
        same_click=judged.same_click,
        percent=None if granted is None else granted.percent,
        amount_micros=None if granted is None else granted.amount_micros,
        pool_id=None if code is None else write_id("pool", code.pool_key),
        handed_at=None if code is None else code.handed_ms,
        expires_at=None if code is None else code.expires_ms,
    )
