"""Chapter 5, task management: create, track, time out, cancel, collect errors."""

import asyncio
import gc
import logging
import sys
import weakref

from linecook import gather, run, scope, settle, tool

sent: list[str] = []


async def translate(word: str) -> str | None:
    """Return the translation, or None when there is none. One word takes for ever, another one is an error."""
    if word == "?":
        raise ValueError("a question mark is no word")
    await asyncio.sleep(60 if word == "hang" else 0.01)
    return {"soup": "soupe"}.get(word)


async def send(letter: str) -> None:
    await asyncio.sleep(0.1)
    sent.append(letter)


async def listen(inbox: asyncio.Queue[str]) -> None:
    while True:
        print(await inbox.get())


# 1. The way people write it: create_task, wait_for, gather.
async def ask(word: str) -> str | None:
    try:
        return await asyncio.wait_for(translate(word), 0.2)
    except TimeoutError:
        return None


async def usual() -> None:
    asyncio.create_task(send("the menu"))  # noqa: RUF006 - the mistake this chapter is about
    print("   answers:", await asyncio.gather(ask("soup"), ask("yuzu"), ask("hang")))
    print("   sent:", sent)


# 2. What really happens to the task, to the answers, and to the siblings of a failure.
async def really() -> None:
    task = weakref.ref(asyncio.create_task(listen(asyncio.Queue())))  # as above: nobody keeps it
    await asyncio.sleep(0)
    gc.collect()  # happens by itself, sooner or later
    print("   the task that listened is now", task())
    sent.clear()
    try:
        await asyncio.gather(send("the bill"), translate("?"))
    except ValueError as error:
        print(f"   gather raised {error!r}; sent: {sent}")
    await asyncio.sleep(0.2)
    print(f"   a moment later; sent: {sent}")


# 3. linecook's line: scopes keep tasks, outcomes tell answers from none, gather leaves nobody running.
lookup = tool(timeout=0.2)(translate)


async def with_linecook() -> None:
    async with scope() as kitchen:
        kitchen.start(listen(asyncio.Queue()))
        await asyncio.sleep(0)
        gc.collect()
        print("   kept by its scope:", list(kitchen.handles))
        kitchen.cancel("closing time")
    print("   after the scope:", list(kitchen.handles))
    for outcome in await settle(lookup("soup"), lookup("yuzu"), lookup("hang")):
        print("   an outcome:", outcome)
    sent.clear()
    try:
        await gather(send("the bill"), translate("?"))
    except ValueError as error:
        print(f"   gather raised {error!r}")
    await asyncio.sleep(0.2)
    print(f"   a moment later; sent: {sent}")


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, format="   %(name)s says: %(message).37s")  # 37: the first line of it
    print("1. create_task, wait_for, gather")
    asyncio.run(usual())
    print("2. what became of them")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
