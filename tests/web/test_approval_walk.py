"""From an advertiser's creative to the reader's page: approval, edits, blocks, and words for a visitor's situation."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from creatives.pictures import Thumbnail, make_thumbnail
from tests.creatives.samples import make_picture
from tests.web.visiting import BASE_URL, NEWS, Browser, Visiting

FORM = {"Referer": "https://shop.example/loan"}


class Owner:
    """Somebody with an API key of their own."""

    def __init__(self, world: Visiting, scope: str, owner_id: str) -> None:
        made = world.change("POST", "/keys", name="test", scope=scope, owner_id=owner_id)
        self._browser = world.browser(Authorization=f"Bearer {made['secret']}")

    def try_to(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self._browser.ask(method, f"/api/v1{path}", json=body or None)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.try_to(method, path, **body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def post(self, path: str, body: bytes) -> httpx.Response:
        return self._browser.ask("POST", f"/api/v1{path}", content=body)

    def send(self, path: str, body: bytes) -> Any:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    yield world
    world.close()


@pytest.fixture
def advertiser(world: Visiting) -> Owner:
    """The shop's own people."""
    return Owner(world, "advertiser", world.advertiser)


@pytest.fixture
def publisher(world: Visiting) -> Owner:
    owner = world.change("GET", f"/sites/{world.site}")["publisher_id"]
    return Owner(world, "publisher", owner)


def make_message(advertiser: Owner, campaign: str, **fields: Any) -> dict[str, Any]:
    body = {
        "campaign_id": campaign,
        "template": "message",
        "brand": {"name": "Harbour Bank"},
        "message": {"headline": "Your application is kept", "body": "Two questions left.", "button": "Go on"},
        "link": "https://shop.example/loan",
    }
    made: dict[str, Any] = advertiser.ask("POST", "/creatives", **(body | fields))
    return made


@pytest.fixture
def loans(world: Visiting, advertiser: Owner) -> str:
    """A campaign of its own, with nothing but what the test makes for it; it outbids the other."""
    made = advertiser.ask(
        "POST",
        "/campaigns",
        advertiser_id=world.advertiser,
        name="Loans",
        pricing_model="cpm",
        rate_micros=900_000_000,
        status="active",
    )
    return str(made["id"])


def tell(world: Visiting, browser: Browser, event: str) -> None:
    asked = {"m": world.merchant, "e": event, "debug": "1"}
    assert browser.ask("GET", "/m/e", params=asked, headers=FORM).headers["x-event"] == "accepted"


@pytest.fixture
def applicant(world: Visiting) -> Browser:
    """A browser that began the loan's form and left it."""
    browser = world.browser()
    tell(world, browser, "page_view")
    tell(world, browser, "form_start")
    return browser


def shown(browser: Browser) -> str:
    return browser.slot().text


def test_an_advertisers_creative_waits_is_approved_edited_and_approved_again(
    world: Visiting, advertiser: Owner, loans: str, applicant: Browser
) -> None:
    made = make_message(advertiser, loans)
    path = f"/creatives/{made['id']}"
    assert (made["approval"], made["shown"]) == ("pending", False)
    assert "application" not in shown(applicant)
    assert advertiser.ask("GET", f"/campaigns/{loans}")["delivery"] == "creative_pending"

    queue = world.change("GET", "/creatives?approval=pending")["items"]
    assert [one["id"] for one in queue] == [made["id"]]
    approved = world.change("POST", f"{path}/approve", content_hash=made["content_hash"])
    assert (approved["approval"], approved["shown"]) == ("approved", True)
    assert "Your application is kept" in shown(applicant)
    assert advertiser.ask("GET", f"/campaigns/{loans}")["delivery"] == "serving"

    words = {"headline": "Money in a minute", "body": "No questions.", "button": "Go on"}
    edited = advertiser.ask("PATCH", path, message=words)
    assert (edited["approval"], edited["shown"]) == ("pending", True)
    assert edited["approved"]["message"]["headline"] == "Your application is kept"
    assert "Your application is kept" in shown(applicant)
    refused = world.change("POST", f"{path}/reject", reason="There are questions. Say how many.")
    assert refused["reason"] == "There are questions. Say how many."
    assert "Your application is kept" in shown(applicant)

    advertiser.ask("PATCH", path, message={**words, "headline": "Money in a week"})
    assert world.change("POST", f"{path}/approve")["approved"] is None
    assert "Money in a week" in shown(applicant)

    assert not world.change("POST", f"{path}/reject", reason="Complaints")["shown"]
    assert "Money" not in shown(applicant)
    assert advertiser.ask("GET", f"/campaigns/{loans}")["delivery"] == "creative_rejected"
    reviews = advertiser.ask("GET", path)["reviews"]
    assert [one["approval"] for one in reviews] == ["approved", "rejected", "approved", "rejected"]
    assert all(one["key_id"] and not one["automatic"] for one in reviews)


def test_a_click_on_an_ad_that_was_taken_down_does_not_follow_its_link(
    world: Visiting, advertiser: Owner, loans: str, applicant: Browser
) -> None:
    made = make_message(advertiser, loans)
    world.change("POST", f"/creatives/{made['id']}/approve")
    token = applicant.see()

    def landed() -> str:
        world.server.freshen()  # as each worker does ten times a second
        click = applicant.ask("GET", f"/c?t={token}")
        assert click.status_code == 302
        return str(click.headers["location"]).partition("?")[0]

    assert landed() == "https://shop.example/loan"
    advertiser.ask("PATCH", f"/creatives/{made['id']}", link="https://shop.example/other")
    assert landed() == "https://shop.example/loan"
    world.change("POST", f"/creatives/{made['id']}/reject", reason="Phishing", withdraw=True)
    assert landed() == BASE_URL


def test_an_abandoned_loan_form_brings_the_banks_words_until_it_is_sent(
    world: Visiting, advertiser: Owner, loans: str, applicant: Browser
) -> None:
    copies = [{"situation": "form_abandoned", "headline": "Two questions left", "button": "Finish it"}]
    made = make_message(advertiser, loans, copies=copies)
    world.change("POST", f"/creatives/{made['id']}/approve")
    stranger = world.browser()
    tell(world, stranger, "page_view")
    tell(world, stranger, "page_view")
    assert "Two questions left" not in shown(stranger)
    page = shown(applicant)
    assert "Two questions left" in page and "Finish it" in page and "Your application" not in page
    tell(world, applicant, "generate_lead")
    assert "Two questions left" not in shown(applicant)


def test_the_banks_own_picture_and_logo_are_drawn_anew_and_shown(
    world: Visiting, advertiser: Owner, loans: str, applicant: Browser
) -> None:
    given = make_picture(900, 700, "RGB", "JPEG", comment=b"taken at 48.8584 N")
    picture = advertiser.send(f"/advertisers/{world.advertiser}/media", given)
    assert (picture["width"], picture["height"]) == (486, 380)  # without the plain grey around it
    assert advertiser.send(f"/advertisers/{world.advertiser}/media", given) == picture
    logo = advertiser.send(f"/advertisers/{world.advertiser}/media", make_picture(64, 64, "RGBA"))
    words = {
        "headline": "Kept for you",
        "body": "Two left.",
        "button": "Go on",
        "picture": picture["address"],
    }
    brand = {"name": "Harbour Bank", "logo": logo["address"]}
    made = make_message(advertiser, loans, message=words, brand=brand)
    world.change("POST", f"/creatives/{made['id']}/approve")
    page = shown(applicant)
    for address in (picture["address"], logo["address"]):
        assert address in page
        served = applicant.ask("GET", address)
        assert (served.status_code, served.headers["content-type"]) == (200, "image/jpeg")
        assert b"48.8584" not in served.content


def test_a_picture_that_is_not_here_yet_cannot_be_approved_by_its_name(
    world: Visiting, advertiser: Owner, loans: str
) -> None:
    later = make_picture(400, 300)
    made = make_thumbnail(later)
    assert isinstance(made, Thumbnail)
    words = {"headline": "Kept for you", "body": "Two left.", "button": "Go on"}
    shown_later = {**words, "picture": f"/media/{made.hash}.jpg"}
    message = make_message(advertiser, loans)
    for changes in (
        {"message": shown_later},
        {"brand": {"name": "Harbour Bank", "logo": shown_later["picture"]}},
    ):
        refused = advertiser.try_to("PATCH", f"/creatives/{message['id']}", **changes)
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_picture")
    sent = advertiser.send(f"/advertisers/{world.advertiser}/media", later)
    assert sent["address"] == shown_later["picture"]
    edited = advertiser.ask("PATCH", f"/creatives/{message['id']}", message=shown_later)
    assert edited["message"] == shown_later


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (bytes, "picture_not_png_jpeg_gif_or_webp"),
        (
            lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
            "picture_not_png_jpeg_gif_or_webp",
        ),
        (lambda: b"%!PS-Adobe-3.0 EPSF-3.0", "picture_not_png_jpeg_gif_or_webp"),
        (lambda: make_picture(31, 400), "picture_too_small"),
        (lambda: make_picture(9_000, 9_000, "1"), "picture_too_many_pixels"),
        (lambda: make_picture()[:400], "picture_damaged"),
    ],
    ids=["nothing", "svg", "eps", "tiny", "bomb", "cut"],
)
def test_what_is_no_sound_picture_is_refused_by_name_and_not_kept(
    world: Visiting, advertiser: Owner, make: Callable[[], bytes], reason: str
) -> None:
    answer = advertiser.post(f"/advertisers/{world.advertiser}/media", make())
    assert (answer.status_code, answer.json()["code"]) == (422, "picture_refused")
    assert answer.json()["reason"] == reason
    assert not list(world.storage.path.parent.glob("media/**/*.jpg"))


def test_a_message_may_be_for_those_who_looked_without_any_catalogue(
    world: Visiting, advertiser: Owner, loans: str
) -> None:
    made = make_message(advertiser, loans, situations=["viewed"])
    assert made["situations"] == ["viewed"]
    world.change("POST", f"/creatives/{made['id']}/approve")
    browser = world.browser()
    for _ in range(2):
        assert browser.view("a-loan-that-no-catalogue-lists") == "accepted"
    assert "Your application is kept" in shown(browser)
    tell(world, browser, "form_submit")
    assert "Your application is kept" not in shown(browser)


def test_a_publisher_keeps_advertisers_and_categories_off_with_its_own_key(
    world: Visiting, advertiser: Owner, publisher: Owner
) -> None:
    browser = world.browser()
    for _ in range(2):
        browser.view()
    assert browser.is_shown_an_ad()
    site, slot = f"/sites/{world.site}", f"/slots/{world.slot}"
    for path, wish in (
        (site, {"blocked_advertisers": ["www.shop.example"]}),
        (slot, {"blocked_advertisers": [world.advertiser]}),
        (site, {"approve_advertisers": True}),
        (slot, {"blocked_categories": ["Footwear"]}),
    ):
        if "blocked_categories" in wish:
            products = f"/advertisers/{world.advertiser}/products"
            boots = {"item_id": "boots", "product_type": "Footwear > Boots"}
            advertiser.ask("PATCH", products, products=[boots])
            assert browser.is_shown_an_ad()
        kept = publisher.ask("PATCH", path, **wish)
        assert {name: kept[name] for name in wish} == wish
        assert not browser.is_shown_an_ad()
        lifted = {name: type(value)() for name, value in wish.items()}
        publisher.ask("PATCH", path, **lifted)
        assert browser.is_shown_an_ad()
    publisher.ask("PATCH", site, approve_advertisers=True, approved_advertisers=["shop.example"])
    assert browser.is_shown_an_ad()


def test_another_product_takes_the_place_of_one_in_a_blocked_category(
    world: Visiting, advertiser: Owner, publisher: Owner
) -> None:
    browser = world.browser()
    for item in ("boots", "boots", "scarf"):
        browser.view(item)
    products = [{"item_id": "scarf", "google_product_category": "Apparel & Accessories > Scarves"}]
    advertiser.ask("PATCH", f"/advertisers/{world.advertiser}/products", products=products)
    assert "Wool scarf" in shown(browser) and "Waxed boots" in shown(browser)
    publisher.ask("PATCH", f"/slots/{world.slot}", blocked_categories=["apparel & accessories"])
    assert "Wool scarf" not in shown(browser) and "Waxed boots" in shown(browser)


def test_the_why_page_names_the_brand_that_was_approved(
    world: Visiting, advertiser: Owner, loans: str, applicant: Browser
) -> None:
    made = make_message(advertiser, loans)
    world.change("POST", f"/creatives/{made['id']}/approve")
    token = applicant.see()
    advertiser.ask("PATCH", f"/creatives/{made['id']}", brand={"name": "Government Office"})
    world.server.freshen()
    page = applicant.ask("GET", f"/why?t={token}", headers=NEWS).text
    assert "Harbour Bank" in page and "Government Office" not in page


def test_an_advertiser_sees_its_own_queue_and_nobody_elses(
    world: Visiting, advertiser: Owner, loans: str
) -> None:
    other = world.change(
        "POST", "/advertisers", name="Other", domains=["other.example"], currency="EUR",
        timezone="Europe/Paris", country="FR",
    )  # fmt: skip
    rival = Owner(world, "advertiser", other["id"])
    made = make_message(advertiser, loans)
    assert rival.ask("GET", "/creatives?approval=pending")["items"] == []
    (own,) = advertiser.ask("GET", f"/creatives?approval=pending&campaign_id={loans}")["items"]
    assert own["id"] == made["id"]
    assert advertiser.ask("GET", f"/creatives?approval=pending&campaign_id={world.campaign}")["items"] == []
