"""What is told of imports: the newest of each feed, those without an end, and files beside them."""

import io
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from adserver.domain.imports import KEPT, OPEN, AskedBy, Import, ImportState
from adserver.ports import Part
from adserver.storage.embedded import Storage
from adserver.storage.import_files import ImportFolder
from adserver.storage.imports import _IN_STATE as IN_STATE
from adserver.writes import Result, SaveEntity, TellAdvertiser, Together
from tests.contract.stores import save_new
from tests.domain.makers import ADVERTISER, NOW_MS

FEED, OTHER_FEED = 3, 4


def make_import(key: int = 1, **fields: object) -> Import:
    import_ = Import(
        key=key,
        feed_key=FEED,
        advertiser_key=ADVERTISER,
        asked_by=AskedBy.API,
        state=ImportState.DONE,
        asked_ms=NOW_MS,
        state_ms=NOW_MS,
    )
    return msgspec.structs.replace(import_, **fields)


def keys_of(storage: Storage, feed_key: int = FEED) -> list[int]:
    return [import_.key for import_ in storage.imports.of_feed(feed_key)]


def test_an_import_is_read_back_as_it_was_saved(empty: Storage) -> None:
    import_ = make_import(rows=5, of_bytes=9, allow_shrink=True)
    save_new(empty, import_)
    assert empty.imports.import_(1) == import_
    assert empty.imports.import_(2) is None


def test_a_feeds_imports_are_told_newest_first_and_apart_from_anothers(empty: Storage) -> None:
    save_new(empty, make_import(1), make_import(3), make_import(2), make_import(9, feed_key=OTHER_FEED))
    assert (keys_of(empty), keys_of(empty, OTHER_FEED)) == ([3, 2, 1], [9])


def test_of_a_feeds_imports_the_newest_are_kept(empty: Storage) -> None:
    save_new(empty, make_import(500, feed_key=OTHER_FEED))
    save_new(empty, *(make_import(key) for key in range(1, KEPT + 4)))
    assert keys_of(empty) == list(range(KEPT + 3, 3, -1))
    assert keys_of(empty, OTHER_FEED) == [500]


@pytest.mark.parametrize("state", sorted(OPEN))
def test_an_import_without_an_end_is_kept_however_old_it_is(empty: Storage, state: ImportState) -> None:
    save_new(empty, make_import(1, state=state))
    save_new(empty, *(make_import(key) for key in range(2, KEPT + 5)))
    assert 1 in keys_of(empty)


def test_imports_are_found_by_how_far_they_have_come(empty: Storage) -> None:
    save_new(empty, make_import(2, state=ImportState.QUEUED), make_import(1, state=ImportState.QUEUED))
    save_new(empty, make_import(3))
    assert [one.key for one in empty.imports.in_state(ImportState.QUEUED, 9)] == [1, 2]
    assert [one.key for one in empty.imports.in_state(ImportState.QUEUED, 1)] == [1]
    moved = make_import(1, state=ImportState.READING)
    empty.writer.commit(SaveEntity(moved, is_new=False))
    assert [one.key for one in empty.imports.in_state(ImportState.QUEUED, 9)] == [2]
    plan = empty.reader.rows(f"EXPLAIN QUERY PLAN {IN_STATE}", {"state": "queued", "most": 1})
    assert any("ix_imports_state" in row[3] for row in plan)


def test_an_end_and_its_notice_are_written_together_or_not_at_all(empty: Storage) -> None:
    save_new(empty, make_import(1, state=ImportState.READING))
    notice = TellAdvertiser(7, ADVERTISER, "import_waits", b"{}", NOW_MS)
    unknown = SaveEntity(make_import(99), is_new=False)
    assert empty.writer.commit(Together((notice, unknown))).result is Result.CONFLICT
    assert empty.notices.recent(ADVERTISER, 9) == []
    done = SaveEntity(make_import(1), is_new=False)
    for _ in range(2):  # a batch that was sent twice is harmless
        assert empty.writer.commit(Together((done, notice))).result is Result.SAVED
    (told,) = empty.notices.recent(ADVERTISER, 9)
    assert (told.key, told.kind, told.due_ms) == (7, "import_waits", NOW_MS)


# ---- files ----


@pytest.fixture
def folder(tmp_path: Path) -> ImportFolder:
    return ImportFolder(tmp_path)


def read(folder: ImportFolder, import_: Import, part: Part) -> bytes | None:
    file = folder.open(import_, part)
    if file is None:
        return None
    with file:
        return file.read()


def test_a_part_is_kept_read_and_dropped(folder: ImportFolder) -> None:
    import_ = make_import()
    assert read(folder, import_, Part.UPLOAD) is None
    folder.keep(import_, Part.UPLOAD, io.BytesIO(b"feed"))
    assert read(folder, import_, Part.UPLOAD) == b"feed"
    assert read(folder, import_, Part.PRODUCTS) is None
    folder.drop(import_, Part.UPLOAD)
    folder.drop(import_, Part.UPLOAD)
    assert read(folder, import_, Part.UPLOAD) is None


def test_a_copy_that_breaks_off_is_never_opened_and_leaves_with_its_import(
    folder: ImportFolder, tmp_path: Path
) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        folder.keep(make_import(1), Part.UPLOAD, Broken())
    assert read(folder, make_import(1), Part.UPLOAD) is None
    folder.keep(make_import(2), Part.UPLOAD, io.BytesIO(b"feed"))
    folder.keep_only(FEED, {2})
    assert [path.name for path in (tmp_path / str(FEED)).iterdir()] == ["2.upload"]


def test_what_is_newer_than_all_that_are_known_is_left(folder: ImportFolder) -> None:
    for key in (1, 2, 3):
        folder.keep(make_import(key), Part.UPLOAD, io.BytesIO(b"feed"))
    folder.keep_only(FEED, {2})
    assert [read(folder, make_import(key), Part.UPLOAD) for key in (1, 2, 3)] == [None, b"feed", b"feed"]
    folder.keep_only(OTHER_FEED, set())  # of which there is no folder


def test_a_name_is_held_by_one_at_a_time(folder: ImportFolder) -> None:
    claim = folder.claim("feed 3", patient=False)
    assert claim is not None
    with claim:
        assert folder.claim("feed 3", patient=False) is None
        other = folder.claim("feed 4", patient=False)
        assert other is not None
        with other:
            pass
    again = folder.claim("feed 3", patient=True)
    assert again is not None
    with again:
        pass


HOLDER = """
import sys
from pathlib import Path
from adserver.storage.import_files import ImportFolder

with ImportFolder(Path(sys.argv[1])).claim("feed 3", patient=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_a_process_held_is_free_once_it_is_killed(folder: ImportFolder, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert folder.claim("feed 3", patient=False) is None
        holder.kill()
    claim = folder.claim("feed 3", patient=False)
    assert claim is not None
    with claim:
        pass
