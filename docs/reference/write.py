"""Writes the reference: ``python docs/reference/write.py``.

A page for each room out of signatures and docstrings, and one for the command line out of its parsers.

``tests/test_reference.py`` holds the pages to what this writes. Code is fenced as ``py``: signatures aren't programs.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
WIDTH = 100  # columns of a signature on one line

# The menu in the order in which a newcomer meets it; what stands on no list comes last. Other rooms: by name.
GROUPS = {
    "Tools, agents, programs": "tool agent run resource call_key Call",
    "Many at once": "gather settle as_completed first merge",
    "Streams under pressure": "pipeline Pipeline",
    "Outcomes": "Outcome Ok Failed TimedOut Cancelled Settled",
    "Scopes and deadlines": "scope fail_after move_on_after remaining",
    "Shared state": "Shared SharedMap transaction",
    "Policies": "Limit Retry charge budget tenant approving",
    "Agents that talk": "team Inbox Ask Ref Topic",
    "The runtime": "Runtime install",
}
# What the names of the menu hand out; nobody imports these.
HANDED_OUT = {
    "linecook.tools.tool": "Tool BoundTool",
    "linecook.tools.stream": "Stream",
    "linecook._core.scope": "Scope Handle",
    "linecook.agents.team": "Team",
    "linecook.agents.message": "Message",
    "linecook.agents.dead_letters": "DeadLetter",
    "linecook.agents.replies": "Replies",
    "linecook.agents.topic": "Subscription",
    "linecook._core.deadline": "DeadlineScope",
    "linecook._core.callframe": "Times",
    "linecook.pipeline.pipeline": "Run",
    "linecook.pipeline.byinput": "InputOutcome",
    "linecook.pipeline.statistics": "PipelineStatistics StageStatistics",
    "linecook.pipeline.dead_item": "DeadItem",
    "linecook._runtime.install": "Installed",
    "linecook.state.shared": "Seen",
    "linecook.state.edits": "Edit Draft",
    "linecook.state.waiting": "Changes",
    "linecook.state.lost": "Loss Access",
    "linecook.state.lines": "Line",
}
# Members without an underscore that are there for other rooms of the house, or for event loops.
INNER = {
    "Call": "own_priority begin open told discard cr_frame cr_await send throw close start_empty seconds_running key "
    "sign adopt __await__",
    "DeadlineScope": "fire whose",
    "Draft": "close",
    "Events": "emit",
    "Inbox": "add_done_callback cancel done is_woken at_hand follows revoke",
    "Message": "add_done_callback cancel done is_woken leave is_over pass_over lose __await__",
    "Subscription": "add_done_callback cancel done is_woken",
    "Team": "is_ending is_ending_politely over drain ended end_for_good end_hard fail",
    "Retry": "wants delay",
    "Shared": "where",
    "SharedMap": "where",
    "Runtime": "lane meter watch_fanout watch_pipeline enter push_exit",
    "VirtualLoop": "time run_in_executor awaits_outside",
}
NOT_MADE = {"Call", "Inbox", "Pipeline", "Ref", "Settled"}  # public classes that users get and don't make
ROOMS = (
    "linecook",
    "linecook.errors",
    "linecook.observe",
    "linecook.patterns",
    "linecook.testing",
    "linecook.testing.server",
)
PUBLIC = {name for room in ROOMS for name in importlib.import_module(room).__all__}


def pages() -> dict[str, str]:
    """Every page of the reference that is written: file name and text."""
    found = {f"{room.removeprefix('linecook.')}.md": page(importlib.import_module(room)) for room in ROOMS}
    return found | {"handed-out.md": handed_out(), "command-line.md": command_line()}


def page(room: ModuleType) -> str:
    """The page of one room, with everything in its ``__all__``."""
    parts = [f"# `{room.__name__}`", WRITTEN, prose(inspect.getdoc(room) or "")]
    for title, names in groups(room):
        parts += [f"## {title}"] if title else []
        parts += [entry(name, getattr(room, name)) for name in names]
    return "\n\n".join(filter(None, parts)) + "\n"


def handed_out() -> str:
    """The page of what calls of the menu return."""
    parts = ["# What you are handed", WRITTEN, "Nobody makes these or imports them; calls of `linecook` return them."]
    for module, names in HANDED_OUT.items():
        parts += [entry(name, getattr(importlib.import_module(module), name)) for name in names.split()]
    return "\n\n".join(parts) + "\n"


WRITTEN = "<!-- Written by docs/reference/write.py from the docstrings; edit those. -->"


def groups(room: ModuleType) -> Iterator[tuple[str, list[str]]]:
    """The names of a room under their headings; each once."""
    names = sorted(room.__all__, key=str.lower)
    if room.__name__ != "linecook":
        yield "", names
        return
    listed = " ".join(GROUPS.values()).split()
    for title, group in GROUPS.items():
        yield title, [name for name in group.split() if name in names]
    if rest := [name for name in names if name not in listed]:
        yield "More", rest


# -- the command line -----------------------------------------------------------------------------------------------


def command_line() -> str:
    """The page of the commands: what each says under ``--help``."""
    parser = importlib.import_module("linecook.cli.main")._parser()
    parts = [
        "# The command line",
        WRITTEN,
        "What `--help` says, of all commands.",
        f"```text\n{parser.description.strip()}\n```",
        options(parser),
    ]
    for name, command in commands(parser):
        parts += [f"## `linecook {name}`", f"```text\n{command.description.strip()}\n```", options(command)]
        parts += [f"```text\n{command.epilog.strip()}\n```"] if command.epilog else []
    return "\n\n".join(parts) + "\n"


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with its own parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def options(parser: argparse.ArgumentParser) -> str:
    """A table of what can be typed, but ``--help``."""
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS and action.dest != "help"]
    rows = [f"| `{spelled(action)}` | {explained(action)} |" for action in shown if action.help]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def spelled(action: argparse.Action) -> str:
    """How an option or argument is typed."""
    shown = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return f"[{shown}]" if action.nargs == "?" else str(shown)
    names = ", ".join(action.option_strings)
    return (names if action.nargs == 0 else f"{names} {shown}").replace("|", " or ")  # a bar ends the cell


def explained(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").replace("|", "&#124;")


# -- one name --------------------------------------------------------------------------------------------------------


def entry(name: str, thing: Any) -> str:
    """A heading, the signatures, the docstring, and the members of a class."""
    if not inspect.isclass(thing) and not inspect.isroutine(thing):
        return f"### `{name}`\n\n```py\n{name} = {annotation(thing)}\n```"
    parts = [f"### `{name}`", *bases(thing), fenced(signatures(name, thing)), prose(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        parts += [member(name, *each) for each in members(thing)]
    return "\n\n".join(filter(None, parts))


def bases(thing: Any) -> list[str]:
    """A line that names the base classes, for errors: which ``except`` catches it."""
    if not (inspect.isclass(thing) and issubclass(thing, BaseException)):
        return []
    return ["Base: " + ", ".join(f"`{base.__name__}`" for base in thing.__bases__)]


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class that say what they are, inherited ones of ours included."""
    seen = set(INNER.get(kind.__name__, "").split())
    for owner in kind.__mro__:
        if not owner.__module__.startswith("linecook"):
            continue
        for name, value in vars(owner).items():
            if name in seen or (name.startswith("_") and name not in ("__await__", "__call__")):
                continue
            seen.add(name)
            method = getattr(value, "__func__", value)
            if (isinstance(value, property) or inspect.isfunction(method)) and inspect.getdoc(method):
                yield name, value


def member(owner: str, name: str, value: Any) -> str:
    """One method or property of a class."""
    if isinstance(value, property):
        said = prose(inspect.getdoc(value) or "")
        return f"#### `{owner}.{name}`\n\n{said}".rstrip()
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    said = prose(inspect.getdoc(function) or "")
    return "\n\n".join(filter(None, [f"#### `{owner}.{name}`", fenced(signatures(name, function)), said]))


# -- signatures ------------------------------------------------------------------------------------------------------


def signatures(name: str, thing: Any) -> list[str]:
    """How it is called: each overload on its own."""
    if inspect.isclass(thing):
        if issubclass(thing, BaseException) or not made_by_users(thing):
            return []
        return [signature(name, inspect.signature(thing.__init__), returns=False)]
    prefix = "await " if inspect.iscoroutinefunction(thing) else ""
    return [prefix + signature(name, inspect.signature(each)) for each in typing.get_overloads(thing) or [thing]]


def made_by_users(kind: type) -> bool:
    """Whether the class is called by users: it is public, and its ``__init__`` is its own."""
    return "__init__" in vars(kind) and kind.__name__ in PUBLIC - NOT_MADE


def signature(name: str, told: inspect.Signature, *, returns: bool = True) -> str:
    """``name(parameters) -> result``, on one line where it fits."""
    parameters = list(written(told))
    result = f" -> {annotation(told.return_annotation)}" if returns and told.return_annotation is not told.empty else ""
    line = f"{name}({', '.join(parameters)}){result}"
    return (
        line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {each},\n" for each in parameters) + f"){result}"
    )


def written(told: inspect.Signature) -> Iterator[str]:
    """Each parameter as the source has it, with the ``/`` and ``*`` between them."""
    before: Any = None
    for each in told.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if before is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            yield "/"
        if each.kind is each.KEYWORD_ONLY and before not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL):
            yield "*"
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        typed = "" if each.annotation is each.empty else f": {annotation(each.annotation)}"
        default = "" if each.default is each.empty else f" = {value(each.default)}"
        yield f"{stars}{each.name}{typed}{default if typed else default.replace(' ', '')}"
        before = each.kind
    if before is inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def annotation(told: Any) -> str:
    """A type as its source has it."""
    if isinstance(told, str):
        return told.strip("'\"").replace("'", '"')
    if told is None or told is type(None):
        return "None"
    if inspect.isclass(told) and not typing.get_args(told):
        return told.__qualname__
    return re.sub(r"\b(?:typing|collections\.abc|linecook(?:\.\w+)*)\.|~|\+", "", str(told))


def value(default: Any) -> str:
    if isinstance(default, (set, frozenset)):  # in an order of its own in each process
        return "{" + ", ".join(sorted(map(value, default))) + "}"
    return "..." if default is ... or repr(default).startswith("<") else repr(default).replace("'", '"')


def fenced(code: list[str]) -> str:
    return "```py\n" + "\n".join(code) + "\n```" if code else ""


# -- docstrings ------------------------------------------------------------------------------------------------------

SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):$")
ITEM = re.compile(r"^([\w*.`, ]+?): (.*)$", re.DOTALL)


def prose(docstring: str) -> str:
    """A docstring as Markdown: its sections as lists, its literal blocks fenced."""
    blocks = re.split(r"\n\n+", docstring.strip()) if docstring.strip() else []
    return "\n\n".join(code(block) for block in joined(blocks))


def joined(blocks: list[str]) -> Iterator[str]:
    """The blocks of a docstring, an indented one that holds code together with what follows in it."""
    literal = False
    for block in blocks:
        lines = block.splitlines()
        if literal and block.startswith("    "):
            yield "```py\n" + inspect.cleandoc(block) + "\n```"
            continue
        literal = lines[-1].endswith("::")
        if SECTION.match(lines[0]):
            yield section(lines[0].rstrip(":"), lines[1:])
        else:
            yield block.removesuffix(":") if literal else block


def section(title: str, lines: list[str]) -> str:
    """One section: each item begins at the least indent and goes on deeper."""
    text = textwrap.dedent("\n".join(lines)).splitlines()
    items = [list(each) for each in split_items(text)]
    if title in ("Returns", "Yields"):
        return f"**{title}:** {' '.join(text)}"
    return f"**{title}**\n\n" + "\n".join(bullet(title, " ".join(map(str.strip, item))) for item in items)


def split_items(lines: list[str]) -> Iterator[list[str]]:
    item: list[str] = []
    for line in lines:
        if item and not line.startswith(" "):
            yield item
            item = []
        item.append(line)
    if item:
        yield item


def bullet(title: str, text: str) -> str:
    named = ITEM.match(text)
    if named is None:
        return f"- {text}"
    names = ", ".join(f"`{name}`" for name in named[1].replace("`", "").split(", "))
    return f"- {names}: {named[2]}"


def code(text: str) -> str:
    """Markdown's code marks for reStructuredText's, outside fences."""
    return text if text.startswith("```") else re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)


def main() -> int:
    """Write the pages that differ, and name them."""
    for name, text in pages().items():
        if not (HERE / name).exists() or (HERE / name).read_text() != text:
            (HERE / name).write_text(text)
            print(f"docs/reference/{name}: written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
