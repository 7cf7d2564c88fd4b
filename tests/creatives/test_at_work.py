"""What a creative's controls do in Chromium: it closes, turns, counts down, and hides nothing from a keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from creatives.card import Offer
from creatives.formats import FORMATS
from tests.browser.chromium import chromium
from tests.creatives.gallery import Creative, Gallery, creative, gallery
from tests.creatives.samples import BEACONS, make_look

pytestmark = pytest.mark.browser

TITLES = ("Best", "Second", "Third", "Fourth")
HOUR_MS = 3_600_000
# Which card stands at the beginning of a carousel; none while it turns.
AT = """() => {
  const list = document.querySelector('.cards').getBoundingClientRect(), rtl = document.dir === 'rtl';
  const off = (card) => { const own = card.getBoundingClientRect(); return rtl ? own.right - list.right : own.left - list.left; };
  return [...document.querySelectorAll('li')].findIndex((card) => Math.abs(off(card)) < 2);
}"""
SKYSCRAPER = FORMATS["300x600"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def still(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def moving(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser, motion="no-preference") as opened:
        opened.page.clock.install()
        yield opened


def alone(shown: Gallery, one: Creative) -> None:
    """Shows one creative by itself, with the mouse elsewhere."""
    shown.hang([one])
    shown.page.set_viewport_size({"width": one.width, "height": one.height + 100})
    shown.page.goto(f"{shown.origin}/creative/0")
    shown.page.mouse.move(one.width - 1, one.height + 90)


def turns_to(shown: Gallery, place: int) -> None:
    """Waits until the carousel stands at that card; the policy forbids what Playwright itself would wait by."""
    shown.page.evaluate(
        f"""(place) => new Promise((done) => {{
          const at = {AT}, look = () => (at() === place ? done() : requestAnimationFrame(look));
          look();
        }})""",
        place,
    )


def in_view(shown: Gallery) -> str:
    """The title of the card that stands at the beginning of the list."""
    return str(
        shown.page.evaluate(
            """() => {
              const list = document.querySelector('.cards').getBoundingClientRect();
              const near = (card) => Math.abs(card.getBoundingClientRect().left - list.left);
              const cards = [...document.querySelectorAll('li')].sort((one, two) => near(one) - near(two));
              return cards[0].querySelector('.title').textContent;
            }"""
        )
    )


def carousel(language: str = "en") -> Creative:
    return creative(make_look(language, template="carousel"), SKYSCRAPER, TITLES)


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "responsive"])
def test_a_closed_ad_thanks_and_leads_to_why_it_was_shown(still: Gallery, format_name: str) -> None:
    format_ = FORMATS[format_name]
    alone(still, creative(make_look("fr"), format_, TITLES[: format_.cards]))
    still.page.locator(".close").click()
    asked = list(still.asked)
    assert not still.page.locator("header").is_visible()
    assert not still.page.locator("main").is_visible()
    gone = still.page.locator(".gone")
    assert gone.locator("p").inner_text() == "Merci, c'est retiré."
    assert [link.get_attribute("href") for link in gone.locator("a").all()] == [
        f"{still.origin}{BEACONS.why}"
    ] * 2
    assert still.page.evaluate("document.activeElement.className") == "gone"
    box, frame = gone.bounding_box(), still.page.locator("body").bounding_box()
    assert box and frame and box["height"] <= frame["height"]
    assert gone.evaluate("(element) => element.scrollHeight <= element.clientHeight")
    assert still.asked == asked  # it needs no server


@pytest.mark.parametrize("closes", [True, False])
def test_what_is_closed_within_its_first_second_was_not_viewable(moving: Gallery, closes: bool) -> None:
    alone(moving, creative(make_look(), FORMATS["300x250"], TITLES[:2]))
    moving.page.clock.run_for(100)
    moving.page.evaluate(
        """() => new Promise((done) => {
          new IntersectionObserver((seen, watch) => { watch.disconnect(); done(); }).observe(document.documentElement);
        })"""
    )
    if closes:
        moving.page.locator(".close").click()
    moving.page.clock.run_for(1_500)
    moving.page.evaluate("fetch('/later', {mode: 'no-cors'})")
    assert "/later" in moving.asked
    assert (BEACONS.viewable in moving.asked) is not closes


def test_a_carousel_turns_by_itself_and_rests_within_fifteen_seconds_on_the_best(moving: Gallery) -> None:
    alone(moving, carousel())
    for place in (1, 2, 3, 0):
        moving.page.clock.run_for(2_200)
        turns_to(moving, place)
    moving.page.clock.run_for(60_000)
    assert in_view(moving) == "Best"


@pytest.mark.parametrize("cards", [2, 3, 6])
def test_whatever_the_number_of_cards_it_rests_on_the_best_in_time(moving: Gallery, cards: int) -> None:
    titles = ("Best", *(f"Other {number}" for number in range(cards - 1)))
    alone(moving, creative(make_look(template="carousel"), FORMATS["responsive"], titles, (300, 250)))
    for place in (*range(1, cards), 0):  # a turn takes its own time, which the clock cannot hurry
        moving.page.clock.run_for(2_200)
        turns_to(moving, place)
    moving.page.clock.run_for(60_000)
    assert in_view(moving) == "Best"


def test_a_carousel_waits_while_the_mouse_or_the_focus_is_on_it(moving: Gallery) -> None:
    alone(moving, carousel())
    moving.page.mouse.move(100, 300)
    moving.page.clock.run_for(20_000)
    assert in_view(moving) == "Best"
    alone(moving, carousel())
    moving.page.locator("a.card").first.focus()
    moving.page.clock.run_for(20_000)
    assert in_view(moving) == "Best"


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_carousel_is_turned_by_its_buttons_and_then_stays(still: Gallery, language: str) -> None:
    alone(still, carousel(language))
    for button, place in (("on", 1), ("on", 2), ("back", 1), ("back", 0), ("back", 3), ("on", 0)):
        still.page.locator(f".turn.{button}").click()
        turns_to(still, place)


def test_nothing_moves_for_whoever_wants_no_motion(browser: Browser) -> None:
    with gallery(browser) as calm:
        calm.page.clock.install()
        alone(calm, carousel())
        calm.page.clock.run_for(20_000)
        assert in_view(calm) == "Best"
        assert calm.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize(
    ("left_ms", "words"),
    [
        (2 * HOUR_MS + 14 * 60_000, "Ends in 2 hr 14 min"),
        (45 * 60_000, "Ends in 45 min"),
        (30_000, "Ends in 1 min"),
        (47 * HOUR_MS, "Ends in 47 hr"),
    ],
)
def test_a_countdown_says_what_is_left(still: Gallery, left_ms: int, words: str) -> None:
    look = make_look(offer=Offer(percent=10, ends_at_ms=1_800_000_000_000))
    alone(still, creative(look, SKYSCRAPER, TITLES, left_ms=left_ms))
    assert still.page.locator(".ends").inner_text() == words


def test_an_end_that_is_far_away_is_a_date_in_the_ads_language(still: Gallery) -> None:
    look = make_look("fr", Offer(percent=10, ends_at_ms=1_800_000_000_000))
    alone(still, creative(look, SKYSCRAPER, TITLES, left_ms=72 * HOUR_MS))
    assert still.page.locator(".ends").inner_text() == "Jusqu'au 15 janvier"


def test_a_countdown_goes_on_by_the_time_that_passes_and_leaves_when_it_is_over(moving: Gallery) -> None:
    look = make_look(offer=Offer(percent=10, ends_at_ms=1_800_000_000_000))
    alone(moving, creative(look, SKYSCRAPER, TITLES, left_ms=150_000))
    ends = moving.page.locator(".ends")
    assert ends.inner_text() == "Ends in 3 min"
    moving.page.clock.run_for(60_000)
    assert ends.inner_text() == "Ends in 2 min"
    moving.page.clock.run_for(89_000)
    assert ends.inner_text() == "Ends in 1 min"
    moving.page.clock.run_for(2_000)
    assert not moving.page.locator(".offer").is_visible()


def test_a_page_left_open_asks_the_plain_price_again_once_the_offer_is_over(moving: Gallery) -> None:
    look = make_look(offer=Offer(percent=10, code="SAVE", ends_at_ms=1_800_000_000_000))
    alone(moving, creative(look, SKYSCRAPER, TITLES, left_ms=60_000))
    before = [card.split() for card in moving.page.locator(".price").all_inner_texts()]
    assert all(len(prices) > 1 for prices in before)
    plain = moving.page.locator(".price s bdi").all_text_contents()
    moving.page.clock.run_for(61_000)
    assert moving.page.locator(".price").all_inner_texts() == plain
    assert moving.page.locator(".badge, .price s, .sale, .code:visible").count() == 0


def test_the_visitors_own_clock_does_not_move_the_end(moving: Gallery) -> None:
    look = make_look(offer=Offer(percent=10, ends_at_ms=1_800_000_000_000))
    moving.page.clock.set_system_time(2_000_000_000_000)
    alone(moving, creative(look, SKYSCRAPER, TITLES, left_ms=150_000))
    assert moving.page.locator(".ends").inner_text() == "Ends in 3 min"


def test_an_offer_that_is_over_is_not_announced_nor_is_its_code(still: Gallery) -> None:
    look = make_look(offer=Offer(percent=10, code="SAVE", ends_at_ms=1_800_000_000_000))
    alone(still, creative(look, SKYSCRAPER, TITLES, left_ms=-1))
    assert not still.page.locator(".offer").is_visible()


def test_every_control_is_reached_by_keyboard_in_reading_order_and_shows_its_focus(still: Gallery) -> None:
    alone(still, carousel())
    reached = []
    for _ in range(8):
        still.page.keyboard.press("Tab")
        reached.append(
            still.page.evaluate(
                """() => {
                  const element = document.activeElement, style = getComputedStyle(element);
                  return [element.className, style.outlineStyle, parseInt(style.outlineWidth) >= 2];
                }"""
            )
        )
    names = ["why", "close", "turn back", "turn on", *["card"] * 4]
    assert reached == [[name, "solid", True] for name in names]


def test_a_screen_reader_hears_a_list_of_products_with_their_prices(still: Gallery) -> None:
    alone(still, creative(make_look("fr", Offer(percent=10)), FORMATS["300x250"], ("Bonnet", "Robe")))
    tree = " ".join(
        still.page.locator("body").aria_snapshot().split()
    )  # no-break spaces are spaces to the ear
    assert 'link "Pub – Pourquoi cette pub ?"' in tree
    assert 'button "Fermer cette pub"' in tree
    assert '- list: - listitem: - link "-10 % Bonnet 26,91 € au lieu de 29,90 € Voir"' in tree
