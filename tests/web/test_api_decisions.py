"""Explain answers a slot's question with every candidate; of others' campaigns an advertiser learns numbers."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from adserver.domain.identity import read_id
from adserver.writes import AddCounts, Scope
from tests.contract.stores import make_sample
from tests.domain.makers import DAY_MS
from tests.domain.untried import try_nothing
from tests.web.api import (
    NOW_MS,
    Api,
    advertiser_body,
    campaign_body,
    cards_body,
    message_body,
    product_body,
    site_body,
    slot_body,
)


class Street:
    """Two shops with a campaign each, a news page's slot, and a visitor who looked at both shops' boots."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.shops: list[str] = []
        self.campaigns: list[str] = []
        for name, rate in (("Shop", 250_000), ("Other", 400_000)):
            domain = f"{name.lower()}.example"
            shop = api.make("/advertisers", advertiser_body(name=name, domains=[domain]))["id"]
            link = f"https://{domain}/boots"
            put = api.call("PUT", f"/advertisers/{shop}/products/boots", product_body(link=link))
            assert put.status_code < 300, put.text
            campaign = api.make("/campaigns", campaign_body(shop, name=name, rate_micros=rate))["id"]
            api.make("/creatives", cards_body(campaign))
            self.shops.append(shop)
            self.campaigns.append(campaign)
        self.publisher = api.make("/publishers", {"name": "News"})["id"]
        site = api.make("/sites", site_body(self.publisher))["id"]
        self.slot = api.make("/slots", slot_body(site))["id"]
        self.key = api.make_key(Scope.ADVERTISER, self.shops[0])

    def doings(self, *shops: str) -> dict[str, Any]:
        """Boots were looked at there, or at both."""
        seen = {"event": "view_item", "item_ids": ["boots"]}
        return {"events": [{"advertiser_id": shop} | seen for shop in shops or self.shops]}

    def explain(self, key: str | None = None, **more: Any) -> dict[str, Any]:
        asked = {"slot_id": self.slot, "profile": self.doings(), "dice": 0.5} | more
        response = self.api.call("POST", "/decisions/explain", asked, key)
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        return told


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    api = Api(tmp_path_factory.mktemp("explain"))
    with pytest.MonkeyPatch.context() as patch:
        try_nothing(patch)
        yield Street(api)
    api.close()


def test_an_operator_is_told_of_every_candidate_with_its_score(street: Street) -> None:
    told = street.explain()
    assert (told["filled"], told["campaign_id"], told["item_ids"]) == (True, street.campaigns[1], ["boots"])
    chosen, other = told["candidates"]
    assert (chosen["verdict"], other["verdict"]) == ("chosen", "outranked")
    assert chosen["score"]["ecpm_micros"] == pytest.approx(2_000_000)
    assert chosen["score"]["click_rate"] == pytest.approx(0.005)
    assert "1.2500, of the one that is shown 2.0000" in other["says"]
    assert (told["counts"], told["propensity"]) == ({"chosen": 1, "outranked": 1}, 1.0)


def test_an_advertiser_is_told_of_its_own_and_of_others_nothing(street: Street) -> None:
    """Not even how many there are: it would learn at which other shops a visitor was."""
    rival = street.api.make("/advertisers", advertiser_body(name="Third", domains=["third.example"]))["id"]
    body = campaign_body(rival, name="Third", rate_micros=400_000, contextual=True)
    campaign = street.api.make("/campaigns", body)["id"]
    street.api.make("/creatives", message_body(campaign, link="https://third.example/form"))
    told = street.explain(street.key, profile=street.doings(street.shops[0]))
    street.api.call("PATCH", f"/campaigns/{campaign}", {"contextual": False})  # no candidate any more
    assert [one["campaign_id"] for one in told["candidates"]] == [street.campaigns[0]]
    assert told["counts"] == {"outranked": 1}
    assert (told["filled"], told["campaign_id"], told["creative_id"], told["item_ids"]) == (
        True,
        None,
        None,
        [],
    )
    assert campaign not in str(told) and "Third" not in str(told) and "2.0000" not in str(told)


def test_an_advertiser_describes_nobody_who_was_at_anothers_shop(street: Street) -> None:
    for profile in (street.doings(), {"shown": [{"campaign_id": street.campaigns[1]}]}):
        asked = {"slot_id": street.slot, "profile": profile}
        assert street.api.call("POST", "/decisions/explain", asked, street.key).status_code == 404


FRENCH = {"country": "fr", "subdivisions": ["FR-IDF"], "device": "mobile", "language": "FR"}
ABOUT_RAIN = {"keywords": ["Rain  coat"], "categories": ["Weather > Rain"]}


@pytest.mark.parametrize(
    ("dimension", "value", "unknown"),
    [
        ("countries", "FR", "country_unknown"),
        ("subdivisions", "FR-IDF", "subdivision_unknown"),
        ("devices", "mobile", "device_unknown"),
        ("languages", "fr", "language_unknown"),
        ("keywords", "rain coat", "keyword_unknown"),
        ("categories", "weather", "category_unknown"),
    ],
)
def test_where_a_described_page_is_looked_at_is_asked_of_as_a_real_ones(
    street: Street, dimension: str, value: str, unknown: str
) -> None:
    campaign = f"/campaigns/{street.campaigns[1]}"
    targeting = {dimension: {"operand": "in", "values": [value]}}
    assert street.api.call("PATCH", campaign, {"targeting": targeting}).status_code == 200
    known, blank = street.explain(page=FRENCH | ABOUT_RAIN), street.explain()
    street.api.call("PATCH", campaign, {"targeting": None})
    assert known["campaign_id"] == street.campaigns[1]
    assert blank["counts"] == {"chosen": 1, unknown: 1}


def test_nobody_known_is_told_why_the_accounts_campaigns_stay_away(street: Street) -> None:
    told = street.explain(street.key, profile=None)
    (own,) = told["candidates"]
    assert (told["filled"], own["verdict"]) == (False, "not_in_audience")
    assert own["says"].startswith("Not shown: the visitor was not at the shop")


def test_a_time_to_come_and_a_profile_that_was_shown_much_are_judged_as_such(street: Street) -> None:
    campaign = street.campaigns[1]
    capped = {"frequency_cap": {"impressions": 2, "per": "day"}}
    assert street.api.call("PATCH", f"/campaigns/{campaign}", capped).status_code == 200
    seen = street.doings() | {"shown": [{"campaign_id": campaign, "times": 2}]}
    told = street.explain(profile=seen)
    other = next(one for one in told["candidates"] if one["campaign_id"] == campaign)
    assert (told["campaign_id"], other["verdict"]) == (street.campaigns[0], "frequency_cap")
    assert other["free_at"] is not None
    long_ago = {"events": [one | {"at": "2026-11-18T00:00:00Z"} for one in street.doings()["events"]]}
    assert street.explain(profile=long_ago, at="2027-01-30T00:00:00Z")["counts"] == {"no_product": 2}
    street.api.call("PATCH", f"/campaigns/{campaign}", {"frequency_cap": None})


def test_the_same_throw_gives_the_same_answer(street: Street) -> None:
    first = street.explain()
    assert street.explain() == first
    assert first["dice"] == 0.5


def test_nothing_is_counted_for_who_asks(street: Street) -> None:
    before = street.api.storage.stats.counts(None, 0)
    street.explain()
    assert street.api.storage.stats.counts(None, 0) == before


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"slot_id": "slot_0000000000001"}, 404),
        ({"slot_id": "boots"}, 422),
        ({"dice": 1.0}, 422),
        ({"dice": "high"}, 422),
        ({"at": "tomorrow"}, 422),
        ({"profile": {"events": [{"event": "view_item"}]}}, 422),
        ({"profile": {"shown": [{"campaign_id": "x", "times": 1}]}}, 422),
        ({"profile": {"loves": ["boots"]}}, 422),
        ({"visitor": {"advertiser_id": "adv_0000000000001", "id": "x"}}, 404),
        ({"unknown": 1}, 422),
        ({"page": {"country": "UK"}}, 422),
        ({"page": {"subdivisions": ["FR-IDF"]}}, 422),
        ({"page": {"device": "fridge"}}, 422),
        ({"page": {"keywords": ["anna@example.org"]}}, 422),
        ({"profile": {"events": [{"advertiser_id": "adv_0000000000001", "event": "view_item"}]}}, 404),
        ({"advertiser_id": "adv_0000000000001"}, 404),
    ],
)
def test_what_cannot_be_asked_is_refused(street: Street, more: dict[str, Any], status: int) -> None:
    asked = {"slot_id": street.slot} | more
    assert street.api.call("POST", "/decisions/explain", asked).status_code == status


def test_an_advertiser_asks_of_no_other_accounts_campaigns_and_visitors(street: Street) -> None:
    for more in (
        {"advertiser_id": street.shops[1]},
        {"visitor": {"advertiser_id": street.shops[1], "id": "x"}},
    ):
        asked = {"slot_id": street.slot} | more
        assert street.api.call("POST", "/decisions/explain", asked, street.key).status_code == 404


def test_a_publisher_does_not_ask(street: Street) -> None:
    key = street.api.make_key(Scope.PUBLISHER, street.publisher)
    assert street.api.call("POST", "/decisions/explain", {"slot_id": street.slot}, key).status_code == 403


def test_the_time_is_the_servers_unless_it_is_named(street: Street) -> None:
    assert street.explain()["at"].startswith("2026-11-18T11:06:40")
    assert NOW_MS == 1_795_000_000_000


# ---- counted refusals ----


def test_counted_refusals_are_told_by_hour_and_in_words(street: Street) -> None:
    campaign_key, hour = read_id("cmp", street.campaigns[0]), 3_600_000
    start = NOW_MS - NOW_MS % hour
    counted = [(start, "refused_paused", 7), (start - hour, "refused_outranked", 3), (start, "fills", 2)]
    assert campaign_key is not None
    street.api.storage.writer.commit(AddCounts(tuple((at, name, campaign_key, n) for at, name, n in counted)))
    told = street.api.call("GET", f"/campaigns/{street.campaigns[0]}/refusals", key=street.key).json()
    assert told["says"] == (
        "In the last 24 hours 12 requests could have shown it: 2 did; 7 while it was paused; 3 won by campaigns"
        " expected to earn more."
    )
    assert [(one["refusal"], one["requests"]) for one in told["reasons"]] == [("paused", 7), ("outranked", 3)]
    assert [(one["shown"], one["refused"]) for one in told["hours"]] == [
        (0, {"outranked": 3}),
        (2, {"paused": 7}),
    ]
    lately = street.api.call(
        "GET", f"/campaigns/{street.campaigns[0]}/refusals", params={"from": "2026-11-18T11:00:00Z"}
    ).json()
    assert (lately["requests"], lately["from"]) == (9, "2026-11-18T11:00:00.000Z")


@pytest.mark.parametrize(
    "period",
    [
        {"from": "2026-11-18T12:00:00Z", "to": "2026-11-18T11:00:00Z"},
        {"from": "2026-10-01T00:00:00Z"},
        {"from": "yesterday"},
        {"since": "2026-11-18T11:00:00Z"},
    ],
)
def test_hours_that_are_none_are_refused(street: Street, period: dict[str, str]) -> None:
    asked = street.api.call("GET", f"/campaigns/{street.campaigns[0]}/refusals", params=period)
    assert asked.status_code == 422


def test_hours_that_run_backwards_are_told_what_to_do(street: Street) -> None:
    asked = street.api.call(
        "GET", f"/campaigns/{street.campaigns[0]}/refusals", params={"from": "2026-10-01T00:00:00Z"}
    ).json()
    assert (asked["code"], asked["detail"]) == (
        "bad_hours",
        "Let `from` be before `to`, and 31 days at most.",
    )


def test_nobody_reads_anothers_refusals(street: Street) -> None:
    path = f"/campaigns/{street.campaigns[1]}/refusals"
    assert street.api.call("GET", path, key=street.key).status_code == 404


# ---- replay ----


def test_a_change_is_replayed_for_its_owner_and_nothing_is_changed(street: Street) -> None:
    slot_key, campaign = read_id("slot", street.slot), street.campaigns[0]
    assert slot_key is not None
    for key in range(1, 4):
        sample = make_sample(key, at_ms=NOW_MS - DAY_MS)
        street.api.storage.writer.commit(msgspec.structs.replace(sample, slot_key=slot_key))
    path, change = f"/campaigns/{campaign}/replay", {"change": {"rate_micros": 500_000}}
    before = street.api.call("GET", f"/campaigns/{campaign}").json()
    told = street.api.call("POST", path, change, street.key).json()
    assert (told["day"], told["samples"], told["requests"]) == ("2026-11-17", 3, 60)
    assert told["after"]["refused"] == {"not_in_audience": 60.0}  # the samples' visitor was at another shop
    assert told["notes"][0].startswith("There are few samples")
    assert street.api.call("GET", f"/campaigns/{campaign}").json() == before
    empty = street.api.call("POST", path, change | {"day": "2026-11-01"}, street.key)
    assert (empty.status_code, empty.json()["code"]) == (409, "no_samples")
    dollars = street.api.make("/advertisers", advertiser_body(name="Dollars", currency="USD"))["id"]
    foreign = street.api.make("/campaigns", campaign_body(dollars))["id"]
    unrated = street.api.call("POST", f"/campaigns/{foreign}/replay", change)
    assert (unrated.status_code, unrated.json()["code"]) == (409, "no_exchange_rate")
    other = f"/campaigns/{street.campaigns[1]}/replay"
    assert street.api.call("POST", other, change, street.key).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"change": {"budget": 1}},
        {"change": {"rate_micros": "high"}},
        {"day": "yesterday"},
        {"day": "2026-02-30"},
        {"changes": {}},
    ],
)
def test_a_replay_that_cannot_be_read_is_refused(street: Street, body: dict[str, Any]) -> None:
    path = f"/campaigns/{street.campaigns[0]}/replay"
    assert street.api.call("POST", path, body).status_code == 422
