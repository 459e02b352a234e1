"""The pictures of the docs: real terminals, written as SVG, that fetch nothing and name nobody's machine."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_fetches_nothing_and_names_no_machine(picture: Path) -> None:
    svg = picture.read_text()
    assert not re.search(r"url\(\s*[\"']?http|@import|@font-face|xlink:href=[\"']http", svg)
    words = re.sub(r"<[^>]*>", "", svg).replace("&#160;", " ").replace("&#x27;", "'")
    assert not re.search(r"(?<![\w.])/(?!tmp/desk/|s\b)\w+/", words)
    assert len(svg) < 100_000


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_is_shown_on_a_page(picture: Path) -> None:
    assert any(f"pictures/{picture.name})" in page.read_text() for page in DOCS.rglob("*.md"))
