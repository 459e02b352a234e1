"""TARGET: from ``file.py:function`` or ``package.module:function`` to the function."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from .exits import BadUsage

FORMS = "write FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION"


def load(text: str) -> Callable[..., Any]:
    """Import what *text* names and return the function.

    The module is imported under its own name with its directory (for a file) or the current one (for a module) first
    on ``sys.path``, as python does; so worker processes can import it too. Its ``__main__`` block doesn't run.

    Raises:
      BadUsage: no such file, module or function; not callable; the import raised (with the user's traceback).
    """
    place, separator, name = text.rpartition(":")
    if not separator or not place or not name:
        raise BadUsage(f"TARGET {text!r} names no function: {FORMS}.")
    module = _import_file(Path(place)) if _looks_like_a_file(place) else _import_module(place)
    found: Callable[..., Any] | Any = _attribute(module, name, place)
    if not callable(found):
        raise BadUsage(f"{name} in {place} is not a function but {_a(type(found).__name__)}.")
    return found


def _looks_like_a_file(place: str) -> bool:
    return place.endswith(".py") or os.sep in place


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadUsage(f"TARGET: there is no file {path}." + _similar(path))
    path = path.resolve()
    if path.suffix != ".py" or "." in path.stem:
        raise BadUsage(f"TARGET: {path.name} can't be imported by name: it must end in .py and have no other dot.")
    _first_on_path(path.parent)
    loaded = sys.modules.get(path.stem)
    if loaded is not None and _file_of(loaded) != path:
        raise BadUsage(
            f"TARGET: {path.name} has the name of the module {path.stem!r}, which Python has loaded already "
            f"({_file_of(loaded) or 'built in'}). Rename the file."
        )
    hint = ""
    if (path.parent / "__init__.py").exists():
        hint = f"{path.name} belongs to a package: from the directory above it, write PACKAGE.{path.stem}:FUNCTION."
    return _import(path.stem, hint)


def _import_module(name: str) -> ModuleType:
    _first_on_path(Path.cwd())
    return _import(name)


def _import(name: str, hint: str = "") -> ModuleType:
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise BadUsage(f"TARGET: there is no module {error.name!r} here ({Path.cwd()}): {FORMS}.") from None
        raise _broken(name, error, hint) from error
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError | ValueError) and error.__traceback__ is not None and not all(name.split(".")):
            raise BadUsage(f"TARGET: {name!r} is not the name of a module: {FORMS}.") from None
        raise _broken(name, error, hint) from error


def _broken(name: str, error: BaseException, hint: str) -> BadUsage:
    from .traces import user_trace

    said = f"importing {name} failed: the traceback is your module's."
    if isinstance(error, SystemExit):
        said = f"{name} ends the program while it is imported ({error!r}). Put that under `if __name__ == '__main__':`."
    elif isinstance(error, ImportError) and hint:
        said = f"importing {name} failed. {hint}"
    return BadUsage(said, details=user_trace(error))


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise BadUsage(f"there is no {name} in {place}; {_offer(module, name)}.") from None
    return found


def _offer(module: ModuleType, name: str) -> str:
    from difflib import get_close_matches

    own = [
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    close = get_close_matches(name, own, 1)
    if close:
        return f"did you mean {close[0]}? It has: {', '.join(own[:12])}"
    return "it has: " + ", ".join(own[:12]) if own else "it has no functions of its own"


def _similar(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix == ".py"]
    except OSError:
        return ""
    close = get_close_matches(path.name, names, 1)
    return f" Did you mean {path.parent / close[0]}?" if close else ""


def _first_on_path(directory: Path) -> None:
    text = str(directory)
    if sys.path[:1] != [text]:
        sys.path.insert(0, text)


def _file_of(module: ModuleType) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name).resolve() if name else None


def _a(noun: str) -> str:
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun
