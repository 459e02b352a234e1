"""The marker and the fixture: a test under every schedule, in a pytest of its own."""

import re

import pytest

pytest_plugins = ["pytester"]

RACE = """
import asyncio
import pytest

@pytest.mark.explore
async def test_the_counter():
    total = {"n": 0}

    async def agent():
        before = total["n"]
        await asyncio.sleep(0)
        total["n"] = before + 1

    await asyncio.gather(agent(), agent())
    assert total["n"] == 2
"""


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest('pytest_plugins = ["linecook.testing.pytest_plugin"]')
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    return pytester


def run(inner: pytest.Pytester, *options: str) -> pytest.RunResult:
    return inner.runpytest_subprocess("-q", "-p", "no:cacheprovider", *options)


@pytest.mark.slow
def test_a_marked_test_fails_with_the_report(inner: pytest.Pytester) -> None:
    inner.makepyfile(RACE)
    result = run(inner)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ExplorationFailed*"])


@pytest.mark.slow
def test_marked_tests_take_parameters_and_fixtures_and_stand_beside_others(inner: pytest.Pytester) -> None:
    inner.makepyfile("""
import asyncio
import pytest

@pytest.fixture
def three():
    return 3

@pytest.mark.explore(overtakings=1)
@pytest.mark.parametrize("tasks", [1, 2])
async def test_a_lock_keeps_the_count(tasks, three):
    lock, total = asyncio.Lock(), {"n": three}

    async def agent():
        async with lock:
            before = total["n"]
            await asyncio.sleep(0)
            total["n"] = before + 1

    await asyncio.gather(*(agent() for _ in range(tasks)))
    assert total["n"] == three + tasks

@pytest.mark.explore
class TestInAClass:
    async def test_as_a_method(self):
        await asyncio.sleep(3600)

    def test_that_is_no_coroutine(self):
        pass

async def test_as_ever():
    await asyncio.sleep(0)

def test_with_the_fixture(explore):
    async def main():
        await asyncio.sleep(3600)

    assert explore(main).failure is None
""")
    run(inner).assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_token_runs_one_schedule(inner: pytest.Pytester) -> None:
    inner.makepyfile(RACE)
    told = run(inner).stdout.str()
    found = re.search(r'token="([^"]+)"', told)
    assert found is not None
    result = run(inner, "--explore-token", found[1])
    result.assert_outcomes(failed=1)
