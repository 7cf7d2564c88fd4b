"""Where an address is, by MaxMind's own test databases; a file that cannot be read says so in one sentence."""

import ipaddress
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from adserver.domain.caller import Place
from adserver.outside.geo import LOOK_SECONDS, GeoFile, GeoUnreadable


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "geoip"


@pytest.fixture
def geo(folder: Path) -> GeoFile:
    return GeoFile(folder / "GeoLite2-Country-Test.mmdb")


def test_each_network_of_the_test_database_has_the_country_that_is_expected(
    geo: GeoFile, folder: Path
) -> None:
    expected: list[dict[str, Any]] = json.loads((folder / "GeoLite2-Country-Test.json").read_text())
    networks = [one for row in expected for one in row.items()]
    assert len(networks) > 200
    wrong = []
    for text, record in networks:
        country = record.get("country", {}).get("iso_code")
        place = geo.place(str(_an_address_of(text)))
        if place != (None if country is None else Place(country)):
            wrong.append((text, place, country))
    assert not wrong


def _an_address_of(network: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_network(network, strict=False).network_address


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("2.125.160.216", "GB"),
        ("::ffff:2.125.160.216", "GB"),
        ("2a02:d6c0::1", "BG"),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("192.168.1.1", None),
        ("fd00::1", None),
        ("", None),
        ("unknown", None),
        ("1.2.3.4.5", None),
        ("203.0.113.7", None),
    ],
)
def test_an_address_has_a_country_or_none(geo: GeoFile, address: str, country: str | None) -> None:
    place = geo.place(address)
    assert (place.country if place else None) == country


def test_a_database_of_cities_knows_the_region_too(folder: Path) -> None:
    cities = GeoFile(folder / "GeoLite2-City-Test.mmdb")
    assert cities.place("2.125.160.216") == Place("GB", "ENG", "WBK")
    assert cities.place("81.2.69.142") == Place("GB", "ENG")


def test_a_database_without_countries_knows_no_place(folder: Path) -> None:
    assert GeoFile(folder / "GeoLite2-ASN-Test.mmdb").place("1.128.0.1") is None


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"\0" * 100_000])
def test_a_file_that_is_no_database_is_named_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "country.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        GeoUnreadable, match=r"country\.mmdb (cannot be read: No such|is no MaxMind database)"
    ):
        GeoFile(path)


class Watching:
    """A file that is looked at by a clock of the test."""

    def __init__(self, path: Path, first: Path) -> None:
        self.path, self.seconds = path, 0.0
        shutil.copy(first, path)
        self.geo = GeoFile(path, lambda: self.seconds)

    def replace(self, file: Path | bytes) -> None:
        """As an updater does it: written beside it, then renamed."""
        beside = self.path.with_suffix(".new")
        beside.write_bytes(file if isinstance(file, bytes) else file.read_bytes())
        beside.replace(self.path)

    def region(self) -> str | None:
        place = self.geo.place("2.125.160.216")
        return place.region if place else "nowhere"


def test_a_file_that_is_replaced_is_read_within_a_minute(tmp_path: Path, folder: Path) -> None:
    watching = Watching(tmp_path / "geo.mmdb", folder / "GeoLite2-Country-Test.mmdb")
    watching.replace(folder / "GeoLite2-City-Test.mmdb")
    assert watching.region() is None
    watching.seconds += LOOK_SECONDS
    assert watching.region() == "ENG"


@pytest.mark.parametrize("broken", [b"half a file", None])
def test_a_broken_replacement_leaves_the_former_in_use_and_is_told(
    tmp_path: Path, folder: Path, broken: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    watching = Watching(tmp_path / "geo.mmdb", folder / "GeoLite2-City-Test.mmdb")
    if broken is None:
        watching.path.unlink()
    else:
        watching.replace(broken)
    watching.seconds += LOOK_SECONDS
    with caplog.at_level(logging.WARNING):
        assert watching.region() == "ENG"
    assert "the one read before stays in use" in caplog.text
    watching.replace(folder / "GeoLite2-Country-Test.mmdb")
    watching.seconds += LOOK_SECONDS
    assert watching.region() is None
