"""Where the control sockets of this user's processes are: one per process, in a directory that only the user enters.

No configuration: whoever opens one takes the first directory that will do, whoever looks tries them all.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator

LONGEST = 107
"""Bytes that the system allows the path of a socket."""

_SWEPT = 100  # sockets looked at when a new one is opened, at most


def directories() -> list[str]:
    """Return where sockets may be, best first: the user's runtime directory, his state directory, ``/tmp``."""
    user = os.geteuid()
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    places = [
        os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}", "linecook"),
        # By host: a home may be shared by several, and a socket works on the one that opened it.
        os.path.join(state, "linecook", os.uname().nodename),
        f"/tmp/linecook-{user}",
    ]
    return [place for place in places if os.path.isabs(place)]


def open_door(pid: int) -> tuple[socket.socket, str]:
    """Listen on a new socket named after *pid*; return it, and its path.

    Raises:
      OSError: no directory would do; the message says why not, for each.
    """
    problems: list[str] = []
    for directory in directories():
        path = os.path.join(directory, f"{pid}.sock")
        try:
            _check_length(path)
            _make_ours(directory)
            _sweep(directory)
            return _listen(path), path
        except OSError as error:
            problems.append(f"{directory}: {error.strerror or error}")
    raise OSError("; ".join(problems))


def _check_length(path: str) -> None:
    if len(os.fsencode(path)) > LONGEST:
        raise OSError(f"the path is longer than the {LONGEST} bytes that a socket's may have")


def _make_ours(directory: str) -> None:
    """See that *directory* is there, and nobody else's: in ``/tmp`` somebody may have made one by that name.

    Raises:
      OSError: it can't be made, or others may enter it.
    """
    if not os.path.isdir(os.path.dirname(directory)) and directory.endswith(os.uname().nodename):
        os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, mode=0o700)
    if not is_ours(directory):
        raise OSError("it belongs to somebody else, or others may enter it (it must be a directory of mode 0700)")


def is_ours(directory: str) -> bool:
    """Say whether *directory* is a directory that this user owns and nobody else may enter."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before bind: there is no moment at which others could connect
        try:
            listener.bind(path)
        except OSError:
            if is_open(path):
                raise OSError("a process of another container listens there, under the same number") from None
            os.unlink(path)
            listener.bind(path)
        listener.listen(8)
    except BaseException:
        listener.close()
        raise
    return listener


def knock(path: str) -> socket.socket | None:
    """Connect to the socket at *path*; None when nobody listens there any more.

    Raises:
      OSError: it can't be told: there is none, it isn't ours, or whoever listens has too many visitors.
    """
    visitor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    visitor.settimeout(1.0)
    try:
        visitor.connect(path)
    except ConnectionRefusedError:
        visitor.close()
        return None
    except BaseException:
        visitor.close()
        raise
    return visitor


def _sweep(directory: str) -> None:
    """Remove the sockets of processes that are gone; a process that was killed can't do it itself."""
    for pid, path in list(_sockets_in(directory))[:_SWEPT]:
        if not is_alive(pid):
            remove_if_dead(path)


def is_open(path: str) -> bool:
    """Say whether somebody listens at *path*; errors as for ``knock``."""
    visitor = knock(path)
    if visitor is not None:
        visitor.close()
    return visitor is not None


def remove_if_dead(path: str) -> None:
    """Remove the socket at *path* if nobody listens there."""
    with contextlib.suppress(OSError):
        if not is_open(path):
            os.unlink(path)


def is_alive(pid: int) -> bool:
    """Say whether there is a process *pid*, whoever owns it."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def sockets() -> Iterator[tuple[int, str]]:
    """Yield process id and path of every socket of this user's, dead ones included."""
    for directory in directories():
        if is_ours(directory):
            yield from _sockets_in(directory)


def _sockets_in(directory: str) -> Iterator[tuple[int, str]]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        pid, suffix = os.path.splitext(name)
        if suffix == ".sock" and pid.isdecimal():
            yield int(pid), os.path.join(directory, name)
