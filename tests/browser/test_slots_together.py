"""Several slots of a page in Chromium: one request for all of them, each ad once, whatever becomes of one."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.news_stage import Stage
from tests.browser.test_slot_script import DESKTOP, TCF, Reader, place

pytestmark = pytest.mark.browser

TITLES = {"boots": "Waxed boots", "scarf": "Wool scarf", "coat": "Rain coat", "belt": "Leather belt",
          "hat": "Straw hat", "socks": "Thick socks"}  # fmt: skip
ADD = """([slot, name]) => { const div = document.createElement('div'); div.id = name; div.dataset.slot = slot;
document.body.append(div); rtSlots.refresh(); }"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """With a catalogue of six things, and a slot of one card beside the larger one."""
    stage = Stage(tmp_path_factory.mktemp("together"))
    world = stage.world
    for item, title in TITLES.items():
        fields = {"title": title, "link": f"https://shop.example/{item}", "price_micros": 59_000_000}
        world.change("PUT", f"/advertisers/{world.advertiser}/products/{item}", currency="EUR", **fields)
    stage.slots["small"] = world.change(
        "POST", "/slots", site_id=world.site, name="small", width=320, height=50, on_empty="collapse"
    )["id"]
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with sends_cookies_to_frames(tmp_path_factory.mktemp("profile"), 5_000, user_agent=DESKTOP) as context:
        yield context


@pytest.fixture
def reader(stage: Stage, profile: BrowserContext) -> Iterator[Reader]:
    """Someone who looked at all six things."""
    profile.clear_cookies()
    reader = Reader(stage, profile)
    reader.shop("boots")
    for item in list(TITLES)[1:]:
        reader.page.goto(f"{stage.cards}/m/e?m={stage.world.merchant}&e=view_item&id={item}")
    yield reader
    reader.page.close()
    profile.unroute_all()


def titles(reader: Reader, *names: str) -> list[str]:
    """What the places show, each once it is there."""
    shown: list[str] = []
    for name in names:
        found = reader.page.locator(f"#{name} iframe").content_frame.locator(".title")
        expect(found.first).to_be_visible()
        shown += found.all_inner_texts()
    return shown


def asked(reader: Reader) -> list[dict[str, str]]:
    """What each document was asked with."""
    queries = [urlsplit(url).query for url in reader.asked if "/slot/" in url]
    return [{name: values[0] for name, values in parse_qs(query).items()} for query in queries]


def test_four_slots_ask_once_and_show_four_things(stage: Stage, reader: Reader) -> None:
    names = ("a", "b", "c", "d")
    reader.read("".join(place(stage, "small", name=name) for name in names))
    assert len(set(titles(reader, *names))) == 4
    first, *others = asked(reader)
    assert first["page"] == "new" and first["with"].split(",") == [stage.slots["small"]] * 3
    assert [one["place"] for one in others] == ["3", "2", "1"]
    assert len({one["page"] for one in others}) == 1
    assert reader.complaints == []


def test_a_place_that_an_application_adds_shows_something_else(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage, "small") + place(stage, "small", name="b"))
    before = titles(reader, "a", "b")
    for name in ("c", "d"):
        reader.page.evaluate(ADD, [stage.slots["small"], name])
    assert len({*before, *titles(reader, "c", "d")}) == 4
    reader.page.evaluate("rtSlots.refresh(a)")
    expect(reader.page.locator("#a iframe").content_frame.locator(".title")).not_to_have_text(before[0])
    assert reader.complaints == []


def test_filled_empty_collapsed_and_passed_back_stand_beside_each_other(stage: Stage, reader: Reader) -> None:
    """One slot's publisher wants none of the shop's ads; what it wishes instead is done, and the others are filled."""
    world, own = stage.world, "<template data-passback><p>own</p></template>"
    for wish in ("collapse", "passback"):
        world.change("PATCH", f"/slots/{stage.slots[wish]}", blocked_advertisers=[world.advertiser])
    reader.read(
        place(stage, "collapse", name="gone")
        + place(stage, "small", name="a")
        + place(stage, "passback", inside=own, name="own")
        + place(stage, "house", name="b")
    )
    reader.hears(["slot:empty", "gone", "collapse"], ["slot:filled", "a", ""],
                 ["slot:empty", "own", "passback"], ["slot:filled", "b", ""])  # fmt: skip
    shown = titles(reader, "a", "b")
    assert len(set(shown)) == len(shown) == 3
    expect(reader.page.locator("#own p")).to_have_text("own")
    assert reader.page.locator("#gone").evaluate("(div) => div.offsetHeight") == 0
    for wish in ("collapse", "passback"):
        world.change("PATCH", f"/slots/{stage.slots[wish]}", blocked_advertisers=[])


def test_where_the_first_answer_never_comes_each_asks_for_itself(stage: Stage, reader: Reader) -> None:
    def fail(route: Route) -> None:
        route.abort() if "with=" in route.request.url else route.continue_()

    reader.context.route("**/slot/*", fail)
    reader.read("".join(place(stage, "small", name=name) for name in ("a", "b", "c")))
    assert len(titles(reader, "c")) == 1


def test_what_the_publisher_states_of_the_page_goes_along(stage: Stage, reader: Reader) -> None:
    stated = 'data-keywords="rain coat,snow" data-category="Weather"'
    reader.read(
        place(stage, "small") + place(stage, "small", 'data-keywords="sun"', name="b"), attributes=stated
    )
    titles(reader, "a", "b")
    assert [(one["kw"], one["cat"]) for one in asked(reader)] == [
        ("rain coat,snow", "Weather"),
        ("sun", "Weather"),
    ]


def test_slots_wait_together_for_a_consent_tool_and_are_asked_again_together(
    stage: Stage, reader: Reader
) -> None:
    reader.read(place(stage) + place(stage, name="b"), TCF, 'data-timeout="50"')
    reader.hears(["slot:empty", "a", "house"], ["slot:empty", "b", "house"])
    reader.page.evaluate("answer()")
    reader.page.wait_for_function("() => heard.length === 4")
    queries = asked(reader)
    assert [one.get("consent") for one in queries] == ["unheard", "unheard", None, None]
    assert [("with" in one, one.get("place")) for one in queries] == [(True, None), (False, "1")] * 2
    assert queries[2]["page"] == "new"
