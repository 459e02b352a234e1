"""A module with shared values of its own, imported by worker processes as well."""

from linecook import Shared, SharedMap, tool

total = Shared(0)
prices: SharedMap[str, int] = SharedMap()
prices["tea"] = 3
size = len(prices) + 2


class Desk:
    """Holds one as a class does."""

    open = Shared(True)


@tool(lane="process")
def closes() -> None:
    Desk.open.value = False


@tool(lane="process")
def adds(number: int) -> int:
    return total.update(lambda value: value + number)


@tool(lane="process")
def reads() -> int:
    return total.value


@tool(lane="process")
def filled_on_import() -> int:
    return size


@tool(lane="process")
def has_its_own() -> int:
    own = Shared(2)
    own.value += 3
    return own.value


def takes(cell: object) -> None:
    return None
