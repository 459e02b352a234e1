"""``linecook run``: checks what was asked, runs it, tells what came of it, and picks the exit code."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .exits import ALL_OK, INTERRUPTED, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, BadUsage

DEFAULT_CONCURRENCY = 64


def run_command(options: argparse.Namespace) -> int:
    """Do what ``linecook run`` was asked for and return the exit code.

    Raises:
      BadUsage: nothing could be run.
    """
    _check(options)
    if options.output != "-":
        return _run(options)
    from .output import claimed_stdout

    with claimed_stdout() as options.stdout:
        return _run(options)


def _check(options: argparse.Namespace) -> None:
    if options.input is None:
        for name in ("concurrency", "fail_on"):
            if getattr(options, name) is not None:
                raise BadUsage(f"--{name.replace('_', '-')} is for many calls: it needs --input.")
    elif options.args is not None:
        raise BadUsage("give ARGS_JSON for one call or --input for many, not both.")


def _run(options: argparse.Namespace) -> int:
    return _run_one(options) if options.input is None else _run_many(options)


def _run_one(options: argparse.Namespace) -> int:
    from .arguments import BadArguments
    from .callable import Target

    target = Target(options.target, options.timeout)
    try:
        args, kwargs = target.signature.bind(_given(options.args))
    except BadArguments as error:
        raise BadUsage(f"ARGS_JSON: {error}.") from None
    return _tell_one(options, target, args, kwargs)


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
    from linecook import run

    from .early import hand_over
    from .output import NotWritten, PipeClosed
    from .records import encode
    from .traces import user_trace

    output = _output(options)
    value: list[Any] = []

    async def one() -> None:
        value.append(await target(*args, **kwargs))

    code = ALL_OK
    try:
        hand_over()
        run(one())
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:
        print(user_trace(error), file=sys.stderr, end="")
        return SOME_FAILED
    if not value:
        say("interrupted: the call was cancelled.")
        return code
    text, foreign = encode(value[0])
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
    return code


def _output(options: argparse.Namespace) -> Any:
    from .output import Output, open_output

    if options.output == "-":
        return Output(options.stdout, "standard output")
    return Output(open_output(options.output), options.output)


def _run_many(options: argparse.Namespace) -> int:
    from .callable import Target
    from .job import Job
    from .lines import LineReader

    target = Target(options.target, options.timeout)
    reader = LineReader(options.input)
    if isinstance(options.fail_on, float) and not reader.has_length:
        raise BadUsage("--fail-on with a share needs an input of known length, and a pipe has none: give a count.")
    job = Job(
        target,
        reader,
        _output(options),
        concurrency=options.concurrency or DEFAULT_CONCURRENCY,
        fail_on=options.fail_on,
        quiet=options.quiet,
    )
    return job.run()


def say(text: str) -> None:
    """Print one line of ours to standard error."""
    print(f"linecook: {text}", file=sys.stderr, flush=True)
