"""The control socket: what `linecook top`, `ps`, `tree` and `cancel` talk to. One for the process, for its user alone.

A thread of its own listens; each visitor is served by another, so that a slow or odd one keeps nobody. What it costs a
program that nobody looks at is the opening: half a millisecond.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..observe.live.asking import Gone, StandsStill, ask
from ..observe.live.doors import open_door
from ..observe.live.messages import LONGEST_QUESTION, PROTOCOL, Greeting, Question, Refusal, receive, send

_log = logging.getLogger("linecook")

MOST_VISITORS = 8
"""Visitors that are served at a time; one more is told so."""

IDLE = 60.0
"""Seconds that a visitor may be silent."""

_FAREWELL = 0.3  # seconds that a closing runtime waits for answers to be given


class Control:
    """The control socket of this process; open while at least one runtime wants it."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._runtimes: list[Any] = []
        self._listener: socket.socket | None = None
        self._path = ""
        self._visitors: dict[socket.socket, bool] = {}  # each with whether it is being answered just now
        self._desk: Any = None

    def add(self, runtime: Any) -> None:
        """Let visitors look at *runtime*; a socket that can't be opened is a line in the log, and no more."""
        with self._lock:
            self._runtimes.append(runtime)
            if self._listener is not None:
                return
            try:
                self._listener, self._path = open_door(os.getpid())
                serving = threading.Thread(
                    target=self._listen, args=(self._listener,), name="linecook-control", daemon=True
                )
                serving.start()
            except (OSError, RuntimeError) as error:  # RuntimeError: the system gives no thread
                _log.warning("nobody can look inside this process (linecook top, ps, tree, cancel): %s", error)
                self._shut()

    def remove(self, runtime: Any) -> None:
        """Show *runtime* no more; with the last one the socket goes."""
        with self._lock:
            if runtime in self._runtimes:
                self._runtimes.remove(runtime)
            if self._desk is not None:
                self._desk.forget(runtime)
            if not self._runtimes:
                self._shut()

    async def wait_answered(self) -> None:
        """Let those who asked have their answer, 0.3 s at most: to cancel a program's last call ends the program."""
        deadline = time.monotonic() + _FAREWELL
        while any(list(self._visitors.values())) and time.monotonic() < deadline:  # noqa: ASYNC110 - they are threads
            await asyncio.sleep(0.005)

    def _shut(self) -> None:
        listener, self._listener = self._listener, None
        path, self._path = self._path, ""
        if listener is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        for visitor, is_asking in list(self._visitors.items()):
            if not is_asking:  # the others go when they have their answer
                with contextlib.suppress(OSError):
                    visitor.shutdown(socket.SHUT_RDWR)

    def shut_at_exit(self) -> None:
        """Take the socket away when the interpreter ends with a runtime left open."""
        with self._lock:
            self._shut()

    def after_fork(self) -> None:
        """Forget everything: a forked child has neither the threads nor the loops, and the socket is its parent's."""
        for inherited in (self._listener, *self._visitors):
            if inherited is not None:
                inherited.close()
        self._reset()

    # -- threads of its own --------------------------------------------------------------------------------------

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listener.accept()
            except OSError:
                if self._listener is not listener:
                    return
                time.sleep(0.1)  # out of files, perhaps: they come and go
                continue
            self._receive(visitor)

    def _receive(self, visitor: socket.socket) -> None:
        try:
            if not _is_ours(visitor):
                visitor.close()
                return
            with self._lock:
                too_many = len(self._visitors) >= MOST_VISITORS
                if not too_many:
                    self._visitors[visitor] = False
            if too_many:
                _turn_away(visitor)
                return
            threading.Thread(target=self._serve, args=(visitor,), name="linecook-visitor", daemon=True).start()
        except (OSError, RuntimeError):
            self._visitors.pop(visitor, None)
            visitor.close()

    def _serve(self, visitor: socket.socket) -> None:
        try:
            from msgspec import MsgspecError, json  # here, and not on the way to the program's start

            send(visitor, json.encode(_greeting()))
            while (raw := receive(visitor, LONGEST_QUESTION, IDLE)) is not None:
                self._visitors[visitor] = True
                try:
                    answer = self._answer(json.decode(raw, type=Question))
                except MsgspecError as error:
                    answer = Refusal(f"not a question: {error}")
                except Exception as error:
                    _log.warning("a question from outside could not be answered", exc_info=True)
                    answer = Refusal(f"it failed to answer: {error!r}", "fault")
                send(visitor, json.encode(answer))
                self._visitors[visitor] = False
                if self._listener is None:
                    return
        except OSError:
            return  # gone, silent or too wordy: not our loss
        finally:
            self._visitors.pop(visitor, None)
            visitor.close()

    def _answer(self, question: Question) -> Any:
        with self._lock:
            runtimes = _one_per_loop(self._runtimes)
            if self._desk is None:
                self._desk = Desk()
            desk = self._desk
        answer = desk.answers.get(question.do)
        if answer is None:
            return Refusal(f"there is no question {question.do!r}: there are {', '.join(desk.answers)}")
        return answer(runtimes, question)


class Desk:
    """Answers questions about runtimes, on the threads of those who ask."""

    def __init__(self) -> None:
        from ..observe.live.alive import Numbers

        self.numbers = Numbers()
        self.answers: dict[str, Callable[[list[Any], Question], Any]] = {
            "calls": self._calls,
            "diagnose": self._diagnose,
            "snapshot": self._snapshots,
            "cancel": self._cancel,
        }
        self._lock = threading.Lock()
        self._facts: dict[Any, Any] = {}

    def forget(self, runtime: Any) -> None:
        """Collect no more facts of *runtime*."""
        facts = self._facts.pop(runtime, None)
        if facts is not None:
            facts.close()

    def _calls(self, runtimes: list[Any], question: Question) -> Any:
        from ..observe.live.calls import Look
        from ..observe.live.livecalls import together
        from ..observe.live.showing import show

        found: list[Any] = []
        for runtime in runtimes:
            look = Look(runtime)
            with contextlib.suppress(Gone):
                look.find()
                found.append(show(look, self.numbers, question.most))
        return together(found)

    def _diagnose(self, _runtimes: list[Any], question: Question) -> Any:
        from ..observe.stuck.diagnose import MOST, diagnose

        return diagnose(most=MOST if question.most is None else max(1, question.most))

    def _snapshots(self, runtimes: list[Any], _question: Question) -> Any:
        return [self._facts_of(runtime).snapshot() for runtime in runtimes]

    def _facts_of(self, runtime: Any) -> Any:
        """Return what counts for *runtime*: the facts of whoever runs it, who knows its outcomes, else some of ours."""
        from ..observe.facts import Facts

        given = getattr(runtime, "facts", None)
        if given is not None:
            return given
        with self._lock:
            facts = self._facts.get(runtime)
            if facts is None:
                facts = self._facts[runtime] = Facts()
                _attach(facts, runtime)
        return facts

    def _cancel(self, runtimes: list[Any], question: Question) -> Any:
        from .operator import NoSuchCall, NotNow, cancel

        try:
            return cancel(runtimes, self.numbers, question.target, question.reason)
        except NoSuchCall as error:
            return Refusal(str(error), "lookup")
        except NotNow as error:
            return Refusal(str(error), "state")
        except Gone as error:
            return Refusal(str(error), "state")


def _attach(facts: Any, runtime: Any) -> None:
    """Attach *facts* on the runtime's loop; from here when that stands still, since then nothing else happens there."""

    def attaching() -> Any:
        facts.attach(runtime)
        yield

    try:
        ask(runtime._loop, attaching)
    except StandsStill:
        facts.attach(runtime)
    except Gone:
        return


def _one_per_loop(runtimes: list[Any]) -> list[Any]:
    """Of several runtimes on one loop, return the one opened last: its calls are found by the loop."""
    return list({id(runtime._loop): runtime for runtime in runtimes if runtime._loop is not None}.values())


def _is_ours(visitor: socket.socket) -> bool:
    """Say whether the process at the other end is this user's, or root's: the directory keeps others out already."""
    credentials = visitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (0, os.geteuid())


def _turn_away(visitor: socket.socket) -> None:
    from msgspec import json

    with visitor:
        visitor.settimeout(0.1)
        send(visitor, json.encode(replace(_greeting(), protocol=0, program=f"{MOST_VISITORS} others look already")))


_BEGAN = time.time()


def _greeting() -> Greeting:
    return Greeting(PROTOCOL, os.getpid(), _program(), sys.version.partition(" ")[0], _BEGAN)


def _program() -> str:
    """Return the command line, as far as the program has left it as it was; at most 500 characters."""
    words = [os.path.basename(sys.executable or "python"), *sys.orig_argv[1:]]
    return " ".join(" ".join(words).split())[:500]


CONTROL = Control()
atexit.register(CONTROL.shut_at_exit)
os.register_at_fork(after_in_child=CONTROL.after_fork)
