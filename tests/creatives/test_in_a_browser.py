"""Creatives at work in Chromium: the policy holds, beacons speak when they should, and every control does its work."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from creatives.formats import FORMATS, Format
from creatives.html import Look, card_fragment, compile_document
from tests.browser.chromium import chromium
from tests.creatives.samples import (
    BEACONS,
    LONG_TITLES,
    make_card,
    make_look,
    make_picture,
)

ORIGIN = "https://ads.example"
pytestmark = pytest.mark.browser


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
    with chromium() as opened:
        yield opened


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
    return document.render(fragments, ["/c?t=1"] * count, BEACONS, 0), document.content_security_policy


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
    for name in ("why", "close", "card", "card"):
        calm_site.page.keyboard.press("Tab")
        focused = "(({className}, {outlineStyle, outlineWidth}) => [className, outlineStyle, outlineWidth])"
        state = calm_site.page.evaluate(
            f"{focused}(document.activeElement, getComputedStyle(document.activeElement))"
        )
        assert state[0] == name
        assert state[1] == "solid"
        assert int(state[2].removesuffix("px")) >= 2
