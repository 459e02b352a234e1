"""Every public name stands on a list here; the lists, ``__all__``, ``dir()`` and both checkers agree."""

import ast
import importlib
import inspect
import pkgutil
import types
from pathlib import Path

import pytest

import linecook
from linecook import errors
from tests.checkers import mypy, pyright

MENU = """
    run tool agent resource call_key gather settle as_completed first scope fail_after move_on_after remaining
    merge pipeline Pipeline Shared SharedMap transaction
    Limit Retry charge budget tenant approving team Inbox Ask Ref Topic
    Ok Failed TimedOut Cancelled Outcome Settled Call Runtime install
""".split()  # a name enters with the issue that builds it

ROOMS = {  # the named rooms; errors is held to the classes themselves, below
    "linecook": MENU,
    "linecook.observe": (
        "Audit AuditReport Finding CancelledCall LiveCall LiveCalls LiveCount Remote processes Board BudgetFacts "
        "ChangeFacts Event Events Facts HoldProbe JSONLines LaneFacts LimitFacts Place PlacementReport ProgressLines "
        "Row Snapshot SpentFacts Stall StallCount StallFacts StallWatch ToolFacts render wants_board "
        "Cancellation Deadlock Diagnosis Holder LeftTask LockOrder TaskWait diagnose".split()
    ),
    "linecook.testing": (
        "Exploration Failure OneMoreAwait VirtualClock VirtualLoop answers explore fake hangs late outside raises "
        "replay says_429 twice".split()
    ),
    "linecook.patterns": (
        "HandOff Job Reviewed best_of blackboard critic_loop debate hand_off map_reduce race supervise vote".split()
    ),
    "linecook.testing.server": ["FAULTS", "Phase", "Seen", "Server", "server"],
}

PROGRAMS = {"linecook.__main__", "linecook.lanes.worker", "linecook.lanes.worker_main"}  # run, never imported


@pytest.mark.parametrize("module", ROOMS)
def test_every_list_of_exports_is_as_agreed(module: str) -> None:
    room = importlib.import_module(module)
    assert sorted(room.__all__) == sorted(ROOMS[module])
    assert [name for name in room.__all__ if not hasattr(room, name)] == []


@pytest.mark.parametrize("module", [*ROOMS, "linecook.errors"])
def test_nothing_else_leaks(module: str) -> None:
    room = importlib.import_module(module)
    public = {name for name in dir(room) if not name.startswith("_")}
    ours = {name for name in public if is_room(getattr(room, name))}
    assert public - ours - set(room.__all__) == set()


def test_the_list_of_the_menu_is_written_out() -> None:
    """A checker reads ``__all__`` without running it."""
    tree = ast.parse(Path(linecook.__file__).read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    lists = [ast.literal_eval(node.value) for node in assigned if ast.unparse(node.targets[0]) == "__all__"]
    assert lists == [linecook.__all__]


def test_the_errors_room_holds_every_exception() -> None:
    names = {error.__name__ for error in errors_of_the_house()}
    assert sorted(names) == sorted(errors.__all__)
    for error in errors_of_the_house():
        assert getattr(errors, error.__name__) is error


def test_every_exported_thing_says_what_it_is() -> None:
    for name in linecook.__all__:
        thing = getattr(linecook, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
def test_the_checkers_see_the_same_names(check, tmp_path: Path) -> None:
    """Re-exports that only work at run time are errors to a user's checker."""
    imports = [f"from {room.__name__} import {name} as {name}" for room in (linecook, errors) for name in room.__all__]
    user = tmp_path / "user.py"
    user.write_text("\n".join(imports) + "\n")
    assert check([user]) == ""
    user.write_text("from linecook import no_such_name\nprint(no_such_name)\n")
    assert "no_such_name" in check([user])


def errors_of_the_house() -> set[type[BaseException]]:
    """Every ``LinecookError`` that a module of the package defines."""
    found: set[type[BaseException]] = set()
    for module in modules():
        found |= {thing for thing in vars(module).values() if is_error(thing) and thing.__module__ == module.__name__}
    return found


def is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, errors.LinecookError)


def is_room(thing: object) -> bool:
    return isinstance(thing, types.ModuleType) and thing.__name__.startswith("linecook.")


def modules() -> list[types.ModuleType]:
    """Every module of the package but the guests' (their libraries may be missing) and programs of their own."""
    names = [found.name for found in pkgutil.walk_packages(linecook.__path__, "linecook.")]
    wanted = [name for name in names if name not in PROGRAMS and ".integrations." not in name]
    return [importlib.import_module(name) for name in wanted]
