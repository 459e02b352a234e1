"""``linecook watch`` as a user meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.main import main

pytestmark = pytest.mark.slow  # processes of their own
ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "examples" / "watch_faults.py"
Watch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def watch(tmp_path: Path, environment: dict[str, str]) -> Iterator[Watch]:
    """Start ``linecook watch`` over the text of a program, or a file."""

    started: list[subprocess.Popen[str]] = []

    def start(program: str | Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        path = program
        if isinstance(program, str):
            path = tmp_path / "app.py"
            path.write_text(program)
        process = subprocess.Popen(
            [sys.executable, "-m", "linecook", "watch", *options, str(path), *words],
            cwd=tmp_path, env=environment | {"PYTHONUNBUFFERED": "1"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=20)


def reports(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"at_end"')]


def planted() -> set[tuple[str, int]]:
    lines = FAULTS.read_text().splitlines()
    marks = [(re.search(r"# fault: ([a-z_]+)", line), number) for number, line in enumerate(lines, 1)]
    return {(mark[1], number) for mark, number in marks if mark}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_eight_planted_faults_are_named_with_their_lines(watch: Watch, tmp_path: Path, loop: str) -> None:
    text = FAULTS.read_text()
    if loop == "uvloop":  # which looks names up on threads of its own, and says so
        text = text.replace("asyncio.run(main())", "import uvloop; uvloop.run(main())").replace("api.example", "::1")
    app = tmp_path / "faults.py"
    app.write_text(text)
    running = watch(app, options=("--json",))
    out, err = running.communicate(timeout=50)
    assert (running.returncode, out) == (0, "all done\n")
    (report,) = [each for each in reports(err) if each["at_end"]]
    found = {(each["kind"], each["place"]["line"]) for each in report["findings"]}
    assert len(planted()) == 8
    unseen = {("dns_slow", line) for kind, line in planted() if kind == "dns_slow"} if loop == "uvloop" else set()
    assert planted() - unseen <= found
    assert all(each["place"]["file"] == str(app) for each in report["findings"])
    assert all(each["cure"] for each in report["findings"])
    if loop == "uvloop":
        assert any("name look-ups of uvloop" in limit for limit in report["limits"])


def test_the_page_shows_the_lines_that_the_example_has() -> None:
    page = (ROOT / "docs" / "how-to" / "watch.md").read_text()
    for kind, line in planted():
        source = FAULTS.read_text().splitlines()[line - 1].strip()
        assert f"`{kind}`" in page
        assert f"  examples/watch_faults.py:{line} in " in page
        assert source[:40] in page


SATURATED = """
import asyncio, sys, time
if "cured" in sys.argv:
    import linecook
    linecook.install()

async def main():
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.25) for _ in range(60)))

begun = time.monotonic()
asyncio.run(main())
"""


def test_the_cure_of_a_full_pool_is_the_line_that_the_report_says(watch: Watch) -> None:
    _, err = watch(SATURATED).communicate(timeout=50)
    assert "waited for one of the" in err
    assert "cure: linecook.install()" in err
    _, err = watch(SATURATED, "cured").communicate(timeout=50)
    assert "waited for one of the" not in err


def test_the_report_is_readable_in_100_columns(watch: Watch) -> None:
    _, err = watch(SATURATED).communicate(timeout=50)
    report = err[err.index("linecook watch:") :]
    assert max(map(len, report.splitlines())) <= 100
    assert "not seen: " in report


SERVER = """
import asyncio, time
async def main():
    time.sleep(0.2)
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_ctrl_backslash_prints_the_report_so_far_and_the_program_goes_on(watch: Watch) -> None:
    running = watch(SERVER)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == "up\n"
    for _ in range(2):
        running.send_signal(signal.SIGQUIT)
        line = ""
        while "linecook watch:" not in line:
            line = running.stderr.readline()
            assert line, "it ended"
        assert "so far, 1 event loop" in line
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == -signal.SIGINT
    assert "1 stall of the event loop" in err
    assert "KeyboardInterrupt" in err


HANDED_TO_ANOTHER = """
import asyncio, os, signal, threading, time

def presses():
    os.kill(os.getpid(), signal.SIGQUIT)
    time.sleep(0.02)  # the main thread has taken it, and waits for events again
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

async def main():
    threading.Thread(target=presses).start()
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_ctrl_c_right_behind_ctrl_backslash_is_heard_though_another_thread_got_it(watch: Watch) -> None:
    running = watch(HANDED_TO_ANOTHER)
    _, err = running.communicate(timeout=20)
    assert running.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err


def test_a_program_that_stands_still_is_reported_on_while_it_does(watch: Watch) -> None:
    running = watch(
        "import asyncio, time\nasync def main():\n    print('up')\n    time.sleep(60)\nasyncio.run(main())\n"
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == "up\n"
    time.sleep(0.6)
    running.send_signal(signal.SIGQUIT)
    text = ""
    while "not seen" not in text:
        text += running.stderr.readline()
    running.kill()
    running.communicate(timeout=20)
    assert "app.py:4 in main: time.sleep(60)" in text


def test_every_prints_again_and_again(watch: Watch) -> None:
    running = watch(SERVER, options=("--every", "0.2", "--json"))
    assert running.stderr is not None
    lines = [running.stderr.readline() for _ in range(3)]
    running.kill()
    running.communicate(timeout=20)
    assert [json.loads(line)["at_end"] for line in lines] == [False] * 3


STUCK = """
import asyncio, time
def hang():
    time.sleep(2.5)
async def main():
    asyncio.get_running_loop().run_in_executor(None, hang)
    await asyncio.sleep(0.1)
asyncio.run(main())
"""


def test_a_loop_that_waits_for_a_stuck_thread_in_order_to_end_says_for_which(watch: Watch) -> None:
    running = watch(STUCK)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "the event loop waits, in order to end, for threads of its default pool:" in err
    assert "  asyncio_0, for " in err
    assert "app.py:4 in hang: time.sleep(2.5)" in err


def test_a_thread_that_outlives_the_program_is_named_before_python_waits_for_it(watch: Watch) -> None:
    text = "import threading\ngate = threading.Event()\nthreading.Thread(target=gate.wait, name='listener').start()\n"
    running = watch(text)
    assert running.stderr is not None
    said = ""
    while "Python waits, as it always does" not in said:
        line = running.stderr.readline()
        assert line, said
        said += line
    assert "1 thread still running" in said
    assert "  listener, for " in running.stderr.readline()
    assert running.poll() is None
    running.send_signal(signal.SIGINT)  # as without us: Python gives up waiting
    running.communicate(timeout=20)
    assert running.returncode == 0


def test_the_report_goes_to_a_file_when_asked(watch: Watch, tmp_path: Path) -> None:
    ended = watch("import os; os.chdir('/'); print(1)", options=("--json", "--output", "found.json"))
    out, err = ended.communicate(timeout=20)
    assert (out, err) == ("1\n", "")
    (report,) = reports((tmp_path / "found.json").read_text())
    assert report["at_end"]
    assert report["loops"] == {"count": 0, "types": []}


def test_a_program_that_takes_standard_error_away_is_still_reported_on(watch: Watch) -> None:
    _, err = watch("import sys, os; sys.stderr.close(); os.close(2)").communicate(timeout=20)
    assert "no event loop has run" in err


def test_a_forked_child_prints_no_report_of_its_own(watch: Watch) -> None:
    text = "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"
    _, err = watch(text).communicate(timeout=20)
    assert err.count("linecook watch:") == 1


KEPT = """
import asyncio
async def save():
    print("saved")
async def main():
    kept = save()
    await asyncio.sleep(0)
    kept = None
asyncio.run(main())
"""


def test_origins_names_the_line_that_made_a_coroutine_dropped_elsewhere(watch: Watch) -> None:
    _, err = watch(KEPT).communicate(timeout=20)
    assert "app.py:8 in main: kept = None" in err
    assert "let go of on this line" in err
    assert "defined at app.py:3 in save" in err
    _, err = watch(KEPT, options=("--origins",)).communicate(timeout=20)
    assert "app.py:6 in main: kept = save()" in err
    assert "let go of on this line" not in err


def test_loops_of_threads_are_watched_too(watch: Watch) -> None:
    text = (
        "import asyncio, threading, time\n"
        "async def main():\n"
        "    time.sleep(0.25)\n"
        "threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
    )
    _, err = watch(text, options=("--json",)).communicate(timeout=20)
    (report,) = reports(err)
    assert report["loops"]["count"] == 2
    (stall,) = [each for each in report["findings"] if each["kind"] == "stall"]
    assert (stall["count"], stall["place"]["line"]) == (2, 3)


def test_anyio_on_asyncio_is_watched_too(watch: Watch) -> None:
    text = "import anyio, time\nasync def main():\n    await anyio.sleep(0)\n    time.sleep(0.25)\nanyio.run(main)\n"
    _, err = watch(text, options=("--json",)).communicate(timeout=20)
    assert [(each["kind"], each["place"]["line"]) for each in reports(err)[0]["findings"]] == [("stall", 4)]


def test_a_program_of_linecooks_own_is_watched_too(watch: Watch) -> None:
    text = (
        "import time\n"
        "from linecook import run, tool, gather\n"
        "@tool\n"
        "def nap() -> int:\n"
        "    time.sleep(0.01)\n"
        "    return 1\n"
        "async def main():\n"
        "    return sum(await gather(nap() for _ in range(100)))\n"
        "print(run(main()))\n"
    )
    out, err = watch(text, options=("--json",)).communicate(timeout=20)
    assert out == "100\n"
    assert {each["kind"] for each in reports(err)[0]["findings"]} <= {"stall", "stall_held"}


def test_a_slow_start_is_no_stall_and_loses_nothing(watch: Watch) -> None:
    text = "import time, asyncio\ntime.sleep(0.5)\nasyncio.run(asyncio.sleep(0))\nprint(input())\n"
    running = watch(text, options=("--json",))
    out, err = running.communicate("from stdin\n", timeout=20)
    assert out == "from stdin\n"
    assert reports(err)[0]["findings"] == []


def test_an_output_that_cannot_be_written_is_refused_before_the_program_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = tmp_path / "app.py"
    app.write_text("print('ran')")
    assert main(["watch", "--output", os.fspath(tmp_path / "nowhere" / "x"), os.fspath(app)]) == 2
    out, err = capfd.readouterr()
    assert (out, "can't be written: No such file or directory" in err) == ("", True)


@pytest.mark.parametrize(
    "words",
    [
        ["watch"],
        ["watch", "--stall", "0", "a.py"],
        ["watch", "--every", "x", "a.py"],
        ["watch", "--light", "--origins", "a.py"],
    ],
)
def test_wrong_options_end_with_2(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    said = capfd.readouterr().err
    assert "usage: linecook watch" in said
    assert not said.endswith("ARGUMENT\n")  # none is needed
