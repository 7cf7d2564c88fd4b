"""Click logs of any make are read, and what is guessed of them is counted right."""

from pathlib import Path

import pytest

from tests.eval.clicks import read_log
from tests.eval.figures import Figure, Options
from tests.eval.recommendation import guess, interval, measure, run

HEAD = "SessionId\tItemId\tTime\n"


def write_logs(folder: Path, train: str, test: str) -> Options:
    (folder / "train.txt").write_text(train, encoding="utf-8")
    (folder / "test.txt").write_text(test, encoding="utf-8")
    return Options(folder)


def named(figures: list[Figure], words: str) -> Figure:
    return next(one for one in figures if words in one.name)


def test_ids_may_be_any_text_and_commas_may_part_them(tmp_path: Path) -> None:
    rows = "".join(f"s {n},Schuh №{item},{n}{item}.5\n" for n in range(5) for item in range(3))
    log = "SessionId,ItemId,Time\n" + rows
    figures = run(write_logs(tmp_path, log, log))
    assert named(figures, "ours HR@20").value == 1.0
    assert named(figures, "ours MRR@20").value == 0.75  # the third after the first, which may come again


def test_clicks_are_taken_in_the_order_of_their_times(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text(HEAD + "1\tb\t20\n1\ta\t10\n2\ta\t5\n2\tb\t6\n")
    sessions, broken = read_log(path)
    assert sessions[0] == sessions[1]
    assert broken == 0


def test_rows_that_are_no_clicks_are_counted(tmp_path: Path) -> None:
    options = write_logs(tmp_path, HEAD + "1\ta\t1\n1\tb\t2\n1\tc\tnever\n9\n", HEAD + "2\ta\t3\n2\tb\t4\n")
    assert named(run(options), "ours HR@20").note == "2 rows were no clicks"


def test_a_log_without_sessions_says_so_and_fails(tmp_path: Path) -> None:
    (figure,) = run(write_logs(tmp_path, HEAD, HEAD + "1\ta\t1\n"))
    assert not figure.holds
    assert figure.note == "no sessions of two clicks"


def test_a_log_without_its_columns_says_which(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="must name SessionId, ItemId and Time"):
        run(write_logs(tmp_path, "a\tb\n1\t2\n", HEAD))


def test_a_folder_without_its_files_says_which_is_missing(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(HEAD)
    with pytest.raises(SystemExit, match=r"test\.txt is not there"):
        run(Options(tmp_path))


def test_a_hit_counts_by_its_rank_and_what_is_beyond_twenty_does_not() -> None:
    found = guess(lambda seen: list(range(100, 130)), [[1, 101, 125], [1, 100]])
    assert found == [(2, 1, 0.5), (1, 1, 1.0)]
    assert measure(found, "HR@20") == 2 / 3
    assert measure(found, "MRR@20") == 0.5


def test_only_what_was_seen_is_told_the_last_first_and_each_once() -> None:
    told: list[list[int]] = []
    guess(lambda seen: told.append(list(seen)) or [], [[1, 2, 1, 3]])
    assert told == [[1], [2, 1], [1, 2]]


def test_the_interval_holds_what_was_measured() -> None:
    found = [(2, 1, 0.5)] * 30 + [(1, 0, 0.0)] * 30
    low, high = interval(found, "HR@20")
    assert low < measure(found, "HR@20") < high
