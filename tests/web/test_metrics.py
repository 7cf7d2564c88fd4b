"""/metrics among the other addresses: for an operator's key, where it was asked for."""

import asyncio
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from adserver.config import Settings
from adserver.domain.metrics import Family, Kind, Sample
from adserver.main import Server, create_operator_key, own_storage
from adserver.web.metrics import exposition
from tests.simulation.scrape import read_exposition, value


def ask(folder: Path, metrics: str, key: str | None = None) -> httpx.Response:
    """By an operator's key, or by the one given."""
    return asyncio.run(_ask(folder, metrics, key))


async def _ask(folder: Path, metrics: str, key: str | None) -> httpx.Response:
    settings = Settings(data_dir=folder, metrics=metrics)
    storage = own_storage(settings.database_path)
    server = Server(settings, storage)
    if key is None:
        key = create_operator_key(storage, server.clock, "test")
    transport = httpx.ASGITransport(server.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    server.close()
    return answer


def test_an_operators_key_is_told_the_figures(tmp_path: Path) -> None:
    answer = ask(tmp_path, "same")
    assert answer.status_code == 200
    assert value(read_exposition(answer.text), "adserver_writer_records") == 1


@pytest.mark.parametrize("key", ["", "rt_live_wrong"])
def test_nobody_else_learns_that_there_are_any(tmp_path: Path, key: str) -> None:
    assert ask(tmp_path, "same", key).status_code == 404


@pytest.mark.parametrize("metrics", ["", "9100"])
def test_elsewhere_they_are_not_told_here(tmp_path: Path, metrics: str) -> None:
    assert ask(tmp_path, metrics).status_code == 404


@pytest.mark.parametrize(
    ("metrics", "address"),
    [
        ("", None),
        ("same", None),
        ("9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("::1:9100", ("::1", 9100)),
    ],
)
def test_a_port_alone_is_one_of_this_machine(metrics: str, address: tuple[str, int] | None) -> None:
    assert Settings(metrics=metrics).metrics_address == address


@pytest.mark.parametrize("metrics", ["here", "0", "65536", "host:", "-1", "9100x"])
def test_what_is_no_port_is_said(metrics: str) -> None:
    with pytest.raises(ValidationError, match="a port"):
        Settings(metrics=metrics)


def test_a_label_is_read_as_it_was_written() -> None:
    family = Family("a_total", Kind.COUNTER, "One.", [Sample(2, {"job": 'a "b" \\ c'})])
    assert read_exposition(exposition([family]).decode()) == {("a_total", (("job", r"a \"b\" \\ c"),)): 2.0}
