"""Deadlines, limits and keys, as type checkers see them. Checked, never run."""

from typing import assert_type

from linecook import Limit, Retry, call_key, fail_after, move_on_after, remaining


async def blocks() -> bool:
    with fail_after(3):
        assert_type(remaining(), float | None)
    with move_on_after(0.5) as block:
        pass
    assert_type(block.cancelled_caught, bool)
    return block.cancel_called


def policies() -> None:
    assert_type(call_key(), str)
    Limit(3)
    Limit(in_flight=None, name="free", waiting=10)
    Limit("8-64-512", per_minute=500, key="host")
    Limit(2.5)  # type: ignore[arg-type]
    Retry(on=OSError)
    Retry(on=(OSError, KeyError), attempts=5, timeout=None)
    Retry(on=lambda error: "again" in str(error))
