"""What a loop can do with the real world, refused: an error that names the call and says what to use instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mistakes import EscapedControl

_CURE = "no real input or output happens in an explored schedule. Stand in for it with outside(value), or a fake"
_REFUSED = (
    "getaddrinfo", "getnameinfo", "create_connection", "create_server", "create_unix_connection", "create_unix_server",
    "create_datagram_endpoint", "connect_accepted_socket", "sendfile", "start_tls", "connect_read_pipe",
    "connect_write_pipe", "subprocess_shell", "subprocess_exec", "sock_recv", "sock_recv_into", "sock_recvfrom",
    "sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect", "sock_accept", "sock_sendfile", "add_reader",
    "remove_reader", "add_writer", "remove_writer", "add_signal_handler", "remove_signal_handler",
)  # fmt: skip


class RealThings:
    """Refuses each of them."""

    escaped: Callable[[str, str], EscapedControl]

    def run_forever(self) -> None:
        raise RuntimeError("This event loop is already running")

    def run_until_complete(self, future: Any) -> Any:
        raise RuntimeError("This event loop is already running")


def _refuse(name: str) -> Callable[..., Any]:
    def refused(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise self.escaped(f"loop.{name}()", _CURE)

    refused.__name__ = name
    return refused


for _name in _REFUSED:
    setattr(RealThings, _name, _refuse(_name))
