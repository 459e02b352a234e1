"""The Python blocks of README.md and docs/: found, joined into programs, and written out to be run and type-checked.

A program keeps its blocks on the lines they have in the page, so that a traceback or a checker's complaint about
``README_12.py:40`` is about line 40 of README.md. A comment on the line above a block's fence says what is special:

``<!-- continues -->``        goes on from the Python block before it, as one program
``<!-- not run: reason -->``  is type-checked only
``<!-- guest: module -->``    needs that package of the group ``guests``: run and type-checked in tests/guests
``<!-- raises: Name -->``     ends with that exception, and with no other
``<!-- prints -->``           above a ``text`` block: what the program before it prints; ``...`` stands for anything
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"<!--\s*(?P<mark>.*?)\s*-->\s*\Z", re.DOTALL)
KNOWN = re.compile(r"(?P<name>continues|not run|guest|raises|prints)(?::\s*(?P<value>.+))?\Z", re.DOTALL)
NEEDS_VALUE = {"continues": False, "not run": True, "guest": True, "raises": True, "prints": False}


@dataclass(slots=True)
class Program:
    """One runnable text: a block and what continues it."""

    page: Path
    line: int  # of the first block's first line in the page, from 1
    source: str = ""
    raises: str | None = None  # the name of the exception that ends it
    not_run: str | None = None  # the reason
    guest: str | None = None  # the package it can't do without
    prints: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """A module name: ``README_12``, ``docs_tutorial_loops_40``."""
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else Path(self.page.name)
        return re.sub(r"\W", "_", f"{page.with_suffix('')}_{self.line}")

    def add(self, line: int, body: str) -> None:
        """Append *body* so that it starts at *line*, counted from 1."""
        self.source += "\n" * (line - 1 - self.source.count("\n")) + body

    def write(self, folder: Path) -> Path:
        """Write the program into *folder*, return its path."""
        path = folder / f"{self.name}.py"
        path.write_text(self.source)
        return path


def pages(root: Path = ROOT) -> list[Path]:
    """README.md and every page of docs/ that exists, in order of name."""
    return [page for page in [root / "README.md", *sorted(root.glob("docs/**/*.md"))] if page.exists()]


def programs(of: Iterable[Path], *, guests: bool = False) -> list[Program]:
    """Every program of the pages *of*, in their order: those that need no guest, or those that do."""
    found = [program for page in of for program in programs_of_page(page, page.read_text())]
    return [program for program in found if (program.guest is not None) == guests]


def programs_of_page(page: Path, text: str) -> list[Program]:
    """Join the blocks of *text* into programs; ``ValueError`` names page and line of a marker that can't be obeyed."""
    found: list[Program] = []
    for line, language, mark, value, body in _blocks(page, text):
        if mark in {"continues", "prints"} and not found:
            raise ValueError(f"{page}:{line}: {mark!r}, but there is no Python block before it")
        if language == "python":
            if mark != "continues":
                found.append(Program(page, line))
            found[-1].add(line, body)
            found[-1].raises = value if mark == "raises" else found[-1].raises
            found[-1].guest = value if mark == "guest" else found[-1].guest
            found[-1].not_run = value if mark == "not run" else found[-1].not_run
        elif mark == "prints":
            found[-1].prints.append(body)
        elif mark:
            raise ValueError(f"{page}:{line}: {mark!r} stands above a block that is {language}, not python")
    return found


def _blocks(page: Path, text: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield line, language, marker, its value, and body of every fenced block of *text*."""
    before = 0
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start("body")) + 1
        above = MARK.search(text[before : block.start()])
        before = block.end()
        ours = above and block["language"] in {"python", "text"}
        mark, value = _known(f"{page}:{line}", above["mark"]) if above and ours else ("", "")
        yield line, block["language"], mark, value, block["body"]


def _known(place: str, mark: str) -> tuple[str, str]:
    known = KNOWN.match(mark)
    if known is None or NEEDS_VALUE[known["name"]] != bool(known["value"]):
        # A misspelt marker would silently run, or not run, what it stands over.
        raise ValueError(
            f"{place}: unknown marker {mark!r}; there are 'continues', 'not run: why', 'guest: module', "
            "'raises: Name', 'prints'"
        )
    return known["name"], known["value"] or ""
