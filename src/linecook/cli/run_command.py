"""``linecook run``: checks what was asked, runs it, tells what came of it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from .exits import ALL_OK, INTERRUPTED, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, BadUsage

if TYPE_CHECKING:
    from .callable import Target
    from .output import Output
    from .results import Results

DEFAULT_CONCURRENCY = 64
FOR_MANY = ("concurrency", "fail_on", "take", "ignore_extra", "retry_failed")


def run_command(options: argparse.Namespace) -> int:
    """Do what ``linecook run`` was asked for and return the exit code.

    Raises:
      BadUsage: nothing could be run.
    """
    from .settings import add_settings
    from .streams import claimed_stdin, claimed_stdout, open_stderr

    open_stderr()
    _check(options)
    add_settings(options, FOR_MANY if options.input is None else ())
    with contextlib.ExitStack() as claimed:
        options.stdin = claimed.enter_context(claimed_stdin()) if options.input == "-" else 0
        if options.output == "-":
            options.stdout = claimed.enter_context(claimed_stdout())
        return _run_one(options) if options.input is None else _run_many(options)


def _check(options: argparse.Namespace) -> None:
    if options.input is None:
        for name in FOR_MANY:
            if getattr(options, name) is not None:
                raise BadUsage(f"--{name.replace('_', '-')} is for many calls: it needs --input.")
    elif options.args is not None:
        raise BadUsage("give ARGS_JSON for one call or --input for many, not both.")


# -- one call ------------------------------------------------------------------------------------------------------


def _run_one(options: argparse.Namespace) -> int:
    from .arguments import BadArguments

    target = _target(options)
    if target.makes_pipeline:
        raise BadUsage(f"{options.target} returns a pipeline: --input names what goes through it.")
    try:
        args, kwargs = target.signature.bind(_given(options.args))
    except BadArguments as error:
        raise BadUsage(f"ARGS_JSON: {error}.") from None
    return _tell_one(options, target, args, kwargs)


def _target(options: argparse.Namespace) -> Target:
    from .callable import Target
    from .waiting import said_when_slow

    with said_when_slow(f"importing {options.target.rpartition(':')[0]} …"):
        return Target(options.target, options.timeout)


def _given(text: str | None) -> Any:
    import json

    from .arguments import NONE_GIVEN

    if text is None:
        return NONE_GIVEN
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = ""
        if not text.lstrip().startswith(("{", "[", '"')):
            hint = f" Text needs quotes of its own: '{json.dumps(text, ensure_ascii=False)}'."
        raise BadUsage(f"ARGS_JSON is not JSON: {error}.{hint}") from None


def _tell_one(options: argparse.Namespace, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from .items import refuse_pipeline
    from .output import Output
    from .place import open_output

    to_stdout = options.output == "-"
    fd = options.stdout if to_stdout else open_output(options.output)  # before the call: it may cost money
    output = Output(fd, "standard output" if to_stdout else options.output)
    code, values = _called(target, args, kwargs)
    if code == SOME_FAILED:
        return code
    if not values:
        say("interrupted: the call was cancelled.")
        return code
    refuse_pipeline(values[0], target.name)
    return _written(values[0], output) or code


def _called(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, list[Any]]:
    """Run the one call; return the exit code so far, and its value in a list, empty when there is none."""
    from linecook import run

    from .early import hand_over
    from .records import hint_for
    from .traces import user_trace

    values: list[Any] = []

    async def one() -> None:
        values.append(await target(*args, **kwargs))

    try:
        hand_over()
        run(one())
    except KeyboardInterrupt:
        return INTERRUPTED, values
    except BaseException as error:
        print(user_trace(error), file=sys.stderr, end="")
        hint = hint_for(error)
        if hint:
            say(f"{hint}.")
        return SOME_FAILED, []
    return ALL_OK, values


def _written(value: Any, output: Output) -> int:
    """Write the value; return the exit code of that alone."""
    from .output import NotWritten, PipeClosed
    from .records import encode

    text, foreign = encode(value)
    if foreign:
        say(f"JSON can't hold {', '.join(foreign)}: the repr stands there.")
    try:
        output.put_nowait(text + b"\n")
        output.close()
    except PipeClosed:
        return PIPE_CLOSED
    except NotWritten as error:
        say(f"{error}. The call itself succeeded.")
        return NOT_WRITTEN
    return ALL_OK


# -- many calls ----------------------------------------------------------------------------------------------------


def _run_many(options: argparse.Namespace) -> int:
    from .ending import tell
    from .job import Job
    from .progress import progress_for
    from .reading.reader import Reader
    from .reading.source import open_source

    target = _target(options)
    if target.makes_pipeline:
        _check_for_pipeline(options)
    to_file = None if options.output == "-" else options.output
    source = open_source(
        options.input,
        target.signature,
        stdin=options.stdin,
        ignore_extra=bool(options.ignore_extra),
        leave_out=to_file,
    )
    if isinstance(options.fail_on, float) and not source.has_length:
        raise BadUsage("--fail-on with a share needs an input of known length, and a pipe has none: give a count.")
    results = _results(options, target, by_place=source.format.by_place)
    job = Job(
        target,
        Reader(source, take=options.take, done=results.held),
        results,
        progress_for("none" if options.quiet else options.show),
        concurrency=options.concurrency or DEFAULT_CONCURRENCY,
        fail_on=options.fail_on,
        control=options.control is not False,
    )
    job.run()
    return tell(job, ["linecook", *options.words])


def _check_for_pipeline(options: argparse.Namespace) -> None:
    for name, cure in (("--concurrency", "workers="), ("--timeout", "@tool(timeout=...) or attempt_timeout=")):
        if any(word.partition("=")[0] == name for word in options.words):
            raise BadUsage(f"{name} is for calls; a pipeline's stages have bounds of their own: {cure} there.")


def _results(options: argparse.Namespace, target: Target, *, by_place: bool) -> Results:
    from .results import to_file, to_stdout
    from .table import fields_of
    from .waiting import said_when_slow

    if options.output == "-":
        if options.retry_failed:
            raise BadUsage("--retry-failed needs --output FILE: it runs again what that file holds as lost.")
        return to_stdout(options.stdout, target.name)
    _check_not_input(options)
    with said_when_slow(f"reading what {options.output} holds …"):
        results = to_file(
            options.output,
            target.name,
            by_place=by_place,
            retry_failed=bool(options.retry_failed),
            fields=fields_of(target.function),
        )
    if results.repaired_bytes:
        say(f"{options.output} ended in the middle of an outcome: {results.repaired_bytes:,} bytes were cut off.")
    return results


def _check_not_input(options: argparse.Namespace) -> None:
    import os

    with contextlib.suppress(OSError):
        if os.path.samefile(options.output, options.input):
            raise BadUsage(
                f"--output {options.output} is the input itself, and would be written over: name another file."
            )


def say(text: str) -> None:
    """Print one line of ours to standard error."""
    print(f"linecook: {text}", file=sys.stderr, flush=True)
