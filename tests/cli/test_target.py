"""TARGET names a function in a file or a module; whatever is wrong with it is said in its words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.target import load


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_is_imported_under_its_own_name_and_its_main_block_does_not_run(place: Path) -> None:
    write(place / "sub" / "hello_a.py", "def f(): return __name__\nif __name__ == '__main__': raise SystemExit\n")
    assert load("sub/hello_a.py:f")() == "hello_a"
    assert sys.path[0] == str(place / "sub")  # its neighbours are importable, and workers find it


def test_a_file_may_have_a_name_that_is_no_identifier(place: Path) -> None:
    write(place / "my-job.py", "def f(): return 1\n")
    assert load("my-job.py:f")() == 1


def test_a_module_is_found_from_the_current_directory(place: Path) -> None:
    write(place / "shop_b" / "orders.py", "class Desk:\n    @staticmethod\n    def total(): return 3\n")
    assert load("shop_b.orders:Desk.total")() == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello.py", "names no function: write FILE.py:FUNCTION"),
        (":f", "names no function"),
        ("helo_c.py:f", r"no file helo_c\.py\. Did you mean hello_c\.py\?"),
        ("hello_c.py:great", r"there is no great in hello_c\.py; did you mean greet\? It has: greet"),
        ("hello_c.py:NUMBER", "is not a function but an int"),
        ("no_such_module:f", "there is no module 'no_such_module' here"),
        ("os.nothing:f", "there is no module 'os.nothing'|importing os.nothing failed"),
        ("a..b:f", "."),
        ("hello_c.txt.py:f", "no other dot"),
    ],
)
def test_a_wrong_target_is_named_with_the_cure(place: Path, text: str, said: str) -> None:
    write(place / "hello_c.py", "NUMBER = 3\ndef greet(): ...\n")
    write(place / "hello_c.txt.py", "")
    with pytest.raises(BadUsage, match=said):
        load(text)


def test_a_module_that_breaks_shows_the_users_line_and_no_other(place: Path) -> None:
    write(place / "broken_d.py", "import json\n\n\ndef deep():\n    return 1 / 0\n\n\ndeep()\n")
    with pytest.raises(BadUsage, match="importing broken_d failed") as caught:
        load("broken_d.py:f")
    assert 'broken_d.py", line 8' in caught.value.details
    assert "ZeroDivisionError: division by zero" in caught.value.details
    assert "importlib" not in caught.value.details
    assert "linecook" not in caught.value.details


def test_a_syntax_error_shows_its_place(place: Path) -> None:
    write(place / "typo_e.py", "def f(:\n")
    with pytest.raises(BadUsage) as caught:
        load("typo_e.py:f")
    assert 'typo_e.py", line 1' in caught.value.details


def test_a_missing_import_of_the_users_is_the_users(place: Path) -> None:
    write(place / "needs_f.py", "import not_installed_anywhere\n")
    with pytest.raises(BadUsage, match="importing needs_f failed") as caught:
        load("needs_f.py:f")
    assert "No module named 'not_installed_anywhere'" in caught.value.details


def test_a_module_that_exits_is_told_where_to_put_that(place: Path) -> None:
    write(place / "script_g.py", "raise SystemExit(3)\n")
    with pytest.raises(BadUsage, match="under `if __name__ == '__main__':`"):
        load("script_g.py:f")


def test_a_file_named_like_a_loaded_module_is_refused(place: Path) -> None:
    write(place / "json.py", "def f(): ...\n")
    with pytest.raises(BadUsage, match=r"Rename the file"):
        load("json.py:f")


def test_a_file_of_a_package_with_relative_imports_is_told_the_other_form(place: Path) -> None:
    write(place / "pkg_h" / "__init__.py", "")
    write(place / "pkg_h" / "jobs_h.py", "from . import other\n")
    with pytest.raises(BadUsage, match=r"write PACKAGE\.jobs_h:FUNCTION"):
        load("pkg_h/jobs_h.py:f")
