"""Frames on disk: kept within a budget, shared by processes, and never worth a fault."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adserver.storage.frames import FrameFolder

FRAME = b"f" * 1_000


def names(count: int) -> list[str]:
    return [f"{number:032x}" for number in range(count)]


def test_what_was_put_is_found_by_another_process(tmp_path: Path) -> None:
    FrameFolder(tmp_path / "frames").put("a" * 32, FRAME)
    assert FrameFolder(tmp_path / "frames").get("a" * 32) == FRAME
    assert FrameFolder(tmp_path / "frames").get("b" * 32) is None


def test_those_not_asked_for_the_longest_leave_first(tmp_path: Path) -> None:
    frames = FrameFolder(tmp_path, most_bytes=10 * len(FRAME))
    for age, name in enumerate(names(20)):
        frames.put(name, FRAME)
        os.utime(tmp_path / name[:2] / name, (1_000 + age, 1_000 + age))
    assert frames.get(names(20)[0]) == FRAME  # asked for: now the youngest
    frames.sweep()
    left = [name for name in names(20) if frames.get(name) is not None]
    assert left == [names(20)[0], *names(20)[-7:]]


def test_many_frames_never_take_much_more_than_the_budget(tmp_path: Path) -> None:
    frames = FrameFolder(tmp_path, most_bytes=100 * len(FRAME))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: frames.put(name, FRAME), names(800)))
    kept = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert kept <= (100 + 256) * len(FRAME), "the budget, and what is put between two sweeps"


def test_half_a_frame_has_no_name_and_an_empty_one_is_drawn_again(tmp_path: Path) -> None:
    frames = FrameFolder(tmp_path)
    frames.put("a" * 32, b"")
    assert frames.get("a" * 32) is None


def test_a_folder_that_cannot_be_written_is_told_once_and_costs_no_ad(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "frames").write_text("a file, where the folder should be")
    frames = FrameFolder(tmp_path / "frames")
    frames.put("a" * 32, FRAME)
    frames.put("b" * 32, FRAME)
    assert frames.get("a" * 32) is None
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "frames are not kept on disk, and are drawn anew after a restart"
    ]
