"""Read with the version, ask, write if it is still the same, else again: read, await, write, and nothing is lost."""

import asyncio

from linecook.testing import outside


class Page:
    text = ""
    version = 0

    def write(self, text: str, version: int) -> bool:
        if version != self.version:
            return False
        self.text, self.version = text, version + 1
        return True


async def author(page: Page, sentence: str) -> None:
    while True:
        text, version = page.text, page.version
        longer = await outside(text + sentence)
        if page.write(longer, version):
            return


async def main() -> None:
    page = Page()
    await asyncio.gather(*(author(page, sentence) for sentence in ("Up.", "Down.", "Out.")))
    assert sorted(page.text.split(".")[:-1]) == ["Down", "Out", "Up"]
