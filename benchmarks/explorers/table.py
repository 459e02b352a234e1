"""The comparison as Markdown: what each explorer found, in how many schedules, and every row that linecook loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.histories.expected import BUGS, CONTROLS

BEGIN, END = "<!-- figures of benchmarks/explorers/run.py -->", "<!-- end of figures -->"
Tries = Sequence[Mapping[str, Any]]
NEAR = 5


def best(tries: Tries) -> Mapping[str, Any] | None:
    """Return the setting that found the bug in the fewest schedules; None: none did."""
    found = [one for one in tries if one["verdict"] == "found"]
    return min(found, key=lambda one: one["schedules"], default=None)


def cell(tries: Tries) -> str:
    """Return what stands in the table: schedules until found, or what was said instead."""
    if found := best(tries):
        return str(found["schedules"])
    verdicts = {one["verdict"] for one in tries}
    for verdict, words in (
        ("something else", "another failure"),
        ("a run hung", "a run hung"),
        ("claims there is none", '"there is none"'),
        ("nothing found", "–"),
    ):
        if verdict in verdicts:
            return words
    return "doesn't run"


def _bug(tries: Tries, name: str) -> str:
    text = cell(tries)
    # Without faults there is none: who has no faults is right.
    return "has no such faults" if BUGS[name].faults and "none" in text else text


def alarms(tries: Tries) -> str:
    """Return how many settings raised a false alarm about a program that is right."""
    false = sum(one["verdict"] in ("found", "something else") for one in tries)
    ran = sum(one["verdict"] != "doesn't run" for one in tries)
    if not ran:
        return "doesn't run"
    return f"**{false} of {ran} settings**" if false else "none"


def page(results: Mapping[str, Mapping[str, Tries]]) -> str:
    """Return all tables."""
    explorers = list(results)
    programs = [name for name in BUGS if any(name in results[one] for one in explorers)]
    rights = [name for name in CONTROLS if any(name in results[one] for one in explorers)]
    return "\n".join(
        [
            *_summary(results, programs, rights),
            "",
            *_rows("bug", programs, explorers, lambda explorer, name: _bug(results[explorer].get(name, ()), name)),
            "",
            *_rows("right program", rights, explorers, lambda explorer, name: alarms(results[explorer].get(name, ()))),
            "",
            _losses(results, programs),
        ]
    )


def _summary(results: Mapping[str, Mapping[str, Tries]], programs: Sequence[str], rights: Sequence[str]) -> list[str]:
    lines = [
        "| explorer | setting | bugs found | says there is none, wrongly | false alarms | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for explorer, of_it in results.items():
        for setting in _settings(of_it):
            tried = {name: one for name in of_it for one in of_it[name] if _is_of(one["setting"], setting)}
            found = sum(tried[name]["verdict"] == "found" for name in programs if name in tried)
            claims = [name for name in programs if name in tried and tried[name]["verdict"] == "claims there is none"]
            wrong = sum(not BUGS[name].faults for name in claims)
            false = sum(tried[name]["verdict"] in ("found", "something else") for name in rights if name in tried)
            seconds = sum(one["seconds"] for one in tried.values())
            lines.append(
                f"| {explorer} | {setting} | {found} of {len(programs)} | {wrong} | {false} of {len(rights)} "
                f"| {seconds:.0f} |"
            )
    return lines


def _settings(of_it: Mapping[str, Tries]) -> list[str]:
    names = dict.fromkeys(_plain(one["setting"]) for tries in of_it.values() for one in tries)
    return [name for name in names if not any(other.startswith(f"{name} ") for other in names)]


def _is_of(tried: str, setting: str) -> bool:
    """Say whether *tried* belongs to *setting*; a program without calls has no stand-in for them in its name."""
    return setting == _plain(tried) or setting.startswith(f"{_plain(tried)} ")


def _plain(setting: str) -> str:
    return setting.removesuffix(", one worker")


def _rows(title: str, names: Sequence[str], explorers: Sequence[str], text: Any) -> list[str]:
    lines = [f"| {title} | {' | '.join(explorers)} |", "| --- |" + " --- |" * len(explorers)]
    lines += [f"| {name} | {' | '.join(text(explorer, name) for explorer in explorers)} |" for name in names]
    return lines


def _losses(results: Mapping[str, Mapping[str, Tries]], programs: Sequence[str]) -> str:
    """Say where linecook needs more schedules than the best setting of another, or finds nothing."""
    more, far = 0, list[str]()
    for name in programs:
        ours = best(results.get("linecook", {}).get(name, ()))
        others = {one: found for one in results if one != "linecook" and (found := best(results[one].get(name, ())))}
        least = min(others, key=lambda one: others[one]["schedules"], default=None)
        if least is None or (ours and ours["schedules"] <= others[least]["schedules"]):
            continue
        more += 1
        if ours is None or ours["schedules"] > others[least]["schedules"] + NEAR:
            far.append(f"{name} ({ours['schedules'] if ours else 'not found'}; {least} {others[least]['schedules']})")
    return (
        f"**Where linecook loses**: in {more} rows the best setting of another explorer needs fewer schedules, mostly "
        "one where linecook, whose first schedule is the plain run, needs two or three. More than "
        f"{NEAR} schedules lie between in: {', '.join(far) or 'none'}."
    )


def write(path: Path, text: str) -> None:
    """Put *text* between the marks of the page."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
