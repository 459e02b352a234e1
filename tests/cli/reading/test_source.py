"""The name says the format, and a file that isn't what its name says is refused with the cure."""

from __future__ import annotations

import gzip
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linecook.cli.exits import BadUsage


def take(given: Any) -> None: ...


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("in.jsonl", '"a"\n"b"\n'),
        ("in.NDJSON", '"a"\n"b"'),
        ("in", '"a"\n"b"'),
        ("in.json", '["a", "b"]'),
        ("in.csv", "given\na\nb\n"),
        ("in.txt", "a\nb\n"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
async def test_every_format_is_read_plain_and_gzipped(pantry: Any, name: str, text: str, packed: bool) -> None:
    path = pantry.write(name + ".gz" * packed, text)
    assert [item.args for item in await pantry.items(path, take)] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.jsonl", gzip.compress(b"1\n", mtime=0), r"holds gzip data: name it .*in\.jsonl\.gz, or unpack it"),
        ("in.csv", b"PK\x03\x04....", r"is a zip archive \(an \.xlsx is one\), not \.csv"),
        ("in.jsonl", b"a\0b", r"holds binary data, not \.jsonl"),
        ("in.csv", "a,b\n".encode("utf-16"), "is UTF-16: convert it with iconv"),
        ("in.json", b"  <!DOCTYPE html><title>403", "is an HTML page, not .json: perhaps an error page"),
        ("in.csv", b'{"a": 1}\n', r"looks like JSON: name it \.jsonl"),
        ("in.jsonl", b'[\n  {"a": 1}\n]\n', r"is one JSON list over many lines, not a value per line: name it \.json"),
        ("in.xlsx", b"", r"\.xlsx is no format known here; give \.jsonl, \.json, \.csv, \.txt"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(pantry: Any, name: str, content: bytes, said: str) -> None:
    with pytest.raises(BadUsage, match=said):
        pantry.reader(pantry.write(name, content), take)


def test_a_file_called_gz_that_is_none_is_refused(pantry: Any) -> None:
    path = pantry.directory / "in.jsonl.gz"
    path.write_text("1\n")
    with pytest.raises(BadUsage, match=r"is not gzip data: leave \.gz out of its name"):
        pantry.reader(str(path), take)


def test_a_missing_file_is_named_with_the_one_that_was_meant(pantry: Any) -> None:
    pantry.write("items.jsonl", "1\n")
    with pytest.raises(BadUsage, match=r"itmes\.jsonl: No such file or directory\. Did you mean .*items\.jsonl\?"):
        pantry.reader(str(pantry.directory / "itmes.jsonl"), take)


def test_a_table_from_a_pipe_is_refused_with_the_cure(pantry: Any) -> None:
    path = str(pantry.directory / "in.csv")
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)  # or opening it to read would wait for a writer
    try:
        with pytest.raises(BadUsage, match=r"is a pipe, and the columns of a \.csv are looked at first"):
            pantry.reader(path, take)
    finally:
        os.close(keep)


BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [b'"', b",", b";", b"\n", b"\r", b"{", b"}", b"[", b"]", b":", b'{"given": 1}', b"given", b"\xff", b"7"]
    ),
    max_size=30,
).map(b"".join)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".txt", ".jsonl.gz"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=BYTES, packed=st.booleans())
def test_whatever_a_file_holds_becomes_items_or_words(pantry: Any, suffix: str, content: bytes, packed: bool) -> None:
    path = pantry.directory / f"in{suffix}"
    path.write_bytes(gzip.compress(content) if packed and suffix.endswith(".gz") else content)
    try:
        reader = pantry.reader(str(path), take)
    except BadUsage:
        return
    items = [item for batch in reader._batches() for item in batch]
    assert reader.error is None or "Error" not in reader.error, reader.error  # words, not the name of an exception
    assert all(
        item.problem is None or item.problem.startswith(f"{reader.source.format.unit} {item.number}: ")
        for item in items
    )
    assert all(
        item.problem is None or not item.problem.partition(": ")[2].startswith(("KeyError", "TypeError"))
        for item in items
    )
    numbers = [item.number for item in items]
    assert numbers == sorted(set(numbers))
    pantry.close()
