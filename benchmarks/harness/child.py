"""The process of one measurement: ``python -m benchmarks.harness.child ROW IMPLEMENTATION SIZE``, SIZE as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from benchmarks.harness.meter import Meter, WrongAnswer
from benchmarks.harness.rows import load

MARK = "figures: "


def say(message: dict[str, Any]) -> None:
    """Tell the parent, at once."""
    print(MARK + json.dumps(message), flush=True)


def main(row: str, name: str, size: str) -> None:
    """Measure one implementation of one row and say its figures, or why there are none.

    A failure leaves by ``raise``, not by a hard exit: how long the program takes to end is a figure too.
    """
    try:
        load(row).run(name, json.loads(size), Meter(lambda figures: say({"figures": figures})))
    except ModuleNotFoundError as error:
        say({"problem": f"not installed: {error.name}"})
    except WrongAnswer as error:
        say({"problem": f"wrong answers: {error}"})
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).splitlines()
        say({"problem": f"{type(error).__name__}: {said[0] if said else ''} ({last.name}, line {last.lineno})"})
        traceback.print_exc()


if __name__ == "__main__":
    main(*sys.argv[1:])
