"""Whether a file is what its name says, by its first bytes."""

from __future__ import annotations

from ..exits import BadUsage

_MAGIC = {
    b"PK\x03\x04": "a zip archive (an .xlsx is one)",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
}
GZIP = b"\x1f\x8b"


def check_start(path: str, suffix: str, start: bytes, *, is_gzip: bool) -> None:
    """Refuse a file that isn't what its name says.

    Args:
      path: as typed.
      suffix: of the format, such as ``".csv"``.
      start: the first bytes, unpacked; as they stand in the file while *is_gzip* is in question.
      is_gzip: whether the name ends in ``.gz``; *start* is unpacked then.

    Raises:
      BadUsage: gzip without the name, another binary format, UTF-16, HTML, JSON lines in a .csv, a list in a .jsonl.
    """
    if start.startswith(GZIP):
        cure = "it is packed twice: unpack it once" if is_gzip else f"name it {path}.gz, or unpack it"
        raise BadUsage(f"--input {path} holds gzip data: {cure}.")
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise BadUsage(f"--input {path} is {what}, not {suffix}: write its items as .jsonl or .csv.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadUsage(f"--input {path} is UTF-16: convert it with iconv -f UTF-16 -t UTF-8.")
    if b"\0" in start:
        raise BadUsage(f"--input {path} holds binary data, not {suffix}.")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix != ".txt" and text[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise BadUsage(f"--input {path} is an HTML page, not {suffix}: perhaps an error page that was saved as it.")
    if suffix == ".csv" and text.startswith((b"{", b"[")):
        raise BadUsage(f"--input {path} looks like JSON: name it .jsonl (a value per line) or .json (one list).")
    if suffix == ".jsonl" and _is_spread_list(text):
        raise BadUsage(f"--input {path} is one JSON list over many lines, not a value per line: name it .json.")


def check_gzip(path: str, start: bytes) -> None:
    """Refuse a file that is called .gz and isn't.

    Raises:
      BadUsage: it doesn't begin as gzip data does.
    """
    if start and not start.startswith(GZIP):
        raise BadUsage(f"--input {path} is not gzip data: leave .gz out of its name.")


def _is_spread_list(text: bytes) -> bool:
    """Whether the first line only opens a list, or begins a list or object that goes on in the next."""
    return text.partition(b"\n")[0].strip() in (b"[", b"[{")
