"""An advertiser asks what is wrong with its pixel, is told in words, and sets the rule that mends it."""

from pathlib import Path
from typing import Any

import pytest

from adserver.domain.pixel_sample import Sample
from adserver.writes import AddCounts, KeepSamples
from pixel.events import EventName
from tests.web.api import NOW_MS, Api, World, advertiser_body, key_behind
from tests.web.visiting import Visiting

HOUR_MS = 3_600_000
HOUR = NOW_MS - NOW_MS % HOUR_MS
FEED = Path("feeds") / "google_en_gb" / "google_feed.xml"
NO_RULE = {"keep_after_last": "", "strip_prefix": "", "letter_case": "kept", "add_prefix": ""}
GLA = NO_RULE | {"strip_prefix": "gla_"}


def pixel_path(world: World) -> str:
    return f"/advertisers/{world.advertiser}/pixel"


def tell(api: Api, world: World, ids: list[str], price_micros: int | None = None) -> None:
    """Pages of the shop have named these items in the last hour."""
    key = key_behind(world.advertiser)
    counted = (("event_view_item", 300), ("items_view_item", 300), ("consent_open_region", 300))
    api.storage.writer.commit(AddCounts(tuple((HOUR, name, key, n) for name, n in counted)))
    view = EventName.VIEW_ITEM
    samples = tuple(Sample(key, view, one, price_micros, "GBP", NOW_MS - HOUR_MS) for one in ids)
    api.storage.writer.commit(KeepSamples(samples))


def found(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in answer["findings"]}


def test_a_new_shop_is_told_to_paste_the_tag_and_to_add_products(api: Api, world: World) -> None:
    opened = api.make("/advertisers", advertiser_body())
    answer = api.call("GET", f"/advertisers/{opened['id']}/pixel").json()
    assert list(found(answer)) == ["no_events", "no_feed"]
    assert (answer["events"], answer["consent"], answer["proposed_mapping"]) == ([], {}, None)
    assert api.call("GET", pixel_path(world), key=world.advertiser_key).status_code == 200


def test_a_real_shop_whose_plugin_prefixes_its_ids_mends_it_with_the_proposed_rule(
    api: Api, world: World, shared_data: Path
) -> None:
    shop = api.make("/advertisers", advertiser_body(domains=["sparklingresindelights.co.uk"], currency="GBP"))
    world.advertiser = shop["id"]
    feed = api.make(f"/advertisers/{shop['id']}/feeds", {})
    advertiser = api.storage.accounts.advertiser(key_behind(shop["id"]))
    stored = api.storage.feeds.feed(key_behind(feed["id"]))
    assert advertiser is not None and stored is not None
    with (shared_data / FEED).open("rb") as file:
        assert api.importer.import_file(advertiser, stored, file).fatal is None
    ids = [product.item_id for product in api.storage.catalogue.page(advertiser.key, -1, 500)]
    tell(api, world, [f"gla_{one}" for one in ids])

    before = api.call("GET", pixel_path(world)).json()
    unmatched = found(before)["ids_unmatched"]
    assert (unmatched["severity"], unmatched["figures"]["share"]) == ("error", 0)
    assert before["proposed_mapping"] == {"matched_by": "rule", "item_id_rule": GLA, "share": 1.0}
    view = before["events"][0]
    assert (view["event"], view["items_7d"], view["found_share"]) == ("view_item", 300, 0.0)
    assert view["last_seen_at"] == "2026-11-18T11:00:00.000Z"

    rule = before["proposed_mapping"]["item_id_rule"]
    owner = api.make("/keys", {"name": "x", "scope": "advertiser", "owner_id": shop["id"]})["secret"]
    changed = api.call("PATCH", f"/advertisers/{shop['id']}", {"item_id_rule": rule}, owner)
    assert (changed.status_code, changed.json()["item_id_rule"]) == (200, GLA)
    after = api.call("GET", pixel_path(world), key=owner).json()
    assert "ids_unmatched" not in found(after)
    assert (after["item_id_rule"], after["proposed_mapping"]) == (GLA, None)
    assert after["events"][0]["found_share"] == 1.0


def test_findings_name_the_event_and_say_what_to_do(api: Api, world: World) -> None:
    key = key_behind(world.advertiser)
    counts = (("event_purchase", 8), ("missing_transaction_id", 6), ("consent_no_usable_string", 92))
    api.storage.writer.commit(AddCounts(tuple((HOUR, name, key, n) for name, n in counts)))
    answer = api.call("GET", pixel_path(world)).json()
    assert answer["consent"] == {"no_usable_string": 1.0}
    without_id = found(answer)["no_transaction_id"]
    assert (without_id["event"], without_id["figures"]) == ("purchase", {"share": 0.75})
    assert "transaction_id" in without_id["message"]
    assert found(answer)["no_consent_signal"]["event"] is None


def test_a_rule_is_set_at_the_opening_kept_through_other_changes_and_taken_away(api: Api) -> None:
    opened = api.make("/advertisers", advertiser_body(item_id_rule={"strip_prefix": "gla_"}))
    path = f"/advertisers/{opened['id']}"
    assert opened["item_id_rule"] == GLA
    assert api.call("PATCH", path, {"name": "Same rule"}).json()["item_id_rule"] == GLA
    assert api.call("PATCH", path, {"item_id_rule": None}).json()["item_id_rule"] is None


@pytest.mark.parametrize(
    "rule",
    [
        {"strip_prefix": "anna@example.org"},
        {"add_prefix": "two words"},
        {"add_prefix": "x" * 41},
        {"letter_case": "camel"},
        {"use_group": True},
        "gla_",
    ],
)
def test_a_bad_rule_is_refused_by_name_and_changes_nothing(api: Api, world: World, rule: object) -> None:
    refused = api.call("PATCH", f"/advertisers/{world.advertiser}", {"item_id_rule": rule})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["field"].startswith("body.item_id_rule")
    assert api.call("GET", f"/advertisers/{world.advertiser}").json()["item_id_rule"] is None


def test_nobody_else_examines_a_pixel(api: Api, world: World) -> None:
    other = World(api, "B")
    assert api.call("GET", pixel_path(world), key=other.advertiser_key).status_code == 404
    assert api.call("GET", pixel_path(world), key=world.publisher_key).status_code == 403
    assert api.call("GET", "/advertisers/adv_0000000000000/pixel").status_code == 404
    assert api.call("GET", pixel_path(world), key="").status_code == 401


def test_what_browsers_send_reaches_the_doctor_within_a_second_of_a_worker(tmp_path: Path) -> None:
    world = Visiting(tmp_path)
    try:
        browser = world.browser(Origin="https://shop.example")
        for item in ("gla_boots", "scarf"):
            assert browser.view(item, price="59", currency="EUR") == "accepted"
        world.server.report_counts()  # a worker does so each second
        world.storage.writer.commit(AddCounts(()))  # behind them in the queue
        answer = world.change("GET", f"/advertisers/{world.advertiser}/pixel")
    finally:
        world.close()
    (view,) = answer["events"]
    assert (view["items_7d"], view["sampled_ids"], view["found_share"]) == (2, 1, 0.0)  # one event a second
    assert answer["consent"] == {"open_region": 1.0}
