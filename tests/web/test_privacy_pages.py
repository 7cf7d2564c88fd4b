"""What visitors may ask for by their cookie, what they get, and that it takes effect on the next request."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from adserver.domain import meanings
from adserver.domain.token import AdToken, TokenKeys, sign
from adserver.storage.embedded import own_storage
from adserver.storage.erasure import VISITOR_TABLES
from adserver.storage.tables import metadata
from adserver.writes import ForgetVisitor, StoreEvent
from pixel.cookie import SECURE_NAMES, read_visitor
from pixel.events import Event, EventName
from tests.contract.stores import make_sample, roll_up_funnel
from tests.web.visiting import BASE_URL, NEWS, Browser, Visiting

VISITOR, OPT_OUT = "__Host-rt", "__Host-rt-optout"
NOW_MS = 1_795_000_000_000
_samples = count(1)
ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=None"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(tmp_path_factory.mktemp("visiting"))
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    """A browser that has looked at the boots twice, so that it has a profile."""
    browser = world.browser()
    assert [browser.view(), browser.view()] == ["accepted", "accepted"]
    return browser


def key_of(world: Visiting, browser: Browser) -> int:
    header = f"{VISITOR}={browser.cookies[VISITOR]}".encode()
    key = read_visitor(header, world.server.cookie_keys(), SECURE_NAMES).visitor
    assert key
    return key


# ---- opting out, forgetting ----


def test_an_opt_out_takes_effect_on_the_next_request(browser: Browser) -> None:
    assert browser.is_shown_an_ad()
    answer = browser.post("/privacy/opt-out")
    assert answer.status_code == 200
    assert set(answer.headers.get_list("set-cookie")) == {
        f"{VISITOR}=; Max-Age=0{ATTRIBUTES}",
        f"{OPT_OUT}=1; Max-Age=33696000{ATTRIBUTES}",
    }
    assert not browser.is_shown_an_ad()
    assert browser.view() == "opted_out"
    assert VISITOR not in browser.cookies
    assert "Nothing about this browser" in browser.ask("GET", "/privacy").text


def test_an_opt_out_is_undone_and_brings_nothing_back(browser: Browser) -> None:
    browser.post("/privacy/opt-out")
    answer = browser.post("/privacy/opt-in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/privacy?done=opt-in")
    assert OPT_OUT not in browser.cookies
    assert not browser.is_shown_an_ad()
    assert browser.view() == "accepted"


def test_an_opt_out_needs_no_cookie_of_ours(world: Visiting) -> None:
    browser = world.browser()
    assert "nothing about this browser" in browser.post("/privacy/opt-out").text
    assert browser.cookies == {OPT_OUT: "1"}


def promise_codes(world: Visiting) -> None:
    """The campaign's ads offer codes, one for each click."""
    pool = world.change(
        "POST", "/offer-pools", advertiser_id=world.advertiser, name="Autumn", kind="generated"
    )
    [creative] = world.listed(f"/creatives?campaign_id={world.campaign}")
    world.change("PATCH", f"/creatives/{creative['id']}", offer={"percent": 10, "pool": pool["id"]})


def seed_every_table(world: Visiting, browser: Browser) -> str:
    """A row of the visitor in each table, by nothing but use; the token of an ad they saw.

    One visitor in twenty has their decisions sampled: this one is made one of them.
    """
    promise_codes(world)
    be_held_out(world, browser)
    world.storage.writer.commit(make_sample(next(_samples), key_of(world, browser)))
    token = browser.see()
    browser.ask("GET", f"/v?t={token}")
    landing = browser.ask("GET", f"/c?t={token}").headers["location"]
    click_id = landing.partition("rtclid=")[2].partition("&")[0]
    assert browser.view("scarf", "add_to_cart") == "accepted"
    image = browser.ask("GET", f"/slot/{world.slot}.gif?n=mail", headers={"Referer": "https://news.example/"})
    assert image.headers["content-type"] == "image/gif"
    bought = browser.view(
        "boots", "purchase", transaction_id=f"o-{click_id[:9]}", value="9", currency="EUR", rtclid=click_id
    )
    assert bought == "accepted"
    roll_up_funnel(world.storage, int(time.time() * 1000) + 60_000)
    world.suppress(browser)
    return token


def be_held_out(world: Visiting, browser: Browser) -> None:
    """Turned on anew, a holdout draws new lots: at last the visitor's ad is kept back once."""
    path = f"/advertisers/{world.advertiser}"
    for _ in range(60):
        world.change("PATCH", path, holdout_bps=5_000)
        world.server.refresh.poll()
        shown = browser.is_shown_an_ad()
        world.change("PATCH", path, holdout_bps=0)
        world.server.refresh.poll()
        if not shown:
            return
    raise AssertionError("never held out")


def say_yes(world: Visiting, browser: Browser) -> str:
    """On the shop's own page, since in an open region nobody needs to be asked."""
    yes = {"granted": True, "cmp": "Klaro", "time": int(time.time()) - 60}
    body = {"m": world.merchant, "events": [{"name": "page_view"}], "consent": yes, "debug": 1}
    answer = browser.ask("POST", "/m/e", json=body, headers={"Origin": "https://shop.example"})
    return answer.headers["x-event"]


def bytes_on_disk(world: Visiting) -> bytes:
    files = sorted(Path(world.storage.path.parent).glob("adserver.db*"))
    assert [file.name for file in files if file.suffix != ".db-shm"][:1] == ["adserver.db"]
    return b"".join(file.read_bytes() for file in files)


def test_forgetting_leaves_no_trace_in_any_table_or_file(world: Visiting, browser: Browser) -> None:
    key = key_of(world, browser)
    token = seed_every_table(world, browser)
    reader = world.storage.reader
    count = "SELECT COUNT(*) FROM {} WHERE visitor_key = ?"
    for table in VISITOR_TABLES:
        assert reader.row(count.format(table.name), (key,))[0] > 0, table.name
    assert key.to_bytes(8, "big") in bytes_on_disk(world)

    answer = browser.post("/privacy/forget")
    assert answer.status_code == 200
    assert "erasure_" in answer.text
    assert f"{VISITOR}=; Max-Age=0{ATTRIBUTES}" in answer.headers.get_list("set-cookie")

    for table in VISITOR_TABLES:
        assert reader.row(count.format(table.name), (key,))[0] == 0, table.name
    for form in (key.to_bytes(8, "big"), key.to_bytes(8, "little"), str(key).encode(), f"{key:x}".encode()):
        assert form not in bytes_on_disk(world)
    for column in ("token", "image_key"):
        kept = f"SELECT COUNT(*) FROM decisions WHERE visitor_key = 0 AND {column} IS NOT NULL"
        assert reader.row(kept)[0] == 0

    # What was still under way: a beacon of an open page, and another tab's event with the old cookie.
    assert browser.ask("POST", f"/v?t={token}").status_code == 204
    assert browser.ask("GET", f"/c?t={token}").status_code == 302
    assert key.to_bytes(8, "big") not in bytes_on_disk(world)


def test_an_event_under_way_with_the_old_cookie_does_not_bring_the_visitor_back(
    world: Visiting, browser: Browser
) -> None:
    key, cookies = key_of(world, browser), browser.cookies
    browser.post("/privacy/forget")
    browser.keep(cookies)
    assert browser.view() == "accepted"
    assert not browser.is_shown_an_ad()
    assert key.to_bytes(8, "big") not in bytes_on_disk(world)


def test_every_column_that_may_name_a_visitor_is_known_and_explained() -> None:
    suspects = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.c
        if "visitor" in column.name
    }
    assert suspects == {(table.name, "visitor_key") for table in VISITOR_TABLES}
    for table in VISITOR_TABLES:
        assert meanings.TABLES[table.name]
        assert set(meanings.COLUMNS[table.name]) == {c.name for c in table.c} - {"visitor_key"}


def test_others_are_left_alone(world: Visiting, browser: Browser) -> None:
    other = world.browser()
    other.view()
    other.view("scarf")
    browser.post("/privacy/forget")
    assert other.is_shown_an_ad()


# ---- showing ----


def test_the_export_holds_every_row_with_the_meaning_of_its_columns(
    world: Visiting, browser: Browser
) -> None:
    seed_every_table(world, browser)
    assert say_yes(world, browser) == "accepted"
    answer = browser.ask("GET", "/privacy/export")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith("attachment")
    held = answer.json()["held"]
    assert set(held) == {table.name for table in VISITOR_TABLES} | {"consents"}
    for holding in held.values():
        assert holding["rows"]
        for row in holding["rows"]:
            assert set(row) == set(holding["columns"])
    [consent] = held["consents"]["rows"]
    told = (consent["advertiser"], consent["cmp"], consent["kind"], consent["ended_by"])
    assert told == (world.advertiser, "Klaro", "asserted", None)
    event = held["events"]["rows"][0]
    assert event["advertiser"] == world.advertiser
    assert event["at"].endswith("Z")
    assert event["body"]["items"][0]["item_id"] == "boots"
    assert str(key_of(world, browser)) not in answer.text


def test_the_export_of_a_browser_without_a_cookie_is_empty(world: Visiting) -> None:
    assert world.browser().ask("GET", "/privacy/export?visitor=1&v=2").json()["held"] == {}


def test_a_forged_cookie_is_shown_nothing(world: Visiting, browser: Browser) -> None:
    forger = world.browser()
    value = browser.cookies[VISITOR]
    forger.keep({VISITOR: value[:-1] + ("A" if value[-1] != "A" else "B")})
    assert forger.ask("GET", "/privacy/export").json()["held"] == {}


def test_the_privacy_page_names_shops_and_counts_and_no_product(browser: Browser) -> None:
    text = browser.ask("GET", "/privacy").text
    assert "Nordhaus Trading Ltd" in text
    assert "1 product looked at, 0 bought, last visit today" in text
    assert "Waxed boots" not in text


# ---- why this ad ----


def test_why_says_shop_payer_product_reason_and_how_often(browser: Browser) -> None:
    text = browser.ask("GET", f"/why?t={browser.see()}").text
    for said in (
        "Nordhaus",
        "Nordhaus Trading Ltd",
        "Waxed boots",
        "you viewed the product",
        "today",
        "once",
    ):
        assert said in text
    browser.view("boots", "add_to_cart")
    token = browser.see()
    text = browser.ask("GET", f"/why?t={token}").text
    assert "the product is in your cart" in text
    assert "2 times" in text


def test_another_browser_learns_no_more_than_the_ad_itself_says(world: Visiting, browser: Browser) -> None:
    token = browser.see()
    for stranger in (world.browser(), world.browser()):
        stranger.ask("GET", "/m/e", params={"m": world.merchant, "e": "page_view"})
        text = stranger.ask("GET", f"/why?t={token}").text
        assert "Nordhaus Trading Ltd" in text
        assert "Waxed boots" not in text
        assert "you viewed" not in text
        assert "<form" not in text
        for wish in ("not_this_product", "bought", "not_this_shop"):
            assert stranger.post("/why", t=token, wish=wish).status_code == 403
    assert browser.is_shown_an_ad()


@pytest.mark.parametrize("token", ["", "x", "A" * 107, "<script>", "../../x", "A" * 3_000])
def test_a_forged_token_gets_a_page_that_says_nothing(browser: Browser, token: str) -> None:
    answer = browser.ask("GET", "/why", params={"t": token})
    assert answer.status_code == 200
    assert "Nordhaus" not in answer.text
    assert "<script" not in answer.text
    assert browser.post("/why", t=token, wish="bought").status_code == 403


def test_a_token_signed_with_a_foreign_key_says_nothing(world: Visiting, browser: Browser) -> None:
    token = AdToken(1, 1, 1, 1, 1, 1, key_of(world, browser), 1)
    foreign = sign(token, TokenKeys(world.server.keys.current, {world.server.keys.current: b"x" * 32}))
    assert "Nordhaus" not in browser.ask("GET", f"/why?t={foreign}").text


def test_a_discreet_shop_is_named_and_never_its_product(world: Visiting, browser: Browser) -> None:
    browser.view("boots", "add_to_cart")
    token = browser.see()
    world.change("PATCH", f"/advertisers/{world.advertiser}", discreet=True)
    world.server.refresh.poll()
    try:
        text = browser.ask("GET", f"/why?t={token}").text
        assert "you visited the shop" in text
        assert "Waxed boots" not in text
        assert "cart" not in text
        assert 'value="not_this_shop"' in text
        assert 'value="not_this_product"' not in text
    finally:
        world.change("PATCH", f"/advertisers/{world.advertiser}", discreet=False)
        world.server.refresh.poll()


@pytest.mark.parametrize("wish", ["not_this_product", "bought"])
def test_an_unwanted_or_bought_product_is_not_in_the_next_ad(browser: Browser, wish: str) -> None:
    browser.view("scarf")
    browser.view("boots", "add_to_cart")
    token = browser.see()  # of the boots, which are nearer to being bought
    answer = browser.post("/why", t=token, wish=wish)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/why?t={token}&done={wish}")
    assert "Noted" in browser.ask("GET", answer.headers["location"]).text
    document = browser.slot().text
    assert "Wool scarf" in document
    assert "Waxed boots" not in document
    browser.view("boots")
    assert "Waxed boots" not in browser.slot().text


def test_an_unwanted_shop_shows_nothing_more(browser: Browser) -> None:
    browser.post("/why", t=browser.see(), wish="not_this_shop")
    browser.view("scarf", "add_to_cart")
    assert not browser.is_shown_an_ad()
    assert "no more of its ads" in browser.ask("GET", "/privacy").text


def test_a_wish_that_does_not_exist_is_refused(browser: Browser) -> None:
    assert browser.post("/why", t=browser.see(), wish="everything").status_code == 400


# ---- an operator's own browser ----


def test_a_test_visitor_sees_ads_and_bills_nothing(world: Visiting, browser: Browser) -> None:
    answer = browser.post("/test-visitor", test="on")
    assert answer.headers["set-cookie"] == f"rt-test=1; Max-Age=33696000{ATTRIBUTES}"
    assert "a test visitor" in browser.ask("GET", "/test-visitor").text
    click = browser.ask("GET", f"/c?t={browser.see()}&debug=1")
    assert click.headers["x-charge"] == "not_billable"
    browser.post("/test-visitor", test="off")
    assert "an ordinary visitor" in browser.ask("GET", "/test-visitor").text
    assert "rt-test" not in browser.cookies


# ---- protections ----

POSTS = ("/why", "/privacy/opt-out", "/privacy/opt-in", "/privacy/forget", "/test-visitor")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://cards.example.evil.example"},
        {"Origin": "https://cards.example:444"},
        {"Referer": "https://evil.example/?https://cards.example"},
        {"Origin": "https://[", "Referer": f"{BASE_URL}/privacy"},
    ],
)
def test_a_form_of_another_page_changes_nothing(world: Visiting, path: str, headers: dict[str, str]) -> None:
    answer = world.browser().post(path, headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_referer_will_do_where_no_origin_is_sent(world: Visiting) -> None:
    assert world.browser().post("/privacy/opt-out", {"Referer": f"{BASE_URL}/privacy"}).status_code == 200


@pytest.mark.parametrize("path", ["/why", "/privacy", "/test-visitor", "/privacy/export"])
def test_the_pages_are_locked_down(world: Visiting, path: str) -> None:
    answer = world.browser().ask("GET", path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    if path != "/privacy/export":
        assert '<html lang="en">' in answer.text


def test_a_form_that_is_too_large_is_not_read(world: Visiting) -> None:
    answer = world.browser().post("/test-visitor", test="on", padding="x" * 5_000)
    assert "rt-test=1" not in answer.headers["set-cookie"]


def test_a_restarted_writer_still_knows_who_was_forgotten(tmp_path: Path) -> None:
    world = Visiting(tmp_path)
    browser = world.browser()
    browser.view()
    key = key_of(world, browser)
    world.storage.writer.commit(ForgetVisitor(key, 1, NOW_MS))
    world.close()
    storage = own_storage(world.storage.path)
    storage.writer.commit(StoreEvent(9, 1, key, False, Event(EventName.PAGE_VIEW), NOW_MS))
    assert storage.profiles.profile(key) is None
    storage.close()


def test_a_slot_whose_query_is_too_long_to_read_is_not_personal(world: Visiting, browser: Browser) -> None:
    assert browser.is_shown_an_ad()
    too_long = browser.ask("GET", f"/slot/{world.slot}?gdpr=1&gdpr_consent={'C' * 9_000}", headers=NEWS)
    assert too_long.headers["x-slot"] == "empty"
