"""A notebook kernel as Jupyter starts one: cells go in, what a reader would see comes out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.blocks import ROOT
from tests.conftest import SRC

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Shown:
    """What stands below a cell that ran."""

    text: str = ""  # printed, on stdout and stderr
    value: str = ""  # of the last expression
    error: str = ""  # the name of the exception, empty when there is none
    traceback: str = ""
    kinds: list[str] = field(default_factory=list)


class Kernel:
    """A real kernel in a process of its own."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str, hear: Callable[[str], None] = lambda text: None) -> Shown:
        """Run one cell to its end; *hear* is told what it prints as it comes."""
        shown = Shown()

        def note(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            shown.kinds.append(kind)
            if kind == "stream":
                shown.text += content["text"]
                hear(content["text"])
            elif kind == "execute_result":
                shown.value = content["data"]["text/plain"]
            elif kind == "error":
                shown.error = content["ename"]
                shown.traceback = COLOURS.sub("", "\n".join(content["traceback"]))

        self.client.execute_interactive(code, output_hook=note, timeout=30, allow_stdin=False)
        return shown


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder: Path = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder))
        patch.setenv("PYTHONPATH", f"{SRC}:{ROOT}")
        from jupyter_client.manager import start_new_kernel

        manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
        try:
            yield Kernel(manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
