"""What the tag hears without a change of the page: other tags' calls, product data, turned pages, forms."""

import pytest

from pixel.events import EventName, Item
from tests.pixel.shop_page import ShopPage, Shopper

pytestmark = pytest.mark.browser

LAYER = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) };"
# As Meta's base code has it: it does nothing where `fbq` is there, and queues until its script has come.
FBQ = """!function(f,n){if(f.fbq)return;n=f.fbq=function(){n.callMethod?n.callMethod.apply(n,arguments):n.queue.push(arguments)};
    if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';n.queue=[]}(window);"""
FBEVENTS = """window.calls = []; const raw = window._fbq; raw.callMethod = function () { calls.push([...arguments]); return 7 };
    while (raw.queue.length) raw.callMethod.apply(raw, raw.queue.shift());"""
CRITEO_QUEUE = "window.criteo_q = window.criteo_q || [];"
# Criteo's loader takes the queue's place.
CRITEO_LOADED = "window.taken = [...criteo_q]; window.criteo_q = { push() { taken.push(...arguments); return taken.length } };"
GTM = """const before = dataLayer.push; dataLayer.push = function () { window.seen = (window.seen || 0) + arguments.length;
    return before.apply(dataLayer, arguments) };"""


def init(options: str) -> str:
    return f"rt('init', 's', {{pages: false, fallback: false, {options}}});"


GA4_CALLS = [
    "gtag('event', 'view_item', {currency: 'EUR', value: 5, items: [{item_id: 'A', item_name: 'Lamp'}]})",
    "dataLayer.push({ecommerce: null}, null, 'text', {event: 'scroll'})",
    "dataLayer.push({event: 'purchase', ecommerce: {transaction_id: 'T1', items: [{item_id: 'B', price: 2}]}})",
]
META_CALLS = [
    "fbq('init', '1')",
    "fbq('track', 'ViewContent', {content_ids: ['A'], content_type: 'product', content_name: 'Lamp'}, {eventID: 'E1'})",
    "fbq('trackSingle', '1', 'Purchase', {contents: [{id: 'B', quantity: 1, item_price: 2}], order_id: 'T1', currency: 'EUR'})",
    "fbq('trackCustom', 'Purchase')",
]
CRITEO_CALLS = [
    "criteo_q.push({event: 'setAccount', account: 1}, {event: 'setEmail', email: 'jane@doe.example'})",
    "criteo_q.push({event: 'viewItem', item: 'A'})",
    "criteo_q.push({event: 'trackTransaction', id: 'T1', item: [{id: 'B', price: 2, quantity: 1}]})",
]
ADAPTERS = {
    "GA4": ("dataLayer: true", LAYER, GA4_CALLS, GTM),
    "Meta": ("fbq: true", FBQ, META_CALLS, FBEVENTS),
    "Criteo": ("criteo: true", CRITEO_QUEUE, CRITEO_CALLS, CRITEO_LOADED),
}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("when", ["before ours", "after ours", "after ours, its script too"])
def test_what_other_tags_are_told_is_heard_once_whichever_comes_first(
    shop: ShopPage, visit: Shopper, adapter: str, when: str
) -> None:
    option, snippet, calls, loaded = ADAPTERS[adapter]
    said = ";".join(calls)
    if when == "before ours":
        page = visit(snippet + said + ";" + init(option), third_party=loaded)
        visit.load_third_party(page)
    else:
        page = visit(init(option), third_party=loaded)
        page.evaluate(snippet)
        if when.endswith("too"):
            visit.load_third_party(page)
        page.evaluate(f"() => {{ {said} }}".replace("gtag(", "(function () { dataLayer.push(arguments) })("))
    events = shop.events(2)
    assert [(event.name, event.items[0].item_id) for event in events] == [
        (EventName.VIEW_ITEM, "A"), (EventName.PURCHASE, "B"),
    ]  # fmt: skip
    assert (events[1].order_id, events[0].event_id == "E1") == ("T1", adapter == "Meta")
    assert not shop.said_anywhere(b"Lamp") and not shop.said_anywhere(b"jane")


def test_a_wrapped_function_keeps_what_it_did_and_answers(shop: ShopPage, visit: Shopper) -> None:
    fbq = "window.fbq = function () { calls.push([...arguments]); return 7 }; fbq.version = '2.0';"
    script = LAYER + "window.calls = [];" + fbq + CRITEO_QUEUE + "fbq('track', 'Lead');"
    page = visit(script + init("dataLayer: true, fbq: true, criteo: true"))
    assert page.evaluate("[fbq('track', 'Search'), fbq.version, fbq.queue]") == [7, "2.0", None]
    assert page.evaluate("calls.map((call) => call[1])") == ["Lead", "Search"]
    assert page.evaluate("dataLayer.push({event: 'x'}, {event: 'y'})") == 2
    assert page.evaluate("criteo_q.push({event: 'x'})") == 1
    assert shop.told(1) == ["search"]


def test_a_page_may_take_a_function_away_that_was_never_there(shop: ShopPage, visit: Shopper) -> None:
    page = visit(init("fbq: true") + "rt('event', 'search')")
    assert page.evaluate("window.fbq = null, window.fbq") is None
    assert shop.told(1) == ["search"]


def test_other_tags_are_left_alone_unless_told(shop: ShopPage, visit: Shopper) -> None:
    page = visit(
        LAYER + "gtag('event', 'login');" + FBQ + "fbq('track', 'Lead');" + init("") + "rt('event', 'search')"
    )
    assert shop.told(1) == ["search"]
    assert page.evaluate("'criteo_q' in window") is False


def test_an_entry_of_any_length_is_heard(shop: ShopPage, visit: Shopper) -> None:
    visit(LAYER + init("dataLayer: true") + "dataLayer.push({event: 'login', length: 2 ** 40})")
    assert shop.told(1) == ["login"]


def test_a_layer_may_have_another_name(shop: ShopPage, visit: Shopper) -> None:
    visit("window.shopLayer = [{event: 'login', ecommerce: {}}];" + init("dataLayer: 'shopLayer'"))
    assert shop.told(1) == ["login"]


SAME_PURCHASE = {
    "the same object twice": "const o = {event: 'purchase', ecommerce: {transaction_id: 'T1'}}; dataLayer.push(o); dataLayer.push(o)",
    "the same order twice": "for (const to of ['G', 'AW']) gtag('event', 'purchase', {send_to: to, transaction_id: 'T1'})",
    "GA4, then Meta": "gtag('event', 'purchase', {transaction_id: 'T1'}); fbq('track', 'Purchase', {}, {eventID: 'T1'})",
    "Meta, then GA4": "fbq('track', 'Purchase', {}, {eventID: 'x'}); gtag('event', 'purchase', {transaction_id: 'T1'})",
    "Criteo, then GA4": "criteo_q.push({event: 'trackTransaction', id: '1'}); gtag('event', 'purchase', {transaction_id: 'T1'})",
    "all, and the page": "gtag('event', 'purchase', {transaction_id: 'x'}); fbq('track', 'Purchase', {order_id: 'y'});"
    " criteo_q.push({event: 'trackTransaction', id: 'z'}); rt('event', 'purchase', {transaction_id: 'T1'})",
}


@pytest.mark.parametrize("calls", SAME_PURCHASE)
def test_one_purchase_told_several_times_counts_once_by_the_most_believed(
    shop: ShopPage, visit: Shopper, calls: str
) -> None:
    visit(
        LAYER + FBQ + CRITEO_QUEUE + init("dataLayer: true, fbq: true, criteo: true") + SAME_PURCHASE[calls]
    )
    assert [(event.name, event.order_id) for event in shop.events(1)] == [(EventName.PURCHASE, "T1")]


def test_of_one_page_view_each_kind_of_event_is_taken_from_one_teller(shop: ShopPage, visit: Shopper) -> None:
    page = visit(LAYER + FBQ + init("dataLayer: true, fbq: true"))
    for item in "AB":
        page.evaluate(
            f"dataLayer.push({{event: 'add_to_cart', ecommerce: {{items: [{{item_id: '{item}'}}]}}}})"
        )
        page.evaluate(f"fbq('track', 'AddToCart', {{content_ids: ['{item}']}})")
    page.evaluate("fbq('track', 'AddToWishlist', {content_ids: ['C']})")
    assert sorted(shop.told(3)) == ["add_to_cart A", "add_to_cart B", "add_to_wishlist C"]


def test_an_order_id_that_comes_later_is_not_lost_to_a_purchase_without_one(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit(LAYER + FBQ + init("dataLayer: true, fbq: true"))
    page.evaluate("fbq('track', 'Purchase', {}, {eventID: 'T1'})")
    page.evaluate("dataLayer.push({event: 'purchase', ecommerce: {transaction_id: 'T1'}})")
    assert {event.order_id for event in shop.events(2)} == {None, "T1"}  # two connections: no order


# ---- product data ----


def ld(body: str) -> str:
    return f'<script type="application/ld+json">{body}</script>'


LAMP = '{"@type": "Product", "sku": "A", "name": "Lamp", "offers": {"price": "5.50", "priceCurrency": "EUR"}}'
SHADE = LAMP.replace('"A"', '"B"')
OG = (
    '<meta property="product:retailer_item_id" content="O"><meta property="product:price:amount" content="7">'
    '<meta property="product:price:currency" content="EUR">'
)
DATA = {
    "one product": (ld(LAMP), "A", 5_500_000),
    "in a graph": (ld('{"@graph": [{"@type": "WebSite"}, ' + LAMP + "]}"), "A", 5_500_000),
    "in an array, its offers too": (ld('[{"@type": ["Thing", "Product"], "sku": "A", "offers": [{"price": 5.5, "priceCurrency": "EUR"}]}]'), "A", 5_500_000),
    "what the page is about": (ld('{"@type": "WebPage", "mainEntity": ' + LAMP + "}"), "A", 5_500_000),
    "a group with a lowest price": (ld('{"@type": "https://schema.org/ProductGroup", "productGroupID": "G", "offers": {"@type": "AggregateOffer", "lowPrice": 5.5, "priceCurrency": "EUR"}}'), "G", 5_500_000),
    "twice the same": (ld(LAMP) + ld(LAMP), "A", 5_500_000),
    "OpenGraph": (OG, "O", 7_000_000),
    "before OpenGraph": (OG + ld(LAMP), "A", 5_500_000),
    "broken, then OpenGraph": (ld("{broken") + OG, "O", 7_000_000),
}  # fmt: skip


@pytest.mark.parametrize("data", DATA)
def test_product_data_is_a_view_where_the_page_says_nothing(
    shop: ShopPage, visit: Shopper, data: str
) -> None:
    html, item_id, price = DATA[data]
    visit("rt('init', 's', {pages: false})", html=html)
    (event,) = shop.events(1)
    assert (event.name, event.items, event.value_micros) == (
        EventName.VIEW_ITEM,
        (Item(item_id, 1, price),),
        price,
    )
    assert not shop.said_anywhere(b"Lamp")


@pytest.mark.parametrize(
    ("script", "html"),
    [
        ("rt('event', 'view_item', {items: [{item_id: 'X'}]})", ld(LAMP)),
        ("dataLayer = [{event: 'view_item', ecommerce: {items: [{item_id: 'X'}]}}]", ld(LAMP)),
        ("rt('event', 'view_item', {items: [{item_id: 'X'}]})", ld(f"[{LAMP}, {SHADE}]")),
    ],
)
def test_what_the_page_says_counts_and_a_list_is_no_view(
    shop: ShopPage, visit: Shopper, script: str, html: str
) -> None:
    page = visit("rt('init', 's', {pages: false, dataLayer: true});" + script, html=html, clock=True)
    page.clock.run_for(2_000)
    assert shop.told(1) == ["view_item X"]


# ---- turned pages ----


def test_each_page_a_script_turns_to_is_viewed_once_and_its_product_too(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit("rt('init', 's')", html=ld(LAMP), clock=True)
    page.clock.run_for(1_500)
    assert sorted(shop.told(2)) == ["page_view", "view_item A"]
    page.evaluate("history.pushState(0, '', '/shop/b'); history.replaceState(1, ''); location.hash = 'top'")
    page.evaluate(
        "document.querySelector('[type]').textContent = document.querySelector('[type]').textContent.replace('A', 'B')"
    )
    page.clock.run_for(1_500)
    assert sorted(shop.told(4)[2:]) == ["page_view", "view_item B"]
    page.evaluate("history.replaceState(0, '', '/shop/b?color=red')")
    page.clock.run_for(1_500)
    assert shop.told(5)[4:] == ["page_view"]  # the data is still the last page's
    page.evaluate("history.back()")
    page.wait_for_function("location.search !== '?color=red'")
    page.clock.run_for(1_500)
    events = shop.events(6)
    assert events[5].name is EventName.PAGE_VIEW
    assert events[2].url == f"{shop.shop}/shop/b"


def test_a_page_view_the_page_tells_itself_is_not_told_twice(shop: ShopPage, visit: Shopper) -> None:
    page = visit(FBQ + "rt('init', 's', {fbq: true}); fbq('track', 'PageView', {}, {eventID: 'E1'})")
    assert [event.event_id for event in shop.events(1)] == ["E1"]
    page.evaluate("history.pushState(0, '', '/shop/b'); rt('event', 'page_view', {event_id: 'E2'})")
    page.evaluate("fbq('track', 'PageView')")
    assert [event.event_id for event in shop.events(2)] == ["E1", "E2"]


# ---- forms ----

TYPED = "jane@doe.example"
KINDS = ["text", "email", "tel", "search", "url"]
FORM = (
    '<form novalidate id="quote" data-rt-form="quote" data-rt-item="loan">'
    + "".join(f'<input type="{kind}" name="{kind}">' for kind in KINDS)
    + '<input name="dataset"><input name="id"><input name="Your first name, please"><input type="password" name="secret">'
    '<input type="hidden" name="csrf" value="jane@doe.example"><textarea name="more"></textarea>'
    '<select name="choice"><option>1<option value="jane@doe.example">2</select><button name="go">go</button></form>'
    '<form><input name="other"></form>'
)
SEEN = "addEventListener('submit', (event) => event.preventDefault());"
FIELDS = ("text", "email", "tel", "search", "url", "dataset", "id", "more", "choice")


@pytest.mark.parametrize("option", ["", "forms: '#quote'"])
def test_a_form_tells_which_fields_were_touched_and_never_what_was_typed(
    shop: ShopPage, visit: Shopper, option: str
) -> None:
    page = visit(SEEN + init(option), html=FORM)
    for name in ["other", *KINDS, "dataset", "id", "Your first name, please", "secret", "more"]:
        page.fill(f"[name='{name}']", TYPED)
    page.select_option("select", index=1)
    page.click("button")
    page.click("button")
    page.fill("[name=text]", TYPED)
    shop.events(2)
    page.goto("about:blank")
    start, submit = shop.events(2)
    assert (start.name, start.form_id, start.items, start.fields) == (
        EventName.FORM_START, "quote", (Item("loan"),), ("text",),
    )  # fmt: skip
    assert (submit.name, submit.form_id, submit.items) == (EventName.FORM_SUBMIT, "quote", (Item("loan"),))
    assert submit.fields == FIELDS  # the long name is a text, which the server does not keep
    for typed in (b"jane", b"doe", b"%40", b"secret", b"csrf", b"other"):
        assert not shop.said_anywhere(typed)


def test_a_form_begun_and_not_sent_is_told_when_the_page_is_left(shop: ShopPage, visit: Shopper) -> None:
    page = visit(init(""), html=FORM)
    page.focus("[name=email]")
    page.fill("[name=tel]", TYPED)
    shop.events(1)
    page.goto("about:blank")
    shop.wait(lambda: len(shop.requests) > 1)
    told = {(event.name, event.fields, event.event_id) for hit in shop.read()[1:] for event in hit.events}
    assert [(name, fields) for name, fields, _ in told] == [(EventName.FORM_ABANDON, ("email", "tel"))]
    assert not shop.said_anywhere(b"jane")
