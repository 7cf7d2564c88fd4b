"""A chain is shown whole or in pages, always as it was hashed, with the heads that were signed."""

import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adserver.flows.prove import Prove
from adserver.flows.seal import Seal
from adserver.outside.signer import HeadSigner
from tests.web.api import NOW_MS, Api, World, charge, key_behind

DAY_MS = 86_400_000
CENT = 10_000


def seal(api: Api, days: int = 1) -> int:
    """The job of sealing, on the days after."""
    api.now_ms = NOW_MS + days * DAY_MS
    return Seal(api.storage.writer, api.storage.seals, HeadSigner(b"s" * 32), api.clock).run()


def replayed(lines: list[bytes]) -> str:
    head = bytes(32)
    for line in lines:
        head = sha256(head + line).digest()
    return head.hex()


def refund(api: Api, charge_id: str, amount_micros: int) -> None:
    body = {"charge_id": charge_id, "refund_id": "r-1", "amount_micros": amount_micros, "reason": "returned"}
    answer = api.call("POST", "/refunds", body, headers={"Idempotency-Key": charge_id})
    assert answer.status_code in (200, 201), answer.text


def charges_of(api: Api, world: World) -> list[str]:
    items = api.call("GET", f"/campaigns/{world.campaign}/entries").json()["items"]
    return [one["charge_id"] for one in items if one["kind"] == "charge"]


def test_a_campaigns_export_comes_to_the_head_and_balance_of_its_proof(api: Api, world: World) -> None:
    for impression_id in range(1, 8):
        charge(api, world, 25 * CENT, impression_id)
    refund(api, charges_of(api, world)[0], 5 * CENT)
    api.call("PATCH", f"/campaigns/{world.campaign}", {"total_budget_micros": 500 * CENT})
    proof = api.call("GET", f"/campaigns/{world.campaign}/proof", key=world.advertiser_key).json()
    export = api.call(
        "GET", f"/campaigns/{world.campaign}/entries", key=world.advertiser_key, params={"format": "ndjson"}
    )
    lines = export.content.splitlines()
    assert export.headers["content-type"] == "application/x-ndjson"
    assert export.headers["x-chain-entries"] == str(len(lines)) == str(proof["entries"]) == "10"
    assert replayed(lines) == proof["head"] == export.headers["x-chain-head"]
    assert (proof["spent_micros"], proof["refunded_micros"]) == (170 * CENT, 5 * CENT)
    assert (proof["total_cap_micros"], proof["daily_cap_micros"]) == (500 * CENT, None)
    assert (proof["owner"], proof["currency"], proof["pending_micros"]) == (world.campaign, "EUR", 0)
    assert proof["heads"] == []


def test_pages_of_entries_are_the_export_word_for_word(api: Api, world: World) -> None:
    for impression_id in range(1, 6):
        charge(api, world, 25 * CENT, impression_id)
    path = f"/campaigns/{world.campaign}/entries"
    export = api.call("GET", path, params={"format": "ndjson"}).content.splitlines()
    pages: list[object] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.call("GET", path, params={"limit": 4} | cursor)
        pages += page.json()["items"]
        assert sum(line in page.content for line in export) == len(page.json()["items"])
        if page.json()["next_cursor"] is None:
            break
        cursor = {"cursor": page.json()["next_cursor"]}
    assert pages == [json.loads(line) for line in export]
    assert len(export) == 6


def test_an_accounts_chain_names_the_heads_of_its_campaigns(api: Api, world: World) -> None:
    charge(api, world, 25 * CENT)
    assert seal(api) == 1
    campaign = api.call("GET", f"/campaigns/{world.campaign}/proof").json()
    proof = api.call("GET", f"/advertisers/{world.advertiser}/proof", key=world.advertiser_key).json()
    path = f"/advertisers/{world.advertiser}/entries"
    lines = api.call("GET", path, params={"format": "ndjson"}).content.splitlines()
    assert replayed(lines) == proof["head"]
    day = json.loads(lines[-1])
    assert (day["kind"], day["day"]) == ("day", 20261118)
    told = {"entries": campaign["entries"], "head": campaign["head"]}
    assert day["campaigns"] == {world.campaign: told}
    assert proof["spent_micros"] == 25 * CENT


def test_sealed_days_are_signed_with_the_key_that_everyone_may_ask_for(api: Api, world: World) -> None:
    charge(api, world, 25 * CENT)
    seal(api)
    told = api.call("GET", "/proof-key", key=world.publisher_key).json()
    assert told["algorithm"] == "Ed25519"
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(told["public_key"]))
    for path in (f"/campaigns/{world.campaign}", f"/advertisers/{world.advertiser}"):
        proof = api.call("GET", f"{path}/proof", key=world.advertiser_key).json()
        assert proof["public_key"] == told["public_key"]
        (head,) = proof["heads"]
        signature = bytes.fromhex(head.pop("signature"))
        message = json.dumps(head | {"owner": proof["owner"]}, sort_keys=True, separators=(",", ":"))
        key.verify(signature, message.encode())
        assert (head["day"], head["spent_micros"], head["pending_micros"]) == (20261118, 25 * CENT, 0)


def test_sealing_again_signs_nothing_and_days_that_were_missed_are_sealed_as_one(
    api: Api, world: World
) -> None:
    assert seal(api) == 1
    assert seal(api) == 0
    charge(api, world, 25 * CENT)  # by the clock of yesterday: in the chain, and not sealed yet
    assert seal(api, days=5) == 1
    heads = api.call("GET", f"/campaigns/{world.campaign}/proof").json()["heads"]
    assert [head["day"] for head in heads] == [20261118, 20261122]
    assert seal(api, days=9) == 0
    listed = api.call("GET", f"/campaigns/{world.campaign}/proof", params={"since": 20261119}).json()["heads"]
    assert [head["day"] for head in listed] == [20261122]


def test_the_newest_hundred_days_are_shown_and_any_from_a_day_on(api: Api, world: World) -> None:
    for days in range(1, 104):
        charge(api, world, CENT, days)
        seal(api, days)
    path = f"/campaigns/{world.campaign}/proof"
    newest = [head["day"] for head in api.call("GET", path).json()["heads"]]
    assert (len(newest), newest[-1]) == (100, 20270228)
    oldest = [head["day"] for head in api.call("GET", path, params={"since": 20261101}).json()["heads"]]
    assert (len(oldest), oldest[0]) == (100, 20261118)
    assert newest == sorted(newest)
    assert oldest == sorted(oldest)


@pytest.mark.parametrize(
    "asked",
    [{"format": "xml"}, {"limit": 0}, {"limit": 501}, {"cursor": "7"}, {"since": "2026-11-01"}, {"other": 1}],
    ids=str,
)
def test_a_question_that_is_not_understood_is_refused_by_its_field(
    api: Api, world: World, asked: dict[str, object]
) -> None:
    for path in (f"/campaigns/{world.campaign}/entries", f"/advertisers/{world.advertiser}/entries"):
        answer = api.call("GET", path, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert answer.json()["errors"][0]["field"].startswith("query.")


@pytest.mark.parametrize("since", ["x", "2026-11-01", 0, 10**9])
def test_a_day_that_is_none_is_refused(api: Api, world: World, since: object) -> None:
    answer = api.call("GET", f"/campaigns/{world.campaign}/proof", params={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_export_of_a_chain_ends_where_its_header_says_while_more_is_billed(
    api: Api, world: World
) -> None:
    charge(api, world, CENT, 1)
    prove = Prove(api.storage.proofs, HeadSigner(b"s" * 32))
    told = prove.export(key_behind(world.campaign))
    charge(api, world, CENT, 2)
    lines = [line for piece in told.pieces for line in piece]
    assert (len(lines), replayed(lines)) == (told.standing.entries, told.standing.head.hex())
