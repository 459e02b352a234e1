"""The example that the pictures of the board are taken of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_every_page_gets_its_outcome(tmp_path, environment):
    (tmp_path / "pages.jsonl").write_text("".join(f"{page}\n" for page in range(1, 121)))
    command = [sys.executable, "-m", "linecook", "run", os.fspath(ROOT / "examples/reviews.py:review"), "--input",
               "pages.jsonl", "--output", "reviews.jsonl", "--show", "json"]  # fmt: skip
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    records = [json.loads(line) for line in (tmp_path / "reviews.jsonl").read_text().splitlines()]
    failed = {record["error"]["type"] for record in records if record["outcome"] == "failed"}
    assert len(records) == 120, ran.stderr
    assert failed <= {"ValueError", "ConnectionError"}
    assert sum(record["outcome"] == "ok" for record in records) >= 100
    last = json.loads([line for line in ran.stderr.splitlines() if line.startswith("{")][-1])
    assert (last["done"], sorted(last["lanes"])) == (120, ["loop", "process", "thread"])
    assert {tool["name"] for tool in last["tools"]} >= {"fetch", "outline"}
