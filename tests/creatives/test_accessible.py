"""axe-core, which knows what people with a screen reader, a keyboard or weak eyes stumble over, finds nothing."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser

from creatives.card import Offer
from creatives.formats import FORMATS, Format
from tests.browser.chromium import chromium
from tests.creatives.gallery import Creative, creative, gallery, photo
from tests.creatives.samples import make_look, make_message_look

pytestmark = pytest.mark.browser

TITLES = ("Wool beanie", "Summer dress", "Mug", "Jeans", "Cap", "Book")
FOR_ALL = ("300x250", "responsive")  # the others show each template in the light or in the dark
# The tags of WCAG 2.2 AA and of best practice; a creative is a part of a page and needs no heading of its own.
RULES = "{rules: {'page-has-heading-one': {enabled: false}}, resultTypes: ['violations']}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def creatives_of(format_: Format, theme: str) -> list[Creative]:
    offer = Offer(percent=10, code="SAVE10", ends_at_ms=1)
    size = (format_.width or 480, format_.height or 400)
    looks = [
        make_look("fr", offer, theme=theme, template=template, headline="Toujours partant ?")
        for template in ("cards", "hero", "carousel", "text")
    ]
    looks += [make_message_look(picture=picture, theme=theme) for picture in (None, f"/media/{photo(1)}.jpg")]
    if format_.name not in FOR_ALL:
        looks = looks[theme == "auto" :: 2]
    return [creative(look, format_, TITLES[: format_.cards], size) for look in looks]


@pytest.mark.parametrize("theme", ["light", "auto"])
@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_nothing_is_found_in_any_creative_in_the_light_and_in_the_dark(
    browser: Browser, format_: Format, theme: str
) -> None:
    found = {}
    with gallery(browser, scheme="dark" if theme == "auto" else "light") as shown:
        shown.hang(creatives_of(format_, theme))
        for frame, one in zip(shown.page.frames[1:], shown.shown, strict=True):
            frame.evaluate(AXE_SCRIPT)
            violations = frame.evaluate(
                f"() => axe.run(document, {RULES}).then((results) => results.violations)"
            )
            found[one.name] = [
                (fault["id"], fault["impact"], fault["nodes"][0]["html"][:160]) for fault in violations
            ]
    assert {name: faults for name, faults in found.items() if faults} == {}
