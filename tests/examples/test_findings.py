"""The three rules of the desk: what they find, and above all what they leave alone. A finding is a fact."""

from __future__ import annotations

from textwrap import dedent

import pytest
from desk_rules import Finding, measure, review


def facts(**files: str) -> list[Finding]:
    """Review the package ``shop``, given as module name to source; its ``__init__`` is empty unless given."""
    pages = [
        measure("shop", f"shop/{name}.py", "shop" if name == "__init__" else f"shop.{name}", dedent(source).encode())
        for name, source in {"__init__": "", **files}.items()
    ]
    assert not any(page.error for page in pages), [page.error for page in pages]
    return review("shop", pages)


def rules(source: str) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in facts(till=source)]


# blocking-call ------------------------------------------------------------------------------------------------------


def test_a_blocking_call_in_an_async_def_is_found_with_its_line():
    (found,) = facts(till="import time\n\nasync def pay():\n    time.sleep(1)\n")
    assert (found.rule, found.file, found.line) == ("blocking-call", "shop/till.py", 4)
    assert found.chain == ("async def pay (shop/till.py:3)", "time.sleep (shop/till.py:4)")


def test_the_chain_through_other_files_of_the_package_is_told_step_by_step():
    (found,) = facts(
        web="from .till import pay\n\nasync def handler():\n    pay()\n",
        till="from shop import clock\n\ndef pay():\n    clock.wait()\n",
        clock="from time import sleep as rest\n\ndef wait():\n    rest(5)\n",
    )
    assert (found.file, found.line) == ("shop/web.py", 4)
    assert found.chain == (
        "async def handler (shop/web.py:3)",
        "pay (shop/till.py:3)",
        "wait (shop/clock.py:3)",
        "time.sleep (shop/clock.py:4)",
    )


def test_a_name_re_exported_by_the_package_is_followed():
    found = facts(
        __init__="from .clock import wait\n",
        clock="import time\ndef wait():\n    time.sleep(5)\n",
        web="import shop\nasync def handler():\n    shop.wait()\n",
    )
    assert [f.line for f in found] == [3]


def test_a_cycle_of_helpers_ends_and_the_shortest_chain_is_told():
    source = """
    import time
    def ping(): pong()
    def pong(): ping(); last()
    def last(): time.sleep(1)
    async def main():
        ping()
        last()
    """
    (found,) = facts(till=source)
    assert [step.split(" (")[0] for step in found.chain] == ["async def main", "last", "time.sleep"]


BLOCKING = {
    "an import inside the function": "async def f():\n    import requests\n    requests.get('http://x')\n",
    "a method by self": """
        import time
        class Till:
            def wait(self): time.sleep(1)
            async def pay(self): self.wait()
        """,
    "a static method by its class": """
        import time
        class Till:
            @staticmethod
            def wait(): time.sleep(1)
        async def pay(): Till.wait()
        """,
    "a nested function": """
        import time
        async def pay():
            def wait(): time.sleep(1)
            wait()
        """,
    "input of the builtins": "async def ask():\n    return input()\n",
    "a comprehension, which runs at once": "import time\nasync def f():\n    return [time.sleep(1) for _ in 'ab']\n",
    "one branch of a condition": "import time\nasync def f(x):\n    if x:\n        time.sleep(1)\n",
    "an async generator": "import time\nasync def f():\n    time.sleep(1)\n    yield 1\n",
    "a look-up by name": "import socket\nasync def f(host):\n    socket.getaddrinfo(host, 80)\n",
    "self in a function nested in a method": """
        import time
        class Till:
            def wait(self): time.sleep(1)
            async def pay(self):
                def now(): self.wait()
                now()
        """,
}


@pytest.mark.parametrize("source", BLOCKING.values(), ids=BLOCKING.keys())
def test_a_blocking_call_is_found_through(source: str):
    assert [rule for rule, _ in rules(source)] == ["blocking-call"]


NOT_BLOCKING = {
    "no async def around it": "import time\ndef f(): time.sleep(1)\n",
    "passed by reference to a thread": """
        import asyncio, time
        async def f():
            await asyncio.to_thread(time.sleep, 1)
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, 1)
        """,
    "a helper passed by reference": """
        import asyncio, time
        def wait(): time.sleep(1)
        async def f(): await asyncio.to_thread(wait)
        """,
    "a lambda": "import asyncio, time\nasync def f():\n    await asyncio.to_thread(lambda: time.sleep(1))\n",
    "a nested function nobody calls": "import time\nasync def f(run):\n    def g(): time.sleep(1)\n    await run(g)\n",
    "a generator expression, which runs later": "import time\nasync def f(run): run(time.sleep(1) for _ in 'ab')\n",
    "a generator function": "import time\ndef g():\n    time.sleep(1)\n    yield\nasync def f(): g()\n",
    "a parameter of that name": "import time\nasync def f(time):\n    time.sleep(1)\n",
    "a local variable of that name": "import time\nasync def f(clock):\n    time = clock()\n    time.sleep(1)\n",
    "a module name bound twice": "import time\ntime = object()\nasync def f():\n    time.sleep(1)\n",
    "another module under a fallback": """
        try:
            import requests
        except ImportError:
            requests = None
        async def f(): requests.get('x')
        """,
    "a global rebound elsewhere": """
        import time
        def patch():
            global time
            time = object()
        async def f(): time.sleep(1)
        """,
    "a star import that may hide it": "import time\nfrom shop.clock import *\nasync def f():\n    time.sleep(1)\n",
    "asyncio's sleep": "from asyncio import sleep\nasync def f():\n    await sleep(1)\n",
    "a decorated helper": """
        import time
        from shop.threads import in_thread
        @in_thread
        def wait(): time.sleep(1)
        async def f(): await wait()
        """,
    "a method that a subclass overrides": """
        import time
        class Till:
            def wait(self): time.sleep(1)
            async def pay(self): self.wait()
        class FastTill(Till):
            def wait(self): pass
        """,
    "a method that a mixin may override": """
        import time
        from elsewhere import Mixin
        class Till:
            def wait(self): time.sleep(1)
            async def pay(self): self.wait()
        class FastTill(Mixin, Till): pass
        """,
    "a method assigned on the object": """
        import time
        class Till:
            def __init__(self, wait): self.wait = wait
            def wait(self): time.sleep(1)
            async def pay(self): self.wait()
        """,
    "a function patched from elsewhere": """
        import time
        import shop.till as me
        def wait(): time.sleep(1)
        def patch(): me.wait = print
        async def f(): wait()
        """,
    "a class whose metaclass may wrap methods": """
        import time
        from elsewhere import Meta
        class Till(metaclass=Meta):
            def wait(self): time.sleep(1)
            async def pay(self): self.wait()
        """,
    "self rebound": """
        import time
        class Till:
            def wait(self): time.sleep(1)
            async def pay(self, other):
                self = other
                self.wait()
        """,
    "input defined by the program": "def input(): return 1\nasync def f():\n    input()\n",
    "a numeric address": "import socket\nasync def f():\n    socket.getaddrinfo('127.0.0.1', 80)\n",
    "a look-up with flags": "import socket\nasync def f(h):\n    socket.getaddrinfo(h, 0, flags=4)\n",
    "sleep(0), which doesn't wait": "import time\nasync def f():\n    time.sleep(0)\n",
    "a branch for another machine": "import sys, time\nasync def f():\n    if sys.platform == 'x': time.sleep(1)\n",
    "a branch for another Python": "import time\nfrom x import jython\nasync def f():\n    if jython: time.sleep(1)\n",
    "gevent, which replaces it": "from gevent import monkey\nimport time\nasync def f():\n    time.sleep(1)\n",
}


@pytest.mark.parametrize("source", NOT_BLOCKING.values(), ids=NOT_BLOCKING.keys())
def test_the_loop_is_not_called_blocked_by(source: str):
    assert rules(source) == []


def test_a_module_and_a_name_of_the_same_spelling_are_not_guessed_at():
    found = facts(
        __init__="def wait(): pass\n",
        wait="import time\ndef go():\n    time.sleep(5)\n",
        web="import shop.wait\nasync def handler():\n    shop.wait.go()\n",
    )
    assert found == []


# dropped-task -------------------------------------------------------------------------------------------------------

DROPPED = {
    "create_task": "import asyncio\nasync def f(g):\n    asyncio.create_task(g())\n",
    "create_task imported by name": "from asyncio import create_task as go\nasync def f(g):\n    go(g())\n",
    "the running loop's create_task": "import asyncio\ndef f(g):\n    asyncio.get_running_loop().create_task(g())\n",
    "create_task of a loop kept in a variable": """
        import asyncio
        def f(g):
            loop = asyncio.get_event_loop()
            loop.create_task(g())
        """,
    "create_task of a loop annotated as one": """
        import asyncio
        def f(g, loop: asyncio.AbstractEventLoop):
            loop.create_task(g())
        """,
    "ensure_future of a coroutine": "import asyncio\nasync def g(): pass\ndef f():\n    asyncio.ensure_future(g())\n",
}


@pytest.mark.parametrize("source", DROPPED.values(), ids=DROPPED.keys())
def test_a_task_is_dropped_by(source: str):
    assert [rule for rule, _ in rules(source)] == ["dropped-task"]


KEPT = {
    "a variable": "import asyncio\nasync def f(g):\n    task = asyncio.create_task(g())\n    await task\n",
    "await": "import asyncio\nasync def f(g):\n    await asyncio.create_task(g())\n",
    "a task group": """
        import asyncio
        async def f(g):
            async with asyncio.TaskGroup() as group:
                group.create_task(g())
        """,
    "a collection": "import asyncio\nasync def f(g, tasks):\n    tasks.add(asyncio.create_task(g()))\n",
    "gather": "import asyncio\nasync def f(g):\n    await asyncio.gather(asyncio.create_task(g()))\n",
    "return": "import asyncio\nasync def f(g):\n    return asyncio.create_task(g())\n",
    "the future given to ensure_future": "import asyncio\nasync def f(future):\n    asyncio.ensure_future(future)\n",
    "whoever made what ensure_future is given": "import asyncio\ndef f(make):\n    asyncio.ensure_future(make())\n",
    "an object of unknown type": "async def f(loop, g):\n    loop.create_task(g())\n",
    "a module of that name": "from shop import asyncio\nasync def f(g):\n    asyncio.create_task(g())\n",
    "nobody, as none is made": """
        import asyncio, pytest
        def test(g):
            with pytest.raises(RuntimeError):
                asyncio.create_task(g())
        """,
}


@pytest.mark.parametrize("source", KEPT.values(), ids=KEPT.keys())
def test_a_task_is_not_called_dropped_when_it_is_held_by(source: str):
    assert rules(source) == []


# never-awaited ------------------------------------------------------------------------------------------------------

FORGOTTEN = {
    "a function of the module": "async def g(): pass\nasync def f():\n    g()\n",
    "a synchronous caller": "async def g(): pass\ndef f():\n    g()\n",
    "the module itself": "async def main(): pass\nmain()\n",
    "the body of a class": "async def g(): pass\nclass A:\n    g()\n",
    "a method by self": "class A:\n    async def g(self): pass\n    async def f(self):\n        self.g()\n",
    "a nested function": "def f():\n    async def g(): pass\n    g()\n",
    "one branch of a condition": "async def g(): pass\ndef f(x):\n    if x: g()\n    else: return g()\n",
}


@pytest.mark.parametrize("source", FORGOTTEN.values(), ids=FORGOTTEN.keys())
def test_a_coroutine_is_forgotten_by(source: str):
    assert [rule for rule, _ in rules(source)] == ["never-awaited"]


def test_a_forgotten_await_is_found_across_files():
    (found,) = facts(till="async def pay(): pass\n", web="from . import till\nasync def handler():\n    till.pay()\n")
    assert (found.file, found.line, found.rule) == ("shop/web.py", 3, "never-awaited")
    assert "shop/till.py:1" in found.text


USED = {
    "await": "async def g(): pass\nasync def f():\n    await g()\n",
    "awaited later": "async def g(): pass\nasync def f():\n    later = g()\n    await later\n",
    "asyncio.run": "import asyncio\nasync def main(): pass\nasyncio.run(main())\n",
    "gather": "import asyncio\nasync def g(): pass\nasync def f():\n    await asyncio.gather(g(), g())\n",
    "a task group": "async def g(): pass\nasync def f(group):\n    group.create_task(g())\n",
    "return": "async def g(): pass\ndef f():\n    return g()\n",
    "yield": "async def g(): pass\ndef f():\n    yield g()\n",
    "a decorator that may run it": "from shop.x import command\n@command\nasync def g(): pass\ndef f():\n    g()\n",
    "two definitions, one of them plain": """
        import sys
        if sys.platform == "linux":
            async def g(): pass
        else:
            def g(): pass
        def f(): g()
        """,
    "a parameter of that name": "async def g(): pass\ndef f(g):\n    g()\n",
    "a nested function of that name": "async def g(): pass\ndef f():\n    def g(): pass\n    g()\n",
    "an async generator": "async def g():\n    yield 1\ndef f():\n    g()\n",
    "a subclass whose method is plain": """
        class A:
            async def g(self): pass
            def f(self): self.g()
        class B(A):
            def g(self): pass
        """,
    "a call expected to fail": """
        import pytest
        async def g(*, a): pass
        def test():
            with pytest.raises(TypeError):
                g(1)
        """,
    "a call that may fail": "async def g(a): pass\ndef f():\n    try: g()\n    except TypeError: pass\n",
    "a function passed by reference": "async def g(): pass\ndef f(run):\n    run(g)\n",
}


@pytest.mark.parametrize("source", USED.values(), ids=USED.keys())
def test_a_coroutine_is_not_called_forgotten_because_of(source: str):
    assert rules(source) == []


# the reader ---------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_parse_gives_a_page_that_says_why():
    page = measure("shop", "shop/till.py", "shop.till", b"def (:\n")
    assert page.error.startswith("SyntaxError")
    assert review("shop", [page]) == []


HOSTILE = [b"", b"\xff\xfe", b"# coding: nonsense\n", b"x = '\x00'", b"(" * 5000, b"-" * 100_000 + b"1"]


@pytest.mark.parametrize("source", HOSTILE)
def test_hostile_bytes_never_raise(source: bytes):
    measure("shop", "shop/till.py", "shop.till", source)


def test_a_page_counts_what_the_file_holds():
    page = measure("shop", "a.py", "shop.a", b"import x\nclass A:\n    async def f(self): x.y()\ndef g(): pass\n")
    counts = (page.lines, page.class_count, page.function_count, page.async_count, page.call_count)
    assert counts == (5, 1, 2, 1, 1)


def test_a_missing_page_costs_findings_and_makes_none_up():
    web = measure("shop", "shop/web.py", "shop.web", b"from .till import pay\nasync def handler():\n    pay()\n")
    assert review("shop", [web]) == []


def test_the_order_of_the_pages_does_not_matter():
    caller = "from .a import f\ndef g():\n    f()\n"
    sources = {"__init__": "", "a": "import time\nasync def f(): time.sleep(1)\n", "b": caller}
    modules = {name: "shop" if name == "__init__" else f"shop.{name}" for name in sources}
    pages = [measure("shop", f"shop/{name}.py", modules[name], source.encode()) for name, source in sources.items()]
    assert review("shop", pages) == review("shop", pages[::-1])
    assert len(review("shop", pages)) == 2
