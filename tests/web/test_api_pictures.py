"""What a shop is told of its pictures, and how it has them tried again."""

from collections.abc import Iterator

import pytest

from adserver.domain.identity import product_key, read_id
from adserver.domain.picture import DAY_MS, PictureState, digest_of
from adserver.writes import KeepPicture
from tests.web.api import NOW_MS, Api, World, product_body

IMAGE = "https://shop.example/{}.jpg"
HASH = "ab" * 16


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


def show(api: Api, world: World, item_id: str, reason: str | None, picture: str | None = None) -> None:
    """A product whose picture was tried, with what came of it."""
    path = f"/advertisers/{world.advertiser}/products/{item_id}"
    image = IMAGE.format(item_id)
    assert api.call("PUT", path, body=product_body() | {"image_link": image}).status_code == 200
    owner = read_id("adv", world.advertiser)
    assert owner is not None
    state = PictureState(
        links=digest_of((image,)), source=None if picture is None else f"{image}?2", reason=reason,
        failures=0 if picture else 2, tried_ms=NOW_MS - DAY_MS, due_ms=NOW_MS + DAY_MS,
    )  # fmt: skip
    api.storage.writer.commit(KeepPicture(owner, product_key(owner, item_id), image, picture, state))


def test_a_shop_sees_how_many_products_show_a_picture_and_what_to_do_about_the_rest(
    api: Api, world: World
) -> None:
    show(api, world, "fine", None, HASH)
    show(api, world, "gone", "status_404")
    show(api, world, "gone-too", "status_404")
    show(api, world, "second", "picture_damaged", HASH)
    told = api.call("GET", f"/advertisers/{world.advertiser}/pictures").json()
    assert (told["products"], told["shown"], told["waiting"]) == (4 + told["without_address"], 2, 0)
    assert told["reasons"][0] == {
        "reason": "status_404",
        "products": 2,
        "substituted": 0,
        "advice": "There is no picture at this address. Correct `image_link` in the feed.",
    }
    assert [(row["reason"], row["products"], row["substituted"]) for row in told["reasons"][1:]] == [
        ("picture_damaged", 0, 1)
    ]


def test_the_products_concerned_are_listed_page_by_page(api: Api, world: World) -> None:
    for number in range(3):
        show(api, world, f"gone-{number}", "status_404")
    show(api, world, "second", "picture_damaged", HASH)
    path = f"/advertisers/{world.advertiser}/pictures/troubles"
    items, cursor = [], None
    while True:
        paging = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        told = api.call("GET", path, params=paging).json()
        items += told["items"]
        cursor = told["next_cursor"]
        if cursor is None:
            break
    assert sorted(item["item_id"] for item in items) == ["gone-0", "gone-1", "gone-2", "second"]
    only = api.call("GET", path, params={"reason": "picture_damaged"}).json()["items"]
    assert only == [
        {
            "item_id": "second",
            "title": product_body()["title"],
            "image_link": IMAGE.format("second"),
            "reason": "picture_damaged",
            "advice": "The file breaks off or is broken. Open it, and save it anew.",
            "shown": "another_picture",
            "failures": 0,
            "tried_at": "2026-11-17T11:06:40.000Z",
            "next_try_at": "2026-11-19T11:06:40.000Z",
        }
    ]


def test_who_has_repaired_something_has_it_tried_at_once(api: Api, world: World) -> None:
    show(api, world, "gone", "status_404")
    show(api, world, "fine", None, HASH)
    path = f"/advertisers/{world.advertiser}/pictures/retry"
    assert [api.call("POST", path).json() for _ in range(2)] == [
        {"retried": 1},
        {"retried": 0},
    ]
    told = api.call("GET", f"/advertisers/{world.advertiser}/pictures/troubles").json()
    assert told["items"][0]["next_try_at"] == "2026-11-18T11:06:40.000Z"
