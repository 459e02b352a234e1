"""Options that a project keeps for everybody, in its pyproject.toml; what is typed goes first."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

from .exits import BadUsage
from .run_options import SHOWN
from .usage import at_least_one, count_or_share, seconds_from_0

TABLE = "tool.linecook"


def add_settings(options: argparse.Namespace, unused: Collection[str] = ()) -> None:
    """Fill in what wasn't typed from ``[tool.linecook]`` and ``[tool.linecook.run]`` of the nearest pyproject.toml.

    Args:
      options: as typed; None where nothing was.
      unused: options that don't matter for this run, and are left out.

    The nearest is the one in the current directory or the first one above it. Options stand as on the command line,
    without the dashes; those in ``run`` go before those above it, which other commands may share.

    Raises:
      BadUsage: an option that isn't known, or a value that makes no sense; with the file.
    """
    path = _nearest()
    if path is None:
        return
    typed = {name for name in _KINDS if getattr(options, name, None) is not None}
    if options.show is not None or options.quiet is not None:  # two ways to say one thing: what is typed goes first
        typed |= {"show", "quiet"}
    for name, value in _settings(path).items():
        if name not in typed and name not in unused:
            setattr(options, name, value)


def _nearest() -> Path | None:
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        try:
            # Asked first, since reading TOML takes longer than all of the command line.
            return path if b"linecook" in path.read_bytes() else None
        except OSError:
            continue
    return None


def _settings(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        table: Any = tomllib.loads(path.read_text()).get("tool", {}).get("linecook", {})
    except (ValueError, AttributeError) as error:
        raise BadUsage(f"{path}: {error}.") from None
    if not isinstance(table, dict):
        raise BadUsage(f"{path}: {TABLE} is no table.")
    shared = {name: value for name, value in cast("dict[str, Any]", table).items() if not isinstance(value, dict)}
    own = cast("dict[str, Any]", table).get("run", {})
    if not isinstance(own, dict):
        raise BadUsage(f"{path}: {TABLE}.run is no table.")
    return _checked(path, TABLE, shared) | _checked(path, f"{TABLE}.run", cast("dict[str, Any]", own))


def _checked(path: Path, table: str, given: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in given.items():
        kind = _KINDS.get(name.replace("-", "_"))
        if kind is None:
            known = ", ".join(each.replace("_", "-") for each in _KINDS)
            raise BadUsage(f"{path}: there is no option {name!r} for [{table}]; there are: {known}.")
        try:
            settings[name.replace("-", "_")] = kind(value)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise BadUsage(f"{path}: {name} = {value!r} in [{table}]: {error}.") from None
    return settings


def _text(kind: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError("that is neither a number nor a text")
        return kind(str(value))

    return read


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")
    return value


def _shown(value: Any) -> str:
    if value not in SHOWN:
        raise ValueError(f"there are {', '.join(SHOWN)}")
    return str(value)


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "concurrency": _text(at_least_one),
    "timeout": _text(seconds_from_0),
    "fail_on": _text(count_or_share),
    "take": _text(at_least_one),
    "ignore_extra": _switch,
    "retry_failed": _switch,
    "control": _switch,
    "show": _shown,
    "quiet": _switch,
}
