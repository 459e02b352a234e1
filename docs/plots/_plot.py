"""What the plot scripts share: measuring in fresh processes, drawing one SVG, writing the table into its page.

A script has sides, ``SIDES = {name: function}``; each runs in a process of its own and says its figures as JSON on a
line of its own. The picture follows the reader's light or dark setting, names no font that must be
fetched, and comes out the same for the same figures.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGES = HERE.parent / "explanation"
MARK = "figures: "
Side = Callable[[bool], Any]  # is given whether to be quick

INK, PAPER, FAINT = "#1f2328", "#fefefe", "#8c959f"
OURS, STDLIB, THIRD, FOURTH = "#2f81c7", "#d4722c", "#8a63c8", "#3c9a5f"  # read on light and dark, and apart by hue
# Overridden by what the attribute says, so that a viewer without style sheets still shows the light one.
DARK = {INK: "#e6edf3", PAPER: "#0d1117"}
RULES = [
    f'[style*="{what}: {light}"] {{ {what}: {dark} !important }}'
    for light, dark in DARK.items()
    for what in ("fill", "stroke")
]
STYLE = f"<style>@media (prefers-color-scheme: dark) {{ {' '.join(RULES)} }}</style>"


def main(
    script: str,
    sides: Mapping[str, Side],
    draw: Callable[[dict[str, Any]], Sequence[Sequence[str]]],
    *,
    rounds: int = 1,
) -> None:
    """Run a plot script: ``--side NAME`` is one measurement; ``--quick`` prints a small one; nothing does everything.

    Args:
      script: its ``__file__``.
      sides: what is measured.
      draw: draws the picture with ``figure`` and ``save``, returns the table: a heading row, then the rows.
      rounds: how often each side is measured, in turn; above 1 its figures are numbers by name, of which the medians
        are drawn.
    """
    quick = "--quick" in sys.argv
    if "--side" in sys.argv:
        print(MARK + json.dumps(sides[sys.argv[sys.argv.index("--side") + 1]](quick)), flush=True)
        return
    told = [{name: measured(script, name, quick) for name in sides} for _ in range(1 if quick else rounds)]
    figures = {name: middle([each[name] for each in told]) for name in sides}
    if quick:
        print(json.dumps(figures))
        return
    write_table(Path(script), draw(figures))


def middle(told: Sequence[Any]) -> Any:
    """The medians of several rounds; of one round, what it told."""
    return told[0] if len(told) == 1 else {key: statistics.median(each[key] for each in told) for key in told[0]}


def measured(script: str, side: str, quick: bool) -> Any:
    """Run one side in a fresh process and return what it says; it is killed then: some never end by themselves."""
    command = [sys.executable, script, "--side", side, *(["--quick"] if quick else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith(MARK):
                    return json.loads(line.removeprefix(MARK))
        finally:
            process.kill()
    raise SystemExit(f"{side} of {script} said nothing")


def figure(columns: int = 1, height: float = 3.4) -> tuple[Any, list[Any]]:
    """Return a figure of *columns* panels without frames, as wide as a page of text."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "linecook",
        "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.color": INK,
        "ytick.color": INK, "axes.edgecolor": FAINT, "axes.spines.top": False, "axes.spines.right": False,
        "axes.facecolor": "none", "figure.facecolor": PAPER, "legend.frameon": False, "axes.titlesize": 11,
        "axes.titlelocation": "left", "lines.linewidth": 2.2,
    })  # fmt: skip
    made, panels = pyplot.subplots(1, columns, figsize=(7.6, height), layout="constrained", squeeze=False)
    return made, list(panels[0])


def save(script: str, made: Any, says: str) -> None:
    """Write the picture beside its script.

    Args:
      says: what it shows, for those who don't see it.
    """
    target = Path(script).with_suffix(".svg")
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    made.savefig(target, format="svg", metadata=nothing)
    text = target.read_text()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<\?xml.*?<svg", "<svg", text, count=1, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", text)  # the reader's own
    opening = text.index(">", text.index("<svg")) + 1
    text = text[:opening] + f"\n<title>{says}</title>\n{STYLE}" + text[opening:]
    target.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def write_table(script: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the table, the command and the versions into the page of the script's name, between its marks."""
    heading, *body = rows
    lines = [f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *body)]
    page = PAGES / f"{script.stem}.md"
    begin, end = f"<!-- figures of docs/plots/{script.name} -->", "<!-- end of figures -->"
    text = page.read_text()
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    page.write_text("\n".join([before, "", *lines, "", where(script), "", after]))


def where(script: Path) -> str:
    """A line that says how the figures came about."""
    cpus = len(os.sched_getaffinity(0))
    return (
        f"(`python docs/plots/{script.name}`; CPython {platform.python_version()}, linecook {version('linecook')}, "
        f"{platform.system()}, {cpus} CPUs. A shared machine: judge the shape, not the last digit.)"
    )
