"""What passes between the loop and a worker process: frames on a private socket, and a page of memory that both see.

A frame is a head that says how much follows, and then that much. Small things travel pickled inside their frame; large
ones as they lie in memory: pickle's protocol 5 (PEP 574) leaves big buffers out of band, and its file interface hands
big ``bytes`` over uncopied. Imported by workers by path, so nothing here imports more than C modules that cost nothing.

Parent to worker:  ``HEAD(kind, count, length)`` + a pickle of ``length`` bytes. ``SETUP``: a dict. ``JOBS``: a list of
(number, route, spec or None, arguments, deadline or None). ``BULKY``: one (number, route, spec, None, deadline),
followed by a body of ``count`` buffers.
Worker to parent:  ``RESULT(number, length, status, count, start, wall, cpu)`` + a body of ``length`` bytes.
A body: ``count + 1`` lengths of 8 bytes (buffers, then stream), the buffers, the stream; without buffers, the stream alone.
"""

from _pickle import Pickler, Unpickler, dumps, loads
from _struct import Struct

HEAD = Struct("<BxxxIQ")
SETUP, JOBS, BULKY, IMPORT = range(4)

RESULT = Struct("<QQBxxxIddd")
OK, RAISED, UNPORTABLE, UNLOADABLE, HELLO = range(5)

# The page: what the worker is doing, readable while it spins, and which jobs it must not begin. Order matters: the
# worker writes a job's number, then looks at its flag; the parent raises the flag, then reads the number. Whoever comes
# second sees the other (Dekker), so "not started" is never said of a body that runs.
PAGE_BYTES = 4096
NUMBER = Struct("<Q")
TIME = Struct("<d")
PREPARING_AT = 0  # number of the job whose function and arguments are being loaded
TIME_AT = 8  # monotonic seconds when the body began; written before its number
STARTED_AT = 16  # number of the job whose body has begun
FLAGS_AT = 64
FLAGS = 2048  # more than can be in one worker at a time

BULKY_BYTES = 64 * 1024
BUFFER_BYTES = 16 * 1024  # smaller buffers aren't worth a place of their own

_LEAVES = frozenset((int, float, bool, type(None), complex))


def is_bulky(things, depth=2):
    """Say whether *things* hold something worth the slower, copyless way; looks two containers deep, at 32 items each."""
    for thing in things:
        kind = type(thing)
        if kind in _LEAVES:
            continue
        if kind is str or kind is bytes or kind is bytearray:
            if len(thing) >= BULKY_BYTES:
                return True
        elif kind is list or kind is tuple or kind is dict:
            if depth and thing:
                inside = thing.values() if kind is dict else thing
                if is_bulky(inside if len(thing) <= 32 else list(inside)[:32] if kind is dict else thing[:32], depth - 1):
                    return True
        elif getattr(thing, "nbytes", 0).__class__ is int and getattr(thing, "nbytes", 0) >= BULKY_BYTES:
            return True
    return False


class Bulk:
    """A pickled value in pieces, big ones where they lie; ``size`` is the bytes of its body on the wire."""

    __slots__ = ("buffers", "chunks", "size")

    def __init__(self, chunks, buffers):
        self.chunks = chunks
        self.buffers = buffers
        self.size = sum(map(len, chunks))
        if buffers:
            self.size += 8 * (len(buffers) + 1) + sum(buffer.nbytes for buffer in buffers)

    def parts(self):
        """Return what to send, in order."""
        if not self.buffers:
            return self.chunks
        lengths = [buffer.nbytes for buffer in self.buffers] + [sum(map(len, self.chunks))]
        return [b"".join(map(NUMBER.pack, lengths)), *self.buffers, *self.chunks]


class _Sink:
    __slots__ = ("write",)


def pack_bulk(value, pickler=Pickler):
    """Pickle *value* without copying its large parts.

    They are sent from where they lie: changed before they have left, they arrive changed.
    """
    chunks, buffers = [], []
    sink = _Sink()
    sink.write = chunks.append

    def keep(buffer):
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < BUFFER_BYTES:
            return True
        buffers.append(raw)
        return False

    pickler(sink, 5, buffer_callback=keep).dump(value)
    return Bulk(chunks, buffers)


def unpack(body, count):
    """Rebuild a value from a whole *body* (a memoryview that will be overwritten: buffers are copied out)."""
    if not count:
        return loads(body)
    lengths = [NUMBER.unpack_from(body, 8 * i)[0] for i in range(count + 1)]
    at = 8 * (count + 1)
    buffers = []
    for length in lengths[:-1]:
        buffers.append(bytearray(body[at : at + length]))
        at += length
    return loads(body[at:], buffers=buffers)


class Reader:
    """A body of *length* bytes still arriving on a blocking *sock*: a file for ``Unpickler``, which reads big ``bytes``
    straight into their place. ``prefix``: what has been received of it already.
    """

    def __init__(self, sock, length, prefix=b""):
        self._sock = sock
        self._prefix = memoryview(prefix)
        self.left = length

    def readinto(self, target):
        """Fill *target*; raises EOFError when the other side is gone."""
        view = memoryview(target)
        if view.format != "B":
            view = view.cast("B")
        at, size = 0, len(view)
        if self._prefix:
            at = min(size, len(self._prefix))
            view[:at] = self._prefix[:at]
            self._prefix = self._prefix[at:]
        while at < size:
            received = self._sock.recv_into(view[at:])
            if not received:
                raise EOFError
            at += received
        self.left -= size
        return size

    def read(self, size):
        """Return exactly *size* bytes, fewer only at the end of the body."""
        data = bytearray(min(size, self.left))
        self.readinto(data)
        return bytes(data)

    def readline(self):
        """Unused by protocol 5; an ``Unpickler`` asks that it exist."""
        raise EOFError

    def load(self, count):
        """Rebuild the value; whatever happens, the body is read to its end."""
        try:
            lengths = [NUMBER.unpack(self.read(8))[0] for _ in range(count + 1 if count else 0)]
            buffers = []
            for length in lengths[:-1]:
                buffer = bytearray(length)
                self.readinto(buffer)
                buffers.append(buffer)
            return Unpickler(self, buffers=buffers).load()
        finally:
            self.drain()

    def drain(self):
        """Read what is left and forget it."""
        if self.left:
            scratch = bytearray(min(self.left, 1 << 20))
            while self.left:
                self.readinto(memoryview(scratch)[: min(self.left, len(scratch))])


def send_all(sock, parts):
    """Send *parts* in order on a blocking *sock*."""
    views = [view for part in parts if (view := memoryview(part).cast("B")).nbytes]
    while views:
        sent = sock.sendmsg(views[:512])
        while sent:
            first = views[0]
            if sent >= first.nbytes:
                sent -= first.nbytes
                del views[0]
            else:
                views[0] = first[sent:]
                sent = 0


__all__ = ["dumps", "loads"]
