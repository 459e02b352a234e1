import importlib
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from linecook._core.context import Frame
from linecook._core.place import Place
from linecook.observe.place import call_on_stack, is_debugged, stands_in_python, users_spot


def here() -> types.FrameType:
    return sys._getframe(1)


def test_a_library_called_by_the_user_is_not_the_users_line():
    place = called_in(textwrap.__file__, lambda frame: users_spot(frame).look_up())
    assert place.file == __file__
    assert place.function == "called_in"
    assert place.source == 'return library["deep"]()  # type: ignore[operator, no-any-return]'


def test_where_nobody_has_a_line_the_innermost_is_named():
    place = called_in(textwrap.__file__, lambda frame: users_spot(frame, until=frame.f_back).look_up())
    assert (place.file, place.line, place.function) == (textwrap.__file__, 2, "deep")


def test_of_an_import_the_line_that_imports_is_named():
    class Finder:
        spot: Any = None

        def find_spec(self, *_wanted: object) -> None:
            self.spot = users_spot(sys._getframe(1), until=outermost)

    outermost, finder = here(), Finder()
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("no_such_module")
    except ModuleNotFoundError:
        pass
    finally:
        sys.meta_path.remove(finder)
    assert finder.spot is not None
    assert finder.spot.look_up().function == "import_module"


def test_an_installed_package_counts_where_the_user_has_no_line():
    name = "/venv/lib/site-packages/rich/live.py"
    assert called_in(name, lambda frame: users_spot(frame, until=frame.f_back).look_up()) == Place(name, 2, "deep", "")


def called_in(file: str, tell: Callable[[types.FrameType], Place]) -> Place:
    """Call *tell* with the frame of a function that stands in *file*."""
    library: dict[str, object] = {"tell": tell, "sys": sys}
    exec(compile("def deep():\n    return tell(sys._getframe())\n", file, "exec"), library)
    return library["deep"]()  # type: ignore[operator, no-any-return]


def test_a_debugger_is_recognised_anywhere_on_the_stack():
    debugger: dict[str, object] = {"__name__": "_pydevd_bundle.pydevd_frame", "here": here}
    exec("def stop(): return inner()\ndef inner(): return here()", debugger)
    assert is_debugged(debugger["stop"]())  # type: ignore[operator]
    assert not is_debugged(here())


def test_a_frame_in_a_call_is_told_from_one_in_a_loop():
    ready, stop = threading.Event(), False

    def loop() -> None:
        ready.set()
        while not stop:
            pass

    assert not stands_in_python(here())
    thread = threading.Thread(target=loop)
    thread.start()
    ready.wait(5)
    seen = []
    for _ in range(5):
        time.sleep(0.006)
        seen.append(stands_in_python(sys._current_frames().get(thread.ident or 0)))
    stop = True
    thread.join()
    assert any(seen)
    assert not stands_in_python(None)


def test_a_call_that_is_being_made_is_not_taken_for_one_that_runs():
    program = """
class Made(Frame):
    def __init__(self, look): self.looked = look(sys._getframe())
    def run(self, look): return look(sys._getframe())
"""
    names: dict[str, Any] = {"__name__": "linecook.made_up", "Frame": Frame, "sys": sys}
    exec(program, names)
    bottom = here()
    made = names["Made"](lambda frame: call_on_stack(frame, bottom))
    assert made.looked is None
    assert made.run(lambda frame: call_on_stack(frame, bottom)) is made
