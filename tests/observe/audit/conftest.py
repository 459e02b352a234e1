"""A program under audit, and where its faults stand."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from linecook.observe import Audit, AuditReport, Finding

Main = Callable[[], Coroutine[Any, Any, object]]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    """Each loop that the audit knows how to see."""
    return LOOPS[request.param]


def audited(main: Main, factory: Callable[[], asyncio.AbstractEventLoop] | None = None, **options: Any) -> AuditReport:
    """Run *main* to its end, as a program would, and return what was found."""
    with Audit(**options) as audit:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
        return audit.report(at_end=True)


def found(report: AuditReport, kind: str) -> Finding:
    """Return the one finding of *kind*."""
    (one,) = [each for each in report.findings if each.kind == kind]
    return one


def line_of(function: Any, text: str) -> int:
    """Return the number of the one line of *function* that has *text*."""
    lines, first = inspect.getsourcelines(function)
    (number,) = [first + offset for offset, line in enumerate(lines) if text in line]
    return number
