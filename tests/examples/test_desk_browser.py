"""The desk's page in a real browser, and the program that serves it: started, looked at, ended by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import desk
import pytest

from tests import browser
from tests.examples.test_desk import BROKEN, alive, processes_below

pytestmark = pytest.mark.slow

needs_a_browser = pytest.mark.skipif(browser.found() is None, reason=browser.WHY_NOT)


@pytest.fixture
def code(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Twelve small packages, or as many as are asked for, each with three findings."""
    for number in range(getattr(request, "param", 12)):
        package = tmp_path / "code" / f"broken{number}"
        package.mkdir(parents=True)
        for name, source in BROKEN.items():
            (package / name).write_text(source)
    return tmp_path / "code"


@contextmanager
def serving(code: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The desk at work on *code*, and the address of its page."""
    command = [sys.executable, "-u", desk.__file__, "--serve", "--out", str(code.parent), *options, "--", str(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if told := re.search(r"http://\S+", line):
                yield running, told[0]
                break
        else:
            pytest.fail(f"no address was told: {running.wait()}")
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def read_until(running: subprocess.Popen[str], words: str) -> str:
    told = ""
    assert running.stdout is not None
    for line in running.stdout:
        told += line
        if words in line:
            return told
    raise AssertionError(f"{words!r} was not said, but:\n{told}")


def test_the_page_stays_until_ctrl_c_which_leaves_nothing_behind(code: Path) -> None:
    with serving(code) as (running, address):
        told = read_until(running, "the page stays open until Ctrl-C")
        assert "36 findings in 36 pages" in told
        assert len(set(re.findall(r"^broken\d+/\S+: \S+: .*$", told, re.MULTILINE))) == 36
        with urllib.request.urlopen(address.replace("/?", "/events?"), timeout=20) as events:
            assert events.read().decode().count("event: finding") == 36
        with urllib.request.urlopen(address, timeout=20) as page:
            assert b"The desk" in page.read()
        below = processes_below(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
        assert not any(map(alive, below))


@pytest.mark.parametrize("code", [160], indirect=True)
def test_ctrl_c_in_the_middle_ends_the_page_and_says_what_is_lost(code: Path) -> None:
    with serving(code) as (running, address), urllib.request.urlopen(address.replace("/?", "/events?")) as events:
        while b"event: finding" not in events.readline():
            pass
        running.send_signal(signal.SIGINT)
        assert b"event: end" in events.read()
        assert running.wait(20) == 130
        assert running.stdout is not None
        assert "more pages are lost" in running.stdout.read()


@needs_a_browser
def test_findings_appear_in_the_browser_as_they_come(code: Path, tmp_path: Path) -> None:
    with serving(code) as (_, address), browser.Browser(tmp_path / "profile") as page:
        page.open(address)
        page.wait_until("document.querySelectorAll('#findings > li').length > 0")
        count, state = page.run(
            "[document.querySelectorAll('#findings > li').length, document.getElementById('state').textContent]"
        )
        assert state == "At work." or count == 36
        page.wait_until("document.getElementById('state').textContent.startsWith('Done: 36 findings in 36 pages')")
        assert page.run("document.querySelectorAll('#findings > li').length") == 36
        assert page.run("new Set([...document.querySelectorAll('#findings > li')].map((i) => i.innerText)).size") == 36
        assert page.run("document.querySelectorAll('.chain li').length") == 12 * 3
        assert page.run("document.getElementById('pages').value") == 38


# How bright each text is against what is behind it, by the formula of WCAG 2, and the least that its level AA allows.
CONTRASTS = """
(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => c / 255).map(
      (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const back = light(getComputedStyle(document.body).backgroundColor)
  const texts = [...document.querySelectorAll("h1, h2, p, label, dt, dd, code, .rule, .chain li")]
  return texts.map((text) => {
    const ink = light(getComputedStyle(text).color)
    return (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05)
  })
})()
"""


@needs_a_browser
def test_the_page_is_read_by_day_and_by_night_and_knows_a_wrong_address(code: Path, tmp_path: Path) -> None:
    with serving(code, "--kill-reviewers", "0") as (running, address), browser.Browser(tmp_path / "profile") as page:
        read_until(running, "the page stays open until Ctrl-C")
        page.open(address.partition("?")[0])
        page.wait_until("document.body.innerText.includes('Open the address that the desk has printed')")
        page.open(address)
        page.wait_until("document.getElementById('state').textContent.startsWith('Done')")
        backs = []
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            contrasts = page.run(CONTRASTS)
            assert len(contrasts) > 36
            assert min(contrasts) >= 4.5
            backs.append(page.run("getComputedStyle(document.body).backgroundColor"))
            if folder := os.environ.get("DESK_PHOTOGRAPHS"):
                page.photograph(Path(folder, f"desk-{scheme}.png"))
        assert backs[0] != backs[1]
        assert page.run("document.documentElement.lang") == "en"
        assert page.run("document.querySelector('[role=status]').id") == "state"
        assert page.run("document.querySelector('label').control.id") == "pages"
