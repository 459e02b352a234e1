"""The example of a pipeline over real files, against a server that misbehaves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--calm", "wild"])
def test_every_part_is_answered_or_set_aside_with_its_reason(
    how: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    for number in range(12):
        parts = (f"def f{number}_{part}():\n    pass\n" for part in range(number % 4))
        (tmp_path / f"file{number}.py").write_text("".join(parts))
    (tmp_path / "broken.py").write_text("def (:\n")
    command = [sys.executable, os.fspath(ROOT / "examples/summaries.py"), os.fspath(tmp_path)]
    command += [how] if how == "--calm" else []
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stderr
    ((files, answered, aside),) = re.findall(r"(\d+) files, (\d+) parts answered; (\d+) set aside", ran.stdout)
    assert int(files) == 12
    assert "flat_map(parts_of)" in ran.stdout
    assert "SyntaxError" in ran.stdout
    assert int(answered) + int(aside) == 18 + 1
    if how == "--calm":
        assert (int(answered), int(aside)) == (18, 1)
