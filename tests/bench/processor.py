"""What the kernel says of a server's processes: the processor's time they took, and the memory they hold."""

from pathlib import Path
from typing import NamedTuple

from tests.simulation.running_server import child_name, children_of

ALONE = "server"  # a program of one process, and who starts our others


class Taken(NamedTuple):
    """Ticks of user and system time so far: of the threads that answer, of all else, and of the jobs' process.

    Jobs go through what was written minutes before: their time is not that of the requests of the moment.
    """

    answering: int
    others: int
    jobs: int

    def since(self, before: "Taken") -> "Taken":
        return Taken(*(now - then for now, then in zip(self, before, strict=True)))


def family(pid: int) -> dict[int, str]:
    """The process and all below it; of ours by name, others by that of whoever started them."""
    named = {pid: ALONE}
    for parent in (pid, *children_of(pid)):
        for child in children_of(parent):
            named[child] = child_name(child) or f"child of {named.get(parent, ALONE)}"
    return named


def taken(pid: int) -> Taken:
    """The first thread of a worker answers, as of a program alone; others commit, and draw."""
    members = family(pid)
    answering = sum(
        _ticks(Path(f"/proc/{one}/task/{one}/stat"))
        for one, name in members.items()
        if name == ALONE or name.startswith("worker")
    )
    jobs = sum(_ticks(Path(f"/proc/{one}/stat")) for one, name in members.items() if name == "jobs")
    all_of_them = sum(_ticks(Path(f"/proc/{one}/stat")) for one in members)
    return Taken(answering, all_of_them - answering - jobs, jobs)


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_mb(pid: int) -> dict[str, float]:
    """The memory of each process by name."""
    return {f"{name} ({one})": _resident_kb(one) / 1024 for one, name in family(pid).items()}


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
