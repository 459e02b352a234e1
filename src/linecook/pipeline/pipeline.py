"""``pipeline(source).map(…).filter(…)``: stages of any lane in a row, under back-pressure from reader to source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from .._core.deadline import check_seconds
from .._core.errors import UsageError
from ..tools.policies.limit import check_count
from ..tools.policies.retry import Retry
from ..tools.tool import is_async
from .dead_item import DeadItem, sink_for
from .recipe import MAX_BYTES, Input, Recipe, check_groups, check_source, is_spread
from .stages import Batches, Groups, OnError, Stage, Workers, work

if TYPE_CHECKING:
    from .byinput import InputOutcome
    from .line import Line
    from .statistics import PipelineStatistics

T = TypeVar("T")
R = TypeVar("R")

GRACE = 0.5


class Pipeline(Generic[T]):
    """A recipe: a source and stages. Each method returns a longer one; nothing runs until somebody reads.

    Read it like this, so that leaving the block cancels and awaits what still runs::

        async with pipeline(urls).map(fetch, workers=32).map(parse) as pages:
            async for page in pages:
                print(page)

    or all at once: ``await pipe.collect()``, ``await pipe.into(store)``. A pipeline may be the source of another one.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._open: dict[asyncio.Task[Any] | None, list[Run[T]]] = {}
        self._latest: Line | None = None

    # -- stages ------------------------------------------------------------------------------------------------------

    @overload
    def map(
        self, function: Callable[[T], Coroutine[Any, Any, R]], /, *, workers: Workers = None, ordered: bool = False,
        on_error: OnError = "raise", retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[R]: ...  # fmt: skip
    @overload
    def map(
        self, function: Callable[[T], R], /, *, workers: Workers = None, ordered: bool = False,
        on_error: OnError = "raise", retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[R]: ...  # fmt: skip
    def map(
        self, function: Any, /, *, workers: Workers = None, ordered: bool = False, on_error: OnError = "raise",
        retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[Any]:  # fmt: skip
        """Call *function* with each item; its results go on.

        Args:
          function: a tool or agent; or a plain function: an ``async def`` runs as an agent, a ``def`` as a tool on a
            thread.
          workers: most items of this stage under way at once, ≥ 1. None: 32 on the loop, 16 on threads, 4 for each CPU
            in processes. ``"auto"``: such stages share their workers, which move to where most time is spent. A
            tool's ``limit`` holds besides, over all its callers; how many bodies really run at once is the lane's size.
          ordered: whether results go on in the order in which the items came; a slow item then holds up those behind
            it, at most twice as many as there are workers. Otherwise in the order in which they are done.
          on_error: ``"raise"``: the first error ends the pipeline, cancels what runs and is raised to its reader.
            ``"skip"``: the item becomes a dead letter, and the rest goes on. Or a plain function of item and error
            that returns what takes the place of the result.
          retry: as of ``tool``; on tools that may be repeated.
          attempt_timeout: as of ``tool``.

        Raises:
          UsageError, ValueError: something makes no sense; the message names it.
        """
        return self._with(work("map", function, workers, ordered, on_error, retry, attempt_timeout))

    def filter(
        self, function: Callable[[T], Coroutine[Any, Any, object]] | Callable[[T], object], /, *,
        workers: Workers = None, ordered: bool = False, on_error: OnError = "raise", retry: Retry | None = None,
        attempt_timeout: float | None = None,
    ) -> Pipeline[T]:  # fmt: skip
        """Let those items go on for which *function* returns something true; its options are those of ``map``."""
        return self._with(work("filter", function, workers, ordered, on_error, retry, attempt_timeout))

    @overload
    def flat_map(
        self, function: Callable[[T], AsyncIterator[R]], /, *, workers: Workers = None, ordered: bool = False,
        on_error: OnError = "raise", retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[R]: ...  # fmt: skip
    @overload
    def flat_map(
        self, function: Callable[[T], Coroutine[Any, Any, Iterable[R]]], /, *, workers: Workers = None,
        ordered: bool = False, on_error: OnError = "raise", retry: Retry | None = None,
        attempt_timeout: float | None = None,
    ) -> Pipeline[R]: ...  # fmt: skip
    @overload
    def flat_map(
        self, function: Callable[[T], Iterable[R]], /, *, workers: Workers = None, ordered: bool = False,
        on_error: OnError = "raise", retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[R]: ...  # fmt: skip
    def flat_map(
        self, function: Any, /, *, workers: Workers = None, ordered: bool = False, on_error: OnError = "raise",
        retry: Retry | None = None, attempt_timeout: float | None = None,
    ) -> Pipeline[Any]:  # fmt: skip
        """Make many items of each: *function* returns a list, or yields them one by one.

        Pieces go on as they are made, while there is room for them; ``group`` puts them together again. Options are
        those of ``map``; after an error what was sent already has gone on.
        """
        return self._with(work("flat_map", function, workers, ordered, on_error, retry, attempt_timeout))

    def batch(self, size: int, *, wait: float | None = None) -> Pipeline[list[T]]:
        """Make lists of *size* items; a shorter one at the end, and when its first item has waited *wait* seconds.

        Raises:
          UsageError: the items are pieces of a ``flat_map`` that a later ``group`` is to put together.
        """
        if size is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise UsageError("batch needs a size: batch(100, wait=0.5)")
        check_count(size, "batch's size", 1)
        check_seconds(wait, "batch's wait")
        return cast("Pipeline[list[T]]", self._with(Batches(size, wait)))

    def group(self, key: Callable[[T], Any] | None = None) -> Pipeline[list[T]]:
        """Put together what the nearest ``flat_map`` before took apart: a list for each item that it got.

        Pieces stand in the order in which they were made, without those that were filtered out or skipped; a list goes
        on as soon as its last piece is there, and is empty when none came.

        Args:
          key: a plain function on the loop; then instead: lists of neighbouring items with the same key, as
            ``itertools.groupby``. Its stages before should be ``ordered``.

        Raises:
          UsageError: there is no ``flat_map`` before, or its pieces were put into batches.
        """
        if key is not None and not callable(key):
            raise UsageError(f"group takes a function of one item, or nothing, not {key!r}")
        if key is not None and is_async(key):
            raise UsageError(
                f"group takes a plain function, which answers at once, not {key!r:.80}: put a map before it"
            )
        return cast("Pipeline[list[T]]", self._with(Groups(key)))

    def _with(self, stage: Stage) -> Pipeline[Any]:
        stages = (*self._recipe.stages, stage)
        check_groups(stages)
        return Pipeline(replace(self._recipe, stages=stages))

    # -- running -----------------------------------------------------------------------------------------------------

    async def collect(self) -> list[T]:
        """Run to the end and return everything, in the order in which it came out.

        Raises:
          what a stage or the source raised, with a note that names the item and the stage.
          Interrupted: shutdown came first.
        """
        values: list[T] = []
        self._latest = line = _line(self._recipe, values.append)
        await line.run()
        return values

    @property
    def spreads(self) -> bool:
        """Whether an item of the source may become many: there is a ``flat_map`` that no ``group()`` puts together."""
        return is_spread(self._recipe.stages)

    def outcomes(self) -> Run[InputOutcome[T]]:
        """Run and hand out one outcome for each item of the source, as soon as everything made of it is through.

        An error ends nothing but its item, whatever ``on_error`` says. Read it as a pipeline itself: ``async with
        pipe.outcomes() as outcomes: async for outcome in outcomes``.

        Raises:
          UsageError: a stage puts several inputs together.
        """
        from .byinput import check_by_input

        check_by_input(self._recipe.stages)
        run: Run[InputOutcome[T]] = Run(self._recipe, by_input=True)
        self._latest = run.line
        return run

    async def into(self, sink: Any, *, workers: int = 1, on_error: OnError = "raise") -> int:
        """Run to the end, calling *sink* with everything that comes out; returns how many items it took.

        Args:
          sink: a tool, an agent, a function, a list, or something with a ``put`` such as ``asyncio.Queue``.
          workers: most items that it takes at once; with one it gets them in the order in which they come out.
          on_error: as of ``map``; nothing goes with a list.

        Raises:
          what a stage, the source or the sink raised, with a note that names the item and the stage.
          UsageError, ValueError: something makes no sense; the message names it.
          Interrupted: shutdown came first.
        """
        append = getattr(sink, "append", None)
        stage = work("into", append or getattr(sink, "put", sink), workers, False, on_error, None, None)
        if append is not None:
            self._latest = line = _line(self._recipe, append)
        else:
            self._latest = line = _line(self._with(stage)._recipe, _drop)
        await line.run()
        return line.outlet.count

    def __aiter__(self) -> Run[T]:
        return self._begin()

    async def __aenter__(self) -> Run[T]:
        run = self._begin()
        self._open.setdefault(asyncio.current_task(), []).append(run)
        return run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        if task not in self._open:  # an async generator that another task closes
            task = next(reversed(self._open))
        runs = self._open[task]
        run = runs.pop()
        if not runs:
            del self._open[task]
        await run.aclose()

    def _begin(self) -> Run[T]:
        run = Run[T](self._recipe)
        self._latest = run.line
        return run

    def statistics(self) -> PipelineStatistics | None:
        """Return the figures of the run that was begun last; None before the first."""
        return None if self._latest is None else self._latest.statistics()

    @property
    def dead_letters(self) -> list[DeadItem]:
        """What the run that was begun last has set aside: the first 1,000, unless ``dead_letters=`` took them."""
        return [] if self._latest is None else self._latest.dead

    def __repr__(self) -> str:
        stages = "".join(f".{stage.name}" for stage in self._recipe.stages)
        return f"pipeline(...){stages}"


class Run(AsyncIterator[T], Generic[T]):
    """What comes out of one run of a pipeline, in the order in which it comes. One task reads at a time."""

    drains_itself = True

    def __init__(self, recipe: Recipe, *, by_input: bool = False) -> None:
        self._closed = True  # should the next line fail, there is nothing to close
        self.line = _line(recipe, by_input=by_input)
        self._outlet = self.line.outlet
        self._begun = self._closed = False

    async def __aenter__(self) -> Run[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Run[T]:
        return self

    async def __anext__(self) -> T:
        """Return what came out next.

        Raises:
          StopAsyncIteration: everything is out, or the block was left.
          what a stage or the source raised, once, after what came out before; a note names item and stage.
          Interrupted: shutdown came before the source had ended; what was inside came out first.
          UsageError: the source gives its items once, and an earlier run has read them; or another task reads here.
        """
        value: T
        if self._outlet.values:  # in one step, without another coroutine (benchmarks: pipeline_million)
            value = self._outlet.pop()
            return value
        if self._closed:
            raise StopAsyncIteration
        if not self._begun:
            self.line.start()
            self._begun = True
        value = await self.line.next()
        return value  # typed here: what comes out of the line is anything

    async def aclose(self) -> None:
        """Cancel what runs, and wait for its end; what has not been read is dropped."""
        if not self._closed:
            self._closed = True
            self.line.close()
            if self._begun:
                await self.line.see_end()

    def statistics(self) -> PipelineStatistics:
        """Return the figures so far."""
        return self.line.statistics()

    def __del__(self) -> None:
        if not self._closed and self._begun:
            self.line.drop()


def _line(recipe: Recipe, take: Callable[[Any], object] | None = None, *, by_input: bool = False) -> Line:
    from .line import Line  # with all that runs: who runs no pipeline doesn't pay for it (benchmarks: import_time)

    return Line(recipe, take, by_input=by_input)


def _drop(_value: object) -> None:
    return


@overload
def pipeline(
    source: Pipeline[T], /, *, max_bytes: int | None = None, grace: float | None = None, dead_letters: Any = None
) -> Pipeline[T]: ...
@overload
def pipeline(
    source: AsyncIterable[T], /, *, max_bytes: int | None = None, grace: float | None = None, dead_letters: Any = None
) -> Pipeline[T]: ...
@overload
def pipeline(
    source: Iterable[T], /, *, max_bytes: int | None = None, grace: float | None = None, dead_letters: Any = None
) -> Pipeline[T]: ...
def pipeline(
    source: Any, /, *, max_bytes: int | None = None, grace: float | None = None, dead_letters: Any = None
) -> Pipeline[Any]:
    """Make a pipeline over *source*: stages in a row, each with its lane and workers, under back-pressure.

    Args:
      source: a list or another container; a lazy iterator, which is pulled on a thread and may block, such as an open
        file; an async iterator. It may be endless. What is read ahead of a lazy iterator is what it gives within 1 ms,
        256 items at most. Or another pipeline, which this one goes on: as if its stages were written here.
      max_bytes: most bytes in each buffer between two stages, ≥ 1: texts, bytes and arrays are counted exactly. One
        item may be larger: then it stands there alone. How many items: as many as the stages beside it have workers.
        None: 64 MiB.
      grace: seconds that cancelled calls have for their clean-up. None: 0.5.
      dead_letters: where items go that a stage with ``on_error="skip"`` could not do: a list, or a plain function of
        one ``DeadItem``. None: the first 1,000 are kept as ``pipe.dead_letters``.

    Raises:
      UsageError, TypeError, ValueError: something makes no sense; the message names it.
    """
    check_count(max_bytes, "pipeline's max_bytes", 1)
    check_seconds(grace, "pipeline's grace")
    if isinstance(source, Pipeline):
        recipe: Recipe = source._recipe  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
    else:
        check_source(source)
        recipe = Recipe(Input(source), (), MAX_BYTES, GRACE, sink_for(None))
    letters = None if dead_letters is None else sink_for(dead_letters)
    asked: dict[str, Any] = {"max_bytes": max_bytes, "grace": grace, "dead_letters": letters}
    return Pipeline(replace(recipe, **{name: value for name, value in asked.items() if value is not None}))
