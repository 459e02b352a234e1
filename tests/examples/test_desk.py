"""The desk on real input: the library's own asyncio package and more, over real HTTP, in real threads and processes."""

from __future__ import annotations

import asyncio
import concurrent
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import desk
import desk_crew
import pytest
from desk_ledger import Progress
from desk_plan import Plan, Result, make_plan, read
from desk_rules import Finding, Page, review
from desk_talk import Desk, News
from desk_ways import one_after_other
from desk_work import work
from source_client import get_index, running_server
from source_server import Entry, index

from linecook import Topic

ROOTS = [Path(asyncio.__file__).parent, Path(concurrent.__file__).parent]

# A package that breaks all three rules, through two files.
BROKEN = {
    "__init__.py": "",
    "clock.py": "import time\n\ndef wait():\n    time.sleep(1)\n",
    "web.py": """\
import asyncio

from .clock import wait

async def handler():
    wait()
    asyncio.create_task(notify())
    notify()

async def notify():
    pass
""",
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("code")
    (root / "broken").mkdir()
    for name, source in BROKEN.items():
        (root / "broken" / name).write_text(source)
    return [*ROOTS, root]


@pytest.fixture(scope="module")
def base(roots: list[Path]) -> Iterator[str]:
    with running_server([str(root) for root in roots]) as address:
        yield address


@pytest.fixture
def plan(base: str) -> Plan:
    return make_plan(get_index(base)["files"], 200)


def plain_run(roots: list[Path]) -> tuple[dict[int, str], list[Finding]]:
    """Do the desk's work in this process with the same plain functions, without a server; leave the planted two out."""
    entries, paths, _ = index(roots)
    packages: dict[str, list[Page]] = {}
    for entry, path in zip(entries, paths, strict=False):
        packages.setdefault(entry.package, []).append(read(entry, path.read_bytes()))
    findings = [finding for name, pages in packages.items() for finding in review(name, pages)]
    return {entry.id: entry.digest for entry, _ in zip(entries, paths, strict=False)}, findings


@pytest.mark.slow
@pytest.mark.parametrize("kill_every", [0.0, 0.4], ids=["nobody is killed", "reviewers are killed"])
async def test_the_crew_finds_what_a_plain_run_finds_and_loses_only_the_planted_files(
    base: str, roots: list[Path], plan: Plan, kill_every: float
):
    shown: list[Finding] = []
    seen: list[Progress] = []
    result = await work(Desk(base, plan, shown.append, seen.append, kill_every=kill_every))
    digests, findings = plain_run(roots)

    assert result.read == digests
    assert result.findings == shown  # in order of discovery, none twice
    assert sorted(shown) == sorted(findings)
    assert {finding.rule for finding in findings} == {"blocking-call", "dropped-task", "never-awaited"}
    assert seen[-1].is_over
    assert (seen[-1].read, seen[-1].lost, seen[-1].of) == (len(digests), 2, len(plan.entries))
    assert result.restarts == result.killed
    assert bool(result.killed) is bool(kill_every)

    reasons = {plan_name(plan, number): why for number, why in result.lost.items()}
    assert set(reasons) == {"planted/crash.py", "planted/endless.py"}
    assert "SIGSEGV" in reasons["planted/crash.py"]
    assert "attempt_timeout" in reasons["planted/endless.py"]


def quiet(base: str, plan: Plan, **options: float) -> Desk:
    return Desk(base, plan, lambda _: None, lambda _: None, **options)


def without_the_planted(plan: Plan) -> Plan:
    return Plan({name: pages for name, pages in plan.packages.items() if name != "planted"}, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_is_killed_and_when_each_page_is_read_and_each_finding_told_once(
    base: str, roots: list[Path], plan: Plan, seed: int
):
    shown: list[Finding] = []
    plan = without_the_planted(plan)
    desk = Desk(base, plan, shown.append, lambda _: None, kill_every=0.1, seed=seed)
    result = await work(desk)
    assert result.restarts > 0
    assert (len(result.read), result.lost) == (len(plan.entries), {})
    assert sorted(shown) == sorted(plain_run(roots)[1])


@pytest.mark.slow
async def test_a_reviewer_killed_while_it_sends_has_each_finding_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk_crew, "REVIEWERS", 1)
    (tmp_path / "many.py").write_text("import asyncio\n\nasync def f(g):\n" + "    asyncio.create_task(g())\n" * 100)
    shown: list[int] = []

    def show(finding: Finding) -> None:
        time.sleep(0.02)  # a terminal that is slow; with keep=1 it holds up the editor, and he the reviewer
        shown.append(finding.line)

    with running_server([str(tmp_path)]) as address:
        plan = without_the_planted(make_plan(get_index(address)["files"], 10))
        desk = Desk(address, plan, show, lambda _: None, kill_every=0.3, news=Topic[News]("news", keep=1))
        result = await work(desk)
    assert result.twice > 0
    assert shown == list(range(4, 104))


@pytest.mark.slow
async def test_a_package_whose_reviewers_are_killed_again_and_again_is_given_up_and_says_why(
    base: str, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk_crew, "DELIVERIES", 2)
    monkeypatch.setattr(desk_crew, "REVIEWERS", 1)
    result = await work(quiet(base, without_the_planted(plan), kill_every=0.02))
    assert set(result.read) | set(result.lost) == {entry.id for entry in plan.entries if entry.package != "planted"}
    assert {reason.partition(":")[0] for reason in result.lost.values()} == {"AgentFailed"}


@pytest.mark.slow
async def test_the_deadline_reaches_the_reviewers_and_what_was_read_by_then_is_kept(base: str, plan: Plan):
    result = await work(quiet(base, plan, within=1.0))  # the endless page alone takes 3 s
    assert set(result.read) | set(result.lost) == {entry.id for entry in plan.entries}
    endless = next(entry.id for entry in plan.entries if entry.file == "planted/endless.py")
    assert result.lost[endless].startswith("timed out: ")
    assert "was not answered within" in result.lost[endless]


def plan_name(plan: Plan, number: int) -> str:
    return next(entry.file for entry in plan.entries if entry.id == number)


@pytest.mark.slow
def test_one_after_the_other_reads_every_twentieth_page(base: str, plan: Plan, capsys: pytest.CaptureFixture[str]):
    result = one_after_other(base, plan)
    sample = [entry for entry in plan.entries if entry.package != "planted"][::20]
    assert result.read == {entry.id: entry.digest for entry in sample}
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {"progress": {"done": len(sample), "of": len(sample)}}


def entries(package: str, count: int, asynchronous: int, first: int = 0) -> list[Entry]:
    return [
        Entry(first + n, package, f"{package}/{n}.py", f"{package}.m{n}", 10, "", n < asynchronous)
        for n in range(count)
    ]


def planned(*groups: list[Entry], most: int) -> Plan:
    return make_plan([asdict(entry) for group in groups for entry in group], most)


def test_a_plan_takes_whole_packages_the_richest_in_async_code_first():
    plan = planned(entries("poor", 3, 0), entries("rich", 2, 2), entries("big", 9, 8), entries("mixed", 2, 1), most=6)
    assert list(plan.packages) == ["rich", "mixed"]
    assert (plan.left_out, plan.packages_left_out) == (12, 2)


def test_a_plan_puts_the_planted_files_after_the_first_tenth_and_never_leaves_them_out():
    groups = [entries(f"p{n:02}", 1, 1) for n in range(30)]
    plan = planned(*groups, entries("planted", 2, 0), most=22)
    assert list(plan.packages).index("planted") == 2
    assert len(plan.entries) == 22


def test_a_plan_cuts_a_package_that_is_larger_than_everything():
    plan = planned(entries("huge", 50, 1), entries("planted", 2, 0), most=10)
    assert len(plan.packages["huge"]) == 8
    assert plan.left_out == 42


def run_desk(*arguments: str, paths: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environment.pop("PATHS", None)
    if paths is not None:
        environment["PATHS"] = paths
    command = [sys.executable, desk.__file__, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=55)


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path: Path):
    done = run_desk(paths=str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "nowhere does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_folder_without_python_is_an_error_that_names_it(tmp_path: Path):
    done = run_desk(str(tmp_path))
    assert done.returncode == 2
    assert f"{tmp_path.name} holds no Python file" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--out", "/nowhere/at/all"], "--out /nowhere/at/all"), (["--files", "1"], "--files must be")],
)
def test_a_wrong_option_is_an_error_that_names_it(arguments: list[str], words: str):
    done = run_desk(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.slow
def test_all_three_ways_end_in_a_table_and_two_files(roots: list[Path], tmp_path: Path):
    # Few files: even the usual way is through before its 20 s, unless the planted files keep it.
    done = run_desk("--out", str(tmp_path), str(roots[-1]))
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    first = [line.split("|")[1].strip() for line in table]
    assert first[2:5] == ["one after the other", "the usual way", "linecook"]
    assert first[7:] == ["a pool of 16", 'Limit("4-16-64")']
    assert [line.split("|")[3].strip() for line in table[7:]] == ["5 of 5", "5 of 5"]
    assert "broken/web.py:6: blocking-call" in done.stdout
    assert done.stdout.rstrip().endswith("PATHS=~/code make demo")

    lines = [json.loads(line) for line in (tmp_path / "desk.jsonl").read_text().splitlines()]
    assert [line["rule"] for line in lines if line["kind"] == "finding"] == [
        "blocking-call",
        "dropped-task",
        "never-awaited",
    ]
    assert sorted(line["file"] for line in lines if line["kind"] == "lost") == [
        "planted/crash.py",
        "planted/endless.py",
    ]
    (ours,) = [line for line in lines if line.get("way") == "linecook"]
    assert (ours["pages_right"], ours["pages_lost"]) == (3, 2)
    assert ours["exited_after"] is not None
    assert ours["restarts"] == ours["killed"] > 0
    assert [line["answered"] for line in lines if line["kind"] == "model"] == [5, 5]
    assert "## Findings: 3" in (tmp_path / "desk.md").read_text()


def processes_below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [n for child in children for n in processes_below(int(child))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int], timeout: float = 10.0) -> list[int]:
    deadline = time.monotonic() + timeout
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_server_and_no_crew_is_left_behind_by(how: signal.Signals, roots: list[Path], tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-u", desk.__file__, "--out", str(tmp_path), *map(str, roots)]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert running.stdout is not None
    with running.stdout:
        while b"one after the other" not in running.stdout.readline():
            pass
        deadline = time.monotonic() + 10
        while len(below := processes_below(running.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(below) >= 2
        running.send_signal(how)
        assert running.wait(10) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert wait_until_gone(below) == []


def test_a_result_travels_as_json_and_comes_back_the_same():
    from desk_children import _result

    finding = Finding("shop", "shop/a.py", 3, "blocking-call", "text", ("async def f", "time.sleep"))
    result = Result("linecook", 1.5, {7: "ab"}, {8: "gone"}, 2, 10, 3, 1, [finding])
    assert _result(json.loads(json.dumps(asdict(result)))) == result
