"""docs/how-to/under-frameworks.md: its programs run as shown and type-check; it names the versions that were tested."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from tests.blocks import ROOT, Program, pages, programs
from tests.checkers import pyright
from tests.test_docs import problem_with, run_as_main

PAGE = ROOT / "docs/how-to/under-frameworks.md"
PROGRAMS = programs(pages(), guests=True)
PACKAGES = ("pydantic-ai-slim", "openai-agents", "langgraph", "langchain-core", "mcp")


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_block_with_a_guest_runs_as_shown(program: Program, tmp_path: Path) -> None:
    pytest.importorskip(program.guest)
    problem = problem_with(program, run_as_main(program, tmp_path))
    assert not problem, f"{program.page}:{program.line} {problem}"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_block_with_a_guest_passes_strict_pyright(tmp_path: Path) -> None:
    for program in PROGRAMS:
        pytest.importorskip(program.guest)
    complaints = re.split(r"\n(?=/)", pyright([program.write(tmp_path) for program in PROGRAMS]))
    # LangGraph leaves types of its own open, which strict checking holds against whoever uses them.
    ours = [one for one in complaints if one and not one.endswith("[reportUnknownMemberType]")]
    assert not ours, "\n".join(ours)


def test_there_is_a_program_for_every_guest() -> None:
    assert {program.guest for program in PROGRAMS} == {"pydantic_ai", "agents", "langgraph", "mcp"}


def test_the_page_names_the_versions_that_were_tested() -> None:
    said = " ".join(PAGE.read_text().split())
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} isn't installed")
        assert f"{package} {version}" in said
