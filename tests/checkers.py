"""mypy and pyright, both strict, one batch each. ``python -m tests.checkers``: the package, tests/typing, all pages."""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.blocks import ROOT, pages, programs


def mypy(paths: Sequence[Path]) -> str:
    """Complaints of mypy --strict about the files and folders *paths*, a line each; empty: none."""
    settings = str(ROOT / "pyproject.toml")
    ran = _run(
        "mypy",
        "--strict",
        "--config-file",
        settings,
        "--follow-imports",
        "silent",
        "--no-error-summary",
        *map(str, paths),
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def pyright(paths: Sequence[Path]) -> str:
    """Complaints of pyright in strict mode about the files and folders *paths*, a line each; empty: none."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyrightconfig.json"
        project.write_text(json.dumps(_pyright_settings(paths, folder)))
        ran = _run("pyright", "--pythonpath", sys.executable, "--project", str(project), "--outputjson")
    try:
        report = json.loads(ran.stdout)
    except json.JSONDecodeError:
        return ran.stdout + ran.stderr
    complaints = [_line(complaint) for complaint in report["generalDiagnostics"]]
    # Of a path that it doesn't find pyright says so, and succeeds.
    if report["summary"]["filesAnalyzed"] < sum(_count(path) for path in paths):
        complaints.append(f"{report['summary']['filesAnalyzed']} files were checked, not all of them: {ran.stderr}")
    return "\n".join(complaints)


def _pyright_settings(paths: Sequence[Path], folder: str) -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]
    include = [os.path.relpath(path, folder) for path in paths]  # absolute ones are passed over
    return settings | {"include": include, "extraPaths": [str(ROOT / "src")], "exclude": []}


def _line(complaint: dict[str, Any]) -> str:
    place = complaint["range"]["start"]
    return f"{complaint['file']}:{place['line'] + 1}: {complaint['message']} [{complaint.get('rule', 'syntax')}]"


def _count(path: Path) -> int:
    return 1 if path.is_file() else sum(1 for _ in path.rglob("*.py"))


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The version that the lock names, not the newest: pyright would ask the network for it.
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=160, check=False,
    )  # fmt: skip


def main() -> int:
    """Check everything that promises types; return an exit code."""
    with tempfile.TemporaryDirectory() as folder:
        blocks = [program.write(Path(folder)) for program in programs(pages())]
        paths = [path for path in (ROOT / "src", ROOT / "tests" / "typing") if path.exists()] + blocks
        with ThreadPoolExecutor(2) as pool:
            complaints = list(pool.map(lambda check: check(paths), (mypy, pyright)))
    for checker, text in zip(("mypy", "pyright"), complaints, strict=True):
        print(f"{checker}: {text or 'clean'}")
    return int(any(complaints))


if __name__ == "__main__":
    sys.exit(main())
