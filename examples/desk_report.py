"""What the desk says at the end: the table, `desk.md` and `desk.jsonl`."""

from __future__ import annotations

import json
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desk_children import PATIENCE, Run
from desk_plan import ATTEMPTS, FETCH_TIMEOUT, READ_TIMEOUT, STOPPED_AFTER, Plan, Result
from desk_rules import Finding

if TYPE_CHECKING:  # the ways without linecook don't load it
    from desk_model import Asked

__all__ = [
    "NEXT", "Provided", "first_lines", "killed_lines", "lost_lines", "lost_the_planted_only", "model_lines",
    "pages_right", "table", "write_report",
]  # fmt: skip

NEXT = "now your own code:\n\nPATHS=~/code make demo"
_LOST_SHOWN = 20
_MOVES = 24  # of an adaptive bound, shown
_NOTE = (
    f"All ways: the same client without a time-out of its own, {FETCH_TIMEOUT:g} s and {ATTEMPTS} attempts a fetch, "
    f"{READ_TIMEOUT:g} s a page.\n"
    "* every 20th page, without the planted two; the wall time is extrapolated. With nothing around it to bound\n"
    "  a wait, this way sets the client's socket time-out."
)


def first_lines(roots: list[str], plan: Plan) -> list[str]:
    """Return what is said before the work begins."""
    lines = [f"reading {len(plan.entries):,} files in {len(plan.packages):,} packages from {', '.join(roots)}"]
    if plan.left_out:
        less = "those poorest in async code; --files N reads more"
        lines.append(f"left out: {plan.left_out:,} files in {plan.packages_left_out:,} packages ({less})")
    luck = "1 % of the requests hang, 2 % get 429, 1 % a reset; two planted files crash and loop"
    return [*lines, f"answers take 30-150 ms; {luck}"]


def lost_lines(result: Result, plan: Plan) -> list[str]:
    """Return the lost pages for the terminal, each with its reason, in the order of work; the first twenty."""
    lines = [f"{e.file}: lost: {result.lost[e.id]}" for e in plan.entries if e.id in result.lost]
    more = len(lines) - _LOST_SHOWN
    return lines if more <= 0 else [*lines[:_LOST_SHOWN], f"and {more:,} more pages are lost"]


def lost_the_planted_only(result: Result, plan: Plan) -> bool:
    """Say whether all pages were read but the two that can't be."""
    return set(result.lost) == {entry.id for entry in plan.packages["planted"]}


def pages_right(result: Result, plan: Plan) -> int:
    """Return how many pages were read with exactly the bytes that the index promised."""
    promised = {entry.id: entry.digest for entry in plan.entries}
    return sum(promised[number] == digest for number, digest in result.read.items())


def table(runs: list[Run], plan: Plan, fate: str) -> str:
    """Return the comparison, as a table in markdown that reads well in a terminal; and what befell the reviewers."""
    head = ["", "wall time", "pages right", "pages lost", "threads stuck", "process exited"]
    return "\n".join([*_in_columns([head, *(_row(run, plan) for run in runs)]), "", _NOTE, "", fate])


def _in_columns(rows: list[list[str]]) -> list[str]:
    """Return *rows*, the first of them the head, as a table in markdown that reads well in a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def _row(run: Run, plan: Plan) -> list[str]:
    result, total = run.result, len(plan.entries)
    right = pages_right(result, plan)
    wall, pages = f"{result.wall:.1f} s", f"{right:,} of {total:,}"
    if result.way == "one after the other":
        sample = len(result.read) + len(result.lost)
        wall, pages = f"{result.wall * total / max(1, sample):.0f} s *", f"{right:,} of {sample:,} *"
    elif result.way == "the usual way" and result.wall >= STOPPED_AFTER:
        wall = f"stopped at {STOPPED_AFTER:g} s"
    exited = f"no: killed after {PATIENCE:g} s" if run.exited is None else f"yes, {run.exited:.2f} s"
    return [result.way, wall, pages, f"{len(result.lost):,}", f"{result.stuck:,}", exited]


def killed_lines(result: Result, every: float) -> str:
    """Return what the killing of reviewers came to."""
    if not every:
        return f"No reviewer was killed on purpose; started anew: {result.restarts:,}."
    killed, again, twice = (f"{count:,}" for count in (result.killed, result.restarts, result.twice))
    return (
        f"Reviewers killed at random, one every {every:g} s: {killed}; started anew: {again}.\n"
        f"Findings that came twice, since one was killed while it sent them, and were told once: {twice}."
    )


@dataclass(frozen=True, slots=True)
class Provided:
    """How one way of asking a model did: what the caller says, and how many 429s the provider counted."""

    way: str
    asked: Asked
    refused: int


def model_lines(provided: list[Provided]) -> list[str]:
    """Return the comparison at the provider, and how the bound moved that was found by trying."""
    head = ["", "wall time", "answered", "429s", "dollars"]
    lines = _in_columns([head, *(_model_row(each) for each in provided)])
    for each in provided:
        if each.asked.bounds:
            lines += ["", f"{each.way} let in at once: {_moves(each.asked.bounds)} (-: cut after a 429)"]
    return lines


def _model_row(each: Provided) -> list[str]:
    asked = each.asked
    of_budget = "" if asked.budget is None else f" of a budget of {asked.budget:g}"
    answered = f"{asked.answered:,} of {asked.answered + asked.lost:,}"
    return [each.way, f"{asked.wall:.1f} s", answered, f"{each.refused:,}", f"{asked.usd:.2f}{of_budget}"]


def _moves(bounds: list[tuple[int, str]]) -> str:
    shown = [f"{'-' if why in ('refused', 'latency') else ''}{bound}" for bound, why in bounds]
    return " ".join(shown if len(shown) <= _MOVES else [*shown[: _MOVES - 4], "…", *shown[-3:]])


def write_report(
    out: Path, told: str, index: dict[str, Any], plan: Plan, runs: list[Run], asked: str, provided: list[Provided]
) -> None:
    """Write `desk.md` for people and `desk.jsonl` for programs: findings, lost pages and figures of the last run."""
    result = runs[-1].result
    names = {entry.id: entry.file for entry in plan.entries}
    page = [*_markdown(told, index, plan, result, names), "", "## A model, at a provider that says 429", "", asked]
    (out / "desk.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    lines: list[dict[str, Any]] = [{"kind": "finding", **asdict(finding)} for finding in sorted(result.findings)]
    lines += [{"kind": "lost", "file": names[n], "reason": why} for n, why in sorted(result.lost.items())]
    lines += [_figures(run, plan) for run in runs]
    lines += [{"kind": "model", "way": each.way, "refused": each.refused, **asdict(each.asked)} for each in provided]
    (out / "desk.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _figures(run: Run, plan: Plan) -> dict[str, Any]:
    result = run.result
    right = pages_right(result, plan)
    counts = {"wall": round(result.wall, 3), "pages_right": right, "pages_lost": len(result.lost)}
    fates = {"killed": result.killed, "restarts": result.restarts, "twice": result.twice}
    return {
        "kind": "way",
        "way": result.way,
        **counts,
        "threads_stuck": result.stuck,
        "exited_after": run.exited,
    } | fates


def _markdown(told: str, index: dict[str, Any], plan: Plan, result: Result, names: dict[int, str]) -> list[str]:
    counts = Counter(finding.rule for finding in result.findings)
    unread = "".join(f", {count:,} {why}" for why, count in index["left_out"].items())
    functions = f"{result.functions:,} functions, {result.async_functions:,} of them async"
    return [
        "# The desk's report",
        "",
        f"Python {platform.python_version()}, linecook {_version()}, {cpu_count()} CPUs.",
        f"Read from: {', '.join(index['roots'])}.",
        f"{len(result.read):,} files, {result.lines:,} lines, {functions}; {plan.left_out:,} were left out{unread}.",
        "",
        told,
        "",
        f"## Findings: {len(result.findings)}",
        "",
        *(f"- {rule}: {count}" for rule, count in sorted(counts.items())),
        "",
        *(line for finding in sorted(result.findings) for line in _item(finding)),
        "",
        f"## Lost pages: {len(result.lost)}",
        "",
        *(f"- `{names[number]}`: {reason}" for number, reason in sorted(result.lost.items())),
    ]


def _version() -> str:
    try:
        return version("linecook")
    except PackageNotFoundError:  # run from a tree on PYTHONPATH
        return "(not installed)"


def _item(finding: Finding) -> list[str]:
    lines = [f"- `{finding.file}:{finding.line}` **{finding.rule}**: {finding.text}"]
    return lines + ([f"  - {' -> '.join(finding.chain)}"] if finding.chain else [])
