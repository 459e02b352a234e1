"""An output is ours alone, and never written over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.place import is_table, open_output, open_shared


def test_an_output_that_holds_something_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    os.close(open_output(str(path)))
    os.close(open_output(str(path)))  # still empty: nothing to lose
    path.write_text("precious\n")
    with pytest.raises(BadUsage, match=r"holds 9 bytes already"):
        open_output(str(path))
    assert path.read_text() == "precious\n"


def test_an_output_in_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="No such file or directory"):
        open_output(str(tmp_path / "no" / "out.jsonl"))


@pytest.mark.slow
def test_a_second_run_is_refused_and_told_who_writes(tmp_path: Path, environment: dict[str, str]) -> None:
    path = str(tmp_path / "out.jsonl")
    hold = "import sys; from linecook.cli.place import open_shared as f; f(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BadUsage, match=rf"out\.jsonl is being written by process {other.pid}: wait for its end"):
            open_shared(path)
        other.kill()
    os.close(open_shared(path))  # the lock went with it


@pytest.mark.parametrize(("name", "table"), [("o.jsonl", False), ("o.CSV", True), ("/dev/full", False), ("o", False)])
def test_the_name_says_how_outcomes_are_written(name: str, table: bool) -> None:
    assert is_table(name) is table


@pytest.mark.parametrize("name", ["o.json", "o.jsonl.gz", "o.xlsx", "o.parquet"])
def test_a_name_that_promises_another_format_is_refused(name: str) -> None:
    with pytest.raises(BadUsage, match=r"written as \.jsonl \(JSON lines\) or \.csv, not as"):
        is_table(name)
