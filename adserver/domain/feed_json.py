"""JSON Lines: each line of a feed is a product, an object whose names are Google's fields."""

from collections.abc import Iterator, Mapping

import msgspec

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed import Rejection
from adserver.domain.feed_columns import google_fields
from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal, Row, text_lines

_decode = msgspec.json.Decoder(dict[str, object]).decode
_AMOUNT_NAMES = ("value", "amount")  # of Google's Content API, and of what is like it


def read_json_lines(
    head: bytes, chunks: Iterator[bytes], limits: FeedLimits
) -> tuple[FeedFormat, Iterator[Row]]:
    """Each line's product; a line that is no object is left out, but a first one says what the file is."""
    return FeedFormat.JSON_LINES, _rows(text_lines(head, chunks, limits.row_bytes), limits)


def _rows(lines: Iterator[tuple[str, int]], limits: FeedLimits) -> Iterator[Row]:
    count = 0
    for number, (line, bytes_read) in enumerate(lines, start=1):
        if not line.strip():
            continue
        product = _object(line)
        if product is None and not count:
            detail = "a JSON document, but not one product on each line"
            raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, detail, number)
        count += 1
        if count > limits.rows:
            raise FeedError(FeedRefusal.TOO_LARGE, f"more than {limits.rows} products", number)
        if product is None:
            yield Row(number, {}, None, bytes_read, Rejection.NOT_JSON)
        else:
            yield Row(number, google_fields(_texts(product)), _language(product), bytes_read)


def _object(line: str) -> dict[str, object] | None:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError):  # RecursionError: brackets within brackets
        return None


def _language(product: Mapping[str, object]) -> str | None:
    language = product.get("contentLanguage", product.get("language"))
    return language if isinstance(language, str) else None


def _texts(product: Mapping[str, object]) -> dict[str, list[str]]:
    """Each name with its texts; a list is several of them."""
    return {
        name: [text for one in _several(value) if (text := _text(one))] for name, value in product.items()
    }


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    """A number as it was written; an amount with its currency as Google's feed has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, dict):
        amount = next((value[name] for name in _AMOUNT_NAMES if name in value), None)
        parts = (amount, value.get("currency"))
        return " ".join(str(part) for part in parts if isinstance(part, str | int | float))
    return ""
