"""Each thing that is wrong with an installation is told by its name, and only what is serious makes it ill."""

import msgspec
import pytest

from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.finding import Severity
from adserver.domain.installation import (
    DAY_MS,
    MB,
    Answered,
    Database,
    Installation,
    KeyFile,
    facts_in_words,
    inspect,
    is_healthy,
)
from tests.domain.makers import ADVERTISER, NOW_MS

DATABASE = Database(version="0001", newest_version="0001", bytes=9 * MB, leased_until_ms=NOW_MS + 4_000)
WELL = Installation(
    now_ms=NOW_MS,
    base_url="https://cards.example",
    default_region="strict",
    folder="/srv/adserver",
    open_files=65_536,
    has_geoip=True,
    tcf_vendor_id=755,
    free_bytes=90_000 * MB,
    is_serving=True,
    database=DATABASE,
    keys=KeyFile(is_private=True, age_ms=DAY_MS),
    answered=Answered(is_ours=True, skew_ms=300),
)


def make(**fields: object) -> Installation:
    return msgspec.structs.replace(WELL, **fields)


def database(**fields: object) -> Database:
    return msgspec.structs.replace(DATABASE, **fields)


def feed(fatal: str | None) -> Feed:
    report = ImportReport(started_at_ms=NOW_MS, finished_at_ms=NOW_MS, products=0, fatal=fatal)
    return Feed(key=3, advertiser_key=ADVERTISER, url="https://shop.example/f", last_import=report)


def told(found: Installation) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in inspect(found)]


def test_a_sound_installation_is_healthy_and_says_what_was_looked_at() -> None:
    assert told(WELL) == []
    words = "\n".join(facts_in_words(WELL))
    for word in ("/srv/adserver", "90,000 MB free", "version 0001", "running", "__Host-", "by address"):
        assert word in words


E, W, I = Severity.ERROR, Severity.WARNING, Severity.INFO  # noqa: E741
TROUBLES: list[tuple[str, Severity, dict[str, object]]] = [
    ("folder_not_writable", E, {"folder_fault": "Permission denied", "free_bytes": 0}),
    ("little_space", E, {"free_bytes": 200 * MB}),
    ("little_space", W, {"free_bytes": 1_500 * MB}),
    ("no_database", E, {"database": None, "is_serving": False}),
    ("database_unreadable", E, {"database": database(fault="file is not a database")}),
    ("not_migrated", E, {"database": database(version="0000")}),
    ("large_log", W, {"database": database(log_bytes=1_001 * MB)}),
    ("keys_not_private", E, {"keys": KeyFile(is_private=False, age_ms=0)}),
    ("keys_old", I, {"keys": KeyFile(is_private=True, age_ms=401 * DAY_MS)}),
    ("not_serving", I, {"is_serving": False}),
    ("no_jobs", E, {"database": database(leased_until_ms=NOW_MS - 60_001)}),
    ("local_base_url", I, {"base_url": "http://127.0.0.1:8000"}),
    ("local_base_url", I, {"base_url": "http://cards.localhost:8000"}),
    ("not_https", E, {"base_url": "http://cards.example"}),
    ("blocked_host_name", W, {"base_url": "https://ads.example"}),
    ("blocked_host_name", W, {"base_url": "https://Banner.example:8443"}),
    ("not_reached", W, {"answered": Answered(fault="it took too long")}),
    ("other_server", W, {"answered": Answered(is_ours=False)}),
    ("clock_skew", W, {"folder_skew_ms": -5_001}),
    ("clock_skew", E, {"answered": Answered(is_ours=True, skew_ms=61_000)}),
    ("geoip_unreadable", E, {"geoip_fault": "/x.mmdb cannot be read"}),
    ("region_strict", I, {"has_geoip": False}),
    ("region_open", W, {"has_geoip": False, "default_region": "open"}),
    ("no_vendor_id", I, {"tcf_vendor_id": None}),
    ("few_open_files", I, {"open_files": 1_024}),
    ("few_open_files", W, {"open_files": 256}),
    ("feed_failed", W, {"database": database(feeds=(feed("unreachable"),))}),
]


@pytest.mark.parametrize(("code", "severity", "fields"), TROUBLES)
def test_each_trouble_is_told_alone_by_its_name(
    code: str, severity: Severity, fields: dict[str, object]
) -> None:
    found = make(**fields)
    extra = [("not_serving", I)] if code == "no_database" else []
    assert told(found) == [(code, severity), *extra]
    assert is_healthy(inspect(found)) is (severity is not E)


@pytest.mark.parametrize(
    "fields",
    [
        {"free_bytes": 2_000 * MB},
        {"keys": None},
        {"keys": KeyFile(is_private=True, age_ms=399 * DAY_MS)},
        {"database": database(leased_until_ms=NOW_MS - 59_000)},
        {"database": database(feeds=(feed(None),))},
        {"base_url": "https://cards.ads.example"},
        {"answered": Answered(is_ours=True, skew_ms=None)},
        {"folder_skew_ms": 5_000},
    ],
)
def test_a_near_miss_is_left_alone(fields: dict[str, object]) -> None:
    assert told(make(**fields)) == []


def test_an_address_that_is_not_reached_matters_little_while_nothing_serves() -> None:
    fields = {"is_serving": False, "answered": Answered(fault="refused")}
    assert told(make(**fields)) == [("not_serving", I), ("not_reached", I)]


def test_a_feed_is_named_with_its_owner() -> None:
    (finding,) = inspect(make(database=database(feeds=(feed("not_well_formed"),))))
    assert (
        "feed_0000000000003 of adv_0000000000007" in finding.message and "not_well_formed" in finding.message
    )


def test_scripts_without_a_font_and_files_that_are_none_are_told_and_make_nobody_ill() -> None:
    findings = inspect(make(scripts_without_font=("Hebrew", "Thai"), unreadable_fonts=("/fonts/Notes.ttf",)))
    assert [(one.code, one.severity) for one in findings] == [
        ("font_unreadable", Severity.WARNING),
        ("scripts_without_font", Severity.INFO),
    ]
    assert "/fonts/Notes.ttf" in findings[0].message
    assert "Hebrew, Thai" in findings[1].message and "ADSERVER_FONTS" in findings[1].message
    assert is_healthy(findings)
