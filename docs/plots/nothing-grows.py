"""Half an hour of trouble: memory, threads, descriptors and processes of one program, and what it keeps at rest.

``python docs/plots/nothing-grows.py FILE`` draws what ``make soak`` has kept in FILE (build/soak.csv); without it, half
an hour is soaked first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _plot import FAINT, FOURTH, OURS, STDLIB, THIRD, figure, save, write_table

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT))

from benchmarks.soak import flat  # noqa: E402
from benchmarks.soak import run as soak  # noqa: E402

BIN_S = 20.0
LINES = (
    ("threads", "threads", OURS),
    ("descriptors", "descriptors", STDLIB),
    ("tasks", "tasks at rest", THIRD),
    ("processes", "processes", FOURTH),
)


def soaked() -> Path:
    file = Path(tempfile.mkdtemp()) / "soak.csv"
    subprocess.run([sys.executable, str(ROOT / "benchmarks/soak/run.py"), "--csv", str(file)], check=True)
    return file


def draw(samples: Sequence[soak.Sample]) -> list[list[str]]:
    end = max(sample["seconds"] for sample in samples) / 60
    made, (memory, counts) = figure(2, height=3.6)
    for name, says, color in (("rss_mb", "the program", OURS), ("child_mb", "each of its processes", FOURTH)):
        line(memory, samples, name, says, color)
    memory.set(title="memory, MB", xlabel="minutes", ylim=(0, None), xlim=(0, end))
    for name, says, color in LINES:
        line(counts, samples, name, says, color)
    counts.set(title="how many", xlabel="minutes", ylim=(0, None), xlim=(0, end))
    for panel in (memory, counts):
        panel.axvspan(0, end * flat.WARM_UP, color=FAINT, alpha=0.15, linewidth=0)
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=9)
    save(__file__, made, "memory, threads, descriptors and processes over half an hour: flat after the warm-up")
    rows, _ = soak.table(samples)
    calls = [sample["calls"] for sample in samples]
    before = [sample["calls"] for sample in samples if sample["seconds"] <= end * 60 * flat.WARM_UP]
    return [*(row[:-1] for row in rows), ["calls made so far", f"{before[-1]:,.0f}", f"{calls[-1]:,.0f}", "", ""]]


def line(panel: object, samples: Sequence[soak.Sample], name: str, says: str, color: str) -> None:
    found = flat.points(samples, name, warm_up=0.0, bin_s=BIN_S)
    panel.plot([at / 60 for at, _ in found], [value for _, value in found], color=color, label=says, linewidth=1.6)  # type: ignore[attr-defined]


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    write_table(Path(__file__), draw(soak.read(given[0] if given else soaked())))
