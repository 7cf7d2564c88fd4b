"""Every template, size and number of cards on a few sheets, for someone to look at: `build/contact-sheet-*.png`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from creatives.card import Offer
from creatives.formats import FORMATS, Format
from tests.browser.chromium import chromium
from tests.creatives.gallery import Creative, creative, gallery, photo, real_photos
from tests.creatives.samples import make_look, make_message_look
from tests.shared_data import PROJECT

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

TITLES = {
    "en": ("Ribbed wool beanie", "Loose white designer T-shirt", "Summer dress with a floral print and short sleeves",
           "Everyday five-pocket jeans", "Knit cap", "Mug with a story, 330 ml"),
    "de": ("Gerippte Wollmütze", "Lockeres weißes Designer-T-Shirt", "Sommerkleid mit Blumendruck und kurzen Ärmeln",
           "Jeans mit fünf Taschen", "Strickmütze", "Becher mit Geschichte, 330 ml"),
    "ar": ("قبعة صوفية محبوكة", "قميص أبيض فضفاض بتصميم مميز", "فستان صيفي بنقشة زهور وأكمام قصيرة",
           "جينز بخمسة جيوب لكل يوم", "قبعة محبوكة يدويًا", "كوب يحكي قصة، ٣٣٠ مل"),
}  # fmt: skip
HEADLINES = {"en": "Still thinking it over?", "de": "Noch unentschlossen?", "ar": "ما زلت تفكر؟"}
SHEETS = (
    ("light", "en", "light", False),
    ("dark", "de", "dark", True),
    ("arabic", "ar", "light", True),
)
RESPONSIVE_FRAMES = ((250, 50), (250, 250), (480, 150), (600, 400), (1200, 600))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def of_format(
    format_: Format, size: tuple[int, int], language: str, theme: str, dressed: bool
) -> list[Creative]:
    """All counts in the plain sheet; the dressed ones, with offer and headline, show the fullest."""
    offer = Offer(percent=10, pool=language == "ar", code="SAVE10", ends_at_ms=1) if dressed else None
    counts = [format_.cards] if dressed or not format_.width else range(1, format_.cards + 1)
    currency = "SAR" if language == "ar" else "EUR"
    shown = [
        creative(
            make_look(language, offer, theme=theme, template=name, headline=HEADLINES[language] if dressed else None),
            format_, TITLES[language][:count], size, currency,
        )
        for name in ("cards", "hero", "carousel", "text")
        for count in counts
    ]  # fmt: skip
    messages = (
        make_message_look(picture=picture, theme=theme) for picture in (f"/media/{photo(4)}.jpg", None)
    )
    return shown + [creative(look, format_, (), size) for look in messages]


@pytest.mark.parametrize(("name", "language", "theme", "dressed"), SHEETS, ids=[sheet[0] for sheet in SHEETS])
def test_the_contact_sheets_are_drawn(
    browser: Browser, name: str, language: str, theme: str, dressed: bool
) -> None:
    creatives = []
    for format_ in FORMATS.values():
        for size in [(format_.width, format_.height)] if format_.width else RESPONSIVE_FRAMES:
            creatives += of_format(format_, size, language, theme, dressed)
    sheet = PROJECT / "build" / f"contact-sheet-{name}.png"
    sheet.parent.mkdir(exist_ok=True)
    with gallery(browser, real_photos()) as shown:
        shown.hang(creatives, 2040)
        drawn = shown.page.screenshot(path=sheet, full_page=True)
    assert shown.complaints == []
    width, height = (int.from_bytes(drawn[start : start + 4], "big") for start in (16, 20))  # a PNG's head
    assert width == 2040 and height > 3_000
