"""What each resource of the API takes and answers when all is well."""

import re

import pytest

from adserver.writes import Scope
from creatives.formats import FORMATS, Format
from tests.web.api import (
    NOW_MS,
    Api,
    World,
    advertiser_body,
    audience_body,
    campaign_body,
    cards_body,
    charge,
    key_behind,
    message_body,
    product_body,
    site_body,
    slot_body,
)


def test_an_advertiser_is_opened_read_and_changed(api: Api) -> None:
    made = api.make("/advertisers", advertiser_body(domains=["WWW.Shop.Example", "shop.example"]))
    assert made["domains"] == ["www.shop.example", "shop.example"]
    assert re.fullmatch(r"adv_[0-9a-hjkmnp-tv-z]{13}", made["id"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", made["public_id"])
    path = f"/advertisers/{made['id']}"
    changed = api.call("PATCH", path, {"daily_budget_micros": 5_000_000, "discreet": True})
    assert changed.json() == made | {"daily_budget_micros": 5_000_000, "discreet": True}
    assert api.call("GET", path).json() == changed.json()
    assert api.call("GET", "/advertisers").json() == {"items": [changed.json()], "next_cursor": None}


def test_a_campaign_takes_its_advertisers_currency_and_tells_its_standing(api: Api, world: World) -> None:
    body = campaign_body(
        world.advertiser,
        starts_at="2026-11-01T00:00:00+01:00",
        ends_at="2026-12-01T00:00:00Z",
        frequency_cap={"impressions": 5, "per": "day"},
        fallback_url="https://www.shop.example/autumn",
        total_budget_micros=10_000_000,
    )
    made = api.make("/campaigns", body)
    assert made["currency"] == "EUR"
    assert made["starts_at"] == "2026-10-31T23:00:00.000Z"
    assert made["frequency_cap"] == {"impressions": 5, "per": "day"}
    assert made["delivery"] == "no_creative"
    figures = ("spend_micros", "spend_today_micros", "pending_micros", "unbilled_at_cap")
    assert [made[name] for name in figures] == [0, 0, 0, 0]


def test_null_lifts_a_cap_and_what_is_not_named_stays(api: Api, world: World) -> None:
    path = f"/campaigns/{world.campaign}"
    caps = {"daily_budget_micros": 2_000_000, "total_budget_micros": 9_000_000}
    assert api.call("PATCH", path, caps).status_code == 200
    lifted = api.call("PATCH", path, {"daily_budget_micros": None}).json()
    assert (lifted["daily_budget_micros"], lifted["total_budget_micros"]) == (None, 9_000_000)
    assert lifted["version"] == 3


def test_delivery_says_why_a_campaign_is_not_served(api: Api, world: World) -> None:
    path = f"/campaigns/{world.campaign}"

    def delivery(**change: object) -> str:
        response = api.call("PATCH", path, change)
        assert response.status_code == 200, response.text
        return str(response.json()["delivery"])

    assert delivery(status="active") == "serving"
    assert delivery(starts_at="2026-11-19T00:00:00Z") == "scheduled"
    assert delivery(starts_at=None, ends_at="2026-11-17T00:00:00Z") == "over"
    assert delivery(ends_at=None) == "serving"
    charge(api, world, 900_000)
    assert delivery(daily_budget_micros=1_000_000) == "exhausted_today"
    assert delivery(total_budget_micros=1_100_000) == "exhausted"
    standing = api.call("GET", path).json()
    assert (standing["spend_micros"], standing["spend_today_micros"]) == (900_000, 900_000)
    assert delivery(status="paused") == "paused"
    assert delivery(status="ended") == "ended"


def test_an_exhausted_advertiser_exhausts_its_campaigns(api: Api, world: World) -> None:
    charge(api, world, 900_000)
    api.call("PATCH", f"/advertisers/{world.advertiser}", {"daily_budget_micros": 1_000_000})
    assert api.call("GET", f"/campaigns/{world.campaign}").json()["delivery"] == "exhausted_today"


def test_creatives_are_cards_or_a_message_with_its_link(api: Api, world: World) -> None:
    offer = {"percent": 10, "code": "AUTUMN", "ends_at": "2026-12-01T00:00:00Z"}
    cards = api.make("/creatives", cards_body(world.campaign, offer=offer))
    assert cards["offer"] == offer | {
        "amount_micros": None,
        "pool": None,
        "ends_at": "2026-12-01T00:00:00.000Z",
    }
    assert cards["brand"]["colors"] == {"primary": "#1f3a5f", "accent": "#d9480f"}
    message = api.make("/creatives", message_body(world.campaign))
    assert message["link"] == "https://shop.example/form"
    changed = api.call("PATCH", f"/creatives/{cards['id']}", {"offer": None, "brand": {"name": "New"}})
    assert (changed.json()["offer"], changed.json()["brand"]["name"]) == (None, "New")
    listed = api.call("GET", "/creatives", params={"campaign_id": world.campaign}).json()["items"]
    assert {one["id"] for one in listed} == {world.creative, cards["id"], message["id"]}


def test_a_slot_comes_with_the_codes_to_paste(api: Api, world: World) -> None:
    slot = api.call("GET", f"/slots/{world.slot}").json()
    assert slot["embed"] == {
        "script": f'<div data-slot="{world.slot}" data-width="300" data-height="250"></div>'
        '<script async src="https://cards.example/slot.js"></script>',
        "iframe": f'<iframe src="https://cards.example/slot/{world.slot}" width="300" height="250" '
        'title="Advertisement" style="border:0"></iframe>',
        "image": f'<a href="https://cards.example/slot/{world.slot}/click?n=KEY">'
        f'<img src="https://cards.example/slot/{world.slot}.gif?n=KEY" width="300" height="250" '
        'alt="Advertisement"></a>',
        "ad_manager": f'<iframe src="https://cards.example/slot/{world.slot}?click=%%CLICK_URL_ESC%%&amp;'
        'cb=%%CACHEBUSTER%%" width="300" height="250" title="Advertisement" style="border:0"></iframe>',
    }


def test_a_slot_without_a_size_of_its_own_fills_its_place_and_has_no_picture(api: Api, world: World) -> None:
    slot = api.make("/slots", slot_body(world.site, width=None, height=None))
    assert (slot["width"], slot["height"]) == (None, None)
    assert slot["embed"] == {
        "script": f'<div data-slot="{slot["id"]}" data-size="responsive"></div>'
        '<script async src="https://cards.example/slot.js"></script>',
        "iframe": f'<iframe src="https://cards.example/slot/{slot["id"]}" '
        'title="Advertisement" style="border:0;width:100%;height:250px"></iframe>',
        "image": None,
        "ad_manager": f'<iframe src="https://cards.example/slot/{slot["id"]}?click=%%CLICK_URL_ESC%%&amp;'
        'cb=%%CACHEBUSTER%%" title="Advertisement" style="border:0;width:100%;height:250px"></iframe>',
    }
    assert api.call("GET", f"/slots/{slot['id']}").json() == slot


@pytest.mark.parametrize("format_", [format_ for format_ in FORMATS.values() if format_.width])
def test_a_slot_may_have_every_size_that_creatives_have(api: Api, world: World, format_: Format) -> None:
    slot = api.make("/slots", slot_body(world.site, width=format_.width, height=format_.height))
    assert (slot["width"], slot["height"]) == (format_.width, format_.height)


@pytest.mark.parametrize("template", ["cards", "hero", "carousel", "text"])
def test_a_creative_of_products_has_a_template_and_a_theme(api: Api, world: World, template: str) -> None:
    brand = {"name": "Shop", "theme": "auto"}
    made = api.make("/creatives", cards_body(world.campaign, template=template, brand=brand))
    assert (made["template"], made["brand"]["theme"]) == (template, "auto")
    assert api.make("/creatives", cards_body(world.campaign))["brand"]["theme"] == "light"


def test_a_click_prefix_without_a_path_is_kept_with_one(api: Api, world: World) -> None:
    change = {"click_prefixes": ["https://pub.example", "https://pub.example?u=", "https://pub.example/x"]}
    site = api.call("PATCH", f"/sites/{world.site}", change, world.publisher_key).json()
    kept = ["https://pub.example/", "https://pub.example/?u=", "https://pub.example/x"]
    assert site["click_prefixes"] == kept


def test_sites_and_slots_are_changed_by_their_publisher(api: Api, world: World) -> None:
    prefixes = ["https://ads.manager.example/click?u="]
    change = {"domains": ["news.example", "blog.example"], "click_prefixes": prefixes}
    site = api.call("PATCH", f"/sites/{world.site}", change, world.publisher_key).json()
    assert (site["domains"], site["click_prefixes"]) == (change["domains"], prefixes)
    floor = {"floor_cpm_micros": 400_000, "currency": "EUR", "on_empty": "collapse"}
    slot = api.call("PATCH", f"/slots/{world.slot}", floor, world.publisher_key).json()
    assert {name: slot[name] for name in floor} == floor
    listed = api.call("GET", "/slots", params={"site_id": world.site}, key=world.publisher_key)
    assert [one["id"] for one in listed.json()["items"]] == [world.slot]


def test_a_product_is_put_read_and_changed_beside_others(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/products"
    put = api.call("PUT", f"{path}/size%2F42", product_body(sale_from="2026-11-20T00:00:00Z"))
    assert put.json()["item_id"] == "size/42"
    changes = [
        {"item_id": "size/42", "availability": "out_of_stock"},
        {"item_id": world.item, "price_micros": 1},
    ]
    changed = api.call("PATCH", path, {"products": changes}).json()["products"]
    assert [one["availability"] for one in changed if one["item_id"] == "size/42"] == ["out_of_stock"]
    assert api.call("GET", f"{path}/{world.item}").json()["price_micros"] == 1
    assert {one["item_id"] for one in api.call("GET", path).json()["items"]} == {"size/42", world.item}


def test_products_are_changed_all_or_none(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/products"
    changes = [{"item_id": world.item, "price_micros": 1}, {"item_id": "unknown", "price_micros": 1}]
    assert api.call("PATCH", path, {"products": changes}).status_code == 404
    assert api.call("GET", f"{path}/{world.item}").json()["price_micros"] == 89_900_000


FEED = b"""<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<item><g:id>a-1</g:id><g:title>Hat</g:title><g:link>https://shop.example/hat</g:link>
<g:image_link>https://shop.example/hat.jpg</g:image_link><g:price>12.50 EUR</g:price>
<g:availability>in_stock</g:availability><g:description>A hat</g:description></item>
<item><g:id>a-2</g:id><g:title>Elsewhere</g:title><g:link>https://evil.test/</g:link>
<g:image_link>https://shop.example/x.jpg</g:image_link><g:price>12.50 EUR</g:price>
<g:availability>in_stock</g:availability><g:description>No</g:description></item>
</channel></rss>"""


def test_a_feed_is_uploaded_and_its_report_kept(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/feeds/{world.feed}"
    report = api.call("POST", f"{path}/import", content=FEED, key=world.advertiser_key)
    assert report.status_code == 200, report.text
    assert (report.json()["products"], report.json()["rejected_count"], report.json()["fatal"]) == (
        1,
        1,
        None,
    )
    assert report.json()["rejected"][0]["item_id"] == "a-2"
    assert api.call("GET", path).json()["last_import"] == report.json()
    product = api.call("GET", f"/advertisers/{world.advertiser}/products/a-1").json()
    assert (product["title"], product["price_micros"]) == ("Hat", 12_500_000)


def test_an_unreachable_feed_is_told_in_its_report(api: Api, world: World) -> None:
    draft = {"url": "https://shop.example/feed.xml", "schedule": {"every_minutes": 60}}
    feed = api.make(f"/advertisers/{world.advertiser}/feeds", draft)
    assert (feed["url"], feed["schedule"]) == (draft["url"], draft["schedule"])
    report = api.call("POST", f"/advertisers/{world.advertiser}/feeds/{feed['id']}/import")
    assert report.status_code == 422
    assert "no network here" in report.json()["fatal"]


def test_a_keys_text_is_shown_once_and_a_revoked_key_opens_nothing(api: Api, world: World) -> None:
    made = api.make("/keys", {"name": "shop", "scope": "advertiser", "owner_id": world.advertiser})
    text = made["secret"]
    assert re.fullmatch(r"rt_live_[A-Za-z0-9_-]{43}", text)
    assert api.call("GET", "/advertisers", key=text).status_code == 200
    listed = api.call("GET", "/keys")
    assert text not in listed.text
    assert text.encode() not in b"".join(path.read_bytes() for path in api.storage.path.parent.glob("*.db*"))
    assert api.call("DELETE", f"/keys/{made['id']}").status_code == 204
    assert api.call("GET", "/advertisers", key=text).status_code == 401


def test_lists_come_in_pages_without_gaps_or_repeats(api: Api, world: World) -> None:
    made = {world.campaign} | {
        api.make("/campaigns", campaign_body(world.advertiser))["id"] for _ in range(6)
    }
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = api.call("GET", "/campaigns", params=params).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == made


def test_lists_hold_what_the_key_reaches(api: Api, world: World) -> None:
    other = World(api, "B")
    for path, mine in (("/advertisers", other.advertiser), ("/campaigns", other.campaign)):
        listed = api.call("GET", path, key=other.advertiser_key).json()["items"]
        assert [one["id"] for one in listed] == [mine]
    for path, mine in (("/publishers", other.publisher), ("/sites", other.site)):
        listed = api.call("GET", path, key=other.publisher_key).json()["items"]
        assert [one["id"] for one in listed] == [mine]
    assert len(api.call("GET", "/campaigns").json()["items"]) == 2


def test_the_clock_of_an_answer_is_utc(api: Api, world: World) -> None:
    assert api.call("GET", f"/campaigns/{world.campaign}").json()["created_at"] == "2026-11-18T11:06:40.000Z"
    assert NOW_MS == 1_795_000_000_000


def test_an_api_key_of_a_publisher_makes_its_own_places(api: Api, world: World) -> None:
    key = api.make_key(Scope.PUBLISHER, world.publisher)
    site = api.make("/sites", site_body(world.publisher), key)
    slot = api.make("/slots", slot_body(site["id"], width=728, height=90), key)
    assert (slot["width"], slot["height"]) == (728, 90)


def test_an_audience_is_made_read_listed_and_changed(api: Api, world: World) -> None:
    rule = {"event": "add_to_cart", "retention_days": 14}
    bought = {"event": "purchase", "retention_days": 180}
    made = api.make("/audiences", audience_body(world.advertiser, exclusions=[bought]), world.advertiser_key)
    assert (made["inclusions"], made["exclusions"], made["version"]) == ([rule], [bought], 1)
    assert made["advertiser_id"] == world.advertiser
    path = f"/audiences/{made['id']}"
    changed = api.call(
        "PATCH", path, {"name": "Nobody bought", "exclusions": []}, world.advertiser_key
    ).json()
    assert changed == made | {"name": "Nobody bought", "exclusions": [], "version": 2}
    assert api.call("GET", path).json() == changed
    listed = api.call("GET", "/audiences", params={"advertiser_id": world.advertiser}).json()["items"]
    assert {one["id"] for one in listed} == {world.audience, made["id"]}
    other = World(api, "B")
    assert [one["id"] for one in api.call("GET", "/audiences", key=other.advertiser_key).json()["items"]] == [
        other.audience
    ]


def test_an_audience_of_events_that_are_forgotten_sooner_is_refused_with_the_days_they_are_kept(
    api: Api, world: World
) -> None:
    before = api.call("GET", f"/audiences/{world.audience}").json()
    for event, days in (("view_item", 30), ("purchase", 180), ("form_abandon", 14)):
        rules = {"exclusions": [{"event": event, "retention_days": days + 1}]}
        made = api.call("POST", "/audiences", audience_body(world.advertiser, **rules), world.advertiser_key)
        changed = api.call("PATCH", f"/audiences/{world.audience}", rules, world.advertiser_key)
        for answer in (made, changed):
            assert (answer.status_code, answer.json()["code"]) == (422, "longer_than_kept")
            assert answer.json()["kept_days"] == days
    assert api.call("GET", f"/audiences/{world.audience}").json() == before


def test_a_campaign_names_audiences_with_their_rates_and_creatives(api: Api, world: World) -> None:
    path = f"/campaigns/{world.campaign}"
    second = api.make("/audiences", audience_body(world.advertiser, name="Looked"))["id"]
    audiences = [
        {"audience_id": world.audience, "rate_micros": 900_000, "creative_ids": [world.creative]},
        {"audience_id": second, "rate_micros": None, "creative_ids": []},
    ]
    assert api.call("GET", path).json()["audiences"] == []
    changed = api.call("PATCH", path, {"audiences": audiences}, world.advertiser_key).json()
    assert changed["audiences"] == audiences
    renamed = api.call("PATCH", path, {"name": "Winter"}).json()
    assert (renamed["audiences"], renamed["version"]) == (audiences, 3)
    assert api.call("PATCH", path, {"audiences": audiences[1:]}).json()["audiences"] == audiences[1:]
    assert api.call("PATCH", path, {"audiences": []}).json()["audiences"] == []
    named = [{"audience_id": world.audience}]
    made = api.make("/campaigns", campaign_body(world.advertiser, audiences=named))
    assert made["audiences"] == [{"audience_id": world.audience, "rate_micros": None, "creative_ids": []}]


def test_terms_of_a_version_keep_the_rates_of_its_audiences(api: Api, world: World) -> None:
    path, key = f"/campaigns/{world.campaign}", key_behind(world.campaign)
    for rate in (900_000, 100_000):
        named = [{"audience_id": world.audience, "rate_micros": rate}]
        assert api.call("PATCH", path, {"audiences": named}).status_code == 200
    versions = [api.storage.campaigns.terms(key, version) for version in (1, 2, 3)]
    assert [[one.rate_micros for one in terms.audience_rates] for terms in versions if terms] == [
        [], [900_000], [100_000],
    ]  # fmt: skip
