"""One explorer on one program, in this process: ``python -m benchmarks.explorers.one EXPLORER PROGRAM``.

Prints a line of JSON for each setting tried, with what it said.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import os
import sys
import warnings

MARK = "tried: "


def main(explorer: str, name: str) -> None:
    """Try every setting, and print each as it ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from tests.histories.expected import BUGS, load_bug, load_control

    program = load_bug(name) if name in BUGS else load_control(name)
    side = importlib.import_module(f"benchmarks.explorers.{explorer}_side")
    for tried in side.tries(name, program):
        print(MARK + json.dumps(dataclasses.asdict(tried)), flush=True)
    # Threads that an explorer left blocked would keep the process for ever.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
