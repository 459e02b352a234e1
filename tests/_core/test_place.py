"""A line of a program, as reports name it."""

import textwrap

from linecook._core.place import Place


def test_a_place_reads_as_file_line_function_and_source():
    assert str(Place("app.py", 12, "fetch", "time.sleep(1)")) == "app.py:12 in fetch: time.sleep(1)"
    assert str(Place("app.py", 12, "fetch")) == "app.py:12 in fetch"


def test_a_line_the_user_did_not_write_is_known_as_such():
    assert Place(textwrap.__file__, 1, "wrap").is_library
    assert Place("/venv/lib/site-packages/rich/live.py", 1, "update").is_library
    assert not Place(__file__, 1, "test").is_library
