"""Experiments by the API: what may be compared, when, and what is answered about it."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from adserver.domain.experiment import Entry, holdout_key
from adserver.domain.pricing import AdEvent
from adserver.writes import AdRecord, EnterExperiments, RecordAd, StoreEvent, Write
from pixel.events import Event, EventName
from tests.web.api import (
    NOW_MS,
    Api,
    World,
    audience_body,
    campaign_body,
    cards_body,
    experiment_body,
    key_behind,
    make_record,
)

MINUTE_MS = 60_000
BASKET = 20_000_000


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server for this file: each test has a campaign of its own."""
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api)


@pytest.fixture
def campaign(api: Api, world: World) -> str:
    id_: str = api.make("/campaigns", campaign_body(world.advertiser))["id"]
    return id_


@pytest.fixture
def creatives(api: Api, campaign: str) -> list[str]:
    offers = ({}, {"offer": {"percent": 10}})
    return [api.make("/creatives", cards_body(campaign, **offer))["id"] for offer in offers]


def experiments(api: Api, campaign: str) -> list[dict[str, object]]:
    listed = api.call("GET", "/experiments").json()["items"]
    return [one for one in listed if one["campaign_id"] == campaign]


def refusal(api: Api, body: dict[str, object]) -> tuple[int, str]:
    response = api.call("POST", "/experiments", body)
    return response.status_code, response.json()["code"]


def test_an_experiment_is_made_read_listed_renamed_and_ended(
    api: Api, world: World, campaign: str, creatives: list[str]
) -> None:
    made = api.make("/experiments", experiment_body(campaign, creatives), world.advertiser_key)
    assert made["id"].startswith("exp_") and made["campaign_id"] == campaign
    assert (made["starts_at"], made["ends_at"]) == ("2026-11-18T11:06:40.000Z", None)
    assert [arm["creative_ids"] for arm in made["arms"]] == [[one] for one in creatives]
    assert made["visitors"] is None and made["sizes"]["sound"] and made["window_days"] == 14
    path = f"/experiments/{made['id']}"
    assert api.call("GET", path).json() == made
    assert experiments(api, campaign) == [made]
    own = api.call("GET", "/experiments", params={"advertiser_id": world.advertiser}).json()["items"]
    assert made in own
    change = {"name": "Red or blue", "ends_at": "2026-12-01T00:00:00Z"}
    changed = api.call("PATCH", path, change, world.advertiser_key).json()
    assert (changed["name"], changed["ends_at"], changed["version"]) == (
        "Red or blue", "2026-12-01T00:00:00.000Z", 2,
    )  # fmt: skip
    assert api.call("PATCH", path, {"ends_at": None}).json()["ends_at"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "reach"},
        {"subject": "colours"},
        {"visitors_planned": 0},
        {"visitors_planned": 1.5},
        {"arms": []},
        {"arms": [{"name": "a", "share_bps": 0}]},
        {"arms": [{"name": "a", "share_bps": 10_001}]},
        {"arms": [{"name": "", "share_bps": 1}]},
        {"arms": [{"name": "a", "share_bps": 1, "creative_ids": ["cmp_0000000000000"]}]},
        {"winner": "a"},
        {"starts_at": "tomorrow"},
        {"campaign_id": "crv_0000000000000"},
    ],
    ids=str,
)
def test_a_malformed_experiment_is_refused(
    api: Api, world: World, campaign: str, creatives: list[str], change: dict[str, object]
) -> None:
    assert refusal(api, experiment_body(campaign, creatives) | change) == (422, "invalid_request")
    assert experiments(api, campaign) == []


def test_an_experiment_that_compares_nothing_is_refused_by_name(
    api: Api, world: World, campaign: str, creatives: list[str]
) -> None:
    body = experiment_body(campaign, creatives)
    first, second = body["arms"]  # type: ignore[misc]
    elsewhere = api.make("/campaigns", campaign_body(world.advertiser))["id"]
    foreign = api.make("/creatives", cards_body(elsewhere))["id"]
    cases = {
        "arms_too_few": {"arms": [first]},
        "arm_twice": {"arms": [first, second | {"name": first["name"]}]},
        "shares_exceed_all": {"arms": [first, second | {"share_bps": 5_001}]},
        "arm_says_nothing": {"arms": [first, second | {"creative_ids": []}]},
        "arms_alike": {"arms": [first, second | {"creative_ids": first["creative_ids"]}]},
        "unknown_in_arm": {"arms": [first, second | {"creative_ids": [foreign]}]},
        "experiment_ends_first": {"ends_at": "2026-11-18T00:00:00Z"},
    }
    for code, change in cases.items():
        assert refusal(api, body | change) == (422, code)
    assert refusal(api, body | {"campaign_id": "cmp_0000000000000"}) == (404, "not_found")


def test_offers_must_differ_and_audiences_be_the_campaigns(
    api: Api, world: World, campaign: str, creatives: list[str]
) -> None:
    plain = api.make("/creatives", cards_body(campaign))["id"]
    offers = experiment_body(campaign, [creatives[0], plain], subject="offers")
    assert refusal(api, offers) == (422, "offers_alike")
    assert api.make("/experiments", experiment_body(campaign, creatives, subject="offers"))
    named = [world.audience, api.make("/audiences", audience_body(world.advertiser))["id"]]
    other = api.make("/campaigns", campaign_body(world.advertiser))["id"]
    arms = [
        {"name": f"{n}", "share_bps": 5_000, "audience_ids": [audience]} for n, audience in enumerate(named)
    ]
    body = experiment_body(other, creatives, subject="audiences", arms=arms)
    assert refusal(api, body) == (422, "unknown_in_arm")
    audiences = {"audiences": [{"audience_id": one} for one in named]}
    assert api.call("PATCH", f"/campaigns/{other}", audiences).status_code == 200
    made = api.make("/experiments", body)
    assert [arm["audience_ids"] for arm in made["arms"]] == [[one] for one in named]


def test_a_campaign_has_one_experiment_at_a_time(
    api: Api, world: World, campaign: str, creatives: list[str]
) -> None:
    body = experiment_body(campaign, creatives)
    made = api.make("/experiments", body)
    later = body | {"starts_at": "2026-12-01T00:00:00Z"}
    assert refusal(api, later) == (409, "experiment_overlaps")
    path = f"/experiments/{made['id']}"
    assert api.call("PATCH", path, {"ends_at": "2026-12-01T00:00:00Z"}).status_code == 200
    api.make("/experiments", later)
    prolonged = api.call("PATCH", path, {"ends_at": None})
    assert (prolonged.status_code, prolonged.json()["code"]) == (409, "experiment_overlaps")


@pytest.mark.parametrize("field", ["arms", "metric", "visitors_planned", "starts_at", "campaign_id"])
def test_what_is_compared_cannot_be_changed(
    api: Api, world: World, campaign: str, creatives: list[str], field: str
) -> None:
    body = experiment_body(campaign, creatives, starts_at="2026-11-20T00:00:00Z")
    made = api.make("/experiments", body)
    response = api.call("PATCH", f"/experiments/{made['id']}", {field: body[field]})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_what_visitors_did_is_told_by_arm_and_in_a_sentence(
    api: Api, world: World, campaign: str, creatives: list[str]
) -> None:
    made = api.make("/experiments", experiment_body(campaign, creatives))
    key = key_behind(made["id"])
    live(api, world, range(1, 101), lambda one: Entry(key, one % 2, key_behind(campaign)), campaign)
    told = api.call("GET", f"/experiments/{made['id']}").json()
    figures = [(arm["visitors"], arm["impressions"], arm["clicks"], arm["purchases"]) for arm in told["arms"]]
    assert figures == [(50, 100, 17, 17), (50, 100, 33, 33)]
    assert told["arms"][1]["revenue_micros"] == 33 * BASKET
    assert told["arms"][0]["comparisons"] == []
    (clicked, *_) = told["arms"][1]["comparisons"]
    assert (clicked["metric"], clicked["rate"], clicked["relative"]) == ("click_rate", 0.33, 0.9412)
    wide, narrow = clicked["any_day_interval"], clicked["fixed_interval"]
    assert wide["low"] < narrow["low"] < 0.94 < narrow["high"] < wide["high"]
    assert told["said"].startswith("arm 1 is clicked between ") and told["sizes"]["sound"]


def live(api: Api, world: World, visitors: range, arm_of: Callable[[int], Entry], campaign: str) -> None:
    """Two ads are seen; of those in the second arm two in three click and buy, of the others one in three."""
    advertiser_key, writes = key_behind(world.advertiser), list[Write]()
    for visitor in visitors:
        entry, key = arm_of(visitor), 1_000 * visitor
        looked, ordered = (
            Event(EventName.VIEW_ITEM),
            Event(EventName.PURCHASE, value_micros=BASKET, currency="EUR"),
        )
        writes += [
            StoreEvent(key, advertiser_key, visitor, False, looked, NOW_MS),
            EnterExperiments(visitor, advertiser_key, "EUR", NOW_MS, (entry,)),
        ]
        acts = visitor // 2 % 3 == 1 or (entry.arm == 1 and visitor // 2 % 3 == 2)
        for n in (1, 2):
            events = (AdEvent.IMPRESSION, AdEvent.CLICK) if acts and n == 1 else (AdEvent.IMPRESSION,)
            writes.append(RecordAd(tuple(ad(world, event, key + n, visitor, campaign) for event in events)))
        if acts:
            at_ms = NOW_MS + MINUTE_MS
            writes.append(
                StoreEvent(key + 9, advertiser_key, visitor, False, ordered, at_ms, conversion_key=key)
            )
    api.storage.writer.commit_many(writes)


def ad(world: World, event: AdEvent, impression_id: int, visitor_key: int, campaign: str) -> AdRecord:
    record = make_record(world, event, impression_id, 0)
    return msgspec.structs.replace(record, visitor_key=visitor_key, campaign_key=key_behind(campaign))


# ---- holdouts ----


@pytest.mark.parametrize("bps", [-1, 5_001, 1.5, "500", None, True])
def test_a_holdout_is_a_share_of_half_at_most(api: Api, world: World, bps: object) -> None:
    response = api.call("PATCH", f"/advertisers/{world.advertiser}", {"holdout_bps": bps})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_an_advertiser_sets_its_own_holdout_and_is_told_since_when(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}"
    api.now_ms = NOW_MS
    changed = api.call("PATCH", path, {"holdout_bps": 500}, world.advertiser_key).json()
    assert (changed["holdout_bps"], changed["holdout_since"]) == (500, "2026-11-18T11:06:40.000Z")
    api.now_ms += MINUTE_MS
    again = api.call("PATCH", path, {"holdout_bps": 500, "name": "Same"}, world.advertiser_key).json()
    assert again["holdout_since"] == changed["holdout_since"]
    off = api.call("PATCH", path, {"holdout_bps": 0}, world.advertiser_key).json()
    assert (off["holdout_bps"], off["holdout_since"]) == (0, None)


def test_the_lift_of_an_advertiser_nobody_has_seen_says_what_is_missing(api: Api) -> None:
    world = World(api, "C")
    told = api.call("GET", f"/advertisers/{world.advertiser}/lift", key=world.advertiser_key).json()
    assert told["said"] == (
        "There is no holdout. Nobody who was to see an ad has bought yet: ask again once some have."
    )
    assert told["shown"]["visitors"] is None and told["returns"] is None
    api.call("PATCH", f"/advertisers/{world.advertiser}", {"holdout_bps": 500})
    told = api.call("GET", f"/advertisers/{world.advertiser}/lift").json()
    assert told["said"].startswith("Too few yet: Showing the ads and holding them back need at least 10")
    assert told["valid"] and told["sizes"]["chance"] == 1.0


def test_another_share_is_compared_anew(api: Api, world: World, campaign: str) -> None:
    path = f"/advertisers/{world.advertiser}"
    told = []
    for bps, visitors in ((600, range(201, 221)), (1_000, range(0))):
        api.now_ms += MINUTE_MS
        api.call("PATCH", path, {"holdout_bps": bps})
        advertiser = api.storage.accounts.advertiser(key_behind(world.advertiser))
        assert advertiser is not None
        key = holdout_key(advertiser)
        live(api, world, visitors, lambda _: Entry(key, 0), campaign)  # noqa: B023  asked at once
        told.append(api.call("GET", f"{path}/lift").json()["shown"]["visitors"])
    assert told == [20, None]
