"""Decisions leave their samples as they are served, and `adserver replay` reads them beside the server."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from adserver import __main__
from adserver.domain.audience import Rule
from adserver.domain.campaign import Campaign, FrequencyCap, Pacing, Period, Refusal
from adserver.domain.decision_sample import MOST_BYTES, ONE_IN, read_sample
from adserver.domain.experiment import is_held_out
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, AudienceRate
from adserver.domain.product_choice import ProductChoice
from adserver.domain.targeting import Condition, Targeting
from adserver.flows.replay import Caveat, NoReplay, Replay, Replayed
from adserver.storage import decision_samples
from pixel.events import EventName
from tests.contract.stores import save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    NOW_MS,
    SITE,
    TODAY,
    make_advertiser,
    make_audience,
)
from tests.flows.street import READER, SHOPPER, Street

FIRST = ONE_IN * 10**12 - NOW_MS // DAY_MS % ONE_IN + ONE_IN  # a visitor who is sampled today
SAMPLED = [FIRST + ONE_IN * place for place in range(30)]
DAY = f"{TODAY // 10_000}-{TODAY // 100 % 100:02}-{TODAY % 100:02}"
CAMPAIGN_ID = write_id("cmp", CAMPAIGN)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A day on which thirty sampled visitors saw two ads each, and one of them clicked."""
    street = Street(tmp_path_factory.mktemp("replay"))
    street.open(rate_micros=Micros(250_000))
    for place, visitor in enumerate(SAMPLED):
        shopper, reader = (msgspec.structs.replace(one, visitor_key=visitor) for one in (SHOPPER, READER))
        for _ in range(2):
            street.hit(shopper)
        for turn in range(2):
            token = street.token(reader)
            street.see(token)
            if turn and place == 3:
                street.click(token)
    yield street
    street.close()


def replay_of(street: Street) -> Replay:
    stores, rates = street.storage, {"EUR": 1.0}
    return Replay(
        street.memory.snapshot, stores.decision_samples, stores.catalogue, street.clock, rates,
        street.refresh.if_stale,
    )  # fmt: skip


def replayed(street: Street, day: int | None = TODAY, **change: object) -> Replayed:
    def edit(campaign: Campaign) -> Campaign:
        terms = {name: change[name] for name in ("rate_micros", "audience_rates") if name in change}
        own = {name: value for name, value in change.items() if name not in terms}
        changed = msgspec.structs.replace(campaign, **own)
        return msgspec.structs.replace(changed, terms=msgspec.structs.replace(campaign.terms, **terms))

    found = replay_of(street).run(CAMPAIGN, edit, day)
    assert isinstance(found, Replayed)
    return found


def test_a_sample_has_the_number_of_its_ad_and_what_the_ad_led_to(street: Street) -> None:
    (recorded,) = list(street.storage.decision_samples.between(0, NOW_MS + DAY_MS))
    decided = {key for (key,) in street.rows("SELECT impression_id FROM decisions")}
    assert {one.key for one in recorded} <= decided
    assert len(recorded) == 60 and {one.visitor_key for one in recorded} == set(SAMPLED)
    assert sum(AdEvent.CLICK in one.events for one in recorded) == 1
    assert all(AdEvent.IMPRESSION in one.events for one in recorded)
    assert recorded[0].sample.winner_key == CAMPAIGN
    sizes = [len(body) for (body,) in street.rows("SELECT body FROM decision_samples")]  # type: ignore[arg-type]
    assert max(sizes) <= MOST_BYTES


def test_the_day_as_it_was_is_told_as_it_was(street: Street) -> None:
    found = replayed(street)
    assert found.before == found.after
    assert (found.samples, found.after.requests) == (60, 60 * ONE_IN)
    assert found.after.deliveries.expected == 60 * ONE_IN
    assert found.after.reach.expected == 30 * ONE_IN
    assert found.after.clicks.low < 1 * ONE_IN < found.after.clicks.high
    assert found.caveats == (Caveat.FEW_SAMPLES,)


def test_a_change_is_told_beside_what_was(street: Street) -> None:
    half = replayed(street, daily_budget_micros=Micros(500_000))
    assert half.after.spend_micros.high <= 500_000
    assert half.after.refused["budget_exhausted"] > 0
    assert half.after.deliveries.expected < half.before.deliveries.expected
    dearer = replayed(street, rate_micros=Micros(500_000))
    assert dearer.after.spend_micros.expected == 2 * dearer.before.spend_micros.expected
    assert (
        replayed(street, pacing=Pacing.EVEN, daily_budget_micros=Micros(500_000)).after.refused["paced"] > 0
    )


def test_a_campaign_that_is_yet_to_come_is_replayed_as_if_it_ran(street: Street) -> None:
    found = replayed(street, starts_at_ms=NOW_MS + 9 * DAY_MS)
    assert found.after.deliveries == found.before.deliveries
    assert Caveat.SCHEDULE_LIFTED in found.caveats


def test_what_samples_do_not_tell_is_said(street: Street) -> None:
    often = make_audience(inclusions=(Rule(EventName.VIEW_ITEM, 30, at_least=2),))
    suggests = replayed(street, products=ProductChoice.SIMILAR)
    assert suggests.caveats == (Caveat.FEW_SAMPLES, Caveat.SUGGESTS)
    save_new(street.storage, often)
    street.refresh.poll()
    detailed = replayed(street, audience_rates=(AudienceRate(often.key),))
    assert detailed.caveats == (Caveat.FEW_SAMPLES, Caveat.DETAILED_AUDIENCE)


def test_samples_are_read_piece_by_piece(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_samples, "AT_ONCE", 7)
    pieces = list(street.storage.decision_samples.between(0, NOW_MS + DAY_MS))
    keys = [one.key for piece in pieces for one in piece]
    assert (len(pieces), len(keys), len(set(keys))) == (9, 60, 60)


def test_targeting_is_replayed_as_far_as_a_sample_tells_the_place(street: Street) -> None:
    elsewhere = replayed(street, targeting=Targeting(sites=Condition((), (write_id("site", SITE),))))
    assert elsewhere.after.refused == {"site_not_targeted": 60 * ONE_IN}
    here = replayed(street, targeting=Targeting(sites=Condition((write_id("site", SITE),))))
    assert here.after == here.before and Caveat.PLACE_UNKNOWN not in here.caveats
    in_france = replayed(street, targeting=Targeting(countries=Condition(("FR",))))
    assert in_france.after == in_france.before and Caveat.PLACE_UNKNOWN in in_france.caveats


def test_an_advertisers_cap_and_its_holdout_are_replayed(street: Street) -> None:
    snapshot, known = street.memory.snapshot, street.memory.snapshot.advertisers[ADVERTISER]
    snapshot.advertisers[ADVERTISER] = make_advertiser(frequency_cap=FrequencyCap(1, Period.DAY))
    assert replayed(street).after.refused == {"advertiser_cap": 30 * ONE_IN}
    held = snapshot.advertisers[ADVERTISER] = make_advertiser(holdout_bps=5_000, holdout_draw=1)
    held_out = sum(is_held_out(visitor, held) for visitor in SAMPLED)
    assert replayed(street).after.refused == {"holdout": 2 * held_out * ONE_IN} != {"holdout": 0}
    snapshot.advertisers[ADVERTISER] = known


def test_what_cannot_be_replayed_says_why(street: Street) -> None:
    replay = replay_of(street)
    assert replay.run(CAMPAIGN + 1, lambda campaign: campaign) is NoReplay.NO_CAMPAIGN
    assert replay.run(CAMPAIGN, lambda campaign: campaign, 20261101) is NoReplay.NO_SAMPLES
    over = replay.run(CAMPAIGN, lambda one: msgspec.structs.replace(one, starts_at_ms=9, ends_at_ms=8), TODAY)
    assert over is Refusal.ENDS_BEFORE_START


def test_who_is_not_sampled_leaves_nothing_and_who_gets_no_ad_leaves_a_sample(street: Street) -> None:
    known = "SELECT COUNT(*) FROM decision_samples WHERE visitor_key != 0"
    before = street.rows(known)
    for visitor in range(SAMPLED[0] + 1, SAMPLED[0] + ONE_IN):
        for _ in range(2):
            street.hit(msgspec.structs.replace(SHOPPER, visitor_key=visitor))
        assert street.visit(msgspec.structs.replace(READER, visitor_key=visitor)).filled
    street.visit(msgspec.structs.replace(READER, visitor_key=SAMPLED[0], test=True))
    street.look()  # its batch is committed after those
    assert street.rows(known) == before
    street.change(version=2, daily_budget_micros=Micros(1))
    assert not street.visit(msgspec.structs.replace(READER, visitor_key=SAMPLED[0])).filled
    street.look()
    bodies = [body for (body,) in street.rows("SELECT body FROM decision_samples WHERE visitor_key != 0")]
    assert [read_sample(body).winner_key for body in bodies].count(0) == 1  # type: ignore[arg-type]
    street.change(version=3)


# ---- the command ----


def run(street: Street, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(street.storage.path.parent))
    result = CliRunner().invoke(__main__.app, ["replay", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_both_days_beside_a_running_server(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(street, monkeypatch, "--campaign", CAMPAIGN_ID, "--day", DAY, "--rate", "0.50")
    assert status == 0, err
    assert f"{DAY} (Europe/Paris): 6" in out
    assert "as it is" in out and "as it would be" in out
    assert "note: There are few samples of this day" in out


def test_the_command_says_the_same_as_json_of_a_file(
    street: Street, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "change.json"
    file.write_text(json.dumps({"frequency_cap": {"impressions": 1, "per": "day"}}))
    words = ("--campaign", CAMPAIGN_ID, "--day", DAY, str(file), "--json")
    status, out, err = run(street, monkeypatch, *words)
    assert status == 0, err
    told = json.loads(out)
    assert told["after"]["deliveries"]["expected"] == told["after"]["reach"]["expected"] == 30 * ONE_IN
    assert told["after"]["refused"]["frequency_cap"] >= 30 * ONE_IN
    assert told["before"]["deliveries"]["expected"] > told["after"]["deliveries"]["expected"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--campaign", "cmp_0000000000001"), "there is no such campaign"),
        (("--campaign", "boots"), "there is no such campaign"),
        (("--campaign", CAMPAIGN_ID, "--day", "2026-01-01"), "name another with --day"),
        (("--campaign", CAMPAIGN_ID, "--day", "yesterday"), "A day is written like 2026-11-28"),
        (("--campaign", CAMPAIGN_ID, "--rate", "much"), "an amount in the campaign's currency"),
        (("--campaign", CAMPAIGN_ID, "--daily-budget", "-3"), "an amount in the campaign's currency"),
        (("--campaign", CAMPAIGN_ID, "{file}"), "the file is no JSON object"),
        (("--campaign", CAMPAIGN_ID, "{field}"), "budget: Extra inputs are not permitted"),
        (("--campaign", CAMPAIGN_ID, "{refused}"), "this change would be refused: It would end before"),
    ],
)
def test_what_the_command_cannot_do_it_says_and_what_to_do(
    street: Street, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    backwards = {"starts_at": "2026-11-02T00:00:00Z", "ends_at": "2026-11-01T00:00:00Z"}
    files = {"file": b"[1", "field": b'{"budget": 3}', "refused": json.dumps(backwards).encode()}
    paths = {name: tmp_path / f"{name}.json" for name in files}
    for name, path in paths.items():
        path.write_bytes(files[name])
    status, _, err = run(street, monkeypatch, *(word.format(**paths) for word in words))
    assert status == 2
    assert says in " ".join(err.replace("│", " ").split())


def test_without_a_database_the_command_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(__main__.app, ["replay", "--campaign", CAMPAIGN_ID])
    assert result.exit_code == 2 and "set ADSERVER_DATA_DIR" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_database_of_an_older_version_is_to_be_migrated_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "adserver.db")) as older:
        older.execute("CREATE TABLE campaigns (key INTEGER)")
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(__main__.app, ["replay", "--campaign", CAMPAIGN_ID])
    assert result.exit_code == 2 and "run `adserver migrate`" in " ".join(result.stderr.split())
