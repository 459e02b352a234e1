"""A program run by us is a program run by python: what it sees of itself, and how it ends."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # two interpreters each

SEES = """
import os, pickle, sys

class Here:
    pass

main = sys.modules["__main__"]
print(sys.argv, os.path.realpath(sys.path[0]), __name__, __file__, __package__, __builtins__.__name__)
print(getattr(__spec__, "name", None), type(__loader__).__name__, main.__dict__ is globals())
print(type(pickle.loads(pickle.dumps(Here()))).__qualname__, "annotations" in globals(), __doc__)
print(sorted(name for name in globals() if name.startswith("__")))
"""


class Both:
    """Runs the same program by ``python`` and by ``linecook watch``, and compares."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment

    def _run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=self._environment, input=stdin,
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip

    def plain(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self._run(*words, stdin=stdin)

    def watched(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self._run("-m", "linecook", "watch", "--output", "report.txt", *words, stdin=stdin)

    def agree(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Exit code, output and errors of both are the same; return how the watched one ended."""
        plain, watched = self.plain(*words, stdin=stdin), self.watched(*words, stdin=stdin)
        assert watched.stdout == plain.stdout
        assert watched.stderr == plain.stderr
        assert watched.returncode == plain.returncode
        assert (self.folder / "report.txt").read_text().startswith("\nlinecook watch: ")
        return watched


@pytest.fixture
def both(tmp_path: Path, environment: dict[str, str]) -> Both:
    return Both(tmp_path, environment)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "words", [["app.py"], ["app.py", "--json", "-m", "--", "x y"], ["sub/app.py"], ["./app.py", "-h"]]
)
def test_a_file_sees_what_it_sees_under_python(both: Both, words: list[str]) -> None:
    write(both.folder / words[0], SEES)
    ended = both.agree(*words)
    assert ended.returncode == 0, ended.stderr
    assert repr(words) in ended.stdout


def test_a_file_behind_a_link_finds_its_neighbours(both: Both) -> None:
    write(both.folder / "real/neighbour.py", "print('hello')")
    write(both.folder / "real/app.py", "import neighbour, sys; print(sys.path[0])")
    (both.folder / "app.py").symlink_to(both.folder / "real/app.py")
    assert "hello" in both.agree("app.py").stdout


@pytest.mark.parametrize("name", ["crew", "crew.chef"])
def test_a_module_sees_what_it_sees_under_python_m(both: Both, name: str) -> None:
    write(both.folder / "crew/__init__.py", "import sys; print('package', sys.argv)")
    write(both.folder / "crew/__main__.py", SEES + "\nfrom . import side")
    write(both.folder / "crew/side.py", "print('side')")
    write(both.folder / "crew/chef.py", SEES)
    ended = both.agree("-m", name, "--json", "5")
    assert ended.returncode == 0, ended.stderr
    assert "package ['-m', '--json', '5']" in ended.stdout


def test_a_directory_and_a_zip_file_run_their_main(both: Both) -> None:
    write(both.folder / "desk/__main__.py", "import part, sys; print(sys.argv, __name__)")
    write(both.folder / "desk/part.py", "print('part')")
    with zipfile.ZipFile(both.folder / "desk.pyz", "w") as archive:
        for name in ("__main__.py", "part.py"):
            archive.write(both.folder / "desk" / name, name)
    assert "part" in both.agree("desk", "a").stdout
    assert "part" in both.agree("desk.pyz", "a").stdout


@pytest.mark.parametrize(
    "leaves",
    [
        "sys.exit()", "sys.exit(7)", "sys.exit('no soup')", "sys.exit(300)", "sys.exit(None)", "raise SystemExit(True)",
        "1 / 0", "raise ExceptionGroup('two', [ValueError(1), ValueError(2)])", "asyncio.run(fail())", "import nowhere",
        "print(sys.stdin.read())", "sys.excepthook = lambda *_: print('mine'); 1 / 0", "sys.stderr = None; 1 / 0",
        "compile('a b', 'x', 'exec')", "atexit.register(print, 'bye')", "os.close(2)",
    ],
)  # fmt: skip
def test_a_program_ends_as_it_does_under_python(both: Both, leaves: str) -> None:
    program = (
        "import asyncio, atexit, os, sys\n"
        "async def fail():\n"
        "    await asyncio.sleep(0)\n"
        "    raise KeyError('soup')\n"
        f"{leaves}\n"
    )
    write(both.folder / "app.py", program)
    both.agree("app.py", stdin="two\nlines\n")


def test_a_file_that_does_not_compile_is_shown_as_python_shows_it(both: Both) -> None:
    write(both.folder / "app.py", "print('never')\ndef (\n")
    assert "SyntaxError" in both.agree("app.py").stderr


def test_features_of_ours_do_not_leak_into_the_program(both: Both) -> None:
    """``from __future__ import annotations`` of the module that compiles it would be inherited."""
    write(both.folder / "app.py", "def f(x: int): ...\nprint(f.__annotations__)\n")
    assert "<class 'int'>" in both.agree("app.py").stdout


def test_ctrl_c_that_nobody_catches_ends_the_process_by_the_signal(both: Both) -> None:
    write(both.folder / "app.py", "import os, signal\nprint('on', flush=True)\nos.kill(os.getpid(), signal.SIGINT)\n")
    assert both.agree("app.py").returncode == -2


def test_workers_of_multiprocessing_find_the_main_module(both: Both) -> None:
    text = (
        "import multiprocessing\n"
        "def double(n):\n"
        "    return 2 * n\n"
        "if __name__ == '__main__':\n"
        "    for method in ('spawn', 'fork'):\n"
        "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
        "            print(pool.map(double, [1, 2]))\n"
    )
    write(both.folder / "app.py", text)
    assert both.agree("app.py").stdout == "[2, 4]\n[2, 4]\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.py"], "there is no file nowhere.py"),
        (["-m", "nowhere"], "there is no module nowhere here"),
        (["-m", "empty"], "there is no module empty here"),
        (["-m", "a..b"], "a..b"),
        (["empty"], "neither a Python source file nor a directory or zip with a __main__.py"),
    ],
)
def test_what_is_no_program_is_refused_with_2(both: Both, words: list[str], said: str) -> None:
    write(both.folder / "empty/__init__.py", "")
    ended = both.watched(*words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
