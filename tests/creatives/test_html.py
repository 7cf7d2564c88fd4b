"""The iframe document: what is shown, what is escaped, what its policy allows."""

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from creatives.assets import template
from creatives.card import Card, Look, Offer
from creatives.colour import AA_CONTRAST, UnsafeColour, contrast, readable_on_white, text_on
from creatives.formats import FORMATS, Format
from creatives.html import (
    Beacons,
    UnsafeAddress,
    card_fragment,
    compile_document,
    house_document,
    message_fragment,
)
from creatives.labels import labels_for
from creatives.price import price_tag
from creatives.text import plain_text
from tests.creatives.samples import BEACONS, HOSTILE_TEXTS, make_card, make_look, make_message_look

RECTANGLE = FORMATS["300x250"]
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def parsed(document: bytes) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(document.decode())


def render_one(title: str = "Wool beanie", name: str = "Velvet & Rye") -> bytes:
    look = make_look(name=name)
    fragment = card_fragment(make_card(title), look)
    return compile_document(look, RECTANGLE).render([fragment], ["/c?t=1&s=2"], BEACONS)


@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_a_document_holds_as_many_cards_as_it_is_given(format_: Format) -> None:
    look = make_look("fr", Offer(percent=10))
    document = compile_document(look, format_)
    for count in range(1, format_.cards + 1):
        fragments = [card_fragment(make_card(f"Title {index}"), look) for index in range(count)]
        page = parsed(document.render(fragments, [f"/c?t={index}" for index in range(count)], BEACONS))
        assert [link.get("href") for link in page.find_class("card")] == [f"/c?t={n}" for n in range(count)]
        assert f"n{count}" in page.body.get("class").split()


def test_links_open_in_a_new_page_without_an_opener() -> None:
    for link in parsed(render_one()).iter("a"):
        assert (link.get("target"), link.get("rel")) == ("_blank", "noopener")
        assert link.get("referrerpolicy") == "origin"


def test_addresses_arrive_as_they_were_given() -> None:
    page = parsed(render_one())
    assert page.body.get("data-impression") == BEACONS.impression
    assert page.body.get("data-viewable") == BEACONS.viewable
    assert page.find_class("why")[0].get("href") == BEACONS.why
    assert page.find_class("card")[0].get("href") == "/c?t=1&s=2"


@given(st.text().filter(lambda text: "\n" not in text))
def test_an_address_cannot_leave_its_attribute(address: str) -> None:
    look = make_look()
    fragment = card_fragment(make_card(), look)
    beacons = Beacons(address, address, address)
    document = (
        compile_document(look, RECTANGLE).render([fragment], [address], beacons).decode("utf-8", "replace")
    )
    assert document.count("<") == render_one().decode().count("<")
    assert document.count('"') == render_one().decode().count('"')


def test_an_address_with_a_line_break_is_a_mistake_of_ours() -> None:
    look = make_look()
    document = compile_document(look, RECTANGLE)
    fragment = card_fragment(make_card(), look)
    with pytest.raises(ValueError, match="as many links as fragments"):
        document.render([fragment], ["/c?\n"], BEACONS)
    with pytest.raises(ValueError, match="as many links as fragments"):
        document.render([fragment, fragment], ["/c"], BEACONS)
    with pytest.raises(ValueError, match="fragments fit"):
        document.render([], [], BEACONS)
    with pytest.raises(ValueError, match="fragments fit"):
        document.render([fragment] * 3, ["/c"] * 3, BEACONS)


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_is_shown_as_text(hostile: str) -> None:
    page = parsed(render_one(title=hostile, name=hostile))
    assert page.find_class("title")[0].text_content() == hostile
    assert page.find_class("brand")[0].text_content() == hostile
    assert page.find_class("card")[0].find(".//img").get("alt") == hostile
    assert len(list(page.iter("script"))) == 1
    assert len(list(page.iter("img"))) == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_title_and_no_name_adds_a_tag_or_an_attribute(title: str, name: str) -> None:
    expected = [(element.tag, sorted(element.keys())) for element in parsed(render_one()).iter()]
    page = parsed(render_one(title=title, name=name))
    assert [(element.tag, sorted(element.keys())) for element in page.iter()] == expected
    assert page.find_class("title")[0].text_content() == plain_text(title)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_message_adds_a_tag_or_an_attribute(headline: str, body: str, button: str) -> None:
    fragment = message_fragment(make_message_look(headline, body, button), RECTANGLE)
    plain = message_fragment(make_message_look(), RECTANGLE)
    for mark in (b"<", b">", b'"'):
        assert (fragment.before + fragment.after).count(mark) == (plain.before + plain.after).count(mark)


def test_reordering_and_line_separators_cannot_touch_the_price() -> None:
    assert plain_text("cheap\u202egnp.exe\u2028now\u2066\x00\ud800 \u200fa") == "cheapgnp.exe now \u200fa"


def test_a_style_block_and_the_script_are_the_ones_the_policy_allows() -> None:
    look = make_look()
    document = compile_document(look, RECTANGLE)
    html = document.render([card_fragment(make_card(), look)], ["/c"], BEACONS).decode()
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        blocks = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(blocks) == 1
        digest = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in document.content_security_policy
    assert "style=" not in html
    assert not re.search(r"\son\w+=", html)


def test_the_policy_names_what_a_creative_may_do_and_leaves_framing_to_the_web_room() -> None:
    policy = compile_document(make_look(), RECTANGLE).content_security_policy
    for directive in (
        "default-src 'none'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ):
        assert directive in policy.split("; ")
    assert "frame-ancestors" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "colour",
    ["red}body{display:none}", "url(//evil)", "#12345", "#1234567", "#12345g", "#123456\n", "", "red"],
)
def test_a_colour_that_is_not_six_digits_is_refused(colour: str) -> None:
    with pytest.raises(UnsafeColour):
        compile_document(make_look(primary=colour), RECTANGLE)
    with pytest.raises(UnsafeColour):
        compile_document(make_look(accent=colour), RECTANGLE)


@pytest.mark.parametrize(
    "address", ["//evil.example/x.png", "https://evil.example/x", "/media/../x", "javascript:1", "/media/a b"]
)
def test_a_logo_or_picture_from_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(UnsafeAddress):
        compile_document(make_look(logo=address), RECTANGLE)
    with pytest.raises(UnsafeAddress):
        message_fragment(make_message_look(picture=address), RECTANGLE)


def test_a_picture_that_is_no_hash_is_left_out() -> None:
    fragment = card_fragment(make_card(picture="../../etc/passwd"), make_look())
    assert b"<img" not in fragment.before + fragment.after


@given(COLOURS)
def test_text_on_any_brand_colour_can_be_read(colour: str) -> None:
    assert contrast(text_on(colour), colour) >= AA_CONTRAST
    assert contrast(readable_on_white(colour), "#ffffff") >= AA_CONTRAST


def test_a_house_document_has_no_link_and_no_beacon_and_tells_the_page_that_it_is_empty() -> None:
    for format_ in FORMATS.values():
        house = house_document(format_, "de", "collapse")
        assert b"Hier k\xc3\xb6nnte Ihre Anzeige stehen" in house.body
        for absent in (b"<a", b"<img", b"href", b"fetch", b"data-impression"):
            assert absent not in house.body
        page = parsed(house.body)
        assert page.body.get("data-on-empty") == "collapse"
        scripts = [script.text for script in page.iter("script")]
        digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
        assert len(scripts) == 1
        assert f"script-src 'sha256-{digest}'" in house.content_security_policy


def test_the_words_are_in_the_language_of_the_look() -> None:
    look = make_look("it")
    document = compile_document(look, RECTANGLE)
    page = parsed(document.render([card_fragment(make_card(), look)], ["/c"], BEACONS))
    assert page.get("lang") == "it"
    assert page.find_class("ad")[0].text == "Annuncio"
    assert page.find_class("why")[0].get("title") == "Perché questo annuncio?"
    assert page.find_class("button")[0].text == "Scopri"
    assert page.find_class("title")[0].get("lang") == "en"


def test_a_document_weighs_less_than_a_tenth_of_what_the_trade_allows() -> None:
    look = make_look(offer=Offer(percent=10, code="SAVE10"))
    for format_ in FORMATS.values():
        fragments = [card_fragment(make_card("x" * 200), look)] * format_.cards
        html = compile_document(look, format_).render(
            fragments, ["/c?t=" + "x" * 200] * format_.cards, BEACONS
        )
        assert len(html) < 15_000


TITLES = st.text(max_size=30) | st.sampled_from(HOSTILE_TEXTS)
AMOUNTS = st.sampled_from([1, 990_000, 29_900_000, 1_234_567_890_000]) | st.integers(1, 10**15)
OFFERS = st.none() | st.sampled_from([Offer(percent=10), Offer(amount_micros=5_000_000)])
LANGUAGES = st.sampled_from(["en", "fr", "de-CH", "xx"])
PICTURE = "ab" * 16


@given(
    st.builds(
        make_card,
        TITLES,
        AMOUNTS,
        st.none() | AMOUNTS,
        st.sampled_from(["EUR", "JPY", "USD"]),
        st.sampled_from([None, PICTURE, "../../etc/passwd"]),
        LANGUAGES,
    ),
    st.builds(make_look, LANGUAGES, OFFERS),
)
def test_a_card_put_together_is_the_template_drawn_whole(card: Card, look: Look) -> None:
    tag = price_tag(card, look.offer, look.language)
    whole = template("card.html.j2").render(
        splice="LINK",
        title=plain_text(card.title),
        picture=PICTURE if card.picture == PICTURE else None,
        tag=tag,
        long_price=len(tag.now) + len(tag.was or "") > 16,
        huge_price=len(tag.now) > 12,
        card_language=card.language,
        language=look.language,
        labels=labels_for(look.language),
    )
    fragment = card_fragment(card, look)
    assert fragment.before + b"LINK" + fragment.after == whole.encode("utf-8", "replace")
