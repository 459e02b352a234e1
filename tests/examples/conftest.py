"""The examples are scripts, not a package: their folder goes on the path, as running one of them puts it there."""

from __future__ import annotations

import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
