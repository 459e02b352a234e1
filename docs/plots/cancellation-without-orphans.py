"""What the siblings of a failure do, and when the caller hears of it: asyncio.gather, TaskGroup, linecook's gather."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from _plot import FAINT, INK, OURS, STDLIB, figure, main, save

import linecook

FAILS_AT = 0.2
GRACE = 0.2
WATCHED = 1.4  # seconds until the curtain falls

Body = Callable[["Stage"], Coroutine[Any, Any, None]]


class Stage:
    """Where the bodies note what they do, in seconds since the start."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.ended: dict[str, float] = {}
        self.sent: dict[str, float] = {}

    def now(self) -> float:
        return round(time.perf_counter() - self._began, 3)


async def fails(stage: Stage) -> None:
    await asyncio.sleep(FAILS_AT)
    raise ValueError("no such customer")


async def sends(stage: Stage) -> None:
    await asyncio.sleep(0.9)
    stage.sent["sends"] = stage.now()


async def cleans_up(stage: Stage) -> None:
    try:
        await asyncio.sleep(0.7)
    finally:
        await asyncio.sleep(0.1)


async def resists(stage: Stage) -> None:
    while stage.now() < 1.1:
        try:
            await asyncio.sleep(1.1 - stage.now())
        except asyncio.CancelledError:
            pass
    stage.sent["resists"] = stage.now()


BODIES: dict[str, Body] = {"fails": fails, "sends": sends, "cleans_up": cleans_up, "resists": resists}
TITLES = ["fails after 0.2 s", "sends an e-mail", "cleans up for 0.1 s", "swallows the cancellation"]


async def noted(name: str, stage: Stage) -> None:
    try:
        await BODIES[name](stage)
    finally:
        stage.ended[name] = stage.now()


async def by_gather(calls: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*calls)


async def by_task_group(calls: list[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)


async def by_linecook(calls: list[Coroutine[Any, Any, None]]) -> None:
    await linecook.gather(calls, grace=GRACE)


def side(by: Callable[[list[Coroutine[Any, Any, None]]], Coroutine[Any, Any, None]]) -> Callable[[bool], Any]:
    async def watched() -> dict[str, Any]:
        stage = Stage()
        try:
            await by([noted(name, stage) for name in BODIES])
        except Exception as error:
            raised, told = type(error).__name__, stage.now()
        await asyncio.sleep(WATCHED - stage.now())
        return {"told": told, "raised": raised, "ended": stage.ended, "sent": stage.sent}

    logging.getLogger("linecook").setLevel(logging.ERROR)  # what resists is reported; the picture shows it
    return lambda quick: asyncio.run(watched())


WAYS = {"asyncio.gather": by_gather, "asyncio.TaskGroup": by_task_group, "linecook.gather": by_linecook}
SIDES = {name: side(by) for name, by in WAYS.items()}


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, panels = figure(columns=3, height=2.9)
    rows = [["", "the caller hears of it after", "as", "at work after that", "sent after that"]]
    for panel, (name, seen) in zip(panels, figures.items(), strict=True):
        told = seen["told"]
        for place, body in enumerate(BODIES):
            ended = seen["ended"][body]
            panel.barh(place, min(ended, told), 0.55, color=OURS, alpha=0.5)
            if ended > told:
                panel.barh(place, ended - told, 0.55, left=told, color=STDLIB)
            if body in seen["sent"]:
                panel.plot([seen["sent"][body]], [place], "D", color=INK, markersize=6)
        panel.axvline(told, color=FAINT, linestyle=":", linewidth=1.4)
        panel.set_yticks(range(len(BODIES)), TITLES if panel is panels[0] else [""] * len(BODIES))
        panel.invert_yaxis()
        panel.set(title=name, xlim=(0, WATCHED))
        late = sum(ended > told for ended in seen["ended"].values())
        sent = sum(when > told for when in seen["sent"].values())
        rows.append([name, f"{told:.2f} s", f"`{seen['raised']}`", f"{late} of 4", str(sent)])
    made.supxlabel(
        "seconds; dotted: the caller hears of the failure, orange: at work after that, diamond: sent", fontsize=10
    )
    save(__file__, made, "Four calls of which one fails: which of the others go on after the caller was told.")
    return rows


if __name__ == "__main__":
    main(__file__, SIDES, draw)
