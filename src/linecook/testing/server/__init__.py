"""A real HTTP server that misbehaves as told: capacity, rate windows, tokens, latency, refusals, resets, hangs.

For tests of limiters and retries, and for demonstrations: what is measured against it is measured over sockets. It is
a process of its own on loopback, made of the standard library; it is there in about 0.1 s, and goes with its parent,
also when that is killed. It keeps nothing but counts. No model answers, and no control is on its port.

    async with server(Phase(parallel=8, seconds=5), Phase(parallel=4)) as models:
        ...                                   # POST to models.url
        models.change(Phase(per_second=20))   # it changes its mind
        assert models.statistics().statuses[429] == 0
"""

from .handle import Server as Server
from .handle import server as server
from .phase import FAULTS as FAULTS
from .phase import Phase as Phase
from .phase import Seen as Seen

__all__ = ["FAULTS", "Phase", "Seen", "Server", "server"]
