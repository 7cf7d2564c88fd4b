"""A creative's words for a situation and a language, and that they are put together once."""

import pytest
from msgspec.structs import replace

from adserver.domain.campaign import Copy
from adserver.domain.looks import Looks, look_of
from adserver.domain.situation import Situation
from creatives.card import Message
from tests.domain.makers import make_creative, make_message

COPIES = (
    Copy("Still in your cart", "Finish", Situation.CART),
    Copy("Toujours dans votre panier", None, Situation.CART, "fr"),
    Copy("You may like these", "See it"),
    Copy("À découvrir", None, None, "fr"),
    Copy(None, "Weiter", None, "de"),
)


@pytest.mark.parametrize(
    ("situation", "language", "headline", "button"),
    [
        (Situation.CART, "en", "Still in your cart", "Finish"),
        (Situation.CART, "fr", "Toujours dans votre panier", "Finish"),
        (Situation.CART, "fr-CA", "Toujours dans votre panier", "Finish"),
        (Situation.CART, "FR_ca", "Toujours dans votre panier", "Finish"),
        (Situation.CART, "de", "Still in your cart", "Finish"),
        (Situation.VIEWED, "fr", "À découvrir", "See it"),
        (Situation.VIEWED, "de", "You may like these", "Weiter"),
        (None, "en", "You may like these", "See it"),
    ],
)
def test_the_situations_words_come_first_then_the_languages(
    situation: Situation | None, language: str, headline: str, button: str
) -> None:
    look = look_of(make_creative(copies=COPIES), situation, language)
    assert (look.headline, look.button, look.language) == (headline, button, language)


def test_without_words_for_a_visitor_there_is_no_headline() -> None:
    only_cart = make_creative(copies=COPIES[:1])
    for look in (look_of(only_cart, Situation.VIEWED, "en"), look_of(make_creative(), Situation.CART, "en")):
        assert (look.headline, look.button) == (None, None)


def test_a_message_speaks_the_copys_words_in_place_of_its_own() -> None:
    creative = make_message(copies=(Copy("Your loan waits", None, Situation.FORM_ABANDONED),))
    spoken = look_of(creative, Situation.FORM_ABANDONED, "en")
    assert spoken.message == Message("Your loan waits", "Your form is kept.", "Go on")
    assert spoken.headline is None
    assert look_of(creative, None, "en").message == creative.message


def test_a_look_is_made_once_until_its_creative_is_another() -> None:
    looks, creative = Looks(), make_creative(copies=COPIES)
    first = looks.look(creative, Situation.CART, "en")
    assert looks.look(creative, Situation.CART, "en") is first
    changed = replace(creative, copies=(Copy("Now"),))
    assert looks.look(changed, Situation.CART, "en").headline == "Now"


def test_languages_made_up_by_feeds_do_not_fill_the_memory() -> None:
    looks, creative = Looks(most=3), make_creative(copies=COPIES)
    for number in range(50):
        assert looks.look(creative, None, f"x{number}").headline == "You may like these"
        assert looks.count <= 3
