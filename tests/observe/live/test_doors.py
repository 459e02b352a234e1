"""Where control sockets are: for the user alone, and none of the dead stay."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from linecook.observe.live import doors

GONE = 4_000_000  # beyond the largest process id there is by default


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory with a short name: the path of a socket has 107 bytes."""
    place = Path(tempfile.mkdtemp(prefix="lc", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    yield place
    shutil.rmtree(place)


def test_a_door_is_for_its_user_alone(hall: Path) -> None:
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert path == str(hall / "linecook" / f"{os.getpid()}.sock")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(hall / "linecook").st_mode) == 0o700
        assert (os.getpid(), path) in list(doors.sockets())
        assert doors.is_open(path)


def test_a_directory_that_others_may_enter_is_passed_over(hall: Path) -> None:
    (hall / "linecook").mkdir(mode=0o755)
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert path.startswith(str(hall / "state" / "linecook" / os.uname().nodename))


def test_a_link_to_somewhere_else_is_passed_over(hall: Path, tmp_path: Path) -> None:
    (hall / "linecook").symlink_to(tmp_path)
    assert not doors.is_ours(str(hall / "linecook"))
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert "state" in path


def test_a_runtime_directory_that_is_missing_is_passed_over(hall: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(hall / "nowhere"))
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert "state" in path
    assert not (hall / "nowhere").exists()


def test_a_path_too_long_for_a_socket_is_passed_over(hall: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(hall / ("x" * 120)))
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert len(path) <= doors.LONGEST


def test_where_nothing_will_do_every_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "directories", lambda: ["/proc/linecook", f"/tmp/{'x' * 120}"])
    with pytest.raises(OSError, match=r"/proc/linecook: .+; /tmp/x+: the path is longer than the 107 bytes"):
        doors.open_door(os.getpid())


def test_sockets_of_the_dead_are_swept_and_those_of_the_living_stay(hall: Path) -> None:
    listener, path = doors.open_door(os.getpid())
    dead = dead_socket(hall / "linecook" / f"{GONE}.sock")
    odd = hall / "linecook" / "notes.txt"
    odd.write_text("not ours to remove")
    with listener:
        other, _ = doors.open_door(os.getpid() + 1_000_000)
        other.close()
        assert not dead.exists()
        assert odd.exists()
        assert os.path.exists(path)


def test_a_number_taken_over_from_a_dead_process_is_no_obstacle(hall: Path) -> None:
    (hall / "linecook").mkdir(mode=0o700)
    dead_socket(hall / "linecook" / f"{os.getpid()}.sock")
    listener, path = doors.open_door(os.getpid())
    with listener:
        assert doors.is_open(path)


def test_a_living_socket_of_another_container_is_left_alone(hall: Path) -> None:
    first, path = doors.open_door(os.getpid())
    second, other = doors.open_door(os.getpid())
    with first, second:
        assert path != other
        assert doors.is_open(path)


def test_who_is_alive_is_known() -> None:
    assert doors.is_alive(os.getpid())
    assert not doors.is_alive(GONE)
    assert not doors.is_alive(10**30)


def dead_socket(path: Path) -> Path:
    """A socket that a process bound and left behind."""
    program = f"import socket; socket.socket(socket.AF_UNIX).bind({str(path)!r})"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    assert path.exists()
    with socket.socket(socket.AF_UNIX) as visitor, pytest.raises(ConnectionRefusedError):
        visitor.connect(str(path))
    return path
