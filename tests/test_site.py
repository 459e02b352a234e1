"""The site of `make docs`: every page stands in its table of contents, every link leads somewhere.

The builder's strict mode looks at links as well; this looks without it, at README.md and CONTRIBUTING.md too.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.blocks import FENCE, ROOT, pages

SITE = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
DOCS = ROOT / SITE["docs_dir"]
PAGES = [*pages(), ROOT / "CONTRIBUTING.md"]
OFF_SITE = {
    ("watch.md", "../../examples/watch_faults.py")
}  # leads somewhere in the repository, and nowhere on the site
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def listed(entries: Any) -> list[str]:
    """Every page of the table of contents, in its order."""
    if isinstance(entries, str):
        return [entries]
    return [page for entry in entries for below in entry.values() for page in listed(below)]


def links(page: Path) -> list[str]:
    """Where the links and pictures of *page* lead, but those in code."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    return LINK.findall(prose)


def anchors(page: Path) -> set[str]:
    """The names that headings of *page* have, on GitHub as on the site."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def problem_with(page: Path, link: str) -> str:
    """Why *link* leads nowhere from *page*; empty: it leads somewhere."""
    if link.startswith(("https://", "http://")):
        return ""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"there is no {path}"
    if page.is_relative_to(DOCS) and not target.is_relative_to(DOCS) and (page.name, link) not in OFF_SITE:
        return f"{path} isn't on the site; name it in code instead"
    if anchor and anchor not in anchors(target):
        return f"{target.name} has no heading {anchor}"
    return ""


def test_every_page_stands_in_the_table_of_contents_once() -> None:
    assert sorted(listed(SITE["nav"])) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [f"{link}: {problem}" for link in links(page) if (problem := problem_with(page, link))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_on_a_page_is_fetched_from_elsewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text())
    assert re.findall(r"!\[[^\]]*\]\(https?:[^)]*\)|<(?:img|script|link|iframe)[^>]*https?:[^>]*>", prose) == []


def test_the_site_fetches_no_font_and_no_script() -> None:
    assert SITE["theme"]["font"] is False
    assert not SITE.keys() & {"extra_css", "extra_javascript"}


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n[a](page.md#a-page) [b](#a-page) [c](https://c.example) `[d](d.md)`\n```\n[e](e.md)\n```\n"
    )
    assert [problem_with(page, link) for link in links(page)] == ["", "", ""]
    assert problem_with(page, "page.md#b") == "page.md has no heading b"
    assert problem_with(page, "other.md") == "there is no other.md"
    assert "isn't on the site" in problem_with(DOCS / "index.md", "../README.md")
