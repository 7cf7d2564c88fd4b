"""An order that a server tells with a `visitor` is credited to what that visitor clicked; nobody we know is refused."""

import httpx
import pytest
from msgspec.structs import replace

from adserver.domain.postback import signature_of
from adserver.domain.pricing import AdEvent
from adserver.writes import ForgetVisitor, RecordAd, StoreEvent
from pixel.cookie import party_id
from pixel.events import Event, EventName
from tests.web.api import (
    NOW_MS,
    PARTIES,
    Api,
    World,
    campaign_body,
    click_id,
    conversion_body,
    everything,
    key_behind,
    make_record,
)

VISITOR = 4_242_424_242
PRICE = 2_000_000
ROADS = pytest.mark.parametrize("road", ["conversions", "postback"])


@pytest.fixture
def campaign(api: Api, world: World) -> str:
    """It is paid by the sale; a visitor whom we know clicked its ad."""
    terms = {"pricing_model": "cpa", "rate_micros": PRICE}
    made: str = api.make("/campaigns", campaign_body(world.advertiser, **terms))["id"]
    api.refresh.load()
    for event_key in (1, 2):
        look = Event(EventName.VIEW_ITEM, event_id=f"look-{event_key}")
        api.storage.writer.commit(
            StoreEvent(event_key, key_behind(world.advertiser), VISITOR, False, look, NOW_MS)
        )
    clicked = replace(make_record(world, AdEvent.CLICK, 77, 0), visitor_key=VISITOR, at_ms=NOW_MS - 1_000)
    api.storage.writer.commit(RecordAd((replace(clicked, campaign_key=key_behind(made)),)))
    return made


def visitor(world: World) -> str:
    return party_id(VISITOR, key_behind(world.advertiser), PARTIES)


def tell(
    api: Api, world: World, road: str, told: str | None, attempt: str = "attempt-1", **more: str
) -> httpx.Response:
    """The same order by either road."""
    if road == "conversions":
        body = conversion_body(world.advertiser) | ({} if told is None else {"visitor": told}) | more
        headers = {"Idempotency-Key": attempt}
        return api.call("POST", "/conversions", body, world.advertiser_key, headers=headers)
    given = {"order_id": "R-1001", "nonce": attempt, "ts": str(api.now_ms // 1000)}
    given |= more | ({} if told is None else {"visitor": told})
    set_up = api.call("GET", f"/advertisers/{world.advertiser}/postback").json()
    signed = given | {"sig": signature_of(set_up["secret"], given)}
    return api.call("GET", f"/postback/{world.advertiser}", key="", params=signed)


def spend(api: Api, campaign_id: str) -> int:
    micros: int = api.call("GET", f"/campaigns/{campaign_id}").json()["spend_micros"]
    return micros


@ROADS
def test_an_order_is_credited_to_what_its_visitor_clicked_and_does_not_keep_who(
    api: Api, world: World, campaign: str, road: str
) -> None:
    assert tell(api, world, road, visitor(world)).json()["result"] == "taken"
    assert spend(api, campaign) == PRICE
    assert api.storage.reader.rows("SELECT visitor_key FROM conversions", ()) == [(0,)]


@ROADS
def test_without_a_visitor_the_same_order_is_nobodys(
    api: Api, world: World, campaign: str, road: str
) -> None:
    answer = tell(api, world, road, None).json()
    assert (answer["result"], answer["reason"]) == ("unattributed", "no_touch")


@ROADS
@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("", "invalid_request"),
        ("jane.doe@shop.example", "invalid_request"),
        ("A" * 32, "unknown_visitor"),
        ("another merchant's", "unknown_visitor"),
    ],
)
def test_an_id_that_is_nobodys_here_is_refused_by_name_and_nothing_is_stored(
    api: Api, world: World, campaign: str, road: str, told: str, code: str
) -> None:
    if told == "another merchant's":
        told = visitor(World(api, "B"))
    before = everything(api)
    answer = tell(api, world, road, told)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert everything(api) == before
    assert tell(api, world, road, visitor(world)).json()["result"] == "taken"


@ROADS
def test_whoever_was_forgotten_stays_so_and_the_order_may_be_told_without_them(
    api: Api, world: World, campaign: str, road: str
) -> None:
    api.storage.writer.commit(ForgetVisitor(VISITOR, 9, NOW_MS))
    before = everything(api)
    answer = tell(api, world, road, visitor(world))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_visitor")
    assert everything(api) == before
    assert tell(api, world, road, None).json()["result"] == "unattributed"


@ROADS
def test_a_valid_click_makes_up_for_a_visitor_who_was_forgotten_and_no_other_click_does(
    api: Api, world: World, campaign: str, road: str
) -> None:
    api.storage.writer.commit(ForgetVisitor(VISITOR, 9, NOW_MS))
    other = World(api, "B")
    foreign = api.make("/campaigns", campaign_body(other.advertiser, pricing_model="cpa", rate_micros=PRICE))
    api.refresh.load()
    before = everything(api)
    for click in ("AQb3", click_id(api, other, foreign["id"])):
        answer = tell(api, world, road, visitor(world), rtclid=click)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_visitor")
    assert everything(api) == before
    told = tell(api, world, road, visitor(world), rtclid=click_id(api, world, campaign))
    assert told.json()["result"] == "taken"
    assert spend(api, campaign) == PRICE
