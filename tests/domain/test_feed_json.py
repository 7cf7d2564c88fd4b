"""Each line of JSON Lines is a product; a bad line costs only itself."""

import pytest

from adserver.domain.feed import Rejection
from adserver.domain.feed_file import FeedRefusal
from tests.domain.feed_rows import refusal_of, rows_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": 7, "title": "A", "price": "1 EUR"}', {"id": "7", "title": "A", "price": "1 EUR"}),
        ('{"offerId": "7", "imageLink": "i"}', {"id": "7", "image_link": "i"}),
        ('{"price": {"value": "1.50", "currency": "EUR"}}', {"price": "1.50 EUR"}),
        ('{"price": 19.99, "currency": "EUR"}', {"price": "19.99", "currency": "EUR"}),
        ('{"image_link": ["a", "b"]}', {"image_link": "a", "additional_image_link": "b"}),
        ('{"additionalImageLinks": ["a", "b", "a"]}', {"additional_image_link": "a\nb"}),
        ('{"in_stock": false, "title": null}', {"availability": "false"}),
        ('{"custom_label_0": "x", "shipping": {"price": "1"}}', {"custom_label_0": "x"}),
    ],
)
def test_names_and_values_become_googles(line: str, expected: dict[str, str]) -> None:
    assert rows_of(line.encode())[0].fields == expected


def test_a_line_that_is_no_object_is_left_out() -> None:
    deep = b'{"a":' * 20_000
    rows = rows_of(b'{"id": "1"}\n\nnull\n' + deep + b'\n{"id": 1e999}\n{"id": "5"}')
    assert [(row.line, row.rejection) for row in rows] == [
        (1, None),
        (3, Rejection.NOT_JSON),
        (4, Rejection.NOT_JSON),
        (5, Rejection.NOT_JSON),
        (6, None),
    ]


def test_a_row_names_its_language() -> None:
    assert rows_of(b'{"id": "1", "contentLanguage": "ar"}')[0].language == "ar"


def test_too_many_products_are_refused() -> None:
    assert refusal_of(b'{"id": "1"}\n' * 11, rows=10).refusal is FeedRefusal.TOO_LARGE
