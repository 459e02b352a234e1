"""What one call holds of a limit while it is in flight."""

from __future__ import annotations

NO_COST = (0.0, 0.0)
Cost = tuple[float, float]
"""Tokens in and tokens out."""


class Ticket:
    """What one call holds while it is in flight.

    Attributes:
      began: when it was let in.
      epoch: of the adaptive bound at that time.
      reserved: tokens in and out that were set aside for it.
      said: what its estimate was; None when nobody made one.
      is_probe: whether it is the call by which a circuit breaker tries.
      is_held: whether it hasn't begun, since it waits for another limit.
      charged: tokens in and out that it was charged, or None: nobody has said.
    """

    __slots__ = ("began", "charged", "epoch", "is_held", "is_probe", "reserved", "said")

    def __init__(self, began: float, epoch: int, reserved: Cost, said: Cost | None, is_probe: bool) -> None:
        self.began = began
        self.epoch = epoch
        self.reserved = reserved
        self.said = said
        self.is_probe = is_probe
        self.charged: Cost | None = None
        self.is_held = False
