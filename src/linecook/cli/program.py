"""Somebody's program, run in this process as ``python FILE.py`` or ``python -m MODULE`` would run it."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from .exits import BadUsage

_HERE = os.path.abspath(__file__)


class Program:
    """What is to be run. Nothing of it has run when this has been made.

    Args:
      name: path of a file, or of a directory or zip file with a ``__main__.py``; with *as_module* the name of a module
        or package.
      arguments: its own, the words after its name.
      as_module: whether *name* is a module.

    Raises:
      BadUsage: there is no such program.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, as_module: bool) -> None:
        self._name = name
        self._arguments = list(arguments)
        self._as_module = as_module
        if not as_module and not Path(name).exists():
            raise BadUsage(f"there is no file {name}; a module is run with -m.")

    def run(self) -> int | KeyboardInterrupt:
        """Run it to the end of its main module, and return its exit code; what it says when it fails has been said.

        Returns:
          the exit code that Python would end with; the ``KeyboardInterrupt`` that ended the program, for which Python
          ends by the signal (see ``end_by_ctrl_c``).

        Raises:
          BadUsage: there is no such program: nothing of it has run.
        """
        try:
            code, module = self._prepare()
            _execute(code, module)
        except BadUsage:
            raise
        except SystemExit as left:
            return _code_of(left)
        except KeyboardInterrupt as pressed:
            _say(pressed)
            return pressed
        except BaseException as error:
            _say(error)
            return 1
        return 0

    def _prepare(self) -> tuple[CodeType, types.ModuleType]:
        return self._as_python_m(self._name) if self._as_module else self._as_python_file()

    def _as_python_file(self) -> tuple[CodeType, types.ModuleType]:
        path = os.path.join(os.getcwd(), self._name)  # as it was typed: Python doesn't take "./" out either
        sys.argv = [self._name, *self._arguments]
        if os.path.isdir(path) or not _is_source(path):
            return self._as_directory(path)
        _first_on_path(os.path.dirname(os.path.realpath(path)))
        module = _new_main(path, SourceFileLoader("__main__", path), None)
        with io.open_code(path) as file:
            source = file.read()
        return compile(source, path, "exec", dont_inherit=True), module

    def _as_directory(self, path: str) -> tuple[CodeType, types.ModuleType]:
        """A directory or a zip file: its ``__main__`` is found as a module's is, with it first on the path."""
        _first_on_path(path)
        spec = _spec_in(path)
        if spec is None or spec.loader is None:
            raise BadUsage(f"{self._name} is neither a Python source file nor a directory or zip with a __main__.py.")
        return _code(spec), _new_main(spec.origin or path, spec.loader, spec)

    def _as_python_m(self, name: str) -> tuple[CodeType, types.ModuleType]:
        _first_on_path(os.getcwd())
        sys.argv = ["-m", *self._arguments]  # while its packages are imported, as python has it
        spec = _find(name)
        sys.argv = [spec.origin or name, *self._arguments]
        return _code(spec), _new_main(spec.origin or name, spec.loader, spec)


def _is_source(path: str) -> bool:
    import zipfile

    return os.path.isfile(path) and not zipfile.is_zipfile(path)


def _spec_in(path: str) -> ModuleSpec | None:
    from importlib.machinery import PathFinder

    return PathFinder.find_spec("__main__", [path])


def _find(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        if (
            isinstance(error, ModuleNotFoundError)
            and error.name is not None
            and f"{name}.".startswith(f"{error.name}.")
        ):
            raise BadUsage(f"there is no module {name} here ({os.getcwd()}).") from None
        if isinstance(error, ValueError):
            raise BadUsage(f"{name!r} can't be run as a module: {error}.") from None
        raise
    if spec is None or spec.loader is None:
        raise BadUsage(f"there is no module {name} here ({os.getcwd()}): a package needs a __main__.py to be run.")
    return spec


def _code(spec: ModuleSpec) -> CodeType:
    loader: Any = spec.loader
    code: CodeType | None = loader.get_code(spec.name)
    if code is None:
        raise BadUsage(f"{spec.name} has no Python code to run.")
    return code


def _new_main(path: str, loader: Any, spec: ModuleSpec | None) -> types.ModuleType:
    """Make the module ``__main__``, in place of ours: pickle, multiprocessing and the program itself look it up."""
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=path,
        __builtins__=sys.modules["builtins"],
        __loader__=loader,
        __package__=spec.parent if spec is not None else None,
        __spec__=spec,
        __cached__=getattr(spec, "cached", None),
        __annotations__={},
    )
    sys.modules["__main__"] = module
    return module


def _first_on_path(directory: str) -> None:
    """Put *directory* where Python puts a program's; what stands there is that of the ``linecook`` command."""
    if sys.flags.safe_path:
        return
    if sys.path:
        sys.path[0] = directory
    else:
        sys.path.append(directory)


def _execute(code: CodeType, module: types.ModuleType) -> None:
    exec(code, module.__dict__)


def _code_of(left: SystemExit) -> int:
    """Return the exit code of a ``SystemExit``; anything but a number is said, as Python does, and is 1."""
    if left.code is None:
        return 0
    if isinstance(left.code, int):
        return int(left.code)
    print(left.code, file=sys.stderr)
    return 1


def _say(error: BaseException) -> None:
    """Show *error* as Python shows one that nobody caught, without the frames of ours below the program's."""
    sys.last_type, sys.last_value = type(error), error
    sys.last_traceback = trace = _programs(error.__traceback__)
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException as broken:
        sys.__excepthook__(type(broken), broken, broken.__traceback__)


def _programs(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == _HERE:
        trace = trace.tb_next
    # A program that doesn't compile, or whose package fails, has the importer's frames below it.
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<frozen"):
        trace = trace.tb_next
    return trace


def end_by_ctrl_c() -> None:
    """End this process by SIGINT, as Python does after a ``KeyboardInterrupt`` that nobody caught: a shell sees 130."""
    import signal

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or gone
            continue
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
