"""Options that a project keeps in its pyproject.toml."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.settings import add_settings

NAMES = ("concurrency", "timeout", "fail_on", "take", "ignore_extra", "retry_failed", "show", "quiet")


def settled(place: Path, text: str, **typed: Any) -> Namespace:
    (place / "pyproject.toml").write_text(text)
    options = Namespace(**(dict.fromkeys(NAMES) | typed))
    add_settings(options)
    return options


def test_options_stand_as_on_the_command_line_and_what_is_typed_goes_first(place: Path) -> None:
    text = '[tool.linecook]\nconcurrency = 200\ntimeout = 2.5\nfail-on = "2%"\nshow = "lines"\nignore-extra = true\n'
    options = settled(place, text, timeout=9.0)
    assert (options.concurrency, options.timeout, options.fail_on) == (200, 9.0, 0.02)
    assert (options.show, options.ignore_extra, options.take) == ("lines", True, None)


def test_those_of_run_go_before_those_that_commands_share(place: Path) -> None:
    text = "[tool.linecook]\nconcurrency = 1\n[tool.linecook.run]\nconcurrency = 2\n[tool.linecook.watch]\nother = 1\n"
    assert settled(place, text).concurrency == 2


def test_quiet_typed_is_not_undone_by_show(place: Path) -> None:
    assert settled(place, '[tool.linecook]\nshow = "board"\n', quiet=True).show is None


def test_the_nearest_file_counts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(place / "deep" / "er")
    assert settled(place, "[tool.linecook]\ntake = 3\n").take == 3
    (place / "deep" / "pyproject.toml").write_text("[project]\n")
    assert settled(place, "[tool.linecook]\ntake = 3\n").take is None


def test_options_for_many_calls_do_not_disturb_one(place: Path) -> None:
    (place / "pyproject.toml").write_text("[tool.linecook]\nconcurrency = 3\ntimeout = 1\n")
    options = Namespace(**dict.fromkeys(NAMES))
    add_settings(options, unused=("concurrency",))
    assert (options.concurrency, options.timeout) == (None, 1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.linecook]\nconcurency = 3\n",
            r"pyproject\.toml: there is no option 'concurency' for \[tool\.linecook\]",
        ),
        ("[tool.linecook.run]\nspeed = 3\n", r"no option 'speed' for \[tool\.linecook\.run\]; there are: concurrency,"),
        ("[tool.linecook]\nconcurrency = 0\n", r"concurrency = 0 in \[tool\.linecook\]: 0 is not a number from 1 up"),
        ('[tool.linecook]\nshow = "all"\n', r"show = 'all' .*: there are board, lines, json, none"),
        ("[tool.linecook]\nquiet = 1\n", r"quiet = 1 .*: it is true or false"),
        ("[tool.linecook]\ntimeout = true\n", "neither a number nor a text"),
        ("[tool.linecook\n", r"pyproject\.toml: "),
        ("[tool]\nlinecook = 3\n", "tool.linecook is no table"),
    ],
)
def test_what_is_not_known_is_named_with_its_file(place: Path, text: str, said: str) -> None:
    with pytest.raises(BadUsage, match=said):
        settled(place, text)


def test_a_broken_file_of_somebody_else_is_none_of_our_business(place: Path) -> None:
    assert settled(place, "[project\n").take is None
