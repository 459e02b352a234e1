"""The source server over real sockets: what it serves, its bad luck, and that it never outlives its parent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import source_client
from source_client import CannotStart, get_file, get_index, running_server
from source_server import LATENCY, Luck, NothingToRead, index, luck


def make_tree(root: Path, count: int = 3) -> Path:
    """Write a package of *count* files and a loose script."""
    (root / "shop").mkdir()
    for number in range(count - 1):
        (root / "shop" / f"m{number:03}.py").write_text(f"async def f{number}(): pass\n")
    (root / "shop" / "__init__.py").write_text("")
    (root / "script.py").write_text("print('a script')\n")
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"), count=400)


@pytest.fixture(scope="module")
def base(tree: Path) -> Iterator[str]:
    with running_server([str(tree)]) as address:
        yield address


def path_with(fate: str, attempt: int = 1, most: int = 400) -> int:
    """Return a file number whose first request has that fate, and whose second one is served."""
    for number in range(most):
        if luck(f"/file/{number}", attempt).fate == fate and luck(f"/file/{number}", attempt + 1).fate == "serve":
            return number
    raise AssertionError(f"no path of {most} has the fate {fate}")


def test_the_index_names_every_file_with_package_module_and_size(base: str, tree: Path):
    answer = get_index(base)
    files = {item["file"]: item for item in answer["files"]}
    assert answer["roots"] == [str(tree)]
    assert len(files) == 401 + 2
    assert files["shop/m007.py"]["package"] == "shop"
    assert files["shop/m007.py"]["module"] == "shop.m007"
    assert files["shop/m007.py"]["size"] == (tree / "shop" / "m007.py").stat().st_size
    assert files["shop/m007.py"]["is_async"]
    assert not files["script.py"]["is_async"]
    assert files["script.py"]["package"] == "script.py"
    assert [item["id"] for item in answer["files"]] == list(range(403))


def test_a_file_is_served_byte_by_byte_after_its_latency(base: str, tree: Path):
    number = path_with("serve")
    file = get_index(base)["files"][number]["file"]
    began = time.monotonic()
    assert get_file(base, "bytes", number) == (tree / file).read_bytes()
    assert time.monotonic() - began >= LATENCY[0]


def test_too_busy_says_when_to_come_back_and_the_next_attempt_succeeds(base: str):
    number = path_with("busy")
    with pytest.raises(urllib.error.HTTPError) as caught:
        get_file(base, "busy", number)
    assert caught.value.code == 429
    assert float(caught.value.headers["Retry-After"]) > 0
    assert get_file(base, "busy", number)


def test_a_reset_is_a_reset_and_the_next_attempt_succeeds(base: str):
    number = path_with("reset")
    with pytest.raises(OSError, match=r"[Rr]eset"):
        get_file(base, "reset", number)
    assert get_file(base, "reset", number)


def test_each_crew_has_its_own_attempts(base: str):
    number = path_with("reset")
    for crew in ("one", "two"):
        with pytest.raises(OSError, match=r"[Rr]eset"):
            get_file(base, crew, number)


def test_an_unknown_file_is_not_found(base: str):
    for number in (403, 10**9):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get_file(base, "unknown", number)
        assert caught.value.code == 404


def test_a_file_deleted_since_the_index_is_not_found(base: str, tree: Path):
    files = get_index(base)["files"]
    number = next(n for n in range(390, 400) if luck(f"/file/{n}", 1).fate == "serve")
    (tree / files[number]["file"]).unlink()
    with pytest.raises(urllib.error.HTTPError) as caught:
        get_file(base, "deleted", number)
    assert caught.value.code == 404


@pytest.mark.slow
def test_hundreds_of_requests_that_hang_leave_it_serving(base: str):
    port, number = int(base.rpartition(":")[2]), path_with("hang")
    with contextlib.ExitStack() as hung:
        for crew in range(300):
            asked = hung.enter_context(socket.create_connection(("127.0.0.1", port)))
            asked.sendall(f"GET /file/{number} HTTP/1.1\r\nX-Crew: hung{crew}\r\n\r\n".encode())
        assert get_file(base, "healthy", path_with("serve"))
        asked.settimeout(0.3)  # the last of them: long after its latency there is still no answer
        with pytest.raises(TimeoutError):
            asked.recv(1)


def test_luck_is_seeded_by_path_and_attempt_and_keeps_its_shares():
    fates = Counter(luck(f"/file/{n}", 1).fate for n in range(20_000))
    assert luck("/file/7", 2) == luck("/file/7", 2)
    assert len({luck("/file/7", attempt).delay for attempt in range(1, 9)}) == 8
    assert 150 <= fates["hang"] <= 250
    assert 150 <= fates["reset"] <= 250
    assert 320 <= fates["busy"] <= 480


def test_every_delay_lies_within_the_latency():
    delays = [luck(f"/file/{n}", 1).delay for n in range(2000)]
    assert LATENCY[0] <= min(delays) < 0.035
    assert 0.145 < max(delays) <= LATENCY[1]
    assert isinstance(luck("/file/0", 1), Luck)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(NothingToRead, match="nowhere does not exist"):
        index([tmp_path / "nowhere"])


def test_a_folder_without_python_is_named(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no code")
    with pytest.raises(NothingToRead, match=f"{tmp_path.name} holds no Python file"):
        index([tmp_path])


def test_a_dangling_link_is_left_out_and_counted(tmp_path: Path):
    make_tree(tmp_path)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    entries, _, left_out = index([tmp_path])
    assert "gone.py" not in {entry.file for entry in entries}
    assert sum(left_out.values()) == 1


def test_a_package_below_other_folders_keeps_its_name_for_imports(tmp_path: Path):
    (tmp_path / "project" / "src").mkdir(parents=True)
    make_tree(tmp_path / "project" / "src")
    entries = {entry.file: entry for entry in index([tmp_path])[0]}
    entry = entries["project/src/shop/m000.py"]
    assert (entry.module, entry.package) == ("shop.m000", "project/src/shop")


@pytest.mark.slow
def test_the_client_says_why_the_server_could_not_start(tmp_path: Path):
    with pytest.raises(CannotStart, match="does not exist"), running_server([str(tmp_path / "nowhere")]):
        pass


def start(tree: Path) -> tuple[subprocess.Popen[bytes], int]:
    command = [sys.executable, str(Path(source_client.__file__).with_name("source_server.py")), str(tree)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["its parent's pipe ends", "SIGTERM"])
def test_it_ends_even_with_requests_hanging_when(how: str, tmp_path: Path):
    server, port = start(make_tree(tmp_path))
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdout, socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"GET /file/0 HTTP/1.1\r\n")  # never completed
        server.stdin.close() if how != "SIGTERM" else server.terminate()
        assert server.wait(10) == 0
        server.stdin.close()


@pytest.mark.slow
def test_ctrl_c_is_left_to_its_parent(tmp_path: Path):
    server, port = start(make_tree(tmp_path))
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdout:
        os.kill(server.pid, signal.SIGINT)
        assert len(get_index(f"http://127.0.0.1:{port}")["files"]) == 6
        server.stdin.close()
        assert server.wait(10) == 0


def test_the_index_is_plain_json_without_paths_of_the_planted(base: str):
    planted = [item for item in get_index(base)["files"] if item["package"] == "planted"]
    assert [item["file"] for item in planted] == ["planted/crash.py", "planted/endless.py"]
    assert json.dumps(planted)
