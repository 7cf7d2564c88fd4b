"""The longest titles of real feeds, by language: what a layout must bear."""

import csv
from functools import cache
from pathlib import Path

from lxml import etree

from creatives.text import plain_text
from tests.shared_data import SHARED_DATA

# Italian and German have no feed here: the longest Czech and Swedish titles stand in for them.
FEEDS = {
    "en": ("google_en_gb/google_feed.xml", "shopify_demo2_en/home-and-garden.csv"),
    "fr": ("google_fr/google-shopping.xml", "google_fr2/google-shopping.xml"),
    "it": ("google_cs/google_feed.xml",),
    "de": ("shopify_sv/products_export_1.csv", "google_sk/merchant.xml"),
    "es": ("meta_csv_es/facebook_catalog.csv", "shopify_es/products_export_1.csv"),
    "ar": ("google_ar_om/google_feed.xml", "shopify_ar_eg/products_export_1.csv"),
}
FEWEST = 6  # as many as the largest format shows


@cache
def longest_titles(language: str) -> tuple[str, ...]:
    """The longest hundredth of the language's titles, and never fewer than a format needs."""
    titles: set[str] = set()
    for name in FEEDS[language]:
        titles |= _titles_of(SHARED_DATA / "feeds" / name)
    longest = sorted(titles, key=lambda title: (-len(title), title))
    return tuple(longest[: max(FEWEST, len(titles) // 100)])


def _titles_of(path: Path) -> set[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = [row.get("Title") or row.get("title") or "" for row in csv.DictReader(file)]
    else:
        root = etree.parse(path, etree.XMLParser(recover=True, huge_tree=True, resolve_entities=False))
        found = [str(text) for text in root.xpath("//item/*[local-name()='title']/text()")]
    return {title for title in map(plain_text, found) if title}
