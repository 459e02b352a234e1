"""A ``Snapshot`` as the board shows it: a few lines of text, most important first, cut to the room there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .allowances import limit_line, money_parts
from .snapshot import LaneFacts, Snapshot, StallFacts, ToolFacts
from .words import seconds

if TYPE_CHECKING:
    from rich.text import Text

NARROW = 60
"""Columns below which tables leave out what is least asked for."""

_LIMITS = 4
_TOOLS = 5
_STALLS = 3
_WORDS = {"Ok": "ok", "Failed": "failed", "TimedOut": "timed out", "Cancelled": "cancelled"}
_STYLES = {"Ok": "green", "Failed": "bold red", "TimedOut": "yellow", "Cancelled": "magenta"}
_ODD_LAG = 0.1  # seconds of loop lag that are shown in red

_PLACE = re.compile(r"(?P<path>.*?)(?P<rest>:\d+ in .*)", re.DOTALL)

_ONE_CELL = frozenset(map(chr, range(0x20, 0x300))) | frozenset("━─–…")
_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "magenta": 35}

Part = tuple[str, str]  # words and their style
Line = list[Part]
_BETWEEN = (" · ", "dim")


def render(snapshot: Snapshot, width: int, height: int | None = None) -> Text:
    """Return *snapshot* as rich text for a terminal, one line per row; the arguments are those of ``lines``."""
    from rich.text import Text

    rows = [Text.assemble(*line) for line in lines(snapshot, width, height)]
    text = Text("\n").join(rows)
    text.no_wrap, text.overflow, text.end = True, "crop", ""
    return text


def lines(snapshot: Snapshot, width: int, height: int | None = None) -> list[Line]:
    """Return the rows that show *snapshot*, none longer than *width* cells: words, each with its style.

    Args:
      snapshot: what is to be shown.
      width: columns there are, ≥ 1. From 60 on the tables are whole.
      height: rows there are, ≥ 1; None: as many as it takes. Left out first are tools, then stalls, money, limits,
        lanes, outcomes; how far it is and how to stop are always there.
    """
    return [_cut(line, width) for line in _within(snapshot, width, height)]


def painted(line: Line, *, colours: bool = True) -> str:
    """Return *line* with the codes of a terminal, of which every one knows these few.

    To have rich do it costs 65 ms of CPU for its import, as much as a hundred frames (board).
    """
    return "".join(_paint(words, style, colours) for words, style in line if words)


def _paint(words: str, style: str, colours: bool) -> str:
    codes = [str(_CODES[each]) for each in style.split() if colours or _CODES[each] < 30]
    return f"\x1b[{';'.join(codes)}m{words}\x1b[0m" if codes else words


def _within(snapshot: Snapshot, width: int, height: int | None) -> list[Line]:
    head = [_progress(snapshot, width)]
    style = "bold yellow" if snapshot.draining else "dim"
    last = list(_flow([(word, style) for word in snapshot.hint.split()], width, " "))
    sections = {
        "outcomes": list(_outcomes(snapshot, width)),
        "lanes": list(_lanes(snapshot.lanes, width)),
        "pipelines": [[(words, "")] for words in snapshot.pipelines],
        "limits": list(_limits(snapshot)),
        "money": list(_flow(money_parts(snapshot), width)),
        "stalls": list(_stalls(snapshot.stalls, width)),
        "tools": list(_tools(snapshot, width)),
    }
    left = (1000 if height is None else height) - len(head) - len(last)
    for name, lines in sections.items():  # most important first; each takes what it needs of what is left
        sections[name] = lines[: max(0, left)]
        left -= len(sections[name])
    order = ("outcomes", "lanes", "limits", "pipelines", "money", "tools", "stalls")
    body = [line for name in order for line in sections[name]]
    return (head + body + last)[: height or None]


def _cut(line: Line, width: int) -> Line:
    line = [(_printable(words), style) for words, style in line]
    over = sum(_cells(words) for words, _ in line) - width
    if over <= 0:
        return line
    over += 1  # a cell for the sign that something is missing
    while line:
        words, style = line.pop()
        cells = _cells(words)
        if cells > over:
            return [*line, (_first_cells(words, cells - over) + "…", style)]
        over -= cells
    return [("…", "")]


def _cells(words: str) -> int:
    """Return the columns that *words* take: some letters take two, some none."""
    if _ONE_CELL.issuperset(words):
        return len(words)
    from rich.cells import cell_len  # imported when somebody has such letters

    return cell_len(words)


def _first_cells(words: str, cells: int) -> str:
    if _ONE_CELL.issuperset(words):
        return words[:cells]
    from rich.cells import set_cell_size

    return set_cell_size(words, cells)


def _printable(words: str) -> str:
    return words if words.isprintable() else "".join(each if each.isprintable() else "?" for each in words)


# -- how far -----------------------------------------------------------------------------------------------------


def _progress(snapshot: Snapshot, width: int) -> Line:
    done, total = snapshot.done, snapshot.total
    spent = f"{seconds(snapshot.uptime)} so far"
    if total is None:
        if not done:
            return [(f"process {snapshot.pid}", "bold"), (f", watched for {seconds(snapshot.uptime)}", "")]
        return [(f"{done:,} done", "bold"), (f"  {rate(snapshot.rate)}  {spent}", "")]
    share = min(1.0, done / total) if total else 1.0
    begin = f"{done:,} of {total:,}"
    left = "" if snapshot.eta is None or done >= total else f"  about {seconds(snapshot.eta)} left"
    end = f"{int(share * 100):3d} %  {rate(snapshot.rate)}{left}"
    room = width - len(begin) - len(end) - 4
    if room >= len(spent) + 12:
        end = f"{end}  {spent}"
        room -= len(spent) + 2
    if room < 5:
        return [(begin, "bold"), (f" {end.lstrip()}", "")]
    return [(begin, "bold"), ("  ", ""), *_bar(share, min(room, 40)), ("  ", ""), (end, "")]


def _bar(share: float, width: int) -> Line:
    filled = int(share * width)
    return [("━" * filled, "green"), ("─" * (width - filled), "dim")]


def _outcomes(snapshot: Snapshot, width: int) -> Iterator[Line]:
    counts = {kind: snapshot.outcomes[kind] for kind in _WORDS if kind in snapshot.outcomes} | snapshot.outcomes
    parts: Line = [(f"{count:,} {_WORDS.get(kind, kind)}", _STYLES.get(kind, "")) for kind, count in counts.items()]
    if snapshot.retries:
        parts.append((f"{snapshot.retries:,} {'retry' if snapshot.retries == 1 else 'retries'}", ""))
    if snapshot.limits_waiting:
        parts.append((f"{snapshot.limits_waiting:,} waiting for a limit", ""))
    if snapshot.loop_lag is not None:
        parts.append((f"loop lag {seconds(snapshot.loop_lag)}", "bold red" if snapshot.loop_lag >= _ODD_LAG else ""))
    yield from _flow(parts, width)


def _flow(parts: Iterable[Part], width: int, between: str = " · ") -> Iterator[Line]:
    """Yield *parts* in lines of at most *width*, with *between* between them."""
    line: Line = []
    used = 0
    for words, style in parts:
        if line and used + len(between) + len(words) > width:
            yield line
            line, used = [], 0
        if line:
            line.append((between, "dim"))
            used += len(between)
        line.append((words, style))
        used += len(words)
    if line:
        yield line


# -- where -------------------------------------------------------------------------------------------------------


def _lanes(lanes: dict[str, LaneFacts], width: int) -> Iterator[Line]:
    if not lanes:
        return
    has_lost = any(lane.lost for lane in lanes.values())
    columns = ["running", "waiting", "cap"] if width < NARROW else ["running", "waiting", "workers", "cap", "abandoned"]
    columns += ["lost"] if has_lost else []
    yield [(f"{'lane':<9}" + "".join(f"{name:>11}" if width >= NARROW else f"{name:>9}" for name in columns), "dim")]
    for name, lane in lanes.items():
        line: Line = [(f"{name:<9}", "bold")]
        for column in columns:
            value: int | None = getattr(lane, column)
            shown = _or_dash(value)
            wrong = value and column in ("abandoned", "lost")
            line.append((f"{shown:>11}" if width >= NARROW else f"{shown:>9}", "bold red" if wrong else ""))
        yield line


def _limits(snapshot: Snapshot) -> Iterator[Line]:
    """One line each: what is cut off at the edge is what tells least."""
    for limit in snapshot.limits[:_LIMITS]:
        parts = [part for part in limit_line(limit) for part in (_BETWEEN, part)]
        yield [("limit ", "dim"), *parts[1:]]
    hidden = snapshot.limits_hidden + len(snapshot.limits) - _LIMITS
    if hidden > 0:
        yield [(f"and {hidden} more limits", "dim")]


def _tools(snapshot: Snapshot, width: int) -> Iterator[Line]:
    tools = snapshot.tools[:_TOOLS]
    if not tools:
        return
    columns = {"": ["slowest", *[tool.name for tool in tools]]}
    columns |= {name: [name, *[cell(tool) for tool in tools]] for name, cell in _CELLS.items()}
    for least in ("in all", "timed out", "lane", "failed", "calls"):
        if sum(_wide(column) + 3 for column in columns.values()) > width:
            del columns[least]
    names, *rest = columns.values()
    name_width = min(_wide(names), max(7, width - sum(_wide(column) + 3 for column in rest)))
    for place, name in enumerate(names):
        cells = "".join(f"   {column[place]:>{_wide(column)}}" for column in rest)
        style = "" if place else "dim"
        yield [(f"{_shorten(name, name_width):<{name_width}}", "bold" if place else "dim"), (cells, style)]
    hidden = snapshot.tools_hidden + len(snapshot.tools) - len(tools)
    if hidden:
        yield [(f"and {hidden} more", "dim")]


def _or_dash(value: float | None, words: Callable[[float], str] = "{:,}".format) -> str:
    return "–" if value is None else words(value)


_CELLS: dict[str, Callable[[ToolFacts], str]] = {
    "p50": lambda tool: _or_dash(tool.p50, seconds),
    "p95": lambda tool: _or_dash(tool.p95, seconds),
    "calls": lambda tool: _or_dash(tool.calls),
    "failed": lambda tool: _or_dash(tool.failures),
    "timed out": lambda tool: _or_dash(tool.timeouts),
    "in all": lambda tool: seconds(tool.seconds),
    "lane": lambda tool: tool.lane,
}


def _wide(column: list[str]) -> int:
    return max(map(len, column))


def _shorten(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


def _stalls(stalls: Sequence[StallFacts], width: int) -> Iterator[Line]:
    stands, stood = ("stands still", "stalled") if width < NARROW else ("the loop stands still", "the loop stood still")
    for stall in stalls[:_STALLS]:
        often = f" in {stall.count:,} stalls" if stall.count > 1 else ""
        words, style = (stands, "bold red") if stall.going_on else (stood, "yellow")
        yield [(f"{words}, {seconds(stall.seconds)}{often}: ", style), (_near(stall.place, width), "")]
    if len(stalls) > _STALLS:
        yield [(f"and stalls at {len(stalls) - _STALLS} more lines", "dim")]


def _near(place: str, width: int) -> str:
    """Return *place* with the last parts of the file's path: a board has no room for more."""
    found = _PLACE.fullmatch(place)
    parts = 1 if width < NARROW else 2
    return place if found is None else "/".join(found["path"].split("/")[-parts:]) + found["rest"]


def rate(per_second: float) -> str:
    """Return *per_second* in words: ``1,234/s``, ``2.5/s``."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"
