"""What is exchanged is given back, and nobody else's work is undone."""

from __future__ import annotations

import types

from linecook.observe.audit.patches import Patches


class Loop:
    def close(self) -> str:
        return "closed"


def test_a_function_of_a_module_is_exchanged_and_given_back() -> None:
    module = types.ModuleType("some")
    module.work = work = lambda: 1  # type: ignore[attr-defined]
    patches = Patches()
    patches.set(module, "work", lambda: 2)
    patches.set(module, "missing", lambda: 3)
    assert module.work() == 2
    assert not hasattr(module, "missing")
    patches.undo()
    assert module.work is work


def test_what_somebody_else_has_exchanged_since_stays_theirs() -> None:
    module = types.ModuleType("some")
    module.work = lambda: 1  # type: ignore[attr-defined]
    patches = Patches()
    patches.set(module, "work", lambda: 2)
    module.work = theirs = lambda: 3  # type: ignore[attr-defined]
    patches.undo()
    assert module.work is theirs


def test_a_method_of_one_object_is_shadowed_and_the_object_not_kept() -> None:
    loop, other, patches = Loop(), Loop(), Patches()
    assert patches.shadow(loop, "close", lambda: "seen")
    assert (loop.close(), other.close()) == ("seen", "closed")
    patches.undo()
    assert loop.close() == "closed"
    assert patches.shadow(loop, "close", lambda: "seen")
    del loop
    patches.undo()


def test_an_object_that_takes_no_attributes_is_left_alone() -> None:
    class Tight:
        __slots__ = ()

    patches = Patches()
    assert not patches.shadow(Tight(), "close", lambda: None)
    patches.undo()
