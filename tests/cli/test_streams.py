"""Standard input and output are the run's; what the program reads and prints goes elsewhere."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from linecook.cli.streams import claimed_stdin, claimed_stdout


def test_what_is_printed_meanwhile_goes_to_standard_error_also_from_c(capfd: pytest.CaptureFixture[str]) -> None:
    with claimed_stdout() as ours:
        print("printed")
        os.write(1, b"from C\n")
        os.write(ours, b"outcome\n")
    print("after")
    out, err = capfd.readouterr()
    assert out == "outcome\nafter\n"
    assert "printed" in err
    assert "from C" in err


def test_what_reads_meanwhile_is_at_the_end_and_afterwards_not() -> None:
    ours, theirs = os.pipe()
    saved = os.dup(0)
    os.dup2(ours, 0)
    try:
        os.write(theirs, b"12")
        with claimed_stdin() as kept:
            assert os.read(0, 1) == b""
            assert os.read(kept, 1) == b"1"
        assert os.read(0, 1) == b"2"
    finally:
        os.dup2(saved, 0)
        for fd in (ours, theirs, saved):
            os.close(fd)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [
        ("--input items.jsonl >&-", 2, "standard output is closed: give --output FILE for the results"),
        ("--input - <&-", 2, "--input -: standard input is closed"),
        ("--input items.jsonl 2>&-", 0, ""),
        ("3 2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_said_and_never_written_to(kitchen: Any, closed: str, code: int, said: str) -> None:
    kitchen.write("echo_cli.py", "def echo(n):\n    print('printed')\n    return n\n")
    kitchen.items(1)
    command = f"{shlex.quote(sys.executable)} -m linecook run echo_cli.py:echo {closed}"
    ended = subprocess.run(
        command, shell=True, cwd=kitchen.directory, env=kitchen._environment, capture_output=True, text=True, timeout=20
    )
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "printed" not in ended.stdout
