"""docs/how-to/look-inside.md shows what really comes out: its program is run, and its commands are looked at."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linecook.cli.main import main
from linecook.observe import Remote
from tests.blocks import ROOT, programs_of_page
from tests.looked_into import hall, until

PAGE = ROOT / "docs" / "how-to" / "look-inside.md"
CONSOLE = re.compile(r"^```console\n\$ linecook (?P<words>[^\n]*)\n(?P<out>.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def crew(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The program of the page, under way; its process id."""
    (tmp_path / "crew.py").write_text(programs_of_page(PAGE, PAGE.read_text())[0].source.lstrip("\n"))
    monkeypatch.chdir(tmp_path)
    with hall() as place:
        names = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
        process = subprocess.Popen([sys.executable, "crew.py"], env=environment | names)
        try:
            assert until(lambda: (place / "linecook" / f"{process.pid}.sock").exists(), 20)
            with Remote(process.pid) as remote:
                assert until(lambda: remote.calls(0).total == 9)
            yield process.pid
        finally:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_the_page_shows_what_comes_out(crew: int, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [
        (found["words"], found["out"]) for found in CONSOLE.finditer(PAGE.read_text()) if "jq" not in found["words"]
    ]
    assert [words.split()[0] for words, _ in shown] == ["ps", "tree", "top", "cancel"]
    for words, out in shown:
        asked = shlex.split(words.removesuffix("| cat").replace("17544", str(crew)))
        assert main(asked) == 0
        assert shape(capsys.readouterr().out, crew) == shape(out, 17544)


def shape(text: str, pid: int) -> list[str]:
    """The lines of *text* without what differs from run to run: figures, and the order of what is equally old."""
    known = text.replace(str(pid), "PID")
    bare = re.sub(r"≥|>=", "", known)
    lines = [re.sub(r"\d[\d.,:]*( ms| µs| s)?", "N", line) for line in bare.splitlines()]
    return sorted(
        re.sub(r"[\s│├└─]+", " ", line).strip()
        for line in lines
        if "loop lag" not in line and "waiting for a limit" not in line
    )
