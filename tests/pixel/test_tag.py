"""What the tag sends from a shop's page under a strict content security policy: commands, consent, landing, transport."""

import gzip
import json
import re
import time

import msgspec
import pytest

from pixel.assets import tag_script
from pixel.events import Event, EventName, Item
from tests.pixel.shop_page import ShopPage, Shopper

pytestmark = pytest.mark.browser

INIT = "rt('init', 's', {pages: false});"
WAIT = "rt('init', 's', {pages: false, wait: true});"
TCF = """
let tell;
window.__tcfapi = (command, version, callback) => { tell = callback; callback({eventStatus: 'cmpuishown'}, true) };
window.answer = (purposes, applies = true) => tell({eventStatus: 'useractioncomplete', gdprApplies: applies,
    tcString: 'CPtc', purpose: {consents: purposes}}, true);
"""
GPP = """
window.__gpp = (command, callback) => {
  window.answer = () => callback({eventName: 'signalStatus', data: 'ready',
    pingData: {signalStatus: 'ready', gppString: 'DBAA~x', applicableSections: [7, 8]}});
  callback({eventName: 'listenerRegistered', pingData: {signalStatus: 'not ready'}}) };
"""
MODE = "window.dataLayer = []; function gtag() { dataLayer.push(arguments) };"
US_PRIVACY = """
window.__uspapi = (command, version, callback) => {
  window.answer = () => callback({version: 1, uspString: '1YYN'}, true) };
"""
# What the tag sees of a page that is prerendered, until `show` makes it a visit.
PRERENDERED = """
let shown = false;
performance.now = () => 15000;
Object.defineProperty(document, 'prerendering', {get: () => !shown});
Object.defineProperty(PerformanceNavigationTiming.prototype, 'activationStart', {get: () => (shown ? 14250 : 0)});
window.show = () => { shown = true; document.dispatchEvent(new Event('prerenderingchange')) };
"""
GPC = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"


def test_the_tag_is_at_most_four_kilobytes_compressed() -> None:
    assert len(gzip.compress(tag_script(), 9)) <= 4096


def test_the_tag_makes_no_code_from_text() -> None:
    assert not re.search(
        rb"\beval\b|\bFunction\b|innerHTML|document\.write|\.style\b|setAttribute", tag_script()
    )


# ---- commands ----


def test_queued_commands_become_one_request_that_the_server_understands(
    shop: ShopPage, visit: Shopper
) -> None:
    visit(
        """rt('event', 'view_item', {event_id: 'E1', value: 12.5, email: 'jane@doe.example',
            items: [{item_id: 'A', price: 12.5, quantity: 2, item_name: 'Lamp'}]});
        rt('init', 'shop-1', {pages: false}); rt('event', 'login'); rt('set', {currency: 'EUR', email: 'j@doe.example'})""",
        query="?q=jane@doe.example#top",
    )
    (hit,) = shop.hits(1)
    assert hit.merchant == "shop-1"
    assert hit.events[0] == Event(
        EventName.VIEW_ITEM,
        "E1",
        (Item("A", 2, 12_500_000),),
        12_500_000,
        "EUR",
        url=f"{shop.shop}/shop/page",
    )
    assert (hit.events[1].name, hit.events[1].currency) == (EventName.LOGIN, "EUR")
    assert len(hit.events[1].event_id or "") > 20
    request = shop.requests[0]
    assert request["method"] == "POST"
    assert request["headers"]["Content-Type"].startswith("text/plain")
    assert request["headers"]["Origin"] == shop.shop
    assert not shop.said_anywhere(b"Lamp") and not shop.said_anywhere(b"doe")


def test_commands_after_loading_run_at_once(shop: ShopPage, visit: Shopper) -> None:
    visit().evaluate("rt('event', 'sign_up'); rt('init', 's', {pages: false}); rt('event', 'login')")
    assert [event.name for event in shop.hits(1)[0].events] == [EventName.SIGN_UP, EventName.LOGIN]


def test_more_than_twenty_events_become_several_requests(shop: ShopPage, visit: Shopper) -> None:
    visit(INIT + "for (let i = 0; i < 45; i++) rt('event', 'login')")
    assert sorted(len(hit.events) for hit in shop.hits(3)) == [5, 20, 20]


def test_of_a_flood_in_one_moment_the_last_hundred_are_sent(shop: ShopPage, visit: Shopper) -> None:
    visit(INIT + "for (let i = 0; i < 1000; i++) rt('event', 'login', {event_id: 'E' + i})")
    hits = shop.hits(5)
    told = {event.event_id for hit in hits for event in hit.events}
    assert told == {f"E{number}" for number in range(900, 1_000)}


def test_of_one_events_items_as_many_are_sent_as_the_server_takes(shop: ShopPage, visit: Shopper) -> None:
    visit(
        INIT
        + "rt('event', 'view_item_list', {items: Array.from({length: 300}, (_, i) => ({item_id: 'A' + i}))})"
    )
    assert [item.item_id for item in shop.events(1)[0].items] == [f"A{number}" for number in range(200)]


def test_the_snippets_own_line_may_be_missing(shop: ShopPage, visit: Shopper) -> None:
    visit("window.rt = undefined").evaluate(INIT + "rt('event', 'login')")
    assert shop.told(1) == ["login"]


def test_a_page_that_is_prerendered_is_nobodys_visit_until_it_is_shown(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit("rt('init', 's'); rt('event', 'search')", query="?rtclid=click.1", before=PRERENDERED)
    page.evaluate("history.pushState(0, '', '/shop/ready?rtclid=click.1'); rt('event', 'login')")
    assert shop.hits(0) == []
    page.evaluate("show()")
    events = shop.events(4)
    assert [event.name for event in events] == ["landed", "search", "login", "page_view"]
    assert {event.url for event in events} == {f"{shop.shop}/shop/ready"}
    assert events[0].landing_ms == 750


def test_a_mistake_of_the_page_never_stops_its_own_script_and_is_told_when_asked(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit("rt('init', 's', {pages: false, debug: true})")
    warnings: list[str] = []
    page.on("console", lambda said: warnings.append(said.text) if said.type == "warning" else None)
    page.evaluate("""rt(); rt('evnt', 'login'); rt('consent'); rt('set', null);
        rt('event', 'login', null); window.reached = true""")
    assert page.evaluate("reached")
    (hit,) = shop.hits(1)
    assert [event.name for event in hit.events] == [EventName.LOGIN]
    assert hit.debug
    assert len(warnings) == 3


def test_a_second_copy_of_the_tag_changes_nothing(shop: ShopPage, visit: Shopper) -> None:
    visit(INIT + "rt('event', 'login')", html=f'<script nonce="n" src="{shop.cards}/m/tag.js"></script>')
    assert shop.told(1) == ["login"]


def test_the_address_may_be_a_folder_of_the_shop(shop: ShopPage, visit: Shopper) -> None:
    visit(f"rt('init', 's', {{pages: false, base: '{shop.cards}/own/path/'}}); rt('event', 'login')")
    shop.events(1)
    assert shop.requests[0]["path"] == "/own/path/e"


# ---- consent ----


def test_events_wait_for_consent_when_told_to_and_carry_it(shop: ShopPage, visit: Shopper) -> None:
    page = visit(WAIT + "rt('event', 'login')")
    assert shop.hits(0) == []
    page.evaluate("rt('consent', {granted: true, cmp: 'Klaro', time: 1790000000})")
    (hit,) = shop.hits(1)
    assert (hit.said.asserted, hit.said.asserted_by, hit.said.asserted_at_seconds) == (
        True, "Klaro", 1_790_000_000,
    )  # fmt: skip


def test_a_wait_may_end_by_itself(shop: ShopPage, visit: Shopper) -> None:
    page = visit(clock=True)
    page.evaluate("rt('init', 's', {pages: false, wait: 3000}); rt('event', 'login')")
    page.clock.run_for(1_000)
    assert shop.hits(0) == []
    page.clock.run_for(2_500)
    assert shop.hits(1)[0].said.asserted is None


@pytest.mark.parametrize("written", ["1790000000", "1790000000123", "'2026-09-21T14:13:20Z'"])
def test_the_time_of_consent_may_be_written_in_any_usual_way(
    shop: ShopPage, visit: Shopper, written: str
) -> None:
    visit(INIT + f"rt('consent', {{granted: true, cmp: 'c', time: {written}}}); rt('event', 'login')")
    assert shop.hits(1)[0].said.asserted_at_seconds == 1_790_000_000


@pytest.mark.parametrize("how", ["{granted: false}", "{granted: 'denied'}", "{ad_storage: 'denied'}"])
def test_a_refusal_drops_what_waited_and_is_told_once_without_any_event(
    shop: ShopPage, visit: Shopper, how: str
) -> None:
    page = visit(WAIT + "rt('event', 'login')")
    page.evaluate(f"rt('consent', {how})")
    page.evaluate("rt('event', 'sign_up')")
    page.evaluate(f"rt('consent', {how}); rt('event', 'sign_up')")
    (hit,) = shop.hits(1)
    assert hit.events == ()
    assert False in (hit.said.asserted, hit.said.ad_storage)


def test_who_changes_their_mind_is_heard_both_ways(shop: ShopPage, visit: Shopper) -> None:
    page = visit(INIT + "rt('consent', {granted: true, cmp: 'c'}); rt('event', 'login')")
    shop.hits(1)
    page.evaluate("rt('consent', {granted: false, cmp: 'c'}); rt('event', 'sign_up')")
    shop.hits(2)
    page.evaluate("rt('consent', {granted: true, cmp: 'c'}); rt('event', 'search')")
    hits = shop.hits(3)
    assert [[event.name for event in hit.events] for hit in hits] == [["login"], [], ["search"]]
    assert [hit.said.asserted for hit in hits] == [True, False, True]


@pytest.mark.parametrize(
    ("purposes", "events", "stored"), [("{1: true}", 1, ["click.1"]), ("{1: false, 3: true}", 0, [])]
)
def test_a_tcf_tool_is_waited_for_and_its_string_attached(
    shop: ShopPage, visit: Shopper, purposes: str, events: int, stored: list[str]
) -> None:
    page = visit(TCF + INIT, query="?rtclid=click.1")
    assert shop.hits(0) == []
    page.evaluate(f"answer({purposes})")
    (hit,) = shop.hits(1)
    assert (hit.said.gdpr, hit.said.gdpr_consent, hit.said.asserted) == ("1", "CPtc", None)
    assert len(hit.events) == events
    assert visit.click_ids() == stored


def test_where_tcf_does_not_apply_nothing_is_waited_for(shop: ShopPage, visit: Shopper) -> None:
    visit(TCF + INIT + "rt('event', 'login')").evaluate("answer({}, false)")
    assert shop.hits(1)[0].said.gdpr == "0"


def test_a_gpp_tool_is_waited_for_and_its_string_attached(shop: ShopPage, visit: Shopper) -> None:
    page = visit(GPP + INIT + "rt('event', 'login')")
    assert shop.hits(0) == []
    page.evaluate("answer()")
    (hit,) = shop.hits(1)
    assert (hit.said.gpp, hit.said.gpp_sid) == ("DBAA~x", "7,8")


def test_a_us_privacy_tool_is_waited_for_and_its_string_attached(shop: ShopPage, visit: Shopper) -> None:
    page = visit(US_PRIVACY + INIT + "rt('event', 'login')")
    assert shop.hits(0) == []
    page.evaluate("answer()")
    assert shop.hits(1)[0].said.us_privacy == "1YYN"


def test_a_tool_is_heard_on_a_page_that_has_frozen_what_others_listen_to(
    shop: ShopPage, visit: Shopper
) -> None:
    frozen = """Object.freeze(window.dataLayer = []); window.__gpp = () => { throw new Error('not ready') };
        Object.defineProperty(window, 'fbq', {value: () => 7});"""
    page = visit(frozen + TCF + "rt('init', 's', {pages: false, dataLayer: true, fbq: true})")
    page.evaluate("rt('event', 'login')")
    assert shop.hits(0) == []
    page.evaluate("answer({1: true})")
    assert shop.hits(1)[0].said.gdpr_consent == "CPtc"


def test_a_consent_tool_that_comes_late_is_found(shop: ShopPage, visit: Shopper) -> None:
    page = visit(WAIT + "rt('event', 'login')", third_party=TCF)
    visit.load_third_party(page)
    page.evaluate("answer({1: true})")
    assert shop.hits(1)[0].said.gdpr_consent == "CPtc"


def test_google_consent_mode_is_waited_for_and_told(shop: ShopPage, visit: Shopper) -> None:
    page = visit(MODE + "gtag('consent', 'default', {ad_storage: 'denied'});" + INIT, query="?rtclid=click.1")
    assert (shop.hits(0), visit.click_ids()) == ([], [])
    page.evaluate("gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'denied'})")
    (hit,) = shop.hits(1)
    assert (hit.said.ad_storage, hit.said.ad_user_data, hit.said.ad_personalization) == (True, False, None)
    assert visit.click_ids() == ["click.1"]
    page.evaluate("gtag('consent', 'update', {ad_storage: 'denied'})")
    assert shop.hits(2)[1].events == ()
    assert visit.click_ids() == []


def test_consent_mode_is_waited_for_where_another_tool_has_said_yes(shop: ShopPage, visit: Shopper) -> None:
    page = visit(
        MODE + "gtag('consent', 'default', {ad_storage: 'denied'});" + TCF + INIT + "rt('event', 'login')"
    )
    page.evaluate("answer({1: true})")
    assert shop.hits(0) == []
    page.evaluate("gtag('consent', 'update', {ad_storage: 'granted'})")
    (hit,) = shop.hits(1)
    assert (hit.said.gdpr_consent, hit.said.ad_storage) == ("CPtc", True)


@pytest.mark.parametrize(
    ("said", "tool"),
    [("", "consent mode"), ("rt('consent', {granted: true, cmp: 'Klaro', time: 1790000000});", "Klaro")],
)
def test_what_an_update_grants_is_the_visitors_answer_given_now(
    shop: ShopPage, visit: Shopper, said: str, tool: str
) -> None:
    page = visit(MODE + "gtag('consent', 'default', {ad_storage: 'denied'});" + WAIT + said)
    before = time.time()
    page.evaluate("gtag('consent', 'update', {ad_storage: 'granted'}); rt('event', 'login')")
    (hit,) = shop.hits(1)
    assert hit.said.asserted_by == tool
    assert before - 1 <= (hit.said.asserted_at_seconds or 0) <= time.time() + 1


@pytest.mark.parametrize(
    "said",
    [
        "'default', {ad_storage: 'granted'}",
        "'update', {analytics_storage: 'granted', ad_user_data: 'denied'}",
    ],
)
def test_what_no_visitor_granted_names_no_tool(shop: ShopPage, visit: Shopper, said: str) -> None:
    visit(MODE + INIT + f"gtag('consent', {said}); rt('event', 'login')")
    (hit,) = shop.hits(1)
    assert (hit.said.asserted_by, hit.said.asserted_at_seconds) == (None, None)


@pytest.mark.parametrize("default", ["{ad_storage: 'granted'}", "{ad_storage: 'denied', region: ['FR']}"])
def test_a_default_that_is_no_denial_for_all_is_silence(shop: ShopPage, visit: Shopper, default: str) -> None:
    visit(MODE + f"gtag('consent', 'default', {default});" + INIT + "rt('event', 'login')", query="?rtclid=c")
    (hit,) = shop.hits(1)
    assert hit.said.ad_storage is None
    assert visit.click_ids() == []


def test_the_privacy_control_of_a_browser_is_told_and_nothing_is_stored(
    shop: ShopPage, visit: Shopper
) -> None:
    visit(INIT + "rt('consent', {granted: true, cmp: 'c'})", query="?rtclid=click.1", before=GPC)
    assert shop.hits(1)[0].said.global_privacy_control
    assert visit.click_ids() == []


# ---- the click that led here ----


def test_a_click_id_is_sent_from_the_landing_page_and_stored_only_with_consent(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit(INIT, query="?rtclid=click.1")
    assert shop.events(1)[0].click_id == "click.1"
    assert visit.click_ids() == []
    page.evaluate("rt('consent', {granted: true, cmp: 'c'})")
    assert visit.click_ids() == ["click.1"]
    shop.requests.clear()
    page = visit(INIT + "rt('consent', {granted: true, cmp: 'c'}); rt('event', 'purchase')")
    assert shop.events(1)[0].click_id == "click.1"
    page.evaluate("rt('consent', {granted: false, cmp: 'c'})")
    assert visit.click_ids() == []


def test_a_stored_click_id_is_not_prolonged(shop: ShopPage, visit: Shopper) -> None:
    said = INIT + "rt('consent', {granted: true, cmp: 'c'}); rt('event', 'login')"
    visit(said, query="?rtclid=click.1")
    (stored,) = visit.context.cookies()
    visit(said)
    assert visit.context.cookies() == [stored]


def test_a_tool_without_an_answer_for_storage_leaves_the_click_id_alone(
    shop: ShopPage, visit: Shopper
) -> None:
    visit(INIT + "rt('consent', {granted: true, cmp: 'c'})", query="?rtclid=click.1")
    visit(GPP + INIT).evaluate("answer()")
    assert visit.click_ids() == ["click.1"]


def test_who_lands_is_told_once_per_click_with_the_time_it_took(shop: ShopPage, visit: Shopper) -> None:
    page = visit(INIT, query="?a=1&rtclid=click.1&b")
    (landed,) = shop.events(1)
    assert (landed.name, landed.click_id) == (EventName.LANDED, "click.1")
    assert landed.landing_ms is not None
    page.reload()
    assert shop.events(2)[1].event_id == landed.event_id  # the server keeps the first


def test_ten_seconds_or_a_second_page_are_no_bounce(shop: ShopPage, visit: Shopper) -> None:
    page = visit(INIT, query="?rtclid=click.1", clock=True)
    page.clock.run_for(9_000)
    assert shop.told(1) == ["landed"]
    page.clock.run_for(1_500)
    assert shop.told(2) == ["landed", "engaged"]
    page.evaluate("history.pushState(0, '', '/shop/other')")
    assert shop.told(2) == ["landed", "engaged"]
    shop.requests.clear()
    page = visit(INIT, query="?rtclid=click.2&utm_source=news")
    page.evaluate("history.replaceState(0, '', '/shop/page')")  # tidying the address turns no page
    assert shop.told(1) == ["landed"]
    page.evaluate("history.pushState(0, '', '/shop/other')")
    assert [event.click_id for event in shop.events(2)] == ["click.2", "click.2"]


# ---- transport ----


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_the_server_could_not_keep_is_sent_again_with_the_next_event(
    shop: ShopPage, visit: Shopper, status: int
) -> None:
    """Nor what a proxy could not bring to it."""
    shop.bearable, shop.statuses = str(status), [status]
    page = visit(INIT + "rt('event', 'login')")
    (lost,) = shop.events(1)
    page.evaluate("rt('event', 'search')")
    assert [event.event_id for event in shop.hits(2)[1].events if event.name == "login"] == [lost.event_id]


def test_what_is_refused_twice_is_given_up_and_a_refusal_of_consent_drops_it(
    shop: ShopPage, visit: Shopper
) -> None:
    shop.bearable, shop.statuses = "503", [503, 503, 503]
    page = visit(INIT + "rt('event', 'login')")
    shop.hits(1)
    page.evaluate("rt('event', 'search')")
    shop.hits(2)
    page.evaluate("rt('event', 'sign_up')")
    assert [event.name for event in shop.hits(3)[2].events] == ["search", "sign_up"]
    page.evaluate("rt('consent', {granted: false}); rt('event', 'login')")
    assert shop.hits(4)[3].events == ()


def test_what_could_not_be_kept_is_sent_again_when_the_page_is_left(shop: ShopPage, visit: Shopper) -> None:
    shop.bearable, shop.statuses = "503", [503]
    page = visit(INIT + "rt('event', 'login')")
    (lost,) = shop.events(1)
    page.goto("about:blank")
    shop.wait(lambda: len(shop.requests) > 1)
    assert len(shop.requests) > 1
    assert {event.event_id for hit in shop.read() for event in hit.events} == {lost.event_id}


def test_a_beacon_is_sent_where_fetch_fails(shop: ShopPage, visit: Shopper) -> None:
    visit(INIT + "rt('event', 'login')", before="window.fetch = () => Promise.reject(new Error('blocked'))")
    assert shop.told(1) == ["login"]
    assert shop.requests[0]["method"] == "POST"


def test_an_image_says_the_same_where_nothing_else_works(shop: ShopPage, visit: Shopper) -> None:
    script = """rt('init', 's', {pages: false, debug: true});
        rt('consent', {granted: true, cmp: 'Klaro', time: 1790000000, gdpr: '1', gdpr_consent: 'CP', coppa: 0,
            gpp: 'DBAA~x', gpp_sid: '7', us_privacy: '1YNN', ad_storage: 'granted', ad_user_data: 'granted'});
        rt('event', 'purchase', {event_id: 'E1', transaction_id: 'T&1', value: 3, currency: 'EUR',
            items: [{item_id: 'A', quantity: 2}, {item_id: 'B', price: 1}]})"""
    visit(script)
    (posted,) = shop.hits(1)
    shop.requests.clear()
    visit(script, before="window.fetch = () => Promise.reject(); navigator.sendBeacon = () => false")
    (fetched,) = shop.hits(1)
    assert shop.requests[0]["method"] == "GET"
    assert msgspec.structs.replace(fetched, posted=True) == posted
    assert posted.said.us_privacy == "1YNN"


def test_an_image_is_asked_for_where_there_is_no_beacon(shop: ShopPage, visit: Shopper) -> None:
    visit(
        INIT + "rt('event', 'login')",
        before="window.fetch = () => Promise.reject(); navigator.sendBeacon = undefined",
    )
    assert shop.told(1) == ["login"]
    assert shop.requests[0]["method"] == "GET"


# Chromium may call the delivered fetch of a page that is gone a failure; the beacon after it has the same id.


def test_an_event_before_leaving_the_page_still_arrives(shop: ShopPage, visit: Shopper) -> None:
    page = visit(INIT)
    with page.expect_navigation():
        page.evaluate("rt('event', 'add_to_cart'); location.href = '/shop/page?elsewhere'")
    shop.wait(lambda: shop.requests)
    said = [json.loads(request["said"])["events"][0] for request in shop.requests]
    assert {event["name"] for event in said} == {"add_to_cart"}
    assert len({event["event_id"] for event in said}) == 1
