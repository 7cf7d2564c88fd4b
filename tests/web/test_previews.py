"""How a creative looks is shown to its owner in every size, and to nobody's cost."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from creatives.formats import FORMATS, RESPONSIVE
from tests.web.api import Api, World, cards_body, message_body, product_body
from tests.web.visiting import NEWS, Visiting

SIZES = [name for name in FORMATS if name != RESPONSIVE]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api)


def ask(api: Api, creative: str, name: str = "", **asked: Any) -> Any:
    response = api.call("GET", f"/creatives/{creative}/preview{name}", params=asked)
    assert response.status_code == 200, response.text
    return response


def test_everything_that_is_listed_is_there(api: Api, world: World) -> None:
    listed = ask(api, world.creative).json()
    assert [one["format"] for one in listed["formats"]] == list(FORMATS)
    assert listed["item_ids"] == [world.item]
    assert listed["undrawn"] == []
    for one in listed["formats"]:
        for kind, media_type in (("gif", "image/gif"), ("png", "image/png"), ("html", "text/html")):
            answer = api.call("GET", one[kind].removeprefix("/api/v1"))
            assert answer.status_code == 200
            assert answer.headers["content-type"].split(";")[0] == media_type
            if kind != "html" and one["width"]:
                assert Image.open(BytesIO(answer.content)).size == (one["width"], one["height"])
    assert api.call("GET", listed["sheet"].removeprefix("/api/v1")).headers["content-type"] == "image/png"


def test_one_sheet_shows_all_sizes_without_overlap(api: Api, world: World) -> None:
    with Image.open(BytesIO(ask(api, world.creative, "/sheet.png").content)) as sheet:
        ground = sheet.getpixel((0, 0))
        colours = sheet.convert("RGB").getcolors(1 << 24)
    area = sum(FORMATS[name].width * FORMATS[name].height for name in SIZES)
    blank = next(count for count, colour in colours if colour == ground)
    assert sheet.width * sheet.height - blank == pytest.approx(area, rel=0.002)


def test_the_chosen_products_are_shown_in_their_order(api: Api, world: World) -> None:
    for item in ("scarf", "hat"):
        api.call("PUT", f"/advertisers/{world.advertiser}/products/{item}", product_body(title=f"A {item}"))
    listed = ask(api, world.creative, item_ids=["hat", "scarf"]).json()
    assert listed["item_ids"] == ["hat", "scarf"]
    page = ask(api, world.creative, "/970x250.html", item_ids=["hat", "scarf"]).text
    assert 0 < page.index("A hat") < page.index("A scarf")
    with Image.open(
        BytesIO(ask(api, world.creative, "/300x250.gif", item_ids=["hat", "scarf"]).content)
    ) as gif:
        assert gif.n_frames == 3


def test_a_preview_promises_no_offer_that_is_over_as_no_slot_does(api: Api, world: World) -> None:
    offer = {"percent": 20, "code": "AUTUMN", "ends_at": "2033-01-01T00:00:00Z"}
    made = api.make("/creatives", cards_body(world.campaign, offer=offer))
    assert "AUTUMN" in ask(api, made["id"], "/300x250.html").text
    api.call("PATCH", f"/creatives/{made['id']}", {"offer": offer | {"ends_at": "2001-01-01T00:00:00Z"}})
    page = ask(api, made["id"], "/300x250.html").text
    assert "AUTUMN" not in page and 'class="badge"' not in page


def test_a_preview_leads_to_the_product_and_reports_to_nobody(api: Api, world: World) -> None:
    answer = ask(api, world.creative, "/300x250.html", item_ids=[world.item])
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy
    assert "connect-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"/(?:c|i|v|why)\?t=", answer.text)
    assert 'href="https://shop.example/boots"' in answer.text


def test_language_theme_and_situation_can_be_wished_for(api: Api, world: World) -> None:
    copies = [{"situation": "cart", "headline": "Still in your cart", "button": "Get it"}]
    creative = api.make("/creatives", cards_body(world.campaign, copies=copies))["id"]
    wishes = [{}, {"language": "de"}, {"language": "ar"}, {"theme": "dark"}, {"situation": "cart"}]
    drawn = {ask(api, creative, "/300x600.gif", item_ids=[world.item], **wish).content for wish in wishes}
    assert len(drawn) == len(wishes)


def test_letters_that_no_font_has_are_named_with_their_product(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/products/topi"
    api.call("PUT", path, product_body(title="\u090a\u0928\u0940 \u091f\u094b\u092a\u0940"))
    listed = ask(api, world.creative, item_ids=[world.item, "topi"]).json()
    assert listed["undrawn"] == [{"item_id": "topi", "scripts": "DEVANAGARI"}]
    creative = api.make("/creatives", cards_body(world.campaign, brand={"name": "\u0924\u093e\u0930\u093e"}))
    own = ask(api, creative["id"], item_ids=[world.item]).json()["undrawn"]
    assert own == [{"item_id": None, "scripts": "DEVANAGARI"}]


def test_a_message_without_a_picture_has_a_preview_before_its_campaign_runs(api: Api, world: World) -> None:
    campaign = api.make(
        "/campaigns",
        {
            "advertiser_id": world.advertiser,
            "name": "Draft",
            "status": "draft",
            "pricing_model": "cpc",
            "rate_micros": 250_000,
        },
    )
    creative = api.make("/creatives", message_body(campaign["id"]))["id"]
    listed = ask(api, creative).json()
    assert listed["item_ids"] == []
    for name in SIZES:
        with Image.open(BytesIO(ask(api, creative, f"/{name}.png").content)) as png:
            png.load()
    assert "Your form is kept." in ask(api, creative, "/300x250.html").text


@pytest.fixture
def visiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(tmp_path_factory.mktemp("visiting"))
    yield world
    world.close()


def test_a_still_slot_is_charged_and_linked_as_the_moving_one_is(visiting: Visiting) -> None:
    for number, ending in enumerate((".gif", ".png", ".gif?still=1")):
        reader = visiting.browser()
        for item in ("boots", "scarf"):
            reader.view(item)
        joint = "&" if "?" in ending else "?"
        shown = reader.ask("GET", f"/slot/{visiting.slot}{ending}{joint}n=m{number}&debug=1", headers=NEWS)
        assert shown.status_code == 200
        assert shown.headers["x-charge"] == "not_billable"
        with Image.open(BytesIO(shown.content)) as picture:
            assert picture.format == ("PNG" if "png" in ending else "GIF")
            assert getattr(picture, "n_frames", 1) == (3 if ending == ".gif" else 1)
        click = reader.ask("GET", f"/slot/{visiting.slot}/click?n=m{number}&debug=1", headers=NEWS)
        assert click.status_code == 302
        assert click.headers["location"].startswith("https://shop.example/scarf")
        assert click.headers["x-charge"] == "taken"


def test_the_same_picture_is_not_sent_twice_and_counts_twice(visiting: Visiting) -> None:
    reader = visiting.browser()
    reader.view()
    address = f"/slot/{visiting.slot}.gif?n=forum&debug=1"
    first = reader.ask("GET", address, headers=NEWS)
    assert first.headers["cache-control"] == "private, no-cache"
    again = reader.ask("GET", address, headers=NEWS | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["x-charge"] == first.headers["x-charge"]
    reader.view("scarf")
    other = reader.ask("GET", address, headers=NEWS | {"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


def test_a_preview_counts_and_bills_nothing(visiting: Visiting) -> None:
    creative = visiting.change("GET", f"/creatives?campaign_id={visiting.campaign}")["items"][0]["id"]
    before = visiting.change("GET", f"/campaigns/{visiting.campaign}")
    operator = visiting.browser(Authorization=visiting.operator._client.headers["Authorization"])
    visiting.server.memory.tally.take(0)
    for name in ("", "/300x250.gif", "/300x250.png", "/300x250.html", "/sheet.png"):
        assert operator.ask("GET", f"/api/v1/creatives/{creative}/preview{name}").status_code == 200
    assert {name for _, name, *_ in visiting.server.memory.tally.take(0)} == {"key_calls"}  # the operator's
    assert visiting.change("GET", f"/campaigns/{visiting.campaign}") == before
