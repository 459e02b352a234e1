"""The file that outcomes are written to: opened, ours alone, and never one that holds something else."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import PurePath

from .exits import BadUsage

_OTHER = {".json", ".gz", ".xlsx", ".xls", ".parquet", ".tsv", ".txt", ".yaml", ".yml", ".db", ".sqlite", ".zip"}


def open_output(path: str) -> int:
    """Create the file at *path*, for one value, and return its descriptor.

    Raises:
      BadUsage: it can't be created, or is there already and holds something: a value is never overwritten.
    """
    fd = open_shared(path)
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_size > 0:
        os.close(fd)
        raise BadUsage(
            f"--output {path} holds {status.st_size:,} bytes already, and is never overwritten. "
            "Name another file, or move this one away."
        )
    return fd


def open_shared(path: str) -> int:
    """Open the file at *path* for writing, made if it isn't there, and lock it; return its descriptor.

    Raises:
      BadUsage: it can't be opened, or another run writes to it.
    """
    try:
        fd = os.open(path, _mode_for(path) | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise BadUsage(f"--output {path}: {error.strerror}.") from None
    try:
        _lock(path, fd)
    except BadUsage:
        os.close(fd)
        raise
    return fd


def is_table(path: str) -> bool:
    """Say whether outcomes go to *path* as a table; else as JSON lines.

    Raises:
      BadUsage: its name promises another format.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix in _OTHER:
        raise BadUsage(f"--output {path}: outcomes are written as .jsonl (JSON lines) or .csv, not as {suffix}.")
    return suffix == ".csv"


def _mode_for(path: str) -> int:
    try:
        is_regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        is_regular = True
    return os.O_RDWR if is_regular else os.O_WRONLY


def _lock(path: str, fd: int) -> None:
    """Make the file ours until the descriptor is closed, however the process ends."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):  # a file system without locks
            return
        holder = _holder(fd)
        who = f"process {holder}" if holder else "another process"
        raise BadUsage(f"--output {path} is being written by {who}: wait for its end, or name another file.") from None


def _holder(fd: int) -> int | None:
    """Return who holds the lock, as Linux tells it; None when it doesn't."""
    inode = str(os.fstat(fd).st_ino)
    try:
        with open("/proc/locks", encoding="ascii") as locks:
            for line in locks:
                words = line.split()
                if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == inode:
                    return int(words[4]) if int(words[4]) > 0 else None
    except (OSError, ValueError, IndexError):
        pass
    return None
