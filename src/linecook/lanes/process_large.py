"""A result of many megabytes: a thread reads and rebuilds it, so that the loop doesn't stand still meanwhile.

The thread unpickles straight from the socket, big ``bytes`` into their place: one copy in memory, not three.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from . import wire
from .process_answers import unrebuilt
from .process_deaths import lost
from .process_worker import TooLarge, Worker

if TYPE_CHECKING:
    from .process_desk import Desk


def receive_in_thread(desk: Desk, worker: Worker, large: TooLarge) -> None:
    """Have a thread read the result that has begun to arrive; meanwhile the loop leaves the socket alone."""
    number, length, _, count, start, wall, cpu = large.head
    worker.receiving = number
    desk.loop.remove_reader(worker.sock)
    if worker in desk._writing:
        desk._writing.discard(worker)
        desk.loop.remove_writer(worker.sock)

    def read() -> None:
        value, error, broken = _read(worker, length, count, large.prefix)
        large.prefix = b""
        try:
            desk.loop.call_soon_threadsafe(arrived, value, error, broken)
        except RuntimeError:  # the loop is closed
            worker.receiving = 0

    def arrived(value: Any, error: Exception | None, broken: bool) -> None:
        worker.receiving = 0
        worker.heard = number
        entry = None if broken and error is None else worker.jobs.pop(number, None)
        if entry is not None:
            worker.finished += 1
            job, cost = entry
            worker.load -= cost
            job.value, job.error = value, None
            if error is not None:
                job.error = unrebuilt(job, error)
            desk._end(job, start, wall, cpu)
            desk.answers.tell_soon()
        if worker not in desk.workers:  # killed meanwhile, for the call after this one
            return
        if broken:
            worker.kill()
            lost(desk, worker)
            return
        desk.loop.add_reader(worker.sock, desk._on_readable, worker)
        if worker.backlog:
            desk._write_later(worker)
        desk._go_on(worker)

    threading.Thread(target=read, name=f"linecook-large-result-{worker.pid}", daemon=True).start()


def _read(worker: Worker, length: int, count: int, prefix: bytes) -> tuple[Any, Exception | None, bool]:
    """Read and rebuild a large result; returns it, or what went wrong, and whether the stream is broken."""
    worker.sock.setblocking(True)
    reader = wire.Reader(worker.sock, length, prefix)
    try:
        value = reader.load(count)
        worker.sock.setblocking(False)
    except (EOFError, OSError):
        return None, None, True
    except Exception as error:
        return None, error, reader.left > 0
    return value, None, False
