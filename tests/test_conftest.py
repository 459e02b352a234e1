"""The look at what a test left behind sees what it should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

LITTER = """
import asyncio, os, threading, time
import pytest

async def test_leaves_a_task():
    asyncio.get_running_loop().kept = asyncio.create_task(asyncio.sleep(9), name="litter-task")

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(0.6,), name="litter-thread").start()

def test_leaves_a_zombie():
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

@pytest.mark.leaves("tasks")
async def test_leaves_a_task_on_purpose():
    asyncio.get_running_loop().kept = asyncio.create_task(asyncio.sleep(9))

async def test_is_tidy():
    await asyncio.create_task(asyncio.sleep(0))
    threading.Thread(target=time.sleep, args=(0.05,)).start()

def test_has_a_daemon():
    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
"""


@pytest.mark.slow
def test_what_a_test_leaves_behind_is_named(tmp_path: Path) -> None:
    hasty = (HERE / "conftest.py").read_text().replace("PATIENCE = 2.0", "PATIENCE = 0.1")
    (tmp_path / "conftest.py").write_text(hasty)
    (tmp_path / "test_litter.py").write_text(LITTER)
    options = [
        "-q",
        "-rN",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        str(HERE.parent / "pyproject.toml"),
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    left = re.findall(r"the test left behind (\w+: [\w-]+)", ran.stdout)
    assert left == ["tasks: litter-task", "threads: litter-thread", "zombies: process"], ran.stdout + ran.stderr
    assert "3 failed, 3 passed" in ran.stdout, ran.stdout
