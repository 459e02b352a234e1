"""What is installed is what was reviewed: every lock is complete, hashed, and names no address."""

import re
import tomllib

import pytest

from tests.blocks import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
HASHES = r"(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
PIN = re.compile(rf"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; .*?)? \\\n{HASHES}", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_is_pins_with_hashes_and_nothing_else(lock) -> None:
    text = lock.read_text()
    assert text
    assert PIN.sub("", text) == ""


def test_the_locks_agree() -> None:
    """They fill one environment: what the tests add never moves what the demo runs on."""
    runtime, test, *others = (pins(name) for name in ("runtime", "test", "bench", "guests", "docs", "news"))
    assert runtime.items() <= test.items()
    for more in others:
        assert [name for name in more.keys() & test.keys() if more[name] != test[name]] == []


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    declared = {
        "runtime": [*project["project"]["dependencies"], *project["build-system"]["requires"], *groups["build"]],
        "test": [*groups["test"], *groups["check"]],
        "bench": groups["bench"],
        "guests": groups["guests"],
        "docs": groups["docs"],
        "news": groups["news"],
    }
    for lock, requirements in declared.items():
        names = {re.match(r"[\w.-]+", text)[0].lower() for text in requirements if isinstance(text, str)}
        assert names <= pins(lock).keys()


def pins(lock: str) -> dict[str, set[str]]:
    """Every version of each project in the lock; one project may have several, for different Pythons."""
    found: dict[str, set[str]] = {}
    for pin in PIN.finditer((ROOT / "requirements" / f"{lock}.txt").read_text()):
        found.setdefault(pin["name"], set()).add(pin["version"])
    return found
