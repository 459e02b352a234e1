"""RESULTS.md: a part for each row, each of a run of its own, so that one row can be measured without the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness.table import METHOD, Measured, losses, markdown, section, verdict_lines

_HEADER = ["row", "what", "must", "goal", "measured", "verdict"]


@dataclass(frozen=True, slots=True)
class Part:
    """What the page says of one row.

    Attributes:
      verdicts: its lines in the table of targets.
      losses: its lines under "Where we lose".
      section: everything else, with its heading, when it was measured and by which command.
    """

    verdicts: tuple[str, ...]
    losses: tuple[str, ...]
    section: str


def part(one: Measured, *, command: str, date: str) -> Part:
    """Return what the page says of *one*, just measured."""
    return Part(
        tuple(f"| {' | '.join([one.name, *cells])} |" for cells in verdict_lines(one)),
        tuple(f"- {words}" for words in losses(one)),
        f"{section(one)} `{command}`, {date}.",
    )


def parts_of(text: str) -> dict[str, Part]:
    """Return the parts of the page *text*, by row."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    found: dict[str, Part] = {}
    for each in sections[1:]:
        name = each.removeprefix("## ").partition(":")[0]
        if name == "Where we lose\n" or ":" not in each.splitlines()[0]:
            continue
        lines = sections[0].splitlines() + sections[1].splitlines()
        found[name] = Part(
            tuple(line for line in lines if line.startswith(f"| {name} |")),
            tuple(line for line in lines if line.startswith(f"- {name}:")),
            each.strip(),
        )
    return found


def page(parts: Mapping[str, Part], order: Iterable[str], *, machine: str) -> str:
    """Return the whole page: the parts in *order*; those of rows that are no more are left out."""
    chosen: Sequence[Part] = [parts[name] for name in order if name in parts]
    lost = [line for each in chosen for line in each.losses]
    table = "\n".join([markdown(_HEADER, []), *(line for each in chosen for line in each.verdicts)])
    whole = [
        "# Results",
        f"{machine}. Each row is one run, everything in it side by side; how and when stands below it.",
        METHOD,
        table,
        "## Where we lose",
        "\n".join(lost) if lost else "Nowhere.",
        *(each.section for each in chosen),
    ]
    return "\n\n".join(whole) + "\n"
