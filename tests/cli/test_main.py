"""The words of the command line: options, help, usage errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import linecook
from linecook.cli.main import main


def test_without_a_command_it_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "linecook run desk.py:review --input files.jsonl --output reviews.jsonl" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["TARGET", "--concurrency", "examples:", "exit codes:", "130", "Ctrl-C", "141"])
def test_the_help_of_run_explains(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--help"])
    assert ended.value.code == 0
    assert word in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"linecook {linecook.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--timeout", "-1"], "-1 is not a number of seconds from 0 up"),
        (["--timeout", "nan"], "nan is not a number of seconds"),
        (["--timeout", "soon"], "invalid number of seconds value: 'soon'"),
        (["--concurrency", "0"], "0 is not a number from 1 up"),
        (["--concurrency", "many"], "invalid whole number value: 'many'"),
        (["--fail-on", "0"], "0 is neither a count from 1 up nor a share"),
        (["--fail-on", "101%"], "101% is neither a count"),
        (["--fail-on", "nan%"], "nan% is neither a count"),
        (["--fail-on", "1.5"], "invalid count or share value: '1.5'"),
        (["--in", "x"], "unrecognized arguments"),
    ],
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "math:sqrt", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1", "--input", "x"], "give ARGS_JSON for one call or --input for many, not both"),
        (["--concurrency", "3"], "--concurrency is for many calls: it needs --input"),
        (["--fail-on", "3"], "--fail-on is for many calls"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["run", "math:sqrt", *words]) == 2
    assert said in capsys.readouterr().err


def test_help_loads_nothing_it_does_not_need() -> None:
    code = (
        "import sys; from linecook.cli.main import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'msgspec', 'rich', 'json', 'importlib.metadata', 'shutil'}\n"
        "print(*heavy & set(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ended.stderr.strip() == ""


def test_a_ctrl_c_that_an_import_turns_into_an_error_is_still_an_interruption(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "broken_off.py").write_text(
        "import signal\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    raise ImportError('half made') from None\n"  # what C extensions do
    )
    assert main(["run", "broken_off.py:f"]) == 130
    assert capsys.readouterr().err == "linecook: interrupted.\n"


def test_the_exit_code_tells_when_nobody_can_read_the_words(environment: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "linecook", "run", "nowhere.py:f"]
        buffered = {name: value for name, value in environment.items() if name != "PYTHONUNBUFFERED"}
        ended = subprocess.run(words, stderr=full, env=buffered, timeout=30)
    assert ended.returncode == 2
