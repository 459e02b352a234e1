"""What README.md and docs/ show runs, prints what it says, and passes both checkers (markers: tests/blocks.py)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import ROOT, Program, pages, programs, programs_of_page
from tests.checkers import mypy, pyright

PROGRAMS = programs(pages())


def run_as_main(program: Program, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *program* as a user would: a file, in a process and a folder of its own."""
    search = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-W", "error", str(program.write(folder))],
        cwd=folder, env={**os.environ, "PYTHONPATH": search}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def problem_with(program: Program, ran: subprocess.CompletedProcess[str]) -> str:
    """What *ran* did against what *program* says; empty: all as said."""
    last = ran.stderr.strip().rpartition("\n")[2]
    raised = re.match(r"(?:[\w.]+\.)?(\w+)(?::|$)", last)
    if program.raises and (ran.returncode == 0 or not raised or raised[1] != program.raises):
        return f"should raise {program.raises}, ended with {ran.returncode}:\n{ran.stderr}"
    if ran.returncode and not program.raises:
        return f"ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
    if program.prints and not matches("".join(program.prints), ran.stdout):
        return f"says it prints\n{''.join(program.prints)}\nand prints\n{ran.stdout}"
    return ""


def matches(said: str, printed: str) -> bool:
    """Whether *printed* is *said*, where ``...`` stands for anything."""
    return re.fullmatch(".*?".join(map(re.escape, said.strip().split("..."))), printed.strip(), re.DOTALL) is not None


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_block_runs_as_shown(program: Program, tmp_path: Path) -> None:
    if program.not_run:
        pytest.skip(program.not_run)
    problem = problem_with(program, run_as_main(program, tmp_path))
    assert not problem, f"{program.page}:{program.line} {problem}"


@pytest.mark.slow
@pytest.mark.timeout(170)
@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
def test_every_block_passes_the_strict_checkers(check, tmp_path: Path) -> None:
    written = [program.write(tmp_path) for program in PROGRAMS]
    assert written, "README.md shows no Python at all"
    complaints = check(written)
    assert not complaints, complaints


PAGE = """\
```python
x: int = 1
```
<!-- prints -->
```text
1 ... 3
```
<!-- continues -->
```python
print(x, 2, 3)
```
<!-- raises: ValueError -->
```python
int("two")
```
<!-- not run: needs a kitchen -->
```python
import kitchen
```
"""


def test_a_page_becomes_programs_on_their_own_lines(tmp_path: Path) -> None:
    first, second, third = programs_of_page(tmp_path / "page.md", PAGE)
    assert [first.line, second.line, third.line] == [2, 14, 18]
    assert first.source.splitlines()[9] == "print(x, 2, 3)"
    assert third.not_run == "needs a kitchen"
    for program in (first, second):
        assert problem_with(program, run_as_main(program, tmp_path)) == ""


def test_a_block_that_breaks_its_word_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text, complaint in (
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("<!-- raises: KeyError -->\n```python\n1 / 0\n```\n", "should raise KeyError"),
        ("<!-- raises: KeyError -->\n```python\npass\n```\n", "should raise KeyError"),
        ("```python\nprint(1)\n```\n<!-- prints -->\n```text\n2\n```\n", "says it prints"),
        ("```python\nimport warnings; warnings.warn('old')\n```\n", "UserWarning"),
    ):
        (program,) = programs_of_page(page, text)
        assert complaint in problem_with(program, run_as_main(program, tmp_path))


@pytest.mark.parametrize("mark", ["continue", "raises", "not run", "continues: x"])
def test_a_misspelt_marker_is_refused_by_line(mark: str) -> None:
    with pytest.raises(ValueError, match=r"page\.md:5"):
        programs_of_page(Path("page.md"), f"```python\n```\n<!-- {mark} -->\n```python\n```\n")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("check", "complaint"), [(mypy, "return-value"), (pyright, "reportReturnType")])
def test_a_checker_names_the_line_of_the_page(check, complaint: str, tmp_path: Path) -> None:
    (program,) = programs_of_page(tmp_path / "page.md", "\n\n```python\ndef f() -> int:\n    return ''\n```\n")
    complaints = check([program.write(tmp_path)])
    assert complaint in complaints
    assert ":5" in complaints


def test_no_page_takes_linecook_from_an_index_as_long_as_it_is_on_none() -> None:
    assert "not on an index yet" in (ROOT / "README.md").read_text()  # else this test has done its work
    asks = re.compile(r"(?:pip3? install|uv add|uv pip install|pipx install|uvx)\b[^\n#]*\blinecook\b")
    found = [f"{page}: {line}" for page in pages() for line in page.read_text().splitlines() if asks.search(line)]
    assert not found
