"""Earnings that are withheld: what a statement says of them, what a release pays and a refund gives back."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adserver.domain.identity import read_id, write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.flows.manage import Refused
from adserver.flows.manage.holds import ManageHolds
from adserver.storage.audit import as_json, audit
from adserver.writes import RecordAd, Result
from tests.web.api import NOW_MS, Api, World, make_record, slot_body

DAY_MS = 86_400_000
PRICE, SHARE = 250_000, 175_000


def earn(api: Api, world: World, impression_id: int, at_ms: int = NOW_MS, **more: Any) -> None:
    record = make_record(world, AdEvent.CLICK, impression_id, PRICE)
    record = replace(record, publisher_micros=Micros(SHARE), at_ms=at_ms, **more)
    assert api.storage.writer.commit(RecordAd((record,))).result == "taken"


def draft(world: World, **more: Any) -> dict[str, Any]:
    return {
        "publisher_id": world.publisher,
        "since": "2026-11-01T00:00:00Z",
        "reason": "clicks from one office",
    } | more


def statement(api: Api, world: World, month: str = "2026-11", key: str | None = None) -> dict[str, Any]:
    answer = api.call("GET", f"/publishers/{world.publisher}/statements/{month}", key=key)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def payable(api: Api, world: World, month: str = "2026-11") -> int:
    (total,) = statement(api, world, month)["totals"]
    return int(total["payable_micros"])


def test_what_is_held_is_not_payable_and_the_publisher_is_told_why(api: Api, world: World) -> None:
    earn(api, world, 1)
    earn(api, world, 2)
    assert payable(api, world) == 2 * SHARE
    hold = api.make("/payout-holds", draft(world))
    told = statement(api, world, key=world.publisher_key)
    (total,), (held,) = told["totals"], told["holds"]
    assert (total["net_micros"], total["withheld_micros"], total["payable_micros"]) == (
        2 * SHARE,
        2 * SHARE,
        0,
    )
    assert (held["hold_id"], held["reason"], held["withheld_micros"]) == (
        hold["id"], "clicks from one office", 2 * SHARE,
    )  # fmt: skip


def test_a_release_pays_with_the_month_in_which_it_comes(api: Api, world: World) -> None:
    earn(api, world, 1)
    hold = api.make("/payout-holds", draft(world))
    api.now_ms += 20 * DAY_MS  # December
    assert api.call("POST", f"/payout-holds/{hold['id']}/release").json()["ending"] == "released"
    assert payable(api, world) == 0  # a closed month stays as it was
    (december,) = statement(api, world, "2026-12")["totals"]
    assert (december["net_micros"], december["freed_micros"], december["payable_micros"]) == (0, SHARE, SHARE)
    assert statement(api, world, "2027-01")["totals"] == []


def give_back(api: Api, impression_id: int, name: str) -> None:
    """A fifth of the click's charge."""
    charge_id = write_id("chg", impression_id << 2 | AdEvent.CLICK)
    body = {"charge_id": charge_id, "refund_id": name, "amount_micros": PRICE // 5, "reason": "odd"}
    answer = api.call("POST", "/refunds", body, headers={"Idempotency-Key": name})
    assert answer.status_code == 200, answer.text


def test_a_refund_under_a_hold_takes_nothing_of_what_was_earned_elsewhere(api: Api, world: World) -> None:
    """Not in its month, nor in the next; and what is left of it is paid when it is released."""
    other = api.make("/slots", slot_body(world.site, name="Other"))["id"]
    earn(api, world, 1)
    earn(api, world, 2, slot_key=read_id("slot", other))
    hold = api.make("/payout-holds", draft(world, slot_id=world.slot))
    assert payable(api, world) == SHARE
    api.now_ms += 1
    give_back(api, 1, "first")
    assert payable(api, world) == SHARE
    api.now_ms += 20 * DAY_MS  # December
    give_back(api, 1, "second")
    assert (payable(api, world), payable(api, world, "2026-12")) == (SHARE, 0)
    assert api.call("POST", f"/payout-holds/{hold['id']}/release").status_code == 200
    assert payable(api, world, "2026-12") == SHARE * 3 // 5
    (november,) = statement(api, world)["totals"]
    assert november["withheld_micros"] - november["freed_micros"] == SHARE * 4 // 5


def test_what_a_refund_has_not_reached_is_not_paid_out(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was interrupted between the hold's end and the charges, and is taken up a month later."""
    earn(api, world, 1)
    hold = api.make("/payout-holds", draft(world))
    api.now_ms += 1
    with monkeypatch.context() as interrupted:
        interrupted.setattr(ManageHolds, "_give_back", lambda self, hold: Refused(Result.UNRECORDED))
        assert api.call("POST", f"/payout-holds/{hold['id']}/refund").status_code == 503
    assert payable(api, world) == 0
    api.now_ms += 20 * DAY_MS
    assert api.call("POST", f"/payout-holds/{hold['id']}/refund").status_code == 200
    assert payable(api, world) == 0
    (december,) = statement(api, world, "2026-12")["totals"]
    assert (december["freed_micros"], december["carried_micros"], december["payable_micros"]) == (SHARE, 0, 0)


def test_what_was_earned_in_a_closed_month_is_withheld_from_the_next(api: Api, world: World) -> None:
    earn(api, world, 1)
    api.now_ms += 20 * DAY_MS
    earn(api, world, 2, at_ms=api.now_ms)
    earn(api, world, 3, at_ms=api.now_ms)
    api.make("/payout-holds", draft(world, until="2026-12-01T00:00:00Z"))
    assert payable(api, world) == SHARE
    assert payable(api, world, "2026-12") == 2 * SHARE - SHARE


def test_a_refund_gives_the_advertiser_everything_back_and_takes_nothing_twice(
    api: Api, world: World
) -> None:
    for number in range(3):
        earn(api, world, number + 1)
    api.now_ms += 1
    hold = api.make("/payout-holds", draft(world))
    (sums,) = api.call("GET", f"/payout-holds/{hold['id']}").json()["sums"]
    assert (sums["charges"], sums["earned_micros"], sums["charged_micros"]) == (3, 3 * SHARE, 3 * PRICE)
    for _ in range(2):  # the second, as after an interruption, has nothing left to do
        answer = api.call("POST", f"/payout-holds/{hold['id']}/refund")
        assert (answer.status_code, answer.json()["ending"]) == (200, "refunded")
    assert api.call("GET", f"/campaigns/{world.campaign}").json()["spend_micros"] == 0
    (total,) = statement(api, world)["totals"]
    assert (total["net_micros"], total["payable_micros"]) == (0, 0)
    assert total["withheld_micros"] == total["freed_micros"]
    report = as_json(audit(Path(api.storage.path)))
    assert [one for one in report["checks"] if one["violations"]] == []


def test_more_charges_than_one_word_may_move_are_refused_and_stay(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    earn(api, world, 1)
    hold = api.make("/payout-holds", draft(world))
    api.now_ms += 1
    monkeypatch.setattr("adserver.flows.manage.holds.MOST_REFUNDS", 0)
    answer = api.call("POST", f"/payout-holds/{hold['id']}/refund")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_charges")
    assert api.call("GET", f"/payout-holds/{hold['id']}").json()["ending"] is None


def test_a_slots_hold_leaves_the_publishers_other_slots_alone(api: Api, world: World) -> None:
    other = api.make("/slots", slot_body(world.site, name="Other"))["id"]
    earn(api, world, 1)
    api.make("/payout-holds", draft(world, slot_id=other))
    assert payable(api, world) == SHARE
    api.make("/payout-holds", draft(world, slot_id=world.slot))
    assert payable(api, world) == 0


def test_nothing_is_held_twice(api: Api, world: World) -> None:
    first = api.make("/payout-holds", draft(world))
    for again in (draft(world), draft(world, slot_id=world.slot)):
        answer = api.call("POST", "/payout-holds", again)
        assert (answer.status_code, answer.json()["code"]) == (409, "already_held")
    api.call("POST", f"/payout-holds/{first['id']}/release")
    assert api.call("POST", f"/payout-holds/{first['id']}/release").json()["code"] == "hold_ended"
    assert api.call("POST", f"/payout-holds/{first['id']}/refund").json()["code"] == "hold_ended"
    api.make("/payout-holds", draft(world, slot_id=world.slot))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"until": "2026-10-01T00:00:00Z"}, "bad_span"),
        ({"slot_id": "slot_0000000000000"}, "unknown_owner"),
        ({"publisher_id": "pub_0000000000000"}, "unknown_owner"),
        ({"since": "yesterday"}, "invalid_request"),
        ({"reason": ""}, "invalid_request"),
    ],
)
def test_a_hold_of_nothing_is_refused(api: Api, world: World, more: dict[str, str], code: str) -> None:
    answer = api.call("POST", "/payout-holds", draft(world, **more))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_publishers_see_their_own_and_change_none(api: Api, world: World) -> None:
    hold = api.make("/payout-holds", draft(world))
    mine, others = world.publisher_key, World(api, "B").publisher_key
    assert [one["id"] for one in api.call("GET", "/payout-holds", key=mine).json()["items"]] == [hold["id"]]
    assert api.call("GET", "/payout-holds", key=others).json()["items"] == []
    assert api.call("GET", f"/payout-holds/{hold['id']}", key=others).status_code == 404
    for action in ("release", "refund"):
        assert api.call("POST", f"/payout-holds/{hold['id']}/{action}", key=mine).status_code == 403
    assert api.call("POST", "/payout-holds", draft(world), key=mine).status_code == 403


def test_holds_are_in_the_audit_log(api: Api, world: World) -> None:
    hold = api.make("/payout-holds", draft(world))
    api.call("POST", f"/payout-holds/{hold['id']}/release")
    told = api.call("GET", "/audit-log", params={"entity_id": hold["id"]}).json()["items"]
    assert [one["action"] for one in told] == ["changed", "created"]
