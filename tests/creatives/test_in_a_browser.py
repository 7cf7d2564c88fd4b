"""Every format in Chromium: nothing is clipped, the policy holds, and the beacons speak when they should."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from creatives.card import Offer
from creatives.formats import FORMATS, Format
from creatives.html import Look, card_fragment, compile_document, house_document, message_fragment
from tests.creatives.samples import (
    BEACONS,
    HOSTILE_TEXTS,
    LONG_TITLES,
    make_card,
    make_look,
    make_message_look,
    make_picture,
)

CHROMIUM = os.environ.get("ADSERVER_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ORIGIN = "https://ads.example"
pytestmark = pytest.mark.browser

# Nothing may stick out of the ad, of its own card, or of a line that is not meant to end in an ellipsis.
OVERFLOWS = """() => {
  const found = [], page = {right: innerWidth, bottom: innerHeight};
  const within = (element, box, what) => {
    const own = element.getBoundingClientRect();
    if (!own.width || !own.height) { return; }
    if (own.left < box.left - 1 || own.top < box.top - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1) {
      found.push(`${what}: .${element.className || element.tagName} ${JSON.stringify(own)}`);
    }
  };
  const whole = {left: 0, top: 0, right: innerWidth, bottom: innerHeight};
  for (const element of document.querySelectorAll('body *:not(style,script,bdi,svg *)')) { within(element, whole, 'ad'); }
  for (const card of document.querySelectorAll('.card,.message')) {
    const box = card.getBoundingClientRect();
    for (const part of card.querySelectorAll('.title,.price,.price b,.button,.headline,.body')) { within(part, box, 'card'); }
    const words = card.querySelector('.words').getBoundingClientRect();
    for (const part of card.querySelectorAll('.title,.price b,.headline,.body')) { within(part, words, 'words'); }
    const button = card.querySelector('.button').getBoundingClientRect();
    if (button.width && button.top < words.bottom - 1 && button.left < words.right - 1 && button.right > words.left + 1) {
      found.push('the button covers the words');
    }
    const picture = card.querySelector('.picture');
    if (picture && picture.getBoundingClientRect().height < 40) { found.push('the picture is too small'); }
  }
  return found;
}"""


class Site:
    """A page's addresses and what they answer; every other address is noted down."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.documents: dict[str, tuple[bytes, str]] = {}
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.picture = make_picture(format_="JPEG")
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        page.route("**/*", self.answer)

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path in self.documents:
            body, policy = self.documents[path]
            headers = {"content-type": "text/html; charset=utf-8"}
            route.fulfill(
                body=body, headers=headers | ({"content-security-policy": policy} if policy else {})
            )
        elif path.startswith("/media/"):
            route.fulfill(body=self.picture, content_type="image/jpeg")
        else:
            self.asked.append(f"{route.request.method} {path}")
            route.fulfill(status=204)

    def show(self, body: bytes, policy: str, format_: Format) -> None:
        self.documents["/ad"] = (body, policy)
        self.asked.clear()
        self.page.set_viewport_size({"width": format_.width, "height": format_.height})
        self.page.goto(f"{ORIGIN}/ad")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not os.path.exists(CHROMIUM):  # noqa: PTH110
        pytest.skip(f"missing: Chromium at {CHROMIUM}; name it with ADSERVER_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def calm_site(browser: Browser) -> Iterator[Site]:
    page = browser.new_page(reduced_motion="reduce")
    yield Site(page)
    page.close()


@pytest.fixture
def site(browser: Browser) -> Iterator[Site]:
    page = browser.new_page()
    yield Site(page)
    page.close()


def cards_document(look: Look, format_: Format, count: int, titles: tuple[str, ...]) -> tuple[bytes, str]:
    document = compile_document(look, format_)
    cards = [
        make_card(titles[number % len(titles)], 1_299_990_000 * 10**number, 99_990_000 * 10 ** (number + 3))
        for number in range(count)
    ]
    fragments = [card_fragment(card, look) for card in cards]
    return document.render(fragments, ["/c?t=1"] * count, BEACONS), document.content_security_policy


@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_nothing_is_clipped_with_long_titles_long_prices_and_hostile_text(
    calm_site: Site, format_: Format
) -> None:
    for look in (
        make_look("de", Offer(percent=10, code="WINTERSALE25"), name="Nordhaus Outdoor Equipment"),
        make_look("fr", primary="#ffffff", accent="#ffff00", logo="/media/logo.png"),
    ):
        for count in range(1, format_.cards + 1):
            calm_site.show(*cards_document(look, format_, count, LONG_TITLES), format_)
            assert calm_site.page.evaluate(OVERFLOWS) == []
    for titles in (("Tee",), HOSTILE_TEXTS[:4], HOSTILE_TEXTS[4:]):
        calm_site.show(*cards_document(make_look(), format_, format_.cards, titles), format_)
        assert calm_site.page.evaluate(OVERFLOWS) == []
    assert calm_site.complaints == []


@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_no_message_and_no_house_creative_is_clipped(calm_site: Site, format_: Format) -> None:
    for picture in (None, "/media/abc.jpg"):
        for words in ("Travel", " ".join(LONG_TITLES)):
            look = make_message_look(words, words, words, picture)
            document = compile_document(look, format_)
            body = document.render([message_fragment(look, format_)], ["/c"], BEACONS)
            calm_site.show(body, document.content_security_policy, format_)
            assert calm_site.page.evaluate(OVERFLOWS) == []
    for language in ("en", "fr", "es"):
        house = house_document(format_, language)
        calm_site.show(house.body, house.content_security_policy, format_)
        assert calm_site.page.evaluate(OVERFLOWS) == []
        assert calm_site.asked == []
    assert calm_site.complaints == []


def test_the_impression_is_told_at_once_and_the_viewable_one_after_a_second(site: Site) -> None:
    format_ = FORMATS["300x250"]
    site.show(*cards_document(make_look(), format_, 2, LONG_TITLES), format_)
    site.page.wait_for_timeout(700)
    assert site.asked == [f"POST {BEACONS.impression}"]
    site.page.wait_for_timeout(700)
    assert site.asked == [f"POST {BEACONS.impression}", f"POST {BEACONS.viewable}"]
    site.page.wait_for_timeout(1200)
    assert len(site.asked) == 2


def test_only_a_frame_half_in_view_for_a_second_is_viewable(site: Site) -> None:
    format_ = FORMATS["300x250"]
    site.documents["/frame"] = cards_document(make_look(), format_, 2, LONG_TITLES)
    sandbox = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
    page = (
        f'<body style="margin:0;height:3000px"><div style="height:550px"></div>'
        f'<iframe sandbox="{sandbox}" src="/frame" width=300 height=250 style="border:0"></iframe>'
    )
    site.documents["/page"] = (page.encode(), "")
    site.page.set_viewport_size({"width": 800, "height": 600})
    site.page.goto(f"{ORIGIN}/page")
    site.page.wait_for_timeout(1300)
    drawn = site.page.frames[1].evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert drawn  # 'self' is the ad server's own origin even in a sandbox
    assert site.asked == [f"POST {BEACONS.impression}"]  # 50 of 250 pixels are in view
    site.page.evaluate("scrollTo(0, 150)")
    site.page.wait_for_timeout(500)
    site.page.evaluate("scrollTo(0, 0)")
    site.page.wait_for_timeout(700)
    assert len(site.asked) == 1  # half a second is not enough
    site.page.evaluate("scrollTo(0, 150)")
    site.page.wait_for_timeout(1500)
    assert site.asked[1:] == [f"POST {BEACONS.viewable}"]


def test_a_link_that_has_the_focus_shows_it(calm_site: Site) -> None:
    format_ = FORMATS["300x250"]
    calm_site.show(*cards_document(make_look(), format_, 2, ("Tee",)), format_)
    for name in ("why", "card", "card"):
        calm_site.page.keyboard.press("Tab")
        focused = "(({className}, {outlineStyle, outlineWidth}) => [className, outlineStyle, outlineWidth])"
        state = calm_site.page.evaluate(
            f"{focused}(document.activeElement, getComputedStyle(document.activeElement))"
        )
        assert state[0] == name
        assert state[1] == "solid"
        assert int(state[2].removesuffix("px")) >= 2
