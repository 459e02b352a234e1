"""``linecook run`` as a user meets it: one call, many calls, their output and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

HELLO = """
import asyncio, sys, time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from linecook import agent, tool

@dataclass
class Dish:
    name: str
    price: float = 1.0

def double(n: int) -> int:
    return n * 2

async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2

@tool
def shout(text: str) -> str:
    print("shouting")
    return text.upper()

@tool(lane="process")
def square(n: int) -> int:
    return n * n

@agent
async def crew(n: int) -> int:
    return await square(n) + 1

@agent
async def cook(dish: Dish) -> Dish:
    return dish

@tool
def odd_only(n: int) -> int:
    if n % 2 == 0:
        raise ValueError(f"{n} is even")
    return n

def hang(n: int) -> int:
    time.sleep(30)
    return n

async def nap(seconds: float) -> float:
    if seconds < 0:
        raise ValueError("nobody naps backwards")
    await asyncio.sleep(seconds)
    return seconds

def leave() -> None:
    sys.exit(3)

def strange() -> object:
    return {"it": object}

async def pieces(n: int) -> AsyncIterator[int]:
    for i in range(n):
        yield i

@tool
def chunks(n: int) -> Iterator[int]:
    yield from range(n)
"""


@pytest.fixture
def hello(kitchen: Any) -> str:
    return str(kitchen.write("hello_cli.py", HELLO))


# -- one call ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "words", "value"),
    [
        ("double", ["21"], 42),
        ("later", ["[21]"], 42),
        ("shout", ['{"text": "a"}'], "A"),
        ("cook", ['{"dish": {"name": "soup"}}'], {"name": "soup", "price": 1.0}),
        ("pieces", ["3"], [0, 1, 2]),
        ("chunks", ["3"], [0, 1, 2]),
    ],
)
def test_one_call_prints_its_value_as_json(
    kitchen: Any, hello: str, function: str, words: list[str], value: Any
) -> None:
    ended = kitchen.run(f"{hello}:{function}", *words)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == value


def test_a_function_of_a_library_is_called_as_well(kitchen: Any) -> None:
    assert kitchen.run("posixpath:join", '["a", "b"]').out == '"a/b"\n'


def test_a_process_tool_of_the_file_is_found_by_its_workers(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:crew", "5")
    assert (ended.code, ended.out) == (0, "26\n"), ended.err


def test_what_the_program_prints_does_not_mix_with_the_results(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:shout", '"a"')
    assert ended.out == '"A"\n'
    assert "shouting" in ended.err


def test_what_json_cannot_hold_is_said(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:strange")
    assert json.loads(ended.out) == {"it": "<class 'object'>"}
    assert "JSON can't hold type: the repr stands there" in ended.err


def test_a_failing_call_shows_the_users_line_and_ends_with_1(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:odd_only", "2")
    assert (ended.code, ended.out) == (1, "")
    assert "ValueError: 2 is even" in ended.err
    assert "hello_cli.py" in ended.err
    assert "run_command.py" not in ended.err


def test_a_call_that_takes_too_long_is_given_up(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:hang", "1", "--timeout", "0.1")
    assert ended.code == 1
    assert "TimedOutError" in ended.err


def test_a_call_that_leaves_the_program_does_not(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:leave")
    assert ended.code == 1
    assert "BodyExited" in ended.err
    assert "hello_cli.py" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hello_cli.py:double", '"x"'], "argument 'n' of double"),
        (["hello_cli.py:double"], "missing a required argument: 'n'"),
        (["hello_cli.py:double", "[1, 2]"], "too many positional arguments"),
        (["hello_cli.py:double", "{"], "ARGS_JSON is not JSON"),
        (["hello_cli.py:shout", "Ada"], """Text needs quotes of its own: '"Ada"'"""),
        (["hello_cli.py:nothing"], "there is no nothing in hello_cli.py"),
        (["hello_cli.py:Dish"], "is a class"),
        (["hello_cli.py"], "names no function"),
    ],
)
def test_what_cannot_be_run_is_said_and_ends_with_2(kitchen: Any, hello: str, words: list[str], said: str) -> None:
    ended = kitchen.run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


# -- many calls ----------------------------------------------------------------------------------------------------


def test_each_line_is_one_call_and_has_one_record(kitchen: Any, hello: str) -> None:
    items = kitchen.items(1, [2], {"n": 3})
    ended = kitchen.run(f"{hello}:double", "--input", items)
    assert ended.code == 0, ended.err
    assert [(record["line"], record["outcome"], record["value"]) for record in ended.records] == [
        (1, "ok", 2),
        (2, "ok", 4),
        (3, "ok", 6),
    ]
    assert {record["lane"] for record in ended.records} == {"thread"}
    assert all(record["attempts"] == 1 and record["work"] == "finished" for record in ended.records)
    assert "3 items in" in ended.err
    assert "3 ok" in ended.err


@pytest.mark.slow
def test_unreadable_line_40017_is_reported_with_its_number_and_the_rest_runs(kitchen: Any, hello: str) -> None:
    items = kitchen.items(*(n if n != 40_017 else '{"n": oops' for n in range(1, 40_101)))
    ended = kitchen.run(f"{hello}:later", "--input", items, "--output", "out.jsonl", "--quiet")
    assert ended.code == 1
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(records) == 40_100
    (bad,) = [record for record in records if record["outcome"] != "ok"]
    assert bad["line"] == 40_017
    assert bad["work"] == "not started"
    assert "line 40017: not JSON" in bad["error"]["message"]
    assert "40,099 ok, 1 failed" in ended.err
    assert "line 40017" in ended.err


def test_a_line_that_does_not_fit_fails_alone(kitchen: Any, hello: str) -> None:
    items = kitchen.items(1, '"two"', {"m": 3}, [4, 4], {}, 6)
    ended = kitchen.run(f"{hello}:double", "--input", items)
    assert ended.code == 1
    assert [record["outcome"] for record in ended.records] == ["ok", "failed", "failed", "failed", "failed", "ok"]
    assert all(f"line {r['line']}: " in r["error"]["message"] for r in ended.records if r["outcome"] == "failed")
    assert "argument 'n' of double" in ended.records[1]["error"]["message"]


def test_failures_are_grouped_by_cause_with_their_lines(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:odd_only", "--input", kitchen.items(*range(1, 15)))
    assert ended.code == 1
    assert "7 ok, 7 failed" in ended.err
    assert "7 failed: ValueError at hello_cli.py:" in ended.err
    assert ended.records[1]["error"]["type"] == "ValueError"
    assert ended.records[1]["error"]["message"] == "2 is even"
    assert ended.records[1]["error"]["at"].endswith("in odd_only")


def test_a_time_out_is_each_calls_own(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:nap", "--input", kitchen.items(0, 20, 0), "--timeout", "0.1")
    assert ended.code == 1
    assert [record["outcome"] for record in ended.records] == ["ok", "timed_out", "ok"]
    assert ended.records[1]["work"] == "stopped"


def test_an_empty_input_is_a_success_of_nothing(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items())
    assert (ended.code, ended.out) == (0, "")
    assert "0 items" in ended.err


def test_no_more_calls_are_under_way_than_asked_for(kitchen: Any) -> None:
    kitchen.write(
        "width_cli.py",
        "import asyncio\nnow = most = 0\nasync def f(n):\n global now, most\n now += 1; most = max(most, now)\n"
        " await asyncio.sleep(0.001); now -= 1; return most\n",
    )
    ended = kitchen.run("width_cli.py:f", "--input", kitchen.items(*range(40)), "--concurrency", "3")
    assert max(record["value"] for record in ended.records) == 3


@pytest.mark.parametrize("limit", ["3", "10%"])
def test_too_many_failures_stop_the_run_with_3(kitchen: Any, hello: str, limit: str) -> None:
    items = kitchen.items(*([2] * 30))
    ended = kitchen.run(f"{hello}:odd_only", "--input", items, "--fail-on", limit, "--concurrency", "1")
    assert ended.code == 3
    assert "--fail-on was reached with 3 lost" in ended.err
    assert "not started: " in ended.err
    assert 3 <= len(ended.records) <= 5


def test_unreadable_lines_count_for_fail_on(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(*["{"] * 30, 1), "--fail-on", "5")
    assert ended.code == 3
    assert len(ended.records) == 5


def test_what_ran_when_the_run_stopped_has_a_record(kitchen: Any, hello: str) -> None:
    items = kitchen.items(20, 20, 0.05, -1, 20)
    ended = kitchen.run(f"{hello}:nap", "--input", items, "--fail-on", "1", "--concurrency", "3")
    assert ended.code == 3
    assert [record["outcome"] for record in ended.records] == ["cancelled", "cancelled", "ok", "failed"]
    assert {record["work"] for record in ended.records[:2]} == {"stopped"}
    assert "1 ok, 1 failed, 2 cancelled; not started: 1" in ended.err


def test_results_go_to_a_file_and_never_over_something_else(kitchen: Any, hello: str) -> None:
    words = (f"{hello}:double", "--input", kitchen.items(1), "--output", "out.jsonl")
    assert kitchen.run(*words).code == 0
    assert json.loads(Path("out.jsonl").read_text())["value"] == 2
    Path("out.jsonl").write_text("precious\n")
    ended = kitchen.run(*words)
    assert ended.code == 2
    assert "out.jsonl holds something else already; its first line is: precious" in ended.err
    assert Path("out.jsonl").read_text() == "precious\n"


def test_the_input_itself_is_never_overwritten(kitchen: Any, hello: str) -> None:
    items = kitchen.items(1)
    assert kitchen.run(f"{hello}:double", "--input", items, "--output", items).code == 2
    assert Path(items).read_text() == "1\n"


@pytest.mark.parametrize("words", [["--input", "none.jsonl"], ["--input", "nothing_in_it"], ["--input", "*.no"]])
def test_an_input_that_cannot_be_opened_ends_with_2(kitchen: Any, hello: str, words: list[str]) -> None:
    Path("nothing_in_it").mkdir()
    ended = kitchen.run(f"{hello}:double", *words)
    assert ended.code == 2
    assert words[1] in ended.err


def test_a_full_disk_is_said_with_what_was_done(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(1, 2, 3), "--output", "/dev/full")
    assert ended.code == 74
    assert "/dev/full could not be written: No space left on device" in ended.err
    assert "outcomes are not in /dev/full; it holds 0 whole lines" in ended.err


def test_one_value_that_cannot_be_written_ends_with_74(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "4", "--output", "/dev/full")
    assert ended.code == 74
    assert "No space left on device" in ended.err


def test_quiet_leaves_the_summary(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(1), "--quiet")
    assert "1 item in" in ended.err


# -- formats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [("in.csv", "n\n1\n2\n"), ("in.json", '[1, {"n": 2}]'), ("in.txt", "1\n2\n"), ("in.jsonl", "1\n[2]\n")],
)
def test_every_format_gives_the_same_calls(kitchen: Any, hello: str, name: str, text: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.write(name, text))
    assert ended.code == 0, ended.err
    assert sorted(record["value"] for record in ended.records) == [2, 4]


def test_only_the_first_are_taken(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(*range(100)), "--take", "3")
    assert ended.code == 0
    assert len(ended.records) == 3
    assert "not started" not in ended.err


def test_extra_keys_fail_unless_they_are_left_out(kitchen: Any, hello: str) -> None:
    items = kitchen.items({"n": 1, "note": "x"})
    assert kitchen.run(f"{hello}:double", "--input", items).code == 1
    assert kitchen.run(f"{hello}:double", "--input", items, "--ignore-extra").code == 0


def test_the_summary_shows_the_inputs_of_the_first_failures(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:odd_only", "--input", kitchen.items({"n": 2}, 3, [4]))
    assert '      line 1: {"n": 2}\n' in ended.err
    assert "      line 3: [4]\n" in ended.err


def test_progress_can_be_lines_of_json(kitchen: Any, hello: str) -> None:
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(1, 2), "--show", "json")
    snapshots = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert snapshots[-1]["outcomes"] == {"Ok": 2}


def test_options_of_the_project_count(kitchen: Any, hello: str) -> None:
    kitchen.write("pyproject.toml", "[tool.linecook]\ntake = 1\n")
    ended = kitchen.run(f"{hello}:double", "--input", kitchen.items(1, 2, 3))
    assert len(ended.records) == 1
    assert kitchen.run(f"{hello}:double", "2").code == 0  # which takes none of the options for many


# -- targets with a will of their own ------------------------------------------------------------------------------

WILFUL = """
import asyncio, sys, time

def exits(n: int) -> None:
    sys.exit(3)

async def loops(n: int) -> int:
    waiting = asyncio.sleep(0)
    try:
        asyncio.run(waiting)
    finally:
        waiting.close()
    return n

def loops_on_its_thread(n: int) -> int:
    async def inner() -> int:
        return n
    return asyncio.run(inner())

def reads(n: int) -> str:
    return sys.stdin.read() + sys.__stdin__.read()

def talks(n: int) -> int:
    print(f"to stdout {n}")
    return n
"""


def test_a_target_that_exits_costs_its_items_and_not_the_run(kitchen: Any) -> None:
    ended = kitchen.run(kitchen.write("wilful_a.py", WILFUL) + ":exits", "--input", kitchen.items(1, 2))
    assert ended.code == 1
    assert [record["outcome"] for record in ended.records] == ["failed", "failed"]
    assert "2 failed: linecook" in ended.err


@pytest.mark.parametrize("words", [["1"], ["--input", "items.jsonl"]])
def test_a_target_that_starts_a_loop_on_the_loop_is_told_the_cure(kitchen: Any, words: list[str]) -> None:
    kitchen.items(1)
    ended = kitchen.run(kitchen.write("wilful_b.py", WILFUL) + ":loops", *words)
    assert ended.code == 1
    assert "await the call there, or write a plain def, which gets a thread" in ended.err


def test_a_plain_def_may_start_a_loop_of_its_own(kitchen: Any) -> None:
    ended = kitchen.run(kitchen.write("wilful_c.py", WILFUL) + ":loops_on_its_thread", "--input", kitchen.items(1))
    assert (ended.code, ended.records[0]["value"]) == (0, 1), ended.err


@pytest.mark.slow
def test_a_target_that_reads_standard_input_finds_nothing_where_the_items_come_from_it(kitchen: Any) -> None:
    import subprocess

    target = kitchen.write("wilful_d.py", WILFUL)
    with kitchen.start(f"{target}:reads", "--input", "-", "--quiet", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(b"1\n2\n3\n", timeout=20)
    assert process.returncode == 0, err
    assert [json.loads(line)["value"] for line in out.splitlines()] == ["", "", ""]


def test_what_a_target_prints_is_not_taken_for_outcomes(kitchen: Any) -> None:
    ended = kitchen.run(
        kitchen.write("wilful_e.py", WILFUL) + ":talks", "--input", kitchen.items(1, 2), "--concurrency", "1"
    )
    assert [record["value"] for record in ended.records] == [1, 2]
    assert "to stdout 2" in ended.err


THRIFTY = """
import asyncio
from linecook import Limit, budget, charge, agent, tool

@tool(limit=Limit(1, name="provider"))
async def ask(n):
    await asyncio.sleep(0)
    charge(tokens_in=100, tokens_out=20, usd=0.25)

@agent
async def review(n):
    with budget(usd=1):
        await ask(n)
"""


def test_json_and_lines_tell_for_which_limit_calls_waited_and_what_was_spent(kitchen: Any) -> None:
    kitchen.write("thrifty.py", THRIFTY)
    asked = ("thrifty.py:review", "--input", kitchen.items(*range(8)), "--concurrency", "8")
    ended = kitchen.run(*asked, "--show", "json")
    last = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")][-1]
    (limit,) = last["limits"]
    assert (limit["name"], limit["bound"], limit["waiting"]) == ("provider", 1, 0)
    assert 1 <= limit["waited"] <= 7
    assert last["spent"] == {"usd": 2.0, "tokens_in": 800, "tokens_out": 160}
    assert {each["name"] for each in last["budgets"]} == {"budget(usd=1)"}
    ended = kitchen.run(*asked, "--show", "lines")
    assert re.search(r"^8 of 8 done \(100 %\) in .*, 2\.00 usd spent$", ended.err, re.MULTILINE)


SEEN = """
import os
from linecook.observe.live.doors import sockets

def is_seen(n):
    return os.getpid() in dict(sockets())
"""


def test_no_control_opens_no_socket(kitchen: Any) -> None:
    target = f"{kitchen.write('seen_cli.py', SEEN)}:is_seen"
    words = (target, "--quiet", "--input", kitchen.items(1))
    for options, expected in (((), True), (("--no-control",), False)):
        ended = kitchen.run(*words, *options)
        assert ended.code == 0
        assert json.loads(ended.out)["value"] is expected
    kitchen.write("pyproject.toml", "[tool.linecook]\ncontrol = false\n")
    assert json.loads(kitchen.run(*words).out)["value"] is False
