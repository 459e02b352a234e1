"""Figures as a board and lines show them: short."""

from __future__ import annotations


def seconds(value: float) -> str:
    """Return *value* seconds, ≥ 0, in words of two or three figures: ``840 µs``, ``84 ms``, ``1.2 s``, ``3 min``."""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.1f} ms" if value < 0.01 else f"{value * 1e3:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def dollars(value: float) -> str:
    """Return *value* dollars: ``1.23 usd``, ``0.00042 usd`` where it is less than a cent."""
    return f"{value:,.2f} usd" if value >= 0.01 or not value else f"{value:.2g} usd"
