"""What passes between the loop and a worker process: frames on a private socket, and a page of memory that both see.

A frame is a head that says how much follows, and then that much. Small things travel pickled inside their frame; large
ones as they lie in memory: pickle's protocol 5 (PEP 574) leaves big buffers out of band, and its file interface hands
big ``bytes`` over uncopied. Workers import this file by path, so nothing here imports more than C modules.

Parent to worker:  ``HEAD(kind, count, length)`` + a pickle of ``length`` bytes. ``SETUP``: a dict. ``IMPORT``: names of
modules. ``JOBS``: a list of (number, route, spec or None, arguments, deadline or None), the arguments a pickle of their
own or a plain tuple. ``BULKY``: one (number, route, spec, size of the body, deadline), then a body, ``count`` buffers.
For a call with a key, (deadline or None, key) stands where the deadline is.
Worker to parent:  ``RESULT(number, length, status, count, start, wall, cpu)`` + a body of ``length`` bytes.
Every job gets one, in the order of sending; ``SKIPPED``, without a body, when its flag was up. Before it come as many
``CHARGED`` as its function asks for: a pickle of what it has used, tokens in and out, and dollars in trillionths.
A body: ``count + 1`` lengths of 8 bytes (buffers, then stream), the buffers, the stream; with none, the stream.
"""

from __future__ import annotations

from _pickle import Pickler, Unpickler, loads
from _socket import MSG_WAITALL
from _struct import Struct

TYPE_CHECKING = False  # typing costs a worker 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

HEAD = Struct("<BxxxIQ")
SETUP, JOBS, BULKY, IMPORT = range(4)

RESULT = Struct("<QQBxxxIddd")
OK, RAISED, UNPORTABLE, UNLOADABLE, HELLO, SKIPPED, CHARGED = range(7)

# The page: what the worker is doing, readable while it spins, and which jobs it must not begin. Order matters: the
# worker writes a job's number, then looks at its flag; the parent raises the flag, then reads the number. Whoever comes
# second sees the other (Dekker), so "not started" is never said of a body that runs. Both may see the other: the worker
# then skips a job that the parent takes for begun, which is why it says what it skips.
PAGE_BYTES = 4096
NUMBER = Struct("<Q")
TIME = Struct("<d")
PREPARING_AT = 0  # number of the job that is being loaded, or that runs; 0 after one was skipped
TIME_AT = 8  # monotonic seconds when the body began; written before its number
STARTED_AT = 16  # number of the job whose body has begun; grows
FLAGS_AT = 64
FLAGS = 2048  # most jobs sent to one worker and not answered yet, those taken back included: each has its own flag

# Environment of a worker, for its C library (glibc): keep up to 32 MB that bodies have freed. By default every megabyte
# goes back to the system and comes again page by page; so 2.5 times as many calls with 1 MB in and out (process_1mb).
WARM = {"MALLOC_MMAP_THRESHOLD_": str(4 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}

BULKY_BYTES = 64 * 1024
BUFFER_BYTES = 16 * 1024  # smaller buffers aren't worth a place of their own

_LEAVES = frozenset((int, float, bool, type(None), complex))
_SHORT = 32


def is_bulky(things: Iterable[Any], depth: int = 2) -> bool:
    """Say whether *things* hold something worth the slower, copyless way; looks two deep, at 32 items each."""
    for thing in things:
        kind = type(thing)  # pyright: ignore[reportUnknownVariableType]
        if kind in _LEAVES:
            continue
        if kind is str or kind is bytes or kind is bytearray:
            if len(thing) >= BULKY_BYTES:
                return True
        elif kind is list or kind is tuple:
            if depth and is_bulky(thing[:_SHORT], depth - 1):
                return True
        elif kind is dict:
            if depth and len(thing) <= _SHORT and is_bulky(thing.values(), depth - 1):
                return True
        else:
            size = getattr(thing, "nbytes", 0)
            if type(size) is int and size >= BULKY_BYTES:
                return True
    return False


class Bulk:
    """A pickled value in pieces, big ones where they lie; ``size`` is the bytes of its body on the wire."""

    __slots__ = ("buffers", "chunks", "size")

    def __init__(self, chunks: list[bytes], buffers: list[memoryview]) -> None:
        self.chunks = chunks
        self.buffers = buffers
        self.size = sum(map(len, chunks))
        if buffers:
            self.size += 8 * (len(buffers) + 1) + sum(buffer.nbytes for buffer in buffers)

    def parts(self) -> Sequence[bytes | memoryview]:
        """Return what to send, in order."""
        if not self.buffers:
            return self.chunks
        lengths = [buffer.nbytes for buffer in self.buffers] + [sum(map(len, self.chunks))]
        return [b"".join(map(NUMBER.pack, lengths)), *self.buffers, *self.chunks]


class _Sink:
    __slots__ = ("write",)

    write: Any


def pack_bulk(value: object, pickler: Any = Pickler) -> Bulk:
    """Pickle *value* without copying its large parts.

    Buffers (numpy arrays) are sent from where they lie: changed before they have left, they arrive changed.
    """
    chunks: list[bytes] = []
    buffers: list[memoryview] = []
    sink = _Sink()
    sink.write = chunks.append

    def keep(buffer: Any) -> bool:
        try:
            raw: memoryview = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < BUFFER_BYTES:
            return True
        buffers.append(raw)
        return False

    pickler(sink, 5, buffer_callback=keep).dump(value)
    return Bulk(chunks, buffers)


def unpack(body: memoryview, count: int) -> Any:
    """Rebuild a value from a whole *body* that will be overwritten (buffers are copied out)."""
    if not count:
        return loads(body)
    lengths = [NUMBER.unpack_from(body, 8 * i)[0] for i in range(count + 1)]
    at = 8 * (count + 1)
    buffers: list[bytearray] = []
    for length in lengths[:-1]:
        buffers.append(bytearray(body[at : at + length]))
        at += length
    return loads(body[at:], buffers=buffers)


class Reader:
    """A body still arriving on a blocking socket, as a file for ``Unpickler``: big ``bytes`` are read into their place.

    Attributes:
      left: bytes of the body that have not been read yet.
    """

    __slots__ = ("_prefix", "_sock", "left")

    def __init__(self, sock: Any, length: int, prefix: bytes = b"") -> None:
        self._sock = sock
        self._prefix = memoryview(prefix)  # what somebody has received of it already
        self.left = length

    def readinto(self, target: Any) -> int:
        """Fill *target*; raises EOFError when the other side is gone."""
        view = memoryview(target).cast("B")
        at, size = 0, len(view)
        if self._prefix:
            at = min(size, len(self._prefix))
            view[:at] = self._prefix[:at]
            self._prefix = self._prefix[at:]
        while at < size:
            received: int = self._sock.recv_into(view[at:])
            if not received:
                raise EOFError
            at += received
        self.left -= size
        return size

    def read(self, size: int) -> bytes:
        """Return exactly *size* bytes, fewer only at the end of the body."""
        size = min(size, self.left)
        if self._prefix:
            data = bytearray(size)
            self.readinto(data)
            return bytes(data)
        whole: bytes = self._sock.recv(size, MSG_WAITALL) if size else b""
        self.left -= len(whole)
        if len(whole) < size:  # a signal, or the end
            rest = bytearray(size - len(whole))
            self.readinto(rest)
            whole += rest
        return whole

    def readline(self) -> bytes:
        """Unused by protocol 5; an ``Unpickler`` asks that it exist."""
        raise EOFError

    def load(self, count: int) -> Any:
        """Rebuild the value, which has *count* buffers; whatever happens, the body is read to its end."""
        try:
            lengths = [NUMBER.unpack(self.read(8))[0] for _ in range(count + 1 if count else 0)]
            buffers: list[bytearray] = []
            for length in lengths[:-1]:
                buffer = bytearray(length)
                self.readinto(buffer)
                buffers.append(buffer)
            return Unpickler(self, buffers=buffers).load()
        finally:
            self.drain()

    def drain(self) -> None:
        """Read what is left and forget it."""
        if self.left:
            scratch = memoryview(bytearray(min(self.left, 1 << 20)))
            while self.left:
                self.readinto(scratch[: min(self.left, len(scratch))])


def send_all(sock: Any, parts: Iterable[bytes | memoryview]) -> None:
    """Send *parts* in order on a blocking *sock*."""
    views = [view for part in parts if (view := memoryview(part).cast("B")).nbytes]
    while views:
        sent: int = sock.sendmsg(views[:512])
        while sent:
            if sent < views[0].nbytes:
                views[0] = views[0][sent:]
                break
            sent -= views[0].nbytes
            del views[0]
