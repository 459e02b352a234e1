"""A real browser for tests: Chromium without a window, spoken to over two pipes (its DevTools protocol)."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHY_NOT = f"no browser here, none of {', '.join(NAMES)}: apt-get install chromium"
PATIENCE = 30.0  # seconds for one answer, or for what is waited for

# It reads commands from 3 and writes to 4, whatever numbers our pipes have.
_MOVE = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
_OPTIONS = (
    "--headless --remote-debugging-pipe --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage "
    "--no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-extensions"
).split()


def found() -> str | None:
    """The path of the browser that this machine has, if any."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        path = found()
        assert path is not None, WHY_NOT
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        command = [sys.executable, "-c", _MOVE, str(theirs_in), str(theirs_out), path, *_OPTIONS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._kept, self._number, self._session = b"", 0, None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # and its children go with the pipe
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, address: str) -> None:
        """Go to *address*."""
        self._ask("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """What the expression *script* is, as JSON holds it."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, script: str) -> None:
        """Wait until the expression *script* is true; as long as it raises, the page isn't there yet."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(f"(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()"):
            assert time.monotonic() < deadline, f"{script}; the page says: {self.run('document.body.innerText')}"
            time.sleep(0.02)

    def prefer(self, scheme: str) -> None:
        """Make the page believe that its reader likes it ``"light"`` or ``"dark"``."""
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def photograph(self, path: Path) -> None:
        """Write what there is to see to *path*, as PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._kept:
            ready = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))[0]
            more = os.read(self._from, 65536) if ready else b""
            assert more, "the browser has ended" if ready else f"the browser was silent for {PATIENCE:g} s"
            self._kept += more
        told, _, self._kept = self._kept.partition(b"\0")
        answer: dict[str, Any] = json.loads(told)
        return answer
