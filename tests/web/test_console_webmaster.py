"""The webmaster's pages: their own shop only, nothing of money, and each figure as the API has it."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from adserver.domain import feed
from adserver.domain.feed_file import FeedRefusal
from adserver.domain.identity import read_id
from adserver.domain.imports import ImportState
from adserver.domain.picture_advice import KNOWN_REASONS
from adserver.domain.user import Grant, Role
from adserver.web.console import feed_words
from adserver.web.console.event_words import basis_in_words, event_in_words, refusal_in_words
from adserver.web.console.page import LANGUAGES
from adserver.web.console.snippets import PLATFORMS
from pixel.consent import Basis
from pixel.events import EventName, Rejection
from tests.running_demo import until
from tests.web.console import check_figures, enter, submit, words_of
from tests.web.visiting import BASE_URL, Browser, Visiting

PAGES = ("tag", "events", "doctor", "feeds")
SHOP = {"Origin": "https://shop.example"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def webmaster(world: Visiting) -> Browser:
    return enter(world, "web@shop.example", Grant(Role.WEBMASTER, read_id("adv", world.advertiser)))


def at(world: Visiting, page: str) -> str:
    return f"/console/shop/{world.advertiser}/{page}"


def watched(world: Visiting) -> None:
    """What the worker does ten times a second."""
    world.loop.call_soon_threadsafe(world.server.report_live)


def live(world: Visiting) -> list[dict[str, object]]:
    return world.listed(f"/advertisers/{world.advertiser}/live-events")


def told(world: Visiting, webmaster: Browser, count: int) -> None:
    """Wait until so many events show."""

    def shows() -> bool:
        watched(world)
        return len(live(world)) >= count

    until(shows)


def test_a_webmaster_begins_with_the_tag_and_sees_nothing_of_money(
    world: Visiting, webmaster: Browser
) -> None:
    assert webmaster.ask("GET", "/console").headers["location"] == at(world, "tag")
    page = webmaster.ask("GET", at(world, "tag")).text
    assert f"/console/shop/{world.advertiser}/campaigns" not in page
    assert webmaster.ask("GET", at(world, "campaigns")).headers["location"] == "/console"


@pytest.mark.parametrize("page", [*PAGES, "events/news", "feeds/feed_1", "feeds/feed_1/progress"])
def test_others_see_none_of_it(world: Visiting, page: str) -> None:
    shop = {"domains": ["o.example"], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
    other = world.change("POST", "/advertisers", name="Other", **shop)
    publisher = world.change("POST", "/publishers", name="Press")
    grants = (
        Grant(Role.WEBMASTER, read_id("adv", other["id"])),
        Grant(Role.PUBLISHER, read_id("pub", publisher["id"])),
    )
    for number, grant in enumerate(grants):
        name = page.replace("/", ".")
        stranger = enter(world, f"s{number}{name}@example.org", grant)
        assert stranger.ask("GET", at(world, page)).headers["location"] == "/console"
    nobody = world.browser().ask("GET", at(world, page))
    assert nobody.headers["location"].startswith("/console/login")


@pytest.mark.parametrize(
    "path", ["doctor/rule", "doctor/no-rule", "feeds", "feeds/pictures", "feeds/feed_1/delete"]
)
def test_a_form_without_its_token_changes_nothing(world: Visiting, webmaster: Browser, path: str) -> None:
    answer = webmaster.ask("POST", at(world, path), data={"url": "https://shop.example/g.xml"})
    assert answer.status_code == 403
    assert world.listed(f"/advertisers/{world.advertiser}/feeds") == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_snippet_has_the_shops_own_id_and_this_servers_address(
    world: Visiting, webmaster: Browser, platform: str
) -> None:
    page = webmaster.ask("GET", at(world, f"tag?on={platform}")).text
    snippets = [unescape(one) for one in re.findall(r'<code id="\w+">(.*?)</code>', page, re.DOTALL)]
    assert snippets
    whole = "\n".join(snippets)
    assert f"{BASE_URL}/m/" in whole or f"{BASE_URL}/api/v1/events" in whole
    assert world.merchant in whole or platform == "server"
    assert "public_id" not in whole and "base_url" not in whole


def test_an_unknown_platform_is_any_site(world: Visiting, webmaster: Browser) -> None:
    page = webmaster.ask("GET", at(world, 'tag?on="><script>')).text
    assert "<script>" not in page.split("<main")[1].split("<pre")[0]
    assert 'on=site" aria-current="page"' in page


def test_the_letter_in_curl_is_one_that_the_server_takes(world: Visiting, webmaster: Browser) -> None:
    page = webmaster.ask("GET", at(world, "tag?on=server")).text
    (curl,) = [unescape(one) for one in re.findall(r'<code id="curl">(.*?)</code>', page, re.DOTALL)]
    letter = json.loads(curl[curl.index("-d '") + 4 : curl.rindex("'")])
    letter["advertiser_id"] = world.advertiser
    answer = world.change("POST", "/events", **letter)
    assert answer["results"][0]["reason"] == "unknown_visitor", "all but the click's id is right"


def test_what_arrives_is_shown_with_its_product_and_why_it_was_refused(
    world: Visiting, webmaster: Browser
) -> None:
    webmaster.ask("GET", at(world, "events"))
    watched(world)
    shopper = world.browser(**SHOP)
    shopper.view("boots", value="59.90", currency="EUR")
    shopper.view("nothing-we-have")
    shopper.view("boots", consent="0")
    world.browser(Origin="https://copycat.example").view("boots")
    told(world, webmaster, 4)
    page = webmaster.ask("GET", at(world, "events")).text
    words = words_of(page)
    for expected in (
        "Waxed boots", "€59.90", "not in your catalogue", "copycat.example is not one of your domains",
        "The visitor said no", "Allowed where the visitor is",
    ):  # fmt: skip
        assert expected in words, expected
    assert check_figures(world, page) >= 1
    newest = live(world)[0]["number"]
    answer = webmaster.ask("GET", at(world, f"events/news?after={newest}"))
    assert (answer.text.strip(), answer.headers["x-newest"]) == ("", str(newest))


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30])
def test_a_number_that_is_none_is_refused(world: Visiting, webmaster: Browser, after: str) -> None:
    assert webmaster.ask("GET", at(world, f"events/news?after={after}")).status_code == 404


def test_before_the_first_event_the_doctor_says_what_to_do(world: Visiting) -> None:
    shop = {"domains": ["n.example"], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
    new = world.change("POST", "/advertisers", name="New", **shop)
    browser = enter(world, "new@n.example", Grant(Role.WEBMASTER, read_id("adv", new["id"])))
    page = browser.ask("GET", f"/console/shop/{new['id']}/doctor").text
    assert "No event has been taken yet" in page
    assert "There are no products to advertise" in page


def test_the_doctor_tells_how_many_ids_the_catalogue_has(world: Visiting, webmaster: Browser) -> None:
    shopper = world.browser(**SHOP)
    for item in ("gla_boots", "gla_scarf", "gla_hat", "gla_belt", "gla_sock", "gla_cap"):
        shopper.view(item)
        world.server.report_counts()  # of each second, one event is a sample
    for item in ("hat", "belt", "sock", "cap"):
        world.change(
            "PUT", f"/advertisers/{world.advertiser}/products/{item}", title=item,
            link=f"https://shop.example/{item}", price_micros=9_000_000, currency="EUR",
        )  # fmt: skip
    page = webmaster.ask("GET", at(world, "doctor")).text
    assert "Pages and feed call products by different ids" in page
    assert check_figures(world, page) >= 6
    rule = re.search(r'name="rule" value="([^"]*)"', page)
    assert rule is not None
    wrong = submit(webmaster, at(world, "doctor/rule"), rule="{}")
    assert (wrong.status_code, "another rule is proposed" in wrong.text) == (409, True)
    done = submit(webmaster, at(world, "doctor/rule"), rule=unescape(rule[1]))
    assert done.headers["location"] == at(world, "doctor")
    page = webmaster.ask("GET", at(world, "doctor")).text
    assert "Take away gla_ at the beginning" in words_of(page)
    submit(webmaster, at(world, "doctor/no-rule"))
    assert world.change("GET", f"/advertisers/{world.advertiser}")["item_id_rule"] is None


FEED = (
    "id,title,link,price\n"
    "f1,Red hat,https://shop.example/f1,10.00 EUR\n"
    "f2,Blue hat,https://shop.example/f2,\n"
    "f3,Green hat,https://elsewhere.example/f3,10.00 EUR\n"
)


def feed_page(world: Visiting, webmaster: Browser, text: str, **fields: str) -> str:
    """The page of a feed that was sent as a file, once it is imported."""
    token = re.search(r'name="token" value="(\w+)"', webmaster.ask("GET", at(world, "feeds")).text)
    assert token is not None
    answer = webmaster.ask(
        "POST", at(world, "feeds/upload"), data={"token": token[1], **fields},
        files={"file": ("feed.csv", text.encode())},
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    world.server.imports.run_next()
    return str(answer.headers["location"])


def test_a_file_is_sent_and_its_page_says_what_was_left_out_and_why(
    world: Visiting, webmaster: Browser
) -> None:
    address = feed_page(world, webmaster, FEED)
    page = webmaster.ask("GET", address).text
    words = words_of(page)
    for expected in ("No price", "A link to another domain", "line 3", "Done"):
        assert expected in words, expected
    assert check_figures(world, page) >= 6
    listed = webmaster.ask("GET", at(world, "feeds")).text
    assert check_figures(world, listed) >= 4
    assert "products taken" in listed


def test_a_feed_is_removed_with_its_products(world: Visiting, webmaster: Browser) -> None:
    address = feed_page(world, webmaster, FEED.replace("f1", "only-here"))
    product = f"/api/v1/advertisers/{world.advertiser}/products/only-here"
    assert world.operator.ask("GET", product).status_code == 200
    done = submit(webmaster, f"{address}/delete")
    assert done.headers["location"] == at(world, "feeds")
    assert world.operator.ask("GET", product).status_code == 404
    assert webmaster.ask("GET", address).headers["location"] == at(world, "feeds")


def test_a_feed_is_removed_by_the_api_too_but_not_while_it_is_imported(world: Visiting) -> None:
    feed = world.change("POST", f"/advertisers/{world.advertiser}/feeds")["id"]
    path = f"/api/v1/advertisers/{world.advertiser}/feeds/{feed}"
    with world.storage.import_files.claim(f"feed {read_id('feed', feed)}", patient=True):  # type: ignore[union-attr]
        answer = world.operator.ask("DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (409, "import_under_way")
    assert world.operator.ask("DELETE", path).status_code == 204
    assert world.operator.ask("DELETE", path).status_code == 404


def test_a_feed_with_an_address_is_added_changed_and_asked_for(world: Visiting, webmaster: Browser) -> None:
    answer = submit(webmaster, at(world, "feeds"), url="https://shop.example/g.xml", every="", currency="1")
    address = answer.headers["location"]
    feed_id = address.rpartition("/")[2]
    told = world.change("GET", f"/advertisers/{world.advertiser}/feeds/{feed_id}")
    assert (told["url"], told["schedule"], told["currency"]) == ("https://shop.example/g.xml", None, "EUR")
    page = webmaster.ask("GET", address).text
    assert "<progress" in page
    assert "<progress" in webmaster.ask("GET", f"{address}/progress").text
    submit(webmaster, address, url="https://shop.example/h.xml", every="60", link_template="")
    told = world.change("GET", f"/advertisers/{world.advertiser}/feeds/{feed_id}")
    assert (told["url"], told["schedule"], told["currency"]) == (
        "https://shop.example/h.xml",
        {"every_minutes": 60},
        None,
    )
    assert submit(webmaster, f"{address}/import").headers["location"] == address
    submit(webmaster, f"{address}/delete")


@pytest.mark.parametrize(
    "fields",
    [
        {"url": ""},
        {"url": "javascript:alert(1)"},
        {"url": "https://anna@example.org/x"},
        {"url": "not an address"},
        {"url": "https://shop.example/g.xml", "every": "1"},
        {"url": "https://shop.example/g.xml", "every": "99999999999999999999"},
        {"url": "https://shop.example/g.xml", "link_template": "https://shop.example/{nothing}"},
        {"url": "https://shop.example/\x00"},
    ],
)
def test_a_bad_feed_is_refused_with_the_form_still_filled_in(
    world: Visiting, webmaster: Browser, fields: dict[str, str]
) -> None:
    before = len(world.listed(f"/advertisers/{world.advertiser}/feeds"))
    answer = submit(webmaster, at(world, "feeds"), **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert fields["url"].replace("\x00", "") in unescape(answer.text).replace("\x00", "")
    assert len(world.listed(f"/advertisers/{world.advertiser}/feeds")) == before


def test_an_upload_without_a_file_or_a_token_makes_nothing(world: Visiting, webmaster: Browser) -> None:
    before = len(world.listed(f"/advertisers/{world.advertiser}/feeds"))
    token = re.search(r'name="token" value="(\w+)"', webmaster.ask("GET", at(world, "feeds")).text)
    assert token is not None
    empty = {"file": ("", b"")}
    file = {"file": ("a.csv", FEED.encode())}
    path = at(world, "feeds/upload")
    assert webmaster.ask("POST", path, data={"token": token[1]}, files=empty).status_code == 422
    assert webmaster.ask("POST", path, data={"token": "x"}, files=file).status_code == 403
    assert webmaster.ask("POST", path, data={"token": token[1]}).status_code == 403
    stranger = {"Origin": "https://evil.example"}
    assert (
        webmaster.ask("POST", path, data={"token": token[1]}, files=file, headers=stranger).status_code == 403
    )
    assert len(world.listed(f"/advertisers/{world.advertiser}/feeds")) == before


def test_a_catalogue_that_would_shrink_waits_for_a_yes_on_its_page(
    world: Visiting, webmaster: Browser
) -> None:
    rows = [f"w{n},Hat,https://shop.example/w{n},9.00 EUR" for n in range(30)]
    address = feed_page(world, webmaster, "\n".join(["id,title,link,price", *rows]))
    shrunk = "\n".join(["id,title,link,price", *rows[:2]])
    token = re.search(r'name="token" value="(\w+)"', webmaster.ask("GET", address).text)
    assert token is not None
    for word, count in (("reject", 30), ("approve", 2)):
        file = {"file": ("feed.csv", shrunk.encode())}
        webmaster.ask("POST", f"{address}/upload", data={"token": token[1]}, files=file)
        world.server.imports.run_next()
        page = webmaster.ask("GET", address).text
        form = re.search(rf'action="([^"]*/{word})"', page)
        assert form is not None, words_of(page)
        assert submit(webmaster, form[1]).headers["location"] == address
        world.server.imports.run_next()
        feed_key = read_id("feed", address.rpartition("/")[2])
        assert world.storage.catalogue.count_of_feed(feed_key or 0) == count
        assert submit(webmaster, form[1]).status_code == 409, "it waits for nobody any more"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_that_may_come_has_words(language: str) -> None:
    for reason in Rejection:
        assert refusal_in_words(reason, None, "elsewhere.example", language)
    for basis in Basis:
        assert basis_in_words(basis, language)
        assert refusal_in_words(Rejection.NO_CONSENT, basis, None, language)
    for name in EventName:
        assert event_in_words(name, language)
    for state in ImportState:
        assert feed_words.state_in_words(state, language)
    for row in feed.Rejection:
        assert feed_words.row_in_words(row, language)[1]
    for note in feed.Note:
        assert feed_words.note_in_words(note, language)[1]
    for fatal in FeedRefusal:
        assert feed_words.fatal_in_words(f"{fatal}: line 3", language) != f"{fatal}: line 3"
    for trouble in KNOWN_REASONS:
        assert feed_words.picture_in_words(trouble, language)
