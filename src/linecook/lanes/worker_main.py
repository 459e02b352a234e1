"""The program of a worker process: take jobs from the socket, run them, send each answer at once.

Imports as little as possible and nothing of linecook: a user's tool module decides what a worker weighs. An answer is
sent as soon as its body has ended, never kept for company: the next body may spin for ever, and what has ended must
survive the kill.
"""

from __future__ import annotations

import fcntl
import os
import sys
from _pickle import dumps, loads
from _socket import socket
from _thread import get_ident
from mmap import mmap
from time import monotonic, thread_time

TYPE_CHECKING = False  # typing costs a worker 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from . import wire
else:
    import wire

# High numbers: a body that closes everything and opens files anew must not be given ours.
SOCKET_FD, LIFE_FD, PAGE_FD = 100, 101, 102

SHORT = 100e-6
"""Seconds; after a longer body of the same function the CPU clock is read in any case."""

_F_SETSIG = 10
_SIGKILL = 9

at_end: list[Callable[[], object]] = []
"""Callbacks for the end of this worker, in order of registration; run in reverse. See ``worker_hooks``."""

live = True
"""False in a process that a body forked off: it isn't a worker."""

deadline: float | None = None
"""Monotonic seconds at which the nearest deadline of the call under way passes; None: there is none."""

key: str | None = None
"""The key of the call under way, the same for all its attempts; None: it isn't a tool with effect="keyed"."""

_failures: Any = None
"""The module that takes exceptions apart, once one was needed."""

_charges: list[tuple[int, tuple[int, int, int]]] = []
"""Number of a job, and what a thread that its body started has charged, to be sent before the next answer."""

_server: _Server | None = None
_main_thread = get_ident()

_specs: dict[int, tuple[str, Any, str]] = {}
_bodies: dict[int, Callable[..., Any]] = {}
_runs: dict[int, int] = {}
"""Per route: how many bodies ran, for sampling the CPU clock."""


def main() -> None:
    """Serve until the parent closes the socket; the life pipe ends the process when the parent dies."""
    _tie_life_to_parent()
    sock = socket(fileno=SOCKET_FD)
    page = mmap(PAGE_FD, wire.PAGE_BYTES)
    os.close(PAGE_FD)
    os.closerange(3, SOCKET_FD)  # what a library of the parent left open for every child
    os.closerange(PAGE_FD + 1, 1 << 16)
    os.register_at_fork(after_in_child=_leave)
    _take_main_away()
    for name, setting in wire.WARM.items():  # for this process, not for the children of its bodies
        if os.environ.get(name) == setting:
            del os.environ[name]
    global _server
    _server = _Server(sock, page)
    try:
        _server.serve()
    except (EOFError, OSError):
        pass
    finally:
        if live:
            _go_home()
        os._exit(0)


def _tie_life_to_parent() -> None:
    """Ask the kernel to kill this process and its group when the parent's end of the life pipe closes.

    By signal, not by a thread that waits: C code that holds the interpreter would keep the thread from acting.
    PR_SET_PDEATHSIG won't do: it fires when the *thread* that started us ends.
    """
    for fd in (SOCKET_FD, LIFE_FD):
        os.set_inheritable(fd, False)
    fcntl.fcntl(LIFE_FD, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(LIFE_FD, _F_SETSIG, _SIGKILL)
    fcntl.fcntl(LIFE_FD, fcntl.F_SETFL, fcntl.fcntl(LIFE_FD, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if not os.read(LIFE_FD, 1):  # it closed before we asked to be told
            os._exit(0)
    except BlockingIOError:
        pass


def _leave() -> None:
    global live
    live = False
    for fd in (SOCKET_FD, LIFE_FD):
        try:
            os.close(fd)
        except OSError:
            pass


def _take_main_away() -> None:
    """Give user code an empty ``__main__`` of its own, and put this module where ``worker_hooks`` finds it.

    Pickling an object of the parent's ``__main__`` by name then fails here, as it must, and goes by value.
    """
    modules = sys.modules
    modules["_linecook_worker"] = modules.pop("worker_main")
    del modules["wire"]
    modules["__main__"] = type(sys)("__main__")


class _Server:
    """Serves one socket, showing on *page* what it does."""

    __slots__ = ("_page", "_sock")

    def __init__(self, sock: socket, page: mmap) -> None:
        self._sock = sock
        self._page = page

    def serve(self) -> None:
        """Take messages, one after the other; raises EOFError when the parent has closed the socket."""
        while True:
            kind, count, length = wire.HEAD.unpack(self._receive(wire.HEAD.size))
            message = loads(self._receive(length))
            if kind == wire.JOBS:
                for number, route, spec, arguments, terms in message:
                    self._work(number, route, spec, terms, arguments)
            elif kind == wire.BULKY:
                number, route, spec, size, terms = message
                reader = wire.Reader(self._sock, size)
                self._work(number, route, spec, terms, reader, count)
                reader.drain()
            elif kind == wire.IMPORT:
                _import(message)
            else:
                _set_up(message)
                self._sock.sendall(wire.RESULT.pack(0, 0, wire.HELLO, 0, 0.0, 0.0, 0.0))
            _flush()

    def _receive(self, size: int) -> bytes:
        data = self._sock.recv(size)
        while len(data) < size:
            more = self._sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _work(self, number: int, route: int, spec: Any, terms: Any, arguments: Any, count: int = 0) -> None:
        """Run one job and send its answer; says so when it was taken back before its body began.

        One function, since every call to a process passes here (benchmarks: process_noop).
        """
        if spec is not None:
            _specs[route] = spec
            _bodies.pop(route, None)
        page = self._page
        wire.NUMBER.pack_into(page, wire.PREPARING_AT, number)
        flag = wire.FLAGS_AT + number % wire.FLAGS
        if page[flag]:
            self._skip(number)
            return
        try:
            body = _bodies.get(route) or _resolve(route)
            args: Any
            kwargs: Any
            if type(arguments) is tuple:
                args, kwargs = arguments, {}  # pyright: ignore[reportUnknownVariableType]
            else:
                args, kwargs = loads(arguments) if type(arguments) is bytes else arguments.load(count)
        except BaseException as error:
            self._answer(number, wire.UNLOADABLE, _describe(error), monotonic(), 0.0, -1.0)
            return
        _tell_terms(terms)
        runs = _runs[route] = _runs.get(route, -1) + 1
        # The CPU clock costs 1 µs, as much as a no-op: of short bodies, read it for the first and then for every 16th.
        began_cpu = thread_time() if runs < 8 or not runs & 15 else -1.0
        start = monotonic()
        wire.TIME.pack_into(page, wire.TIME_AT, start)
        wire.NUMBER.pack_into(page, wire.STARTED_AT, number)
        if page[flag]:
            self._skip(number)
            return
        status = wire.OK
        try:
            value = body(*args, **kwargs)
        except BaseException as error:
            status, value = wire.RAISED, error
        wall = monotonic() - start
        if wall > SHORT:
            _runs[route] = -1
        if not live:  # a body forked, and its child came back here
            _flush()
            os._exit(0)
        cpu = thread_time() - began_cpu if began_cpu >= 0.0 else -1.0
        args = kwargs = None
        if status == wire.RAISED:
            value = _describe(value)
        self._answer(number, status, value, start, wall, cpu)

    def charge(self, amounts: tuple[int, int, int], here: bool) -> None:
        """Send what the body that began last has used: at once, unless this isn't the thread that sends (*here*)."""
        number = wire.NUMBER.unpack_from(self._page, wire.STARTED_AT)[0]
        if here:
            self._send_charge(number, amounts)
        else:
            _charges.append((number, amounts))

    def _send_charge(self, number: int, amounts: tuple[int, int, int]) -> None:
        body = dumps(amounts, 5)
        self._sock.sendall(wire.RESULT.pack(number, len(body), wire.CHARGED, 0, 0.0, 0.0, 0.0) + body)

    def _skip(self, number: int) -> None:
        wire.NUMBER.pack_into(self._page, wire.PREPARING_AT, 0)
        self._sock.sendall(wire.RESULT.pack(number, 0, wire.SKIPPED, 0, 0.0, 0.0, 0.0))

    def _answer(self, number: int, status: int, value: Any, start: float, wall: float, cpu: float) -> None:
        while _charges:
            self._send_charge(*_charges.pop(0))
        count = 0
        if value is None and status == wire.OK:
            self._sock.sendall(wire.RESULT.pack(number, 0, wire.OK, 0, start, wall, cpu))
            return
        try:
            if wire.is_bulky((value,)):
                bulk = wire.pack_bulk(value)
                size, count, parts = bulk.size, len(bulk.buffers), bulk.parts()
            else:
                body = dumps(value, 5)
                size, parts = len(body), (body,)
        except BaseException as error:
            status, body = _by_value(status, value, error)
            size, parts = len(body), (body,)
        head = wire.RESULT.pack(number, size, status, count, start, wall, cpu)
        if size < 4096:
            self._sock.sendall(b"".join((head, *parts)))
        else:
            wire.send_all(self._sock, (head, *parts))


def charge(amounts: tuple[int, int, int]) -> None:
    """Have the call under way charged: tokens in, tokens out, dollars in trillionths; see ``worker_hooks``.

    Sent at once: what was spent counts, also if this process is killed in the next moment. Other threads of a body
    leave it to the one that answers, as two can't write to one socket.
    """
    if _server is not None and live:
        _server.charge(amounts, get_ident() == _main_thread)


def _set_up(setup: dict[str, Any]) -> None:
    sys.path[:] = setup["path"]
    sys.argv[:] = setup["argv"]
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a killed worker has said what it printed
        except (AttributeError, ValueError, OSError):
            pass
    _import(setup["modules"])


def _import(names: list[str]) -> None:
    """Import what tools will need; a module that can't be imported is reported by the job that needs it."""
    for name in names:
        try:
            __import__(name)
        except BaseException:
            pass


def _resolve(route: int) -> Callable[..., Any]:
    """Find the function that *route* stands for: by name, or out of its bytes."""
    kind, where, what = _specs[route]
    body: Any
    if kind == "value":
        body = loads(where)
    else:
        __import__(where)
        body = sys.modules[where]
        for name in what.split("."):
            body = getattr(body, name)
        if type(body).__module__.startswith("linecook.") and hasattr(body, "body"):
            body = body.body  # the tool object stands where its function stood
    _bodies[route] = body
    return body  # type: ignore[no-any-return]


def _tell_terms(terms: Any) -> None:
    """Publish the nearest deadline and the key of the call whose body is about to run."""
    global deadline, key
    pair: tuple[Any, Any] = terms if type(terms) is tuple else (terms, None)  # pyright: ignore[reportUnknownVariableType]
    deadline, key = pair
    module: Any = sys.modules.get("linecook._core.deadline")
    if module is not None:
        module.set_remaining(None if deadline is None else max(0.0, deadline - monotonic()))


def _by_value(status: int, value: Any, error: BaseException) -> tuple[int, bytes]:
    """Send by value what has no importable name (classes of the parent's main program); else say what is in the way."""
    try:
        import cloudpickle

        return status, cloudpickle.dumps(value, 5)  # pyright: ignore[reportUnknownMemberType]
    except BaseException as second:
        error = second if isinstance(second, MemoryError) else error
    try:
        from linecook.lanes.portable import culprit

        reason = culprit(value)
    except BaseException:
        reason = f" is a {type(value).__qualname__} ({error})"
    return wire.UNPORTABLE, dumps(reason, 5)


def _describe(error: BaseException) -> dict[str, Any]:
    """Return an exception in parts that can always travel; what does it is imported with the first one."""
    global _failures
    try:
        if _failures is None:
            _failures = _import_beside("worker_failures")
        parts: dict[str, Any] = _failures.encode(error)
        return parts
    except BaseException as trouble:
        text = f"{type(error).__qualname__} (it can't be described: {trouble!r})"
        return {
            "whole": None, "class": None, "args": None, "state": {}, "notes": [], "type": type(error).__qualname__,
            "message": "", "traceback": text, "pid": os.getpid(),
        }  # fmt: skip


def _import_beside(name: str) -> Any:
    """Import the file *name* that stands beside this one, by path, and leave no trace of it for user code to meet."""
    sys.path.insert(0, __file__.rpartition("/")[0])
    try:
        return __import__(name)
    finally:
        del sys.path[0]
        sys.modules.pop(name, None)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass


def _go_home() -> None:
    """The polite end: what tools registered, in reverse; then what Python's atexit holds."""
    for callback in reversed(at_end):
        try:
            callback()
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
    import atexit

    atexit._run_exitfuncs()
    _flush()
