"""The scripts of docs/proof.md, as they are printed there, check what a real server exports."""

import asyncio
import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import PROJECT
from tests.simulation.browser import Connection
from tests.simulation.crowd import readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPM, NEWS_PAGE, Shop, change_campaign, make_shop

PAGE = PROJECT / "docs" / "proof.md"
MOST_LINES = 20
DAY_SECONDS = 86_400
ITEM = "7"
READERS = 6
PRICE = 2_000  # of an impression
SIGNED = "SELECT count(*) FROM daily_heads WHERE signature IS NOT NULL"


def scripts() -> tuple[str, str]:
    """The page's two: one replays a chain, the other checks signatures."""
    replay, verify = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return replay, verify


def run(folder: Path, script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    command = [sys.executable, str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Exported:
    """What an advertiser fetched of a campaign: its proof, then its entries."""

    def __init__(self, folder: Path, proof: dict[str, Any], entries: bytes) -> None:
        self.folder = folder
        self.proof = proof
        self.lines = entries.splitlines()

    def replay(self, lines: list[bytes], **proof: object) -> subprocess.CompletedProcess[str]:
        """Run the page's script over these lines, and the proof with what is said of it otherwise."""
        entries, told = self.folder / "entries.ndjson", self.folder / "proof.json"
        entries.write_bytes(b"".join(line + b"\n" for line in lines))
        told.write_text(json.dumps(self.proof | proof), encoding="utf-8")
        return run(self.folder, scripts()[0], entries, told)

    def charge_lines(self) -> list[int]:
        return [place for place, line in enumerate(self.lines) if b'"kind":"charge"' in line]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Impressions, a refund and two budgets; sealed by the server as it starts again on the next day."""
    folder = tmp_path_factory.mktemp("proof")
    with RunningServer(folder) as server:
        shop = make_shop(server, [ITEM], {"cpm": CPM | {"total_budget_micros": 40 * PRICE}})
        asyncio.run(show_ads(server, shop))
        campaign = shop.campaigns["cpm"]
        with server.api() as api:
            page = api.get(f"/campaigns/{campaign}/entries").json()["items"]
            charge = next(one["charge_id"] for one in page if one["kind"] == "charge")
            refund = {"charge_id": charge, "refund_id": "r", "amount_micros": 500, "reason": "a test"}
            answer = api.post("/refunds", json=refund, headers={"Idempotency-Key": "r"})
            assert answer.status_code in (200, 201), answer.text
            change_campaign(api, campaign, daily_budget_micros=30 * PRICE)
    with RunningServer(folder, test_mode="1", clock_offset_seconds=str(DAY_SECONDS)) as server:
        wait_until(lambda: server.rows(SIGNED) == [(2,)], "the day is sealed and signed")
        with server.api() as api:
            proof = api.get(f"/campaigns/{campaign}/proof").json()
            export = api.get(f"/campaigns/{campaign}/entries", params={"format": "ndjson"})
        server.assert_audit_is_clean()
    return Exported(tmp_path_factory.mktemp("exported"), proof, export.content)


async def show_ads(server: RunningServer, shop: Shop) -> None:
    """A few readers see an ad of the shop, each at its price."""
    async with Connection(server.url) as connection:
        for reader in await readers_of_an_ad(server, shop, READERS, ITEM):
            answer = await reader.browser.get(connection, f"/i?t={reader.shown.token}&debug=1", NEWS_PAGE)
            assert answer.charge == "taken", answer


def test_the_replay_script_is_no_longer_than_was_promised() -> None:
    lines = scripts()[0].strip().splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 115
    assert re.findall(r"^(?:import|from) .*", scripts()[0], re.MULTILINE) == ["import hashlib, json, sys"]


def test_the_replay_comes_to_the_balance_and_the_head_of_the_server(exported: Exported) -> None:
    done = exported.replay(exported.lines)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "entries": exported.proof["entries"],
        "balance_micros": READERS * PRICE - 500,
        "head": exported.proof["head"],
    }
    assert exported.proof["spent_micros"] == READERS * PRICE - 500
    kinds = [json.loads(line)["kind"] for line in exported.lines]
    assert kinds.count("charge") == READERS and kinds.count("refund") == 1 and kinds.count("caps") >= 2


def test_what_was_billed_after_the_proof_is_left_out_of_the_replay(exported: Exported) -> None:
    done = exported.replay([*exported.lines, b'{"entry":99,"kind":"charge"}'])
    assert done.returncode == 0, done.stderr


def renumbered(lines: list[bytes]) -> list[bytes]:
    """Entries put together anew, so that nothing but the hash tells that they are others."""
    entries = [json.loads(line) | {"entry": number} for number, line in enumerate(lines, 1)]
    return [json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() for entry in entries]


def test_no_charges_amount_can_be_altered(exported: Exported) -> None:
    for place in exported.charge_lines():
        lines = list(exported.lines)
        lines[place] = lines[place].replace(b'"amount_micros":2000', b'"amount_micros":1999')
        assert lines != exported.lines
        assert exported.replay(lines).returncode != 0
        assert exported.replay(lines, spent_micros=exported.proof["spent_micros"] - 1).returncode != 0


def test_the_order_of_charges_cannot_be_altered(exported: Exported) -> None:
    first, second, *_ = exported.charge_lines()
    lines = list(exported.lines)
    lines[first], lines[second] = lines[second], lines[first]
    assert exported.replay(lines).returncode != 0
    assert "not what the proof says" in exported.replay(renumbered(lines)).stderr


def test_no_charge_can_be_left_out_or_added(exported: Exported) -> None:
    for place in exported.charge_lines():
        lines = exported.lines[:place] + exported.lines[place + 1 :]
        less = {"entries": len(lines), "spent_micros": exported.proof["spent_micros"] - PRICE}
        assert exported.replay(lines).returncode != 0
        assert exported.replay(renumbered(lines), **less).returncode != 0
    last = exported.charge_lines()[-1]
    more = [*exported.lines[: last + 1], *exported.lines[last:]]
    assert "is there twice" in exported.replay(renumbered(more), entries=len(more)).stderr


@pytest.mark.parametrize("told", [{"spent_micros": 0}, {"head": "0" * 64}, {"entries": 3}], ids=str)
def test_no_proof_can_say_something_else_than_its_chain(exported: Exported, told: dict[str, object]) -> None:
    assert exported.replay(exported.lines, **told).returncode != 0


def test_a_chain_that_was_put_together_anew_shows_the_budget_it_passes(exported: Exported) -> None:
    for cap in (b'"total_budget_micros":9999', b'"total_budget_micros":1'):
        lines = [line.replace(b'"total_budget_micros":80000', cap) for line in exported.lines]
        assert lines != exported.lines
        head = bytes(32)
        for line in lines:
            head = sha256(head + line).digest()
        assert "a budget is passed" in exported.replay(lines, head=head.hex()).stderr


def test_more_cannot_be_given_back_than_was_charged(exported: Exported) -> None:
    lines = [line.replace(b'"amount_micros":500,', b'"amount_micros":2001,') for line in exported.lines]
    assert "more was given back than charged" in exported.replay(lines).stderr


def test_the_signatures_of_the_days_are_checked_by_the_pages_other_script(exported: Exported) -> None:
    told = exported.folder / "signed.json"
    told.write_text(json.dumps(exported.proof), encoding="utf-8")
    done = run(exported.folder, scripts()[1], told)
    assert (done.returncode, done.stdout) == (0, f"1 signed days of {exported.proof['owner']}\n"), done.stderr
    (head,) = exported.proof["heads"]
    assert (head["entries"], head["head"]) == (exported.proof["entries"], exported.proof["head"])


@pytest.mark.parametrize("field", ["day", "entries", "spent_micros", "pending_micros", "head", "owner"])
def test_a_signed_day_cannot_be_altered_in_any_field(exported: Exported, field: str) -> None:
    proof = json.loads(json.dumps(exported.proof))
    if field == "owner":
        proof["owner"] = "cmp_0000000000000"
    else:
        head = proof["heads"][0]
        head[field] = "0" * 64 if field == "head" else head[field] + 1
    told = exported.folder / "signed.json"
    told.write_text(json.dumps(proof), encoding="utf-8")
    done = run(exported.folder, scripts()[1], told)
    assert done.returncode != 0
    assert "InvalidSignature" in done.stderr
