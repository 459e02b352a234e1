"""The program of a worker process: take jobs from the socket, run them, send each answer at once.

Imports as little as possible and nothing of linecook: a user's tool module decides what a worker weighs. An answer is
sent as soon as its body has ended, never kept for company: the next body may spin for ever, and what has ended must
survive the kill.
"""

import sys
from _pickle import dumps, loads
from _socket import socket
from mmap import mmap
from time import monotonic, thread_time
import fcntl
import os

import wire
from wire import FLAGS, FLAGS_AT, HEAD, NUMBER, PREPARING_AT, RESULT, STARTED_AT, TIME, TIME_AT

# High numbers: a body that closes everything and opens files anew must not be given ours (test_a_body_that_closes_...).
SOCKET_FD, LIFE_FD, PAGE_FD = 100, 101, 102

_F_SETSIG = 10
_SIGKILL = 9

at_end = []
"""Callbacks for the end of this worker, in order of registration; run in reverse. See ``worker_hooks``."""

live = True
"""False in a process that a body forked off: it isn't a worker."""

_bodies = {}
_specs = {}
_seen = {}
"""Per route: how many bodies ran, for sampling the CPU clock."""


def main():
    """Serve until the parent closes the socket; the life pipe ends the process when the parent dies."""
    _tie_life_to_parent()
    sock = socket(fileno=SOCKET_FD)
    page = mmap(PAGE_FD, wire.PAGE_BYTES)
    os.close(PAGE_FD)
    os.closerange(3, SOCKET_FD)  # what a library of the parent left open for every child
    os.register_at_fork(after_in_child=_leave)
    _take_main_away()
    try:
        _serve(sock, page)
    except (EOFError, OSError):
        pass
    finally:
        if live:
            _go_home()
        os._exit(0)


def _tie_life_to_parent():
    """Ask the kernel to kill this process and its group when the parent's end of the life pipe closes.

    By signal, not by a thread that waits: C code that holds the interpreter would keep the thread from acting.
    PR_SET_PDEATHSIG won't do: it fires when the *thread* that started us ends.
    """
    for fd in (SOCKET_FD, LIFE_FD):
        os.set_inheritable(fd, False)
    fcntl.fcntl(LIFE_FD, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(LIFE_FD, _F_SETSIG, _SIGKILL)
    fcntl.fcntl(LIFE_FD, fcntl.F_SETFL, fcntl.fcntl(LIFE_FD, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_blocking(LIFE_FD, False)
    try:
        if not os.read(LIFE_FD, 1):  # it closed before we asked to be told
            os._exit(0)
    except BlockingIOError:
        pass


def _leave():
    global live
    live = False
    for fd in (SOCKET_FD, LIFE_FD):
        try:
            os.close(fd)
        except OSError:
            pass


def _take_main_away():
    """Give user code an empty ``__main__`` of its own, and put this module where ``worker_hooks`` finds it.

    Pickling an object of the parent's ``__main__`` by name then fails here, as it must, and goes by value.
    """
    modules = sys.modules
    modules["_linecook_worker"] = modules.pop("worker_main")
    del modules["wire"]
    modules["__main__"] = type(sys)("__main__")


def _serve(sock, page):
    while True:
        head = _receive(sock, HEAD.size)
        kind, count, length = HEAD.unpack(head)
        message = loads(_receive(sock, length))
        if kind == wire.JOBS:
            for number, route, spec, arguments, deadline in message:
                _work(sock, page, number, route, spec, deadline, arguments, 0)
        elif kind == wire.BULKY:
            number, route, spec, size, deadline = message
            reader = wire.Reader(sock, size)
            try:
                _work(sock, page, number, route, spec, deadline, reader, count)
            finally:
                if live:
                    reader.drain()
        elif kind == wire.IMPORT:
            _import(message)
        else:
            _set_up(message)
            sock.sendall(RESULT.pack(0, 0, wire.HELLO, 0, 0.0, 0.0, 0.0))
        _flush()


def _receive(sock, size):
    data = sock.recv(size)
    if len(data) == size:
        return data
    if not data:
        raise EOFError
    whole = bytearray(size)
    view = memoryview(whole)
    at = len(data)
    view[:at] = data
    while at < size:
        received = sock.recv_into(view[at:])
        if not received:
            raise EOFError
        at += received
    return whole


def _set_up(setup):
    sys.path[:] = setup["path"]
    sys.argv[:] = setup["argv"]
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.reconfigure(line_buffering=True)  # a killed worker has said what it printed
        except (AttributeError, ValueError, OSError):
            pass
    _import(setup["modules"])


def _import(names):
    """Import what tools will need; a module that can't be imported is reported by the job that needs it."""
    for name in names:
        try:
            __import__(name)
        except BaseException:
            pass


def _work(sock, page, number, route, spec, deadline, arguments, count):
    """Run one job and send its answer; returns silently when it was taken back before its body began."""
    if spec is not None:
        _specs[route] = spec
        _bodies.pop(route, None)
    NUMBER.pack_into(page, PREPARING_AT, number)
    flag = FLAGS_AT + number % FLAGS
    if page[flag]:
        return
    try:
        body = _bodies.get(route) or _resolve(route)
        args, kwargs = loads(arguments) if type(arguments) is bytes else arguments.load(count)
    except BaseException as error:
        if live:
            _answer(sock, number, wire.UNLOADABLE, _describe(error), monotonic(), 0.0, -1.0)
        return
    _tell_deadline(deadline)
    seen = _seen[route] = _seen.get(route, -1) + 1
    # The CPU clock costs 1 µs, as much as a no-op: read it for the first bodies and then for every 16th.
    began_cpu = thread_time() if seen < 8 or not seen & 15 else -1.0
    start = monotonic()
    TIME.pack_into(page, TIME_AT, start)
    NUMBER.pack_into(page, STARTED_AT, number)
    if page[flag]:
        return
    try:
        value = body(*args, **kwargs)
    except BaseException as error:
        status, value = wire.RAISED, error
    else:
        status = wire.OK
    wall = monotonic() - start
    if not live:  # a body forked, and its child came back here
        os._exit(0)
    cpu = thread_time() - began_cpu if began_cpu >= 0.0 else -1.0
    if status == wire.RAISED:
        value = _describe(value)
    _answer(sock, number, status, value, start, wall, cpu)


def _resolve(route):
    """Find the function that *route* stands for: by name, or out of its bytes."""
    kind, where, what = _specs[route]
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
    return body


def _tell_deadline(deadline):
    module = sys.modules.get("linecook._core.deadline")
    if module is not None and hasattr(module, "set_remaining"):
        module.set_remaining(None if deadline is None else max(0.0, deadline - monotonic()))


def _answer(sock, number, status, value, start, wall, cpu):
    if value is None and status == wire.OK:
        sock.sendall(RESULT.pack(number, 0, wire.OK, 0, start, wall, cpu))
        return
    try:
        if wire.is_bulky((value,)):
            bulk = wire.pack_bulk(value)
            head = RESULT.pack(number, bulk.size, status, len(bulk.buffers), start, wall, cpu)
            del value
            wire.send_all(sock, [head, *bulk.parts()])
            return
        body = dumps(value, 5)
    except (OSError, EOFError):
        raise
    except BaseException as error:
        status, body = _second_try(value, error)
    if len(body) < 4096:
        sock.sendall(RESULT.pack(number, len(body), status, 0, start, wall, cpu) + body)
    else:
        wire.send_all(sock, (RESULT.pack(number, len(body), status, 0, start, wall, cpu), body))


def _second_try(value, error):
    """Send by value what has no importable name (classes of the parent's main program); else say what is in the way."""
    try:
        import cloudpickle

        return wire.OK, cloudpickle.dumps(value, 5)
    except BaseException as second:
        error = second if isinstance(second, MemoryError) else error
    try:
        from linecook.lanes.portable import culprit

        reason = culprit(value)
    except BaseException:
        reason = f"{type(value).__qualname__}: {error}"
    return wire.UNPORTABLE, dumps(reason, 5)


def _describe(error):
    """Return an exception in parts that can always travel: itself if it can, else its class, arguments and state."""
    module = sys.modules["_linecook_worker"]
    encode = getattr(module, "encode", None)
    if encode is None:
        from linecook.lanes.worker_errors import encode

        module.encode = encode
    return encode(error)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass


def _go_home():
    """The polite end: what tools registered, in reverse; then what Python's atexit holds."""
    for callback in reversed(at_end):
        try:
            callback()
        except BaseException as error:
            try:
                sys.excepthook(type(error), error, error.__traceback__)
            except BaseException:
                pass
    try:
        import atexit

        atexit._run_exitfuncs()
    except BaseException:
        pass
    _flush()
