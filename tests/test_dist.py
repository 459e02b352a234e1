"""What is handed out: the sdist and the wheel, and that the wheel alone is enough, in an empty environment.

Each Python that runs the tests installs into an environment of its own, without an index and without the source tree.
What linecook depends on is taken from where the tests run, packed as the wheels it came from.
"""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

import linecook
from tests.blocks import ROOT, programs
from tests.test_docs import matches

pytest.importorskip("hatchling", reason="the build backend stands in the locks: make test has it")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]  # pip takes its time on a busy machine

BUILD_S, INSTALL_S, RUN_S = 120, 240, 60
NAME = f"linecook-{linecook.__version__}"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def build(source: Path, target: Path, *kinds: str) -> Path:
    asked = [word for kind in kinds or ("sdist", "wheel") for word in ("-t", kind)]
    run([sys.executable, "-m", "hatchling", "build", "-d", str(target), *asked], source, BUILD_S)
    return target


def run(command: list[str], where: Path, seconds: float) -> str:
    """What *command* prints, run as a user would: with nothing of this tree or this test in the environment."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(where), "LANG": "C.UTF-8", "SOURCE_DATE_EPOCH": "1600000000"}
    ran = subprocess.run(command, cwd=where, env=kept, capture_output=True, text=True, timeout=seconds, check=False)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def metadata(dist: Path) -> Message:
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as wheel:
        return email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        assert wheel.read(f"{NAME}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert b"linecook = linecook.cli.main:main" in wheel.read(f"{NAME}.dist-info/entry_points.txt")
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "linecook").rglob("*.py")}
    assert {name for name in names if not name.startswith(f"{NAME}.dist-info/")} == sources | {"linecook/py.typed"}


def test_its_metadata_says_what_it_is_and_names_no_place(dist: Path) -> None:
    told = metadata(dist)
    assert (told["Name"], told["Version"], told["Requires-Python"]) == ("linecook", linecook.__version__, ">=3.11")
    assert (told["License-Expression"], told["Description-Content-Type"]) == ("Apache-2.0", "text/markdown")
    assert told.get_payload(decode=True).decode().strip() == (ROOT / "README.md").read_text().strip()
    without = {name: value for name, value in told.items() if name != "Description"}
    assert not re.search(r"https?://|/home|/work|/tmp", str(without))


def test_the_sdist_makes_the_same_wheel_and_holds_what_its_tests_need(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / NAME
    again = build(source, tmp_path / "again", "wheel")
    wheel = f"{NAME}-py3-none-any.whl"
    assert (again / wheel).read_bytes() == (dist / wheel).read_bytes()
    for needed in (
        "tests/conftest.py",
        "docs/index.md",
        "benchmarks/run.py",
        "Makefile",
        "requirements/test.txt",
        "LICENSE",
    ):
        assert (source / needed).exists(), needed
    assert not [path for path in source.rglob("*") if path.name == "__pycache__"]


def test_to_build_twice_gives_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    build(ROOT, tmp_path)
    for name in (f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"):
        assert (tmp_path / name).read_bytes() == (dist / name).read_bytes()


# -- installed --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that has the wheel, and what it asked for, installed by pip."""
    shelf, place = tmp_path_factory.mktemp("shelf"), tmp_path_factory.mktemp("empty")
    for each in needed(metadata(dist).get_all("Requires-Dist") or [], set()):
        pack(each, shelf)
    run([sys.executable, "-m", "venv", str(place / "env")], place, INSTALL_S)
    folder = place / "env" / "bin"
    pip = [str(folder / "python"), "-m", "pip", "install", "--no-index", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--find-links", str(shelf), str(dist / f"{NAME}-py3-none-any.whl")], place, INSTALL_S)
    return folder


def needed(requirements: list[str], seen: set[str]) -> Iterator[Distribution]:
    """What *requirements* ask for, directly or not, as it is installed here."""
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement)[0]
        if "extra ==" not in requirement and name not in seen:
            seen.add(name)
            found = distribution(name)
            yield found
            yield from needed(found.requires or [], seen)


def pack(installed: Distribution, shelf: Path) -> None:
    """Make the wheel again that *installed* came from."""
    told = installed.read_text("WHEEL") or ""
    tags = [line.removeprefix("Tag: ") for line in told.splitlines() if line.startswith("Tag: ")]
    name = re.sub(r"[-.]+", "_", installed.name)
    with zipfile.ZipFile(shelf / f"{name}-{installed.version}-{tags[0]}.whl", "w") as wheel:
        for file in installed.files or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(Path(str(file.locate())), str(file))


def test_it_is_the_wheel_that_runs_with_its_types(installed: Path, tmp_path: Path) -> None:
    tells = "import linecook, pathlib; print(linecook.__version__, pathlib.Path(linecook.__file__).parent)"
    version, place = run([str(installed / "python"), "-c", tells], tmp_path, RUN_S).split()
    assert version == linecook.__version__
    assert Path(place).is_relative_to(installed.parent)
    assert (Path(place) / "py.typed").exists()


def test_every_example_of_the_readme_prints_what_it_says(installed: Path, tmp_path: Path) -> None:
    """The quickstart among them, with tools on threads and in processes."""
    shown = [program for program in programs([ROOT / "README.md"]) if not (program.not_run or program.raises)]
    assert any('lane="process"' in program.source for program in shown)
    for program in shown:
        printed = run([str(installed / "python"), str(program.write(tmp_path))], tmp_path, RUN_S)
        assert not program.prints or matches("".join(program.prints), printed)


def test_a_tool_runs_in_a_process_of_the_installed_package(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "kitchen.py").write_text(
        "import os\n"
        "from linecook import run, tool\n"
        '@tool(lane="process")\n'
        "def where() -> tuple[int, str]:\n"
        "    import linecook\n"
        "    return os.getpid(), linecook.__file__\n"
        'if __name__ == "__main__":\n'
        "    pid, file = run(where())\n"
        "    print(pid != os.getpid(), file)\n"
    )
    other, file = run([str(installed / "python"), "kitchen.py"], tmp_path, RUN_S).split()
    assert other == "True"
    assert Path(file).is_relative_to(installed.parent)


@pytest.mark.parametrize("command", ["linecook", "python -m linecook"])
def test_the_command_line_runs(command: str, installed: Path, tmp_path: Path) -> None:
    first, *others = command.split()
    said = [str(installed / first), *others]
    assert run([*said, "--version"], tmp_path, RUN_S).split() == ["linecook", linecook.__version__]
    assert "examples:" in run([*said, "--help"], tmp_path, RUN_S)
    (tmp_path / "hello.py").write_text("def greet(name: str) -> str:\n    return f'Hello {name}'\n")
    assert run([*said, "run", "hello.py:greet", '"Ada"'], tmp_path, RUN_S) == '"Hello Ada"\n'
    (tmp_path / "names.txt").write_text("Ada\nGrace\n")
    run([*said, "run", "hello.py:greet", "--input", "names.txt", "--output", "out.jsonl"], tmp_path, RUN_S)
    assert (tmp_path / "out.jsonl").read_text().count("Hello ") == 2
