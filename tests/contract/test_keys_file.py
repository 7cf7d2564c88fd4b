"""The server's keys are made once, and a file of before there were proofs gets its seed once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adserver.storage.secrets import load_keys


def old_file(folder: Path) -> dict[str, object]:
    """A keys.json without a seed."""
    load_keys(folder)
    path = folder / "keys.json"
    keys: dict[str, object] = json.loads(path.read_text())
    del keys["proofs"]
    path.write_text(json.dumps(keys))
    return keys


def test_new_keys_have_a_seed_of_their_own(tmp_path: Path) -> None:
    keys = load_keys(tmp_path)
    assert len(bytes.fromhex(keys.proofs)) == 32
    assert len({keys.proofs, keys.orders, keys.tokens[1], keys.cookies[1]}) == 4
    assert load_keys(tmp_path) == keys


def test_an_older_file_gets_a_seed_and_keeps_everything_else(tmp_path: Path) -> None:
    known = old_file(tmp_path)
    keys = load_keys(tmp_path)
    written = json.loads((tmp_path / "keys.json").read_text())
    assert {name: written[name] for name in known} == known
    assert written["proofs"] == keys.proofs != ""
    assert load_keys(tmp_path) == keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_processes_that_start_at_once_agree_on_the_seed(tmp_path: Path) -> None:
    for _ in range(20):
        old_file(tmp_path)
        with ThreadPoolExecutor(8) as pool:
            seeds = {keys.proofs for keys in pool.map(load_keys, [tmp_path] * 8)}
        assert len(seeds) == 1
