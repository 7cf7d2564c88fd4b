"""`adserver feed check` tells in a terminal what a feed would become, and what to do about it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adserver import __main__
from adserver.printout import MOST_ROWS_LISTED
from tests.flows.feeds import make_feed, make_item

SHOPIFY = "Handle,Title,Variant Price,Variant SKU\nhat,Hat,9.90,H-1\nhat,Hat,9.90,H-1\n"


def run(folder: Path, data: bytes, *options: str) -> tuple[int, str, str]:
    path = folder / "feed.xml"
    path.write_bytes(data)
    result = CliRunner().invoke(__main__.app, ["feed", "check", str(path), *options])
    return result.exit_code, result.stdout, result.stderr


def test_a_good_feed_is_shown_as_it_was_read(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, make_feed(make_item("a", "1234.5 OMR"), make_item("b", "12")))
    assert (status, err) == (0, "")
    assert "1 product (google_xml), 1 left out" in out
    assert "a: Thing a\n      1,234.50 OMR, in_stock, 0 pictures\n      https://shop.example/a" in out
    assert "  line 3: b: missing_currency" in out


def test_what_a_feed_does_not_say_is_asked_for(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, SHOPIFY.encode())
    assert status == 1
    assert "line 2" not in out
    assert "nothing can be imported: link_needed" in err
    assert "and say its currency too" in err
    assert "--link" in err
    link = ("--link", "https://shop.example/products/{handle}")
    status, _, err = run(tmp_path, SHOPIFY.encode(), *link)
    assert (status, "currency_needed" in err) == (1, True)
    status, out, _ = run(tmp_path, SHOPIFY.encode(), *link, "--currency", "eur")
    assert status == 0
    assert "9.90 EUR" in out
    assert "duplicate_id" in out


@pytest.mark.parametrize(
    "options", [("--currency", "EURO"), ("--link", "https://shop.example/"), ("--link", "{id}")]
)
def test_a_wrong_option_is_refused_with_what_it_should_be(tmp_path: Path, options: tuple[str, str]) -> None:
    status, _, err = run(tmp_path, SHOPIFY.encode(), *options)
    assert status == 2
    assert "such as EUR" in err or "{handle}" in err


def test_json_has_every_row_and_what_to_do(tmp_path: Path) -> None:
    data = make_feed(make_item("a"), *[make_item(f"b{n}", "free") for n in range(200)])
    status, out, _ = run(tmp_path, data, "--json")
    told = json.loads(out)
    assert (status, told["products"], told["fatal"], told["format"]) == (0, 1, None, "google_xml")
    assert len(told["rejected"]) == told["rejected_count"] == told["reasons"]["bad_price"] == 200
    assert told["rejected"][0] == {"line": 3, "item_id": "b0", "reason": "bad_price"}
    assert told["advice"]["bad_price"].endswith(".")
    assert told["sample"][0]["item_id"] == "a"


def test_a_long_list_of_rows_is_cut_and_counted(tmp_path: Path) -> None:
    data = make_feed(make_item("a"), *[make_item(f"b{n}", "free") for n in range(200)])
    _, out, _ = run(tmp_path, data)
    assert out.count("  line ") == MOST_ROWS_LISTED
    assert f"and {200 - MOST_ROWS_LISTED} more" in out


def test_a_feed_cannot_steer_the_terminal(tmp_path: Path) -> None:
    title, item_id = "\x9b2J[red]Hat[/red]", "\u202eevil"
    data = f'{{"id": "{item_id}", "title": "x"}}\n{{"id": "1", "title": "{title}", "link": "https://shop.example/1", "price": "1 EUR"}}'
    _, out, _ = run(tmp_path, data.encode())
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert "\u202e" not in out
    assert "[red]Hat[/red]" in out
