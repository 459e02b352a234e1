"""The words of ``linecook top``, ``ps``, ``tree`` and ``cancel``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from linecook.cli.main import main


@pytest.mark.parametrize("command", ["top", "ps", "tree", "cancel"])
def test_the_help_of_each_teaches(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for words in ("examples:", f"linecook {command} 4711", "exit codes:", "--json", "Runtime(control=True)"):
        assert words in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ps", "soon"], "invalid whole number value: 'soon'"),
        (["ps", "0"], "0 is not a number from 1 up"),
        (["tree", "1", "--most", "0"], "0 is not a number from 1 up"),
        (["tree", "1", "--most", "3", "--all"], "not allowed with argument"),
        (["top", "1", "--interval", "0.01"], "0.01 is not a number of seconds from 0.1 up"),
        (["top", "1", "--interval", "nan"], "nan is not a number of seconds from 0.1 up"),
        (["cancel", "1"], "the following arguments are required: CALL"),
    ],
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_loads_nothing_it_does_not_need() -> None:
    code = (
        "import sys; from linecook.cli.main import main\n"
        "try: main(['tree', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'msgspec', 'rich', 'json', 'linecook.observe.live.remote'}\n"
        "print(*heavy & set(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ended.stderr.strip() == ""
