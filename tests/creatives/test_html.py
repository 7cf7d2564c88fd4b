"""The iframe document: what is shown, what is escaped, what its policy allows."""

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from creatives.assets import template
from creatives.card import Brand, Card, Look, Offer
from creatives.colour import AA_CONTRAST, PART_CONTRAST, UnsafeColour, contrast, readable_on_white, text_on
from creatives.formats import FORMATS, FRAMES, Format, frame_of
from creatives.html import (
    Beacons,
    UnsafeAddress,
    card_fragment,
    compile_document,
    house_document,
    message_fragment,
)
from creatives.labels import LABELS, direction_of, labels_for
from creatives.price import price_tag
from creatives.text import plain_text
from creatives.theme import DARK, LIGHT, Ground, palette
from tests.creatives.samples import BEACONS, HOSTILE_TEXTS, make_card, make_look, make_message_look

RECTANGLE = FORMATS["300x250"]
NOW_MS = 1_800_000_000_000
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def parsed(document: bytes) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(document.decode())


def render_one(title: str = "Wool beanie", name: str = "Velvet & Rye") -> bytes:
    look = make_look(name=name)
    fragment = card_fragment(make_card(title), look)
    return compile_document(look, RECTANGLE).render([fragment], ["/c?t=1&s=2"], BEACONS, NOW_MS)


@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_a_document_holds_as_many_cards_as_it_is_given(format_: Format) -> None:
    look = make_look("fr", Offer(percent=10))
    document = compile_document(look, format_)
    for count in range(1, format_.cards + 1):
        fragments = [card_fragment(make_card(f"Title {index}"), look) for index in range(count)]
        page = parsed(
            document.render(fragments, [f"/c?t={index}" for index in range(count)], BEACONS, NOW_MS)
        )
        assert [link.get("href") for link in page.find_class("card")] == [f"/c?t={n}" for n in range(count)]
        assert f"n{count}" in page.body.get("class").split()


def test_links_open_in_a_new_page_without_an_opener() -> None:
    links = list(parsed(render_one()).iter("a"))
    assert len(links) == 4  # the card, why this ad, and the two that stand in a closed ad's place
    for link in links:
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
        compile_document(look, RECTANGLE)
        .render([fragment], [address], beacons, NOW_MS)
        .decode("utf-8", "replace")
    )
    assert document.count("<") == render_one().decode().count("<")
    assert document.count('"') == render_one().decode().count('"')


def test_an_address_with_a_line_break_is_a_mistake_of_ours() -> None:
    look = make_look()
    document = compile_document(look, RECTANGLE)
    fragment = card_fragment(make_card(), look)
    with pytest.raises(ValueError, match="as many links as fragments"):
        document.render([fragment], ["/c?\n"], BEACONS, NOW_MS)
    with pytest.raises(ValueError, match="as many links as fragments"):
        document.render([fragment, fragment], ["/c"], BEACONS, NOW_MS)
    with pytest.raises(ValueError, match="fragments fit"):
        document.render([], [], BEACONS, NOW_MS)
    with pytest.raises(ValueError, match="fragments fit"):
        document.render([fragment] * 3, ["/c"] * 3, BEACONS, NOW_MS)


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_is_shown_as_text(hostile: str) -> None:
    page = parsed(render_one(title=hostile, name=hostile))
    assert page.find_class("title")[0].text_content() == hostile
    assert page.find_class("brand")[0].text_content() == hostile
    assert (
        page.find_class("card")[0].find(".//img").get("alt") == ""
    )  # the title beside it is the link's name
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
    html = document.render([card_fragment(make_card(), look)], ["/c"], BEACONS, NOW_MS).decode()
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


@given(COLOURS, COLOURS, st.sampled_from([LIGHT, DARK]))
def test_every_text_and_every_edge_of_a_palette_stands_out_from_what_is_behind_it(
    primary: str, accent: str, ground: Ground
) -> None:
    colours = palette(Brand("Any", primary, accent), ground)
    for text, behind in (
        (colours.ink, colours.ground),
        (colours.ink, colours.raised),
        (colours.muted, colours.ground),
        (colours.muted, colours.raised),
        (colours.sale, colours.ground),
        (colours.sale, colours.raised),
        (colours.on_primary, colours.primary),
        (colours.on_primary, colours.pressed),
        (colours.on_primary, colours.deep),
        (colours.on_badge, colours.badge),
    ):
        assert contrast(text, behind) >= AA_CONTRAST, (text, behind)
    assert contrast(colours.edge, colours.ground) >= PART_CONTRAST
    assert contrast(colours.edge, colours.raised) >= PART_CONTRAST


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
    page = parsed(document.render([card_fragment(make_card(), look)], ["/c"], BEACONS, NOW_MS))
    assert page.get("lang") == "it"
    assert page.find_class("ad")[0].text == "Annuncio"
    assert page.find_class("why")[0].get("title") == "Perché questo annuncio?"
    assert page.find_class("button")[0].text == "Scopri"
    assert page.find_class("title")[0].get("lang") == "en"


@pytest.mark.parametrize("template_name", ["cards", "hero", "carousel", "text"])
def test_a_document_weighs_less_than_half_of_what_the_trade_allows_the_smallest_size(
    template_name: str,
) -> None:
    look = make_look(
        offer=Offer(percent=10, code="SAVE10", ends_at_ms=1), theme="auto", template=template_name
    )
    for format_ in FORMATS.values():
        fragments = [card_fragment(make_card("x" * 200), look)] * format_.cards
        html = compile_document(look, format_).render(
            fragments, ["/c?t=" + "x" * 200] * format_.cards, BEACONS, NOW_MS
        )
        assert len(html) < (25_000 if format_.width else 37_000)


TITLES = st.text(max_size=30) | st.sampled_from(HOSTILE_TEXTS)
AMOUNTS = st.sampled_from([1, 990_000, 29_900_000, 1_234_567_890_000]) | st.integers(1, 10**15)
OFFERS = st.none() | st.sampled_from([Offer(percent=10), Offer(amount_micros=5_000_000)])
LANGUAGES = st.sampled_from(["en", "fr", "de-CH", "ar-EG", "xx"])
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
    st.builds(make_look, LANGUAGES, OFFERS, button=st.none() | TITLES),
    st.booleans(),
)
def test_a_card_put_together_is_the_template_drawn_whole(card: Card, look: Look, lazy: bool) -> None:
    tag = price_tag(card, look.offer, look.language)
    longest = max(len(tag.now), len(tag.was or ""))
    whole = template("card.html.j2").render(
        splice="LINK",
        title=plain_text(card.title),
        picture=PICTURE if card.picture == PICTURE else None,
        tag=tag,
        long_price=len(tag.now) + len(tag.was or "") > 16,
        price_size=next((size for size in (7, 9, 11, 13, 16, 20) if longest <= size), 20),
        lazy=lazy,
        card_language=card.language,
        language=look.language,
        button=plain_text(look.button or "") or labels_for(look.language).see_it,
        labels=labels_for(look.language),
    )
    fragment = card_fragment(card, look, lazy=lazy)
    assert fragment.before + b"LINK" + fragment.after == whole.encode("utf-8", "replace")


def test_a_card_names_the_four_renditions_of_its_picture() -> None:
    fragment = card_fragment(make_card(picture=PICTURE), make_look())
    picture = lxml_html.fromstring((fragment.before + fragment.after).decode()).find(".//picture")
    webp, jpeg = picture.find(".//source"), picture.find(".//img")
    assert webp.get("type") == "image/webp"
    assert webp.get("srcset") == f"/media/{PICTURE}-half.webp, /media/{PICTURE}.webp 2x"
    assert jpeg.get("src") == f"/media/{PICTURE}-half.jpg"
    assert jpeg.get("srcset") == f"/media/{PICTURE}.jpg 2x"
    assert (jpeg.get("width"), jpeg.get("height"), jpeg.get("loading")) == ("300", "300", None)


def test_a_messages_picture_comes_in_the_rendition_that_its_size_asks_for() -> None:
    look = make_message_look(picture=f"/media/{PICTURE}.jpg")
    for name, sources in (
        ("300x600", [f"/media/{PICTURE}.webp", f"/media/{PICTURE}.jpg"]),
        ("320x50", [f"/media/{PICTURE}-half.webp, /media/{PICTURE}.webp 2x", f"/media/{PICTURE}-half.jpg"]),
    ):
        fragment = message_fragment(look, FORMATS[name])
        photo = lxml_html.fromstring((fragment.before + fragment.after).decode()).find_class("photo")[0]
        assert [photo.find(".//source").get("srcset"), photo.find(".//img").get("src")] == sources


def test_only_a_card_out_of_sight_waits_with_its_picture() -> None:
    fragment = card_fragment(make_card(picture=PICTURE), make_look(), lazy=True)
    assert b'loading="lazy"' in fragment.before + fragment.after


def test_the_name_of_a_card_says_product_and_both_prices_in_their_languages() -> None:
    card = make_card("Bonnet en laine", 19_900_000, 29_900_000, language="fr")
    fragment = card_fragment(card, make_look("en"))
    link = lxml_html.fromstring((fragment.before + fragment.after).decode()).find(".//a")
    said = " ".join(link.text_content().split())
    assert said == "Bonnet en laine €19.90 was €29.90 See it"
    assert link.get("aria-label") is None  # it would read the title in the wrong language
    assert [element.get("lang") for element in link.iter() if element.get("lang")] == ["fr"]


def test_the_advertisers_headline_and_button_words_are_shown() -> None:
    look = make_look(headline="Still <b>thinking</b>?", button="Get it & go")
    fragment = card_fragment(make_card(), look)
    page = parsed(compile_document(look, RECTANGLE).render([fragment], ["/c"], BEACONS, NOW_MS))
    assert page.find_class("pitch")[0].text_content() == "Still <b>thinking</b>?"
    assert page.find_class("button")[0].text_content() == "Get it & go"


def test_an_offer_with_a_pool_of_codes_promises_one_and_shows_none() -> None:
    look = make_look("de", Offer(percent=10, code="LEFTOVER", pool=True))
    fragment = card_fragment(make_card(), look)
    html = compile_document(look, RECTANGLE).render([fragment], ["/c"], BEACONS, NOW_MS).decode()
    assert "Ihr Code nach dem Klick" in html
    assert "LEFTOVER" not in html


def test_a_countdown_is_told_the_time_left_by_the_servers_clock() -> None:
    look = make_look(offer=Offer(percent=10, ends_at_ms=NOW_MS + 90_000))
    fragment = card_fragment(make_card(), look)
    document = compile_document(look, RECTANGLE)
    assert parsed(document.render([fragment], ["/c"], BEACONS, NOW_MS)).body.get("data-left") == "90000"
    late = parsed(document.render([fragment], ["/c"], BEACONS, NOW_MS + 100_000))
    assert late.body.get("data-left") == "-10000"
    assert late.find_class("ends")[0].get("hidden") is not None  # until the script knows that it is not over


def test_an_offer_without_an_end_has_no_countdown() -> None:
    page = parsed(render_one())
    assert page.body.get("data-left") == ""
    assert page.find_class("ends") == page.find_class("offer") == []


def test_what_is_read_from_right_to_left_is_laid_out_so() -> None:
    for language, direction in (("ar", "rtl"), ("ar-EG", "rtl"), ("he", "rtl"), ("fr", "ltr"), ("xx", "ltr")):
        look = make_look(language)
        fragment = card_fragment(make_card(language=language), look)
        page = parsed(compile_document(look, RECTANGLE).render([fragment], ["/c"], BEACONS, NOW_MS))
        assert page.get("dir") == direction == direction_of(language)
        assert all(price.find("b/bdi") is not None for price in page.find_class("price"))


@pytest.mark.parametrize("language", LABELS)
def test_every_language_has_every_word_and_its_places_for_time_and_date(language: str) -> None:
    labels = labels_for(language)
    assert all(getattr(labels, field).strip() for field in labels.__struct_fields__)
    assert "{time}" in labels.ends_in
    assert "{date}" in labels.ends_on


def test_a_theme_left_to_the_reader_carries_both_palettes() -> None:
    def style(theme: str) -> str:
        look = make_look(theme=theme)
        return compile_document(look, RECTANGLE).heads[0].decode()

    for theme, ground, asks in (("light", LIGHT, False), ("dark", DARK, False), ("auto", LIGHT, True)):
        assert f"--ground:{ground.ground}" in style(theme)
        assert ("prefers-color-scheme:dark" in style(theme)) is asks
    assert f"--ground:{DARK.ground}" in style("auto")


@given(st.integers(1, 4_000), st.integers(1, 4_000))
def test_every_size_is_laid_out_in_one_frame(width: int, height: int) -> None:
    assert [frame for frame in FRAMES if frame.holds(width, height)] == [frame_of(width, height)]


def test_a_document_asks_no_other_host_for_anything() -> None:
    for name in ("cards", "carousel"):
        look = make_look(
            template=name, offer=Offer(percent=10, ends_at_ms=1), theme="auto", logo="/media/logo.png"
        )
        html = compile_document(look, RECTANGLE).render(
            [card_fragment(make_card(), look)], ["/c"], BEACONS, NOW_MS
        )
        assert re.findall(rb"https?://|url\(|@import|//[a-z]+\.", html) == []
