"""What the limits of a runtime hold, for whoever looks: those that were hit, since the others have nothing to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .snapshot import ChangeFacts, LimitFacts

_CHANGES = 3  # of the bound, told


def limits_of(runtime: Any) -> list[LimitFacts]:
    """Return what ``limit_facts`` does, when nothing else is asked of *runtime*; None: there is none yet."""
    if runtime is None:
        return []
    try:
        return limit_facts(runtime, runtime.statistics()["limits"])
    except RuntimeError:  # "changed size during iteration"; there is a next line
        return []


def limit_facts(runtime: Any, counts: dict[str, dict[str, Any]]) -> list[LimitFacts]:
    """Return the limits that anybody had to wait for, was refused by, or that changed; those with most waiting first.

    Args:
      runtime: the one whose limits they are.
      counts: what its ``statistics()`` says of them, in the order of first use.

    From any thread.
    """
    now = 0.0 if runtime._loop is None else runtime._loop.time()
    found = [
        facts
        for limit, shown in zip(list(runtime.limits), counts.values(), strict=False)  # one may have come meanwhile
        for facts in _told(str(limit.name or limit), shown, now)
        if _was_hit(facts)
    ]
    return sorted(found, key=lambda each: (-each.waiting, -each.paused_for, -each.waited, -each.refused, each.name))


def _told(name: str, shown: dict[str, Any], now: float) -> Iterator[LimitFacts]:
    if "busiest" not in shown or shown.get("retries_refused"):  # which all keys have in common
        yield _facts(name, shown, now)
    for of_key in shown.get("busiest", {}).values():
        yield _facts(of_key["name"], of_key, now)


def _facts(name: str, shown: dict[str, Any], now: float) -> LimitFacts:
    history: list[tuple[float, int | None, int | None, str]] = shown.get("history", [])
    return LimitFacts(
        name=name,
        in_flight=shown["in_flight"],
        bound=shown.get("max_in_flight"),
        waiting=shown["waiting"],
        held_up=shown.get("held_up", ""),
        used=shown.get("used", {}),
        paused_for=shown.get("paused_for", 0.0),
        circuit=shown.get("circuit"),
        waited=shown.get("waited", 0),
        waited_for=shown.get("waited_for", 0.0),
        refused=shown["refused"],
        pauses=shown.get("pauses", 0),
        cuts=shown.get("cuts", 0),
        changes=tuple(
            ChangeFacts(max(0.0, now - when), before, after, why) for when, before, after, why in history[-_CHANGES:]
        ),
        retries_refused=shown.get("retries_refused", 0),
    )


def _was_hit(facts: LimitFacts) -> bool:
    return bool(facts.waited or facts.refused or facts.pauses or facts.changes or facts.retries_refused) or (
        facts.circuit not in (None, "closed")
    )
