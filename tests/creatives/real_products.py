"""Real products to draw: titles and prices of real feeds, beside real photographs in many variations."""

import csv
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import islice

from lxml import etree
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from creatives.card import Card
from creatives.pictures import Thumbnail, make_thumbnail
from creatives.text import plain_text
from tests.creatives.samples import encoded
from tests.shared_data import SHARED_DATA

PHOTOS = SHARED_DATA / "images" / "sylius"
FEEDS = SHARED_DATA / "feeds"
CURRENCIES = {"ar": "OMR", "cs": "CZK", "en": "GBP", "es": "EUR", "fr": "EUR", "ru": "RUB", "sv": "SEK"}
SOURCES = (
    ("ar", "google_ar_om/google_feed.xml"),
    ("cs", "google_cs/google_feed.xml"),
    ("en", "shopify_demo_en/bicycles.csv"),
    ("es", "shopify_es/products_export_1.csv"),
    ("fr", "google_fr/google-shopping.xml"),
    ("ru", "yml_ru2/yml.xml"),
    ("sv", "shopify_sv/products_export_1.csv"),
)


@cache
def photographs() -> list[bytes]:
    """Our thumbnails of all photographs: as they are, and mirrored and coloured so that detail differs."""
    originals = [path.read_bytes() for path in sorted(PHOTOS.rglob("*.jpg"))]
    return [_thumbnail(data) for data in originals] + [_varied(data, n) for n, data in enumerate(originals)]


def products(count: int) -> list[Card]:
    """Cards of every feed in turn, the longest titles of each first."""
    by_feed = [
        [(language, title) for title in sorted(_titles(name), key=lambda title: (-len(title), title))]
        for language, name in SOURCES
    ]
    in_turn = (group[place] for place in range(10_000) for group in by_feed if place < len(group))
    return [_card(number, *known) for number, known in enumerate(islice(in_turn, count))]


def _card(number: int, language: str, title: str) -> Card:
    price = (number * 7_919 % 99_000 + 1_000) * 10_000
    was = price * 5 // 4 if number % 3 == 0 else None
    return Card(number, title, price, CURRENCIES[language], was, "a" * 32, None, language)


def _titles(name: str) -> set[str]:
    return {title for title in map(plain_text, _raw_titles(name)) if title}


def _raw_titles(name: str) -> Iterator[str]:
    path = FEEDS / name
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from [row.get("Title") or "" for row in csv.DictReader(file)]
        return
    root = etree.parse(path, etree.XMLParser(recover=True, resolve_entities=False))
    for text in root.xpath("//item/*[local-name()='title']/text() | //offer/name/text()"):
        yield str(text)


def _thumbnail(data: bytes) -> bytes:
    made = make_thumbnail(data)
    assert isinstance(made, Thumbnail)
    return made.data


def _varied(data: bytes, number: int) -> bytes:
    with Image.open(BytesIO(data)) as opened:
        photo = ImageOps.mirror(opened.convert("RGB"))
    photo = ImageEnhance.Color(photo).enhance(0.4 + number % 5 * 0.4)
    photo = ImageEnhance.Contrast(photo).enhance(0.8 + number % 4 * 0.2)
    if number % 2:
        photo = photo.filter(ImageFilter.UnsharpMask(3, 150))
    return _thumbnail(encoded(photo, "JPEG", quality=92))
