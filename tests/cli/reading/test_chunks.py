"""The bytes of an input: what was there at the start, whole, packed or not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from linecook.cli.reading.chunks import CHUNK_BYTES, Bytes
from linecook.cli.reading.item import Unreadable


def opened(path: Path, **options: bool) -> Bytes:
    return Bytes(os.open(path, os.O_RDONLY), **options)


def read(data: Bytes) -> bytes:
    return b"".join(chunk for chunk in data.chunks() if chunk)


def test_what_is_added_meanwhile_is_not_read_but_the_rest_of_a_line_is(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b'1\n{"half"')
    data = opened(path)
    with path.open("ab") as file:
        file.write(b": 2}\n3\n")
    assert read(data) == b'1\n{"half": 2}'
    assert data.grown == 7


def test_whole_lines_end_where_they_ended(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"1\n")
    data = opened(path)
    with path.open("ab") as file:
        file.write(b"2\n")
    assert read(data) == b"1\n"


def test_a_file_that_is_cut_short_meanwhile_is_said(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"x" * 100)
    data = opened(path)
    os.truncate(path, 40)
    with pytest.raises(Unreadable, match="it was cut short while it was read: 60 of 100 bytes are gone"):
        read(data)


def test_gzip_members_one_after_the_other_are_one_input(tmp_path: Path) -> None:
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(b"1\n") + gzip.compress(b"2\n" * CHUNK_BYTES) + b"\0" * 10)
    assert read(opened(path, is_gzip=True)) == b"1\n" + b"2\n" * CHUNK_BYTES


@pytest.mark.parametrize(("cut", "said"), [(-4, "ends in the middle"), (None, "is damaged")])
def test_gzip_data_that_ends_early_or_is_damaged_is_said(tmp_path: Path, cut: int | None, said: str) -> None:
    path = tmp_path / "in.gz"
    packed = bytearray(gzip.compress(os.urandom(1000)))
    packed[500] ^= 0xFF if cut is None else 0
    path.write_bytes(packed[:cut])
    with pytest.raises(Unreadable, match=said):
        read(opened(path, is_gzip=True))


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    assert read(opened(Path("/proc/self/status"))).startswith(b"Name:")
