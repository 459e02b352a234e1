"""Two calls of a plain ``def`` tool, each on a thread: the page count is read, a function called, the count written."""

from linecook import gather, tool


class Index:
    pages = 0
    words = 0


def count(page: str) -> int:
    return len(page.split())


@tool
def store(index: Index, page: str) -> None:
    words = index.words
    index.words = words + count(page)


async def main() -> None:
    index = Index()
    await gather(store(index, "one two"), store(index, "three"))
    assert index.words == 3
