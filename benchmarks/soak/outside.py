"""What is seen of a process from outside: memory, threads, descriptors, and the processes below it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def look(pid: int) -> dict[str, float]:
    """Return the figures of *pid* now.

    ``descriptors`` and ``threads`` are its own; ``processes`` those below it, dead ones that nobody has asked after
    included; ``child_mb`` the resident memory of one, on average, shared pages included.
    """
    below = descendants(pid)
    sizes = [size for size in map(resident, below) if size]
    return {
        "rss_mb": round(resident(pid) / 1e6, 2),
        "child_mb": round(sum(sizes) / 1e6 / max(len(sizes), 1), 2),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "processes": len(below),
    }


def resident(pid: int) -> int:
    """Bytes in memory; 0 for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def descendants(pid: int) -> list[int]:
    """Return the processes below *pid*, at any depth."""
    parents = {each: parent for each, parent, _ in _table()}
    found, fresh = list[int](), [pid]
    while fresh:
        fresh = [each for each, parent in parents.items() if parent in fresh]
        found += fresh
    return found


def in_session(session: int) -> list[int]:
    """Return the processes of *session*, whoever their parents are by now."""
    return [pid for pid, _, of in _table() if of == session]


def _table() -> list[tuple[int, int, int]]:
    """Process, parent, session."""
    found = list[tuple[int, int, int]]()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                found.append((int(name), int(fields[1]), int(fields[3])))
    return found
