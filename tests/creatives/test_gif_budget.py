"""Any four of 500 real products, with real photographs, make a GIF within its budget."""

from pathlib import Path

import pytest

from creatives.card import Brand, Look, Offer
from creatives.formats import FORMATS, RESPONSIVE
from creatives.frame import MAX_GIF_BYTES, MAX_SMALL_GIF_BYTES, splice
from creatives.gif import draw_frame
from tests.creatives.real_products import photographs, products

# All 500 in the commonest size; every fourth elsewhere, since each is another 100 pictures.
COUNTS = {name: 500 if name == "300x250" else 125 for name in FORMATS if name != RESPONSIVE}


def look_for(language: str, number: int) -> Look:
    theme = "dark" if number % 4 == 3 else "light"
    offer = Offer(percent=15, pool=True) if number % 2 else None
    return Look("cards", Brand("Velvet & Rye", theme=theme), offer, language=language)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", COUNTS)
def test_every_combination_of_four_products_is_within_the_budget(shared_data: Path, name: str) -> None:
    """Frames are joined as they are, so the four largest of all bound every four of them."""
    cards = products(500)
    assert len(cards) == 500
    format_, photos = FORMATS[name], photographs()
    assert len(photos) >= 24
    shown = cards[:: 500 // COUNTS[name]]
    frames = [
        draw_frame(card, look_for(card.language, number), format_, photos[number % len(photos)])
        for number, card in enumerate(shown)
    ]
    assert len(frames) == COUNTS[name]
    largest = sorted(frames, key=len)[-4:]
    most = MAX_SMALL_GIF_BYTES if name == "320x50" else MAX_GIF_BYTES
    assert len(splice(largest, format_)) <= most
