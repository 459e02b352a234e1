"""What users notice is written down where the release will gather it, and each release has its entry."""

import re
import tomllib

import linecook
from tests.blocks import ROOT

NEWS = ROOT / "newsfragments"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
KINDS = {kind["directory"] for kind in SETTINGS["type"]}


def test_a_piece_of_news_has_an_issue_a_known_kind_and_a_sentence() -> None:
    for fragment in NEWS.glob("*.md"):
        if fragment.name in ("README.md", "_template.md"):
            continue
        found = re.fullmatch(r"\d+\.(?P<kind>[a-z]+)(\.\d+)?\.md", fragment.name)
        assert found is not None, f"{fragment.name}: not <issue>.<kind>.md; towncrier would pass it over"
        assert found["kind"] in KINDS
        text = fragment.read_text().strip()
        assert text.endswith("."), fragment.name
        assert "\n" not in text, f"{fragment.name}: a piece of news is a line; others are files of their own"


def test_the_newest_entry_is_that_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    below = text.partition("<!-- the newest release is below -->\n")[2]
    newest = re.search(r"^## (\S+), \d{4}-\d\d-\d\d$", below, re.MULTILINE)
    assert newest is not None
    assert newest[1] == linecook.__version__
