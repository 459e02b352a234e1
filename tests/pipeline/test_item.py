"""What an item is counted for: bytes of data exactly, a guess for the rest, and never an error."""

from typing import Any

import pytest

from linecook import pipeline
from linecook.pipeline.item import size_of


class Odd:
    def __init__(self, nbytes: Any) -> None:
        self._nbytes = nbytes

    @property
    def nbytes(self) -> Any:
        if isinstance(self._nbytes, Exception):
            raise self._nbytes
        return self._nbytes


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("abc", 3), (b"abcd", 4), (bytearray(5), 5), (memoryview(bytes(6)), 6), (7, 32), (None, 32),
        ([b"abc", "de"], 64 + 5), ({"key": bytes(100)}, 64 + 100), ([bytes(10)] * 2000, 2 * (64 + 10_000)),
        (object(), 256), (Odd(12), 12), (Odd("large"), 256), (Odd(None), 256), (Odd(OSError()), 256),
        ([Odd("large"), Odd(10)], 64 + 64 + 10), ([Odd(OSError())], 64 + 64),
    ],
)  # fmt: skip
def test_data_are_counted_exactly_and_what_says_no_size_is_guessed(value: Any, size: int) -> None:
    assert size_of(value) == size


async def test_an_item_whose_size_cannot_be_told_passes_as_any_other() -> None:
    """It was an error in nobody's task once: the pipeline stood still for ever."""
    odd = [Odd(OSError()), Odd("large"), [Odd("large")]]
    assert await pipeline(odd).map(lambda item: item, ordered=True).collect() == odd
