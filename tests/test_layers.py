"""The plan of the house (CONTRIBUTING.md): who may import whom, and who may touch what belongs to the whole process."""

import ast
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parent.parent / "src"

FLOORS = {
    "_core": 0,
    "state": 1, "lanes": 1, "journal": 1, "observe": 1,
    "_runtime": 2,
    "tools": 3,
    "agents": 4, "pipeline": 4,
    "testing": 5, "patterns": 5,
    "integrations": 6,
    "cli": 7,
}  # fmt: skip
MENU = {"__init__", "errors"}  # re-exports only: sees every room, seen by guests and the command line alone
DOOR = {"__main__"}  # opens the command line
OUTSIDERS = {"integrations", "cli"}  # use what users can import, and nothing else
PUBLIC = {"linecook", "linecook.errors", "linecook.observe", "linecook.testing", "linecook.patterns"}

CONTEXT_OWNER = Path("linecook/_core/context.py")
PROCESS_OWNERS = {"_runtime", "cli"}  # run(), install() and the command line
OWN_PROCESS = {Path("linecook/lanes/worker.py"), Path("linecook/lanes/worker_main.py")}  # theirs is linecook's own
EXPLORER = Path("linecook/testing/exploring/sealing/sittings.py")  # while a program is explored, nothing else runs
PROCESS_WIDE = {
    "signal.signal", "signal.setitimer", "signal.alarm", "signal.set_wakeup_fd", "signal.pthread_sigmask",
    "gc.set_threshold", "gc.freeze", "gc.disable", "gc.enable", "gc.set_debug",
}  # fmt: skip
LOOP_WIDE = {"add_signal_handler", "remove_signal_handler", "set_default_executor", "set_event_loop_policy"}


def test_rooms_import_from_lower_floors_only() -> None:
    assert list(import_problems(SRC)) == []


def test_only_the_context_file_creates_context_variables() -> None:
    assert list(context_problems(SRC)) == []


def test_only_run_install_and_the_command_line_touch_what_the_whole_process_shares() -> None:
    assert list(process_problems(SRC)) == []


def import_problems(src: Path) -> Iterator[str]:
    """Every import that the plan of the house forbids."""
    for file, tree in modules(src):
        here = room(module_name(file))
        if here not in FLOORS.keys() | MENU | DOOR:
            yield f"{file}: the room {here!r} has no floor; give it one in FLOORS and in CONTRIBUTING.md"
            continue
        for line, target in imports(file, tree, src):
            if problem := import_problem(here, target):
                yield f"{file}:{line}: {problem}"


def import_problem(here: str, target: str) -> str:
    """Why *here* may not import *target*; empty: it may."""
    there = room(target)
    if here in DOOR | MENU or here == there:
        return ""
    if here in OUTSIDERS:
        return "" if target in PUBLIC else f"{here} uses only what users can import, and that is not {target}"
    if there in MENU:
        return f"{here} imports the menu ({target}); import the room that has it"
    if there not in FLOORS:
        return f"{here} imports {target}, which has no floor"
    if FLOORS[there] == FLOORS[here]:
        return f"{here} and {there} are neighbours on floor {FLOORS[here]} and don't know each other"
    return "" if FLOORS[there] < FLOORS[here] else f"{here} (floor {FLOORS[here]}) imports {there} above it"


def context_problems(src: Path) -> Iterator[str]:
    """Every context variable created outside its owner."""
    for file, tree in modules(src):
        names = origins(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if dotted(call.func, names) == "contextvars.ContextVar" and file != CONTEXT_OWNER:
                yield f"{file}:{call.lineno}: only {CONTEXT_OWNER} creates context variables"


def process_problems(src: Path) -> Iterator[str]:
    """Every change, outside its owners, of signals, garbage collection or a loop's default executor."""
    for file, tree in modules(src):
        if room(module_name(file)) in PROCESS_OWNERS or file in OWN_PROCESS | {EXPLORER}:
            continue
        names = origins(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name):
                name = dotted(node, names)
                if name in PROCESS_WIDE or (isinstance(node, ast.Attribute) and node.attr in LOOP_WIDE):
                    yield f"{file}:{node.lineno}: only run, install and the command line may touch {name}"


def modules(src: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((src / "linecook").rglob("*.py")):
        yield path.relative_to(src), ast.parse(path.read_text(), str(path))


def module_name(file: Path) -> str:
    name = ".".join(file.with_suffix("").parts)
    return name.removesuffix(".__init__") if len(file.parts) > 2 else name


def room(module: str) -> str:
    """The room of a module: ``linecook.lanes.thread`` is in ``lanes``; ``linecook`` itself is the menu."""
    return [*module.split("."), "__init__"][1]


def imports(file: Path, tree: ast.Module, src: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of linecook in *tree*: at the top, in a function, or for the checkers only."""
    package = file.parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names if name.name.split(".")[0] == "linecook")
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *filter(None, [node.module])])
            if base.split(".")[0] == "linecook":
                yield from ((node.lineno, resolve(base, name.name, src)) for name in node.names)


def resolve(base: str, name: str, src: Path) -> str:
    """``from base import name`` imports the module *base.name* where there is one, else the module *base*."""
    inner = src.joinpath(*base.split("."), name)
    return f"{base}.{name}" if inner.with_suffix(".py").exists() or inner.is_dir() else base


def origins(tree: ast.Module) -> dict[str, str]:
    """What every imported name stands for: ``{"CV": "contextvars.ContextVar", "signal": "signal"}``."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.asname or name.name: name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    return found


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name behind an expression: ``signal.signal`` for ``sig.signal`` after ``import signal as sig``."""
    if isinstance(node, ast.Subscript):  # ContextVar[int]("x")
        return dotted(node.value, names)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def test_a_planted_violation_is_named(tmp_path: Path) -> None:
    house = {
        "__init__.py": "from ._core import ids\nfrom .agents.agent import agent",
        "__main__.py": "from linecook.cli.main import main",
        "errors.py": "from ._core.errors import LinecookError",
        "_core/__init__.py": "",
        "_core/ids.py": "import contextvars as c\nx = c.ContextVar('x')",
        "_core/errors.py": "def f():\n    from ..lanes import base",
        "_core/context.py": "from contextvars import ContextVar\nx = ContextVar[int]('x')",
        "lanes/__init__.py": "",
        "lanes/base.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from linecook.observe import sink",
        "lanes/thread.py": "from . import base\nfrom .._core import ids\nimport signal as s\ns.signal(s.SIGINT, None)",
        "lanes/worker.py": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)",
        "observe/__init__.py": "",
        "observe/sink.py": "from gc import freeze\nfreeze()\nfrom ..errors import LinecookError",
        "_runtime.py": "import linecook.tools.call\nloop.add_signal_handler(2, print)",
        "tools/call.py": "from .. import _runtime\nloop.set_default_executor(None)",
        "agents/agent.py": "from ..tools.call import Call\nfrom .. import tool",
        "cli/main.py": "import signal, linecook, linecook.errors\nfrom linecook.observe import a\n"
        "from linecook.observe.sink import b",
        "cellar/wine.py": "",
    }
    for name, text in house.items():
        path = tmp_path / "linecook" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = [*import_problems(tmp_path), *context_problems(tmp_path), *process_problems(tmp_path)]
    assert [problem.removeprefix("linecook/").split(": ")[0] for problem in found] == [
        "_core/errors.py:2", "_runtime.py:1", "agents/agent.py:2", "cellar/wine.py", "cli/main.py:3", "lanes/base.py:3",
        "observe/sink.py:3", "_core/ids.py:2", "lanes/thread.py:4", "observe/sink.py:2", "tools/call.py:2",
    ]  # fmt: skip
