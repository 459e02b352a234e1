"""The soak: it finds what grows, lets pass what doesn't, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.soak import flat, outside, run
from benchmarks.soak.kitchen import TROUBLES

STEPS = 1800


def samples(figure: Callable[[float], float], name: str = "rss_mb") -> list[dict[str, float]]:
    """One a second for half an hour."""
    return [{"seconds": second, name: figure(second)} for second in range(1, STEPS + 1)]


def verdict(seen: list[dict[str, float]], name: str = "rss_mb") -> flat.Verdict:
    return flat.judge(seen, [figure for figure in flat.FIGURES if figure.name == name])[0]


def test_a_slow_leak_is_found_under_noise_that_is_larger() -> None:
    dice = random.Random(5)
    leaking = verdict(samples(lambda second: 100 + second / 200 + dice.uniform(-8, 8)))  # 7 MB in the end
    assert not leaking.is_flat
    assert leaking.growth == pytest.approx(7.2, abs=1.5)


def test_noise_outliers_and_a_warm_up_are_no_growth() -> None:
    dice = random.Random(5)

    def noisy(second: float) -> float:
        warm = min(100.0, 50 + second / 3)
        return 400.0 if dice.random() < 0.1 else warm + dice.uniform(-8, 8)

    assert verdict(samples(noisy)).is_flat


def test_what_shrinks_is_flat() -> None:
    assert verdict(samples(lambda second: 200 - second / 20)).is_flat


def test_a_task_that_stays_every_ten_minutes_is_found() -> None:
    """Seen only when the program is at rest, twice a minute."""
    at_rest = [{"seconds": second, "tasks": 21 + second // 600} for second in range(30, STEPS + 1, 35)]
    assert not verdict(at_rest, "tasks").is_flat


def test_too_short_a_soak_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="soak for longer"):
        verdict(samples(lambda _: 100)[:20])


def test_samples_come_back_from_their_file_and_are_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, columns = tmp_path / "soak.csv", run.COLUMNS
    lines = [",".join(columns)]
    for second in range(1, STEPS + 1):
        row = dict.fromkeys(columns, "20") | {"seconds": str(second)}
        lines.append(",".join(row[name] for name in columns))
    kept.write_text("\n".join(lines) + "\n")
    assert run.main(["--judge", str(kept)]) == 0
    assert "GROWS" not in capsys.readouterr().out
    grown = [line.rsplit(",", 1) for line in lines]
    place = columns.index("threads")
    for number, (line, last) in enumerate(grown[1:], 1):
        cells = [*line.split(","), last]
        cells[place] = str(20 + number // 100)
        lines[number] = ",".join(cells)
    kept.write_text("\n".join(lines) + "\n")
    assert run.main(["--judge", str(kept)]) == 1
    assert "GROWS" in capsys.readouterr().out


def test_threads_descriptors_and_processes_are_seen_from_outside() -> None:
    before = outside.look(os.getpid())
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        now = outside.look(os.getpid())
        assert now["threads"] == before["threads"] + 1
        assert now["descriptors"] > before["descriptors"]
        assert now["processes"] == before["processes"] + 1
        assert now["child_mb"] > 0
        assert child.pid in outside.in_session(os.getsid(0))
    leave.set()
    thread.join()


@pytest.mark.slow
@pytest.mark.timeout(170)  # what is under way has its time to end, on a busy machine too
def test_a_soak_of_three_seconds_has_all_kinds_of_trouble_and_leaves_nothing(tmp_path: Path) -> None:
    soak = run.Soak(0.05, tmp_path / "soak.csv")
    soak.run()
    assert soak.problems == []
    assert len(soak.samples) == 3
    assert soak.samples[-1]["calls"] > 100
    assert run.read(tmp_path / "soak.csv") == [
        {name: float(value) for name, value in sample.items()} for sample in soak.samples
    ]
    import benchmarks.soak.troubles  # noqa: F401 - lists them

    assert len(TROUBLES) >= 15
