"""The publisher's script and the visitor's pages in Chromium, against a whole server on loopback."""

import gzip
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from adserver.web.assets import slot_script
from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.news_stage import Stage
from tests.shared_data import PROJECT

pytestmark = pytest.mark.browser

DESKTOP = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
SCREENSHOTS = PROJECT / "build" / "screenshots"

LISTEN = """window.heard=[];for(const name of ['slot:filled','slot:empty','slot:closed'])
document.addEventListener(name,(event)=>heard.push([name,event.target.id,event.detail.onEmpty||'']));"""
TCF = """let tell;window.__tcfapi=(command,version,callback)=>{tell=callback;callback({eventStatus:'cmpuishown'},true)};
window.answer=(status='useractioncomplete')=>tell({eventStatus:status,gdprApplies:true,tcString:'CPtc'},true);"""
GPP = """window.__gpp=(command,callback)=>{window.answer=()=>callback({pingData:{signalStatus:'ready',gppString:'DBAA~x',
applicableSections:[7,8]}});callback({eventName:'listenerRegistered',pingData:{signalStatus:'not ready'}})};"""

US_PRIVACY = (
    """window.__uspapi=(command,version,callback)=>{window.answer=()=>callback({uspString:'1YYN'},true)};"""
)
MODE = """window.dataLayer=[];function gtag(){dataLayer.push(arguments)};"""
DENIED = (
    MODE
    + "gtag('consent','default',{ad_storage:'denied',ad_user_data:'denied',ad_personalization:'denied'});"
)
GRANT = "gtag('consent','update',{ad_storage:'granted',ad_user_data:'granted',ad_personalization:'granted'})"
GRANTED = {"ad_storage": "granted", "ad_user_data": "granted", "ad_personalization": "granted"}
PRERENDERED = """let shown=false;Object.defineProperty(document,'prerendering',{get:()=>!shown});
window.show=()=>{shown=true;document.dispatchEvent(new Event('prerenderingchange'))};"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A desktop browser whose cookies go with frames too."""
    folder = tmp_path_factory.mktemp("profile")
    with sends_cookies_to_frames(folder, 5_000, user_agent=DESKTOP) as context:
        yield context


@pytest.fixture
def context(profile: BrowserContext) -> Iterator[BrowserContext]:
    profile.clear_cookies()
    yield profile
    for page in profile.pages[1:]:
        page.close()
    profile.unroute_all()


class Reader:
    """Someone who reads the news: their page, what it asked the ad server, and what it complained of."""

    def __init__(self, stage: Stage, context: BrowserContext) -> None:
        self.stage = stage
        self.context = context
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", self.note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def note(self, message: ConsoleMessage) -> None:
        if not message.location["url"].endswith("/favicon.ico"):
            self.complaints.append(message.text)

    def shop(self, item: str = "boots", event: str = "view_item") -> None:
        """Look at something in the shop, so that an ad can be chosen."""
        query = f"m={self.stage.world.merchant}&e={event}&id={item}"
        for _ in range(2):
            self.page.goto(f"{self.stage.cards}/m/e?{query}")

    def read(self, body: str, before: str = "", attributes: str = "") -> None:
        """Open a news page; `before` is a script that runs ahead of ours."""
        cards, news = self.stage.cards, self.stage.news
        news.policy = f"default-src 'none'; script-src {cards} 'nonce-abc'; frame-src {cards}"
        news.html = (
            f'<!doctype html><title>News</title><script nonce="abc">{LISTEN}{before}</script>'
            f'<script async src="{cards}/slot.js" {attributes}></script><h1>News</h1>{body}'
        )
        self.asked.clear()
        self.page.goto(f"{news.url}/story?mail=someone@example.com")

    def hears(self, *expected: list[str]) -> None:
        self.page.wait_for_function("(count) => heard.length >= count", arg=len(expected))
        assert sorted(self.page.evaluate("heard")) == sorted(expected)

    def questions(self, count: int) -> list[dict[str, str]]:
        """The queries of the slots asked for, once there are `count` of them: what they say of consent.

        What slots of one page say of each other is not of consent; test_slots_together.py is about that.
        """
        for _ in range(100):
            asked = [dict(parse_qsl(urlsplit(url).query)) for url in self.asked if "/slot/" in url]
            found = [{name: said for name, said in one.items() if name != "page"} for one in asked]
            if len(found) >= count:
                break
            self.page.wait_for_timeout(20)
        assert len(found) == count
        return found

    def has_asked_for(self, part: str) -> None:
        for _ in range(100):
            if any(part in url for url in self.asked):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{part} was not asked for: {self.asked}")

    def asks_nothing(self) -> None:
        self.page.wait_for_timeout(250)
        assert not [url for url in self.asked if "/slot/" in url]


@pytest.fixture
def reader(stage: Stage, context: BrowserContext) -> Reader:
    return Reader(stage, context)


def place(stage: Stage, wish: str = "house", attributes: str = "", inside: str = "", name: str = "a") -> str:
    return f'<div id="{name}" data-slot="{stage.slots[wish]}" {attributes}>{inside}</div>'


def test_the_script_weighs_no_more_than_three_kilobytes() -> None:
    assert len(gzip.compress(slot_script(), 9)) <= 3_072


def test_a_slot_is_filled_and_the_page_hears_of_it(stage: Stage, reader: Reader) -> None:
    reader.shop()
    reader.read(place(stage))
    reader.hears(["slot:filled", "a", ""])
    frame = reader.page.locator("#a iframe")
    names = ("width", "height", "title", "scrolling", "frameborder", "referrerpolicy", "sandbox")
    assert [frame.get_attribute(name) for name in names] == [
        "300",
        "250",
        "Advertisement",
        "no",
        "0",
        "origin",
        "allow-scripts allow-popups allow-popups-to-escape-sandbox allow-same-origin",
    ]
    expect(frame.content_frame.locator(".title")).to_have_text("Waxed boots")
    reach = "() => { try { return parent.document.title } catch { return 'apart' } }"
    assert frame.content_frame.locator("html").evaluate(reach) == "apart"
    reader.has_asked_for("/i?t=")
    assert reader.complaints == []


def test_a_click_opens_the_shop_in_a_window_of_its_own(stage: Stage, reader: Reader) -> None:
    shop = stage.opens_a_shop_with("sandals")
    reader.shop("sandals")
    reader.read(place(stage))
    with reader.context.expect_page() as opened:
        reader.page.locator("#a iframe").content_frame.locator("a.card").click()
    opened.value.wait_for_url(f"{shop}/sandals?rtclid=*")
    assert reader.page.url.startswith(stage.news.url)


def test_a_responsive_slot_fills_its_place_and_one_without_a_height_gets_one(
    stage: Stage, reader: Reader
) -> None:
    stage.slots["responsive"] = stage.world.change(
        "POST", "/slots", site_id=stage.world.site, name="wide", width=None, height=None
    )["id"]
    reader.shop()
    sized = "for (const [id, css] of [['a', 'width:640px'], ['b', 'width:300px'], ['c', 'width:250px;height:400px']])"
    reader.read(
        "".join(place(stage, "responsive", 'data-size="responsive"', name=name) for name in "abc"),
        f"document.addEventListener('DOMContentLoaded', () => {{ {sized} window[id].style.cssText = css; }});",
    )
    reader.hears(*(["slot:filled", name, ""] for name in "abc"))
    for name, width, height in (("a", 640, 250), ("b", 300, 250), ("c", 250, 400)):
        box = reader.page.locator(f"#{name} iframe").bounding_box()
        assert box is not None
        assert (box["width"], box["height"]) == (width, height)
    assert reader.complaints == []


def test_a_closed_ad_says_goodbye_or_gives_its_place_back(stage: Stage, reader: Reader) -> None:
    reader.shop()
    reader.read(place(stage, name="stays") + place(stage, attributes='data-on-close="collapse"', name="goes"))
    filled = [["slot:filled", name, ""] for name in ("stays", "goes")]
    reader.hears(*filled)
    ad = reader.page.locator("#stays iframe").content_frame
    why = ad.locator("a.why").evaluate("(link) => link.href")
    for name in ("stays", "goes"):
        reader.page.locator(f"#{name} iframe").content_frame.locator(".close").click()
    reader.hears(*filled, ["slot:closed", "stays", ""], ["slot:closed", "goes", ""])
    expect(ad.locator(".gone")).to_contain_text("Thanks, it is gone.")
    assert [link.get_attribute("href") for link in ad.locator(".gone a").all()] == [why, why]
    expect(reader.page.locator("#goes iframe")).to_have_count(0)
    assert reader.page.locator("#goes").evaluate("(div) => div.offsetHeight") == 0


def test_an_empty_slot_stays_collapses_or_is_passed_back_as_its_owner_wishes(
    stage: Stage, reader: Reader
) -> None:
    own = '<template data-passback><p>own</p><script nonce="abc">window.ran=(window.ran||0)+1</script></template>'
    reader.read(
        place(stage, "house", name="house")
        + place(stage, "collapse", name="collapse")
        + place(stage, "passback", inside=own, name="passback")
        + place(stage, "passback", name="nothing")
        + place(stage, "collapse", 'data-on-empty="house"', name="override")
    )
    reader.hears(
        ["slot:empty", "house", "house"],
        ["slot:empty", "collapse", "collapse"],
        ["slot:empty", "passback", "passback"],
        ["slot:empty", "nothing", "passback"],
        ["slot:empty", "override", "house"],
    )
    page = reader.page
    expect(page.locator("#house iframe").content_frame.locator(".headline")).to_be_visible()
    expect(page.locator("#override iframe")).to_be_visible()
    for gone in ("collapse", "nothing"):
        expect(page.locator(f"#{gone} iframe")).to_have_count(0)
        assert page.locator(f"#{gone}").evaluate("(div) => div.offsetHeight") == 0
    expect(page.locator("#passback p")).to_have_text("own")
    expect(page.locator("#passback iframe")).to_have_count(0)
    assert page.evaluate("window.ran") == 1
    assert reader.complaints == []


def test_places_added_later_are_found_and_a_place_may_be_asked_again(stage: Stage, reader: Reader) -> None:
    early = "document.addEventListener('DOMContentLoaded', () => { a.style.height = '100px' });"
    reader.read(place(stage, "collapse"), early)
    reader.hears(["slot:empty", "a", "collapse"])
    page = reader.page
    assert page.locator("#a").evaluate("(div) => div.offsetHeight") == 0
    page.evaluate(
        """(slot) => { const div = document.createElement('div'); div.id = 'b'; div.dataset.slot = slot;
        document.body.append(div); rtSlots.refresh(); rtSlots.refresh(); }""",
        stage.slots["house"],
    )
    reader.hears(["slot:empty", "a", "collapse"], ["slot:empty", "b", "house"])
    assert page.evaluate("() => { rtSlots.refresh(a); return a.style.cssText }") == "height: 100px;"
    assert len(reader.questions(3)) == 3


def test_a_consent_tool_is_waited_for(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), TCF)
    reader.asks_nothing()
    reader.page.evaluate("answer()")
    assert reader.questions(1) == [{"gdpr": "1", "gdpr_consent": "CPtc"}]


def test_a_gpp_tool_is_waited_for(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), GPP)
    reader.asks_nothing()
    reader.page.evaluate("answer()")
    assert reader.questions(1) == [{"gpp": "DBAA~x", "gpp_sid": "7,8"}]


def test_a_us_privacy_tool_is_waited_for(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), US_PRIVACY)
    reader.asks_nothing()
    reader.page.evaluate("answer()")
    assert reader.questions(1) == [{"us_privacy": "1YYN"}]


def test_tools_that_have_their_answers_already_are_all_heard_before_anything_is_asked(
    stage: Stage, reader: Reader
) -> None:
    ready = """window.__tcfapi=(c,v,callback)=>callback({eventStatus:'tcloaded',gdprApplies:true,tcString:'CPtc'},true);
        window.__gpp=(c,callback)=>callback({pingData:{signalStatus:'ready',gppString:'DBAA~x',applicableSections:[7]}});"""
    reader.read(place(stage), ready)
    assert reader.questions(1) == [{"gdpr": "1", "gdpr_consent": "CPtc", "gpp": "DBAA~x", "gpp_sid": "7"}]


def test_consent_mode_is_waited_for_and_what_its_update_grants_is_asserted(
    stage: Stage, reader: Reader
) -> None:
    reader.read(place(stage), DENIED)
    reader.asks_nothing()
    before = int(time.time())
    reader.page.evaluate(GRANT)
    (asked,) = reader.questions(1)
    assert before <= int(asked.pop("consent_time")) <= time.time()
    assert asked == GRANTED | {"consent_cmp": "consent mode"}
    assert reader.page.evaluate("dataLayer.push({event: 'x'})") == 3


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("'default',{ad_storage:'granted'}", {}),
        ("'default',{ad_storage:'denied',region:['FR']}", {}),
        ("'update',{analytics_storage:'granted'}", {}),
        ("'update',{ad_storage:'denied',ad_user_data:'denied'}", {"ad_storage": "denied", "ad_user_data": "denied"}),
    ],
)  # fmt: skip
def test_of_consent_mode_only_what_speaks_of_this_visitor_is_told(
    stage: Stage, reader: Reader, said: str, asked: dict[str, str]
) -> None:
    reader.read(place(stage), MODE + f"gtag('consent',{said})")
    assert reader.questions(1) == [asked]


def test_consent_mode_without_an_update_is_a_no_until_there_is_one(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), DENIED, 'data-timeout="200"')
    assert reader.questions(1)[0] == dict.fromkeys(GRANTED, "denied") | {"consent": "unheard"}
    reader.page.evaluate(GRANT)
    assert reader.questions(2)[1].items() >= GRANTED.items()


def test_a_page_that_is_prerendered_asks_for_nothing_until_it_is_shown(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), PRERENDERED, 'data-timeout="50"')
    reader.page.evaluate("rtSlots.refresh(); rtSlots.refresh(a); rtConsent({granted: true, cmp: 'own'})")
    reader.asks_nothing()
    reader.page.evaluate("show()")
    assert reader.questions(1)[0]["consent"] == "1"


def test_a_silent_consent_tool_is_a_no_until_it_speaks(stage: Stage, reader: Reader) -> None:
    reader.shop()
    reader.read(place(stage), TCF, 'data-timeout="200"')
    assert reader.questions(1) == [{"consent": "unheard"}]
    reader.hears(["slot:empty", "a", "house"])
    reader.page.evaluate("answer()")
    assert reader.questions(2)[1] == {"gdpr": "1", "gdpr_consent": "CPtc"}
    expect(reader.page.locator("#a iframe")).to_have_count(1)


def test_a_no_of_the_page_is_told_as_one_while_a_tool_is_silent(stage: Stage, reader: Reader) -> None:
    reader.read(place(stage), TCF, 'data-timeout="200" data-consent="denied" data-consent-time="1760000000"')
    assert reader.questions(1) == [{"consent": "0", "consent_time": "1760000000"}]


def test_the_page_may_assert_consent_before_or_after_the_script_is_there(
    stage: Stage, reader: Reader
) -> None:
    given = "{granted: true, cmp: 'own', time: 1760000000}"
    expected = [{"consent": "1", "consent_cmp": "own", "consent_time": "1760000000"}]
    stub = f"window.rtConsent=function(){{(rtConsent.q=rtConsent.q||[]).push(arguments)}};rtConsent({given})"
    reader.read(place(stage), stub)
    assert reader.questions(1) == expected
    reader.read(place(stage), attributes='data-consent="wait"')
    reader.asks_nothing()
    reader.page.evaluate(f"rtConsent({given})")
    assert reader.questions(1) == expected
    reader.read(
        place(stage),
        attributes='data-consent="granted" data-consent-cmp="own" data-consent-time="1760000000"',
    )
    assert reader.questions(1) == expected
    reader.read(place(stage), attributes='data-consent="denied" data-consent-time="1760000000"')
    assert reader.questions(1) == [{"consent": "0", "consent_time": "1760000000"}]


def test_global_privacy_control_is_told_as_what_it_is(stage: Stage, reader: Reader) -> None:
    reader.page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    reader.shop()
    said = 'data-consent="granted" data-consent-cmp="own" data-consent-time="1760000000"'
    reader.read(place(stage), attributes=said)
    told = {"consent": "1", "consent_cmp": "own", "consent_time": "1760000000", "gpc": "1"}
    assert reader.questions(1) == [told]
    reader.hears(["slot:empty", "a", "house"])


def test_messages_of_anyone_else_are_ignored(stage: Stage, reader: Reader) -> None:
    reader.shop()
    reader.read(place(stage))
    reader.hears(["slot:filled", "a", ""])
    reader.page.evaluate("postMessage({slot: 'empty', onEmpty: 'collapse'}, '*')")
    reader.page.frames[1].evaluate(
        "parent.postMessage({slot: 'empty', onEmpty: 'collapse', width: 9, height: 9}, '*')"
    )
    reader.page.wait_for_timeout(150)
    reader.hears(["slot:filled", "a", ""])
    assert reader.page.locator("#a iframe").get_attribute("width") == "300"


def test_on_the_ad_servers_own_host_the_ad_stays_in_its_sandbox(stage: Stage, reader: Reader) -> None:
    page = f'<script>{LISTEN}</script><script async src="/slot.js"></script>{place(stage)}'
    address = f"{stage.cards}/demo"
    reader.context.route(address, lambda route: route.fulfill(body=page, content_type="text/html"))
    reader.shop()
    reader.page.goto(address)
    reader.hears(["slot:filled", "a", ""])
    frame = reader.page.locator("#a iframe")
    assert "allow-same-origin" not in (frame.get_attribute("sandbox") or "")
    assert frame.content_frame.locator("html").evaluate("() => self.origin") == "null"


# ---- the visitor's pages ----


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def test_the_visitors_pages_are_legible_and_their_buttons_work(stage: Stage, reader: Reader) -> None:
    reader.shop("scarf")
    reader.shop("boots", "add_to_cart")
    reader.read(place(stage))
    with reader.context.expect_page() as opened:
        reader.page.locator("#a iframe").content_frame.locator("a.why").click()
    page = opened.value
    page.wait_for_url("**/why?t=*")
    page.on("console", reader.note)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, path in (("why", page.url), ("privacy", f"{stage.cards}/privacy")):
        page.goto(path)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True)
            assert overflow(page) == 0
    page.go_back()
    page.get_by_role("button", name="Not this product").click()
    expect(page.get_by_role("status")).to_contain_text("will not be shown again")
    page.get_by_role("link", name="Your privacy here").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download it all").click()
    assert download.value.suggested_filename == "what-we-hold.json"
    page.get_by_role("button", name="Forget me").click()
    expect(page.get_by_role("heading", name="You are forgotten")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "receipt-390.png", full_page=True)
    page.get_by_role("button", name="Opt out too").click()
    expect(page.get_by_role("heading", name="You have opted out")).to_be_visible()
    assert [cookie["name"] for cookie in reader.context.cookies()] == ["__Host-rt-optout"]
    assert reader.complaints == []
