"""Take the pictures of the board: a real run in a real terminal, recorded, and written as SVG.

``python docs/pictures/make.py`` from the root of the project; takes half a minute. The terminal is a pty; its screen
is kept by an emulator, and drawn by rich with the terminal's own colours. Nothing of it is made up: figures differ
from run to run.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import pyte.graphics  # noqa: E402
from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402

from tests.terminal import Terminal  # noqa: E402

COMMAND = "linecook run examples/reviews.py:review --input pages.jsonl --output reviews.jsonl --concurrency 200"
FONTS = '"Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace'

# The emulator knows no faint letters, and we show none in italics: the one stands for the other.
pyte.graphics.TEXT[2] = "+italics"


def main() -> None:
    """Take all pictures, into this folder."""
    folder = Path(tempfile.gettempdir()) / "desk"  # a short name, for it stands in a picture
    folder.mkdir()
    try:
        (folder / "examples").mkdir()
        shutil.copy(ROOT / "examples" / "reviews.py", folder / "examples")
        (folder / "pages.jsonl").write_text("".join(f"{page}\n" for page in range(1, 20_001)))
        for name, svg in pictures(folder):
            (HERE / f"{name}.svg").write_text(svg)
            print(f"{name}.svg: {len(svg):,} characters", file=sys.stderr)
    finally:
        shutil.rmtree(folder)


def pictures(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and SVG of each picture."""
    with Terminal(96, 26) as terminal:
        begin(terminal, folder)
        terminal.wait_for("the loop stands still")
        yield "board-stalled", svg_of(terminal)
        terminal.wait_for(has("the loop stood still", "timed out ·", "so far"))
        yield "board", svg_of(terminal)
        terminal.type("\x03")
        terminal.wait_for("finishing what runs, nothing new is begun")
        yield "board-stopping", svg_of(terminal)
        terminal.wait_end()
        terminal.wait_for("linecook: to ")
        yield "board-ended", svg_of(terminal)
    (folder / "reviews.jsonl").unlink()
    with Terminal(46, 20) as terminal:
        begin(terminal, folder)
        terminal.wait_for(has("waiting for a limit", "fetch", "4,"))
        yield "board-narrow", svg_of(terminal)


def has(*words: str) -> Callable[[list[str]], bool]:
    """Return a test whether all of *words* stand on the screen."""
    return lambda rows: all(any(each in row for row in rows) for each in words)


def begin(terminal: Terminal, folder: Path) -> None:
    """Type the command, as somebody would, and start it."""
    terminal.stream.write(f"$ {COMMAND}\n")
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "TERM")}
    environment["PYTHONPATH"] = str(ROOT / "src")
    terminal.start([sys.executable, "-m", *COMMAND.split()], environment, folder)


def svg_of(terminal: Terminal) -> str:
    """Return the screen as SVG, with no font in it that must be fetched."""
    columns, rows = terminal.screen.columns, terminal.screen.lines
    console = Console(record=True, width=columns, height=rows, file=io.StringIO(), force_terminal=True)
    for row in range(rows):
        console.print(line_of(terminal, row), soft_wrap=True)
    template = re.sub(r"@font-face \{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="linecook run", code_format=template, unique_id="board")
    svg = svg.replace("Fira Code, monospace", FONTS).replace("font-family: Fira Code", f"font-family: {FONTS}")
    assert "url(http" not in svg, "a font from somewhere"
    svg = _INDENTED.sub(_moved, svg)
    return "\n".join(line.rstrip(" ") for line in svg.splitlines()) + "\n"


_INDENTED = re.compile(
    r'x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="(?P<wide>[\d.]+)"(?P<rest>[^>]*)>(?P<blank>(?:&#160;)+)'
)


def _moved(text: re.Match[str]) -> str:
    """Begin a piece of text at its first letter: some viewers drop the blanks before it."""
    blank = len(text["blank"]) // len("&#160;") * 12.2  # rich's width of a cell
    x, wide = float(text["x"]) + blank, float(text["wide"]) - blank
    return f'x="{x:.1f}" y="{text["y"]}" textLength="{max(0.0, wide):.1f}"{text["rest"]}>'


def line_of(terminal: Terminal, row: int) -> Text:
    """Return one row of the screen with its colours."""
    line = Text(no_wrap=True)
    for column in range(terminal.screen.columns):
        cell = terminal.screen.buffer[row][column]
        words = [word for word, is_on in (("bold", cell.bold), ("dim", cell.italics)) if is_on]
        colour = {"default": "", "brown": "yellow"}.get(cell.fg, cell.fg)
        line.append(cell.data, " ".join([*words, colour]).strip())
    line.rstrip()
    return line


if __name__ == "__main__":
    main()
