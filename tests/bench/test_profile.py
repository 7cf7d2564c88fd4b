"""A profile looks into the processes that do the work, and not only at the one that starts them."""

from pathlib import Path

from tests.bench.profile import record_each
from tests.simulation.running_server import RunningServer


def test_who_answers_and_who_commits_each_have_a_graph(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "server") as server:
        writer, worker = sorted(record_each(server.pid, 1.0, tmp_path, "idle.txt"), reverse=True)
    assert (writer.name, worker.name) == ("idle-writer.txt", "idle-worker.txt")
    assert "answer_beside" in worker.read_text(encoding="utf-8")
    assert "run_writer" in writer.read_text(encoding="utf-8")
