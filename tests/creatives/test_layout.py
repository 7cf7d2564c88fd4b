"""Boxes measured in Chromium: nothing is clipped, nothing overlaps, pictures are large, everything can be read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from creatives.card import Brand, Look, Message, Offer
from creatives.formats import FORMATS, RESPONSIVE, Format
from creatives.labels import LABELS
from tests.browser.chromium import chromium
from tests.creatives.gallery import (
    Creative,
    Gallery,
    creative,
    drawn,
    gallery,
    photo,
    real_photos,
)
from tests.creatives.real_titles import longest_titles
from tests.creatives.samples import HOSTILE_TEXTS, make_card, make_look, make_message_look

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MEASURES = (Path(__file__).parent / "measures.js").read_text(encoding="utf-8")
OF_PRODUCTS = ("cards", "hero", "carousel", "text")
FIXED = [format_ for format_ in FORMATS.values() if format_.width]
# From the smallest frame that a publisher may give the responsive one to the largest.
FRAMES = (
    *(
        (250, 50),
        (480, 60),
        (250, 100),
        (479, 149),
        (480, 90),
        (1200, 100),
        (1200, 149),
        (160, 250),
        (239, 600),
    ),
    *(
        (200, 200),
        (250, 250),
        (300, 150),
        (400, 200),
        (479, 399),
        (480, 150),
        (480, 320),
        (640, 200),
        (800, 399),
    ),
    *((1200, 250), (250, 400), (250, 600), (360, 640), (480, 400), (600, 400), (600, 600), (1200, 600)),
)
HEADLINES = {
    "en": "Still thinking it over? These are waiting for you",
    "fr": "Toujours partant\u202f? Votre sélection vous attend",
    "it": "Ci stai ancora pensando? La tua scelta ti aspetta",
    "de": "Noch unentschlossen? Ihre Auswahl wartet auf Sie",
    "es": "¿Aún lo está pensando? Su selección le espera",
    "ar": "ما زلت تفكر؟ اختياراتك في انتظارك",
}
# As long as the API takes them, on a card's button.
BUTTONS = {
    "en": "Back to your basket!",
    "fr": "Finir votre commande",
    "it": "Riprendi il carrello",
    "de": "Zum Warenkorb zurück",
    "es": "Terminar tu compra \u2192",
    "ar": "العودة إلى سلة الشراء"[:20],
}
CURRENCIES = {"en": "GBP", "fr": "EUR", "it": "EUR", "de": "EUR", "es": "MXN", "ar": "OMR"}
PLAIN_TITLES = (
    "Tee",
    "Wool beanie",
    "Loose white designer T-shirt",
    "Beautiful summer dress",
    "Mug",
    "Jeans",
)


@pytest.fixture(scope="module")
def shown() -> Iterator[Gallery]:
    with chromium() as browser, gallery(browser, real_photos()) as shown:
        yield shown


def counts_of(template: str, format_: Format) -> Sequence[int]:
    return range(1, format_.cards + 1) if template != "message" else (1,)


@pytest.mark.parametrize("format_", FIXED, ids=lambda format_: format_.name)
def test_every_template_and_number_of_cards_is_whole(shown: Gallery, format_: Format) -> None:
    creatives = [
        creative(make_look(template=template), format_, PLAIN_TITLES[:count])
        for template in OF_PRODUCTS
        for count in counts_of(template, format_)
    ]
    creatives += [
        creative(make_message_look(picture=picture, theme=theme), format_, ())
        for picture in (None, f"/media/{photo(2)}.jpg")
        for theme in ("light", "dark")
    ]
    assert_whole(shown, creatives)


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.usefixtures("shared_data")
def test_the_longest_titles_of_real_feeds_fit_in_six_languages(shown: Gallery, language: str) -> None:
    offers = (
        Offer(percent=15, code="WINTER25", ends_at_ms=1),
        Offer(percent=10, pool=True, ends_at_ms=1),
        None,
    )
    creatives = []
    for place, format_ in enumerate(FIXED):
        for turn, template in enumerate(OF_PRODUCTS):
            look = make_look(
                language,
                offers[(place + turn) % 3],
                name="Nordhaus Outdoor Equipment" if turn % 2 else "Velvet & Rye",
                theme="dark" if (place + turn) % 2 else "light",
                template=template,
                headline=HEADLINES[language] if (place + turn) % 3 else None,
                button=BUTTONS[language] if (place + turn) % 2 else None,
                logo=f"/media/{photo(4)}-half.jpg" if turn == 2 else None,
            )
            titles = longest_titles(language)[:: max(1, len(longest_titles(language)) // 6)][: format_.cards]
            creatives.append(creative(look, format_, titles, currency=CURRENCIES[language]))
        words = make_message_look(
            HEADLINES[language],
            longest_titles(language)[0],
            picture=f"/media/{photo(1)}.jpg",
            language=language,
        )
        creatives.append(creative(words, format_, ()))
    assert_whole(shown, creatives)


@pytest.mark.parametrize("language", ["fr", "de", "ar"])
@pytest.mark.parametrize("format_", [FORMATS[name] for name in ("300x250", "728x90", "160x600", "320x100")])
def test_headline_codes_and_countdown_leave_room_for_the_products(
    shown: Gallery, format_: Format, language: str
) -> None:
    offers = (
        Offer(percent=10, pool=True, ends_at_ms=1),
        Offer(percent=10, code="WINTERSALE2026", ends_at_ms=1),
    )
    looks = [
        make_look(language, offer, template=template, headline=HEADLINES[language])
        for template in OF_PRODUCTS
        for offer in offers
    ]
    assert_whole(shown, [creative(look, format_, PLAIN_TITLES[: format_.cards]) for look in looks])


@pytest.mark.parametrize("template", [*OF_PRODUCTS, "message"])
def test_the_responsive_one_is_whole_in_any_frame(shown: Gallery, template: str) -> None:
    responsive = FORMATS[RESPONSIVE]
    look = (
        make_message_look(picture=f"/media/{photo(3)}.jpg")
        if template == "message"
        else make_look(template=template)
    )
    creatives = [
        creative(look, responsive, PLAIN_TITLES[:count], size)
        for size in FRAMES
        for count in ((1, 2, 6) if template != "message" else (1,))
    ]
    assert_whole(shown, creatives)


@pytest.mark.parametrize("template", OF_PRODUCTS)
def test_the_responsive_one_is_whole_with_a_headline_and_an_offer(shown: Gallery, template: str) -> None:
    offer = Offer(percent=10, code="SAVE10", ends_at_ms=1)
    look = make_look("de", offer, theme="dark", template=template, headline=HEADLINES["de"])
    creatives = [
        creative(look, FORMATS[RESPONSIVE], PLAIN_TITLES[:count], size) for size in FRAMES for count in (1, 6)
    ]
    assert_whole(shown, creatives)


def test_a_message_as_long_as_the_api_takes_it_is_whole_in_any_frame(shown: Gallery) -> None:
    look = make_message_look(
        "Noch unentschlossen? Ihre Auswahl wartet auf Sie, aber nur noch bis Sonntagabend um acht!",
        "Krankenversicherung, Gepäckversicherung und Reiserücktritt für die ganze Familie. " * 2,
        "Jetzt Angebot anfordern, bitte",
        picture=f"/media/{photo(1)}.jpg",
        theme="dark",
        language="de",
    )
    assert_whole(shown, [creative(look, FORMATS[RESPONSIVE], (), size) for size in FRAMES])
    assert_whole(shown, [creative(look, format_, ()) for format_ in FIXED])


def test_hostile_text_and_huge_prices_stay_in_their_places(shown: Gallery) -> None:
    look = make_look(
        "de", Offer(percent=10, code="W" * 40), name="".join(HOSTILE_TEXTS)[:60], headline=HOSTILE_TEXTS[0]
    )
    creatives = [
        creative(look, format_, (HOSTILE_TEXTS + PLAIN_TITLES)[: format_.cards], currency="IDR")
        for format_ in FIXED
    ]
    assert_whole(shown, creatives)


@pytest.mark.parametrize("template", OF_PRODUCTS)
def test_a_reduced_price_of_millions_and_a_long_button_stand_whole(shown: Gallery, template: str) -> None:
    look = make_look(
        "de", Offer(percent=10), template=template, headline=HEADLINES["de"][:40], button=BUTTONS["de"]
    )
    price = {"price_micros": 1_234_567_890_000, "currency": "CZK", "language": "de"}
    cards = [make_card(title, picture=photo(n), **price) for n, title in enumerate(PLAIN_TITLES)]
    assert_whole(shown, [drawn(look, format_, cards[: format_.cards]) for format_ in FIXED])


def test_any_brand_colour_can_be_read_in_the_light_and_in_the_dark(shown: Gallery) -> None:
    colours = ("#ffffff", "#000000", "#ffff00", "#777777", "#00ff88", "#ff0000", "#181b20", "#8a8a8a")
    creatives = [
        creative(
            make_look(offer=Offer(percent=10, code="A"), primary=one, accent=two, theme=theme),
            FORMATS["300x250"],
            ("Tee", "Mug"),
        )
        for one, two in zip(colours, reversed(colours), strict=True)
        for theme in ("light", "dark")
    ]
    creatives += [
        creative(
            Look(
                "message",
                Brand("Alpine", colour, "#d9480f", None, theme),
                message=Message("Words", "More words", "Go"),
            ),
            FORMATS["336x280"],
            (),
        )
        for colour in colours
        for theme in ("light", "dark")
    ]
    assert_whole(shown, creatives)


def assert_whole(shown: Gallery, creatives: list[Creative]) -> None:
    shown.hang(creatives)
    assert shown.measured(MEASURES) == {}
    assert shown.complaints == []
