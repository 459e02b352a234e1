"""A tool in the hands of the OpenAI Agents SDK; its ``ScriptedModel`` plays the model."""

import asyncio
import copy
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("agents")

from agents import Agent, FunctionTool, RunConfig, RunContextWrapper, Runner, function_tool
from agents.exceptions import UserError
from agents.items import ToolCallOutputItem
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tool_context import ToolContext

from linecook import tool
from linecook.errors import TimedOutError

from . import kitchen
from .kitchen import broken, greet, hang, look_up, simmer, visit
from .promises import Call, OnTheDefaultPool, Told

QUIET = RunConfig(tracing_disabled=True)  # traces go to a server of theirs


def asking_for(calls: Sequence[Call]) -> ScriptedModel:
    """A model that asks for *calls* in its first turn and is content with what it hears."""
    asked = [function_call(name, arguments, call_id=f"{n}") for n, (name, arguments) in enumerate(calls)]
    return ScriptedModel([asked, [assistant_message("done")]])


def in_its_words(context: RunContextWrapper[Any], error: Exception) -> str:
    """Tell the model what happened; their default tells it nothing."""
    return f"error: {error}"


async def outputs(agent: Agent[Any], context: Any = None) -> list[Any]:
    """What *agent*'s model hears of the calls it asked for, in their order."""
    result = await Runner.run(agent, "go", context=context, run_config=QUIET)
    items = [item for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    return [item.output for item in sorted(items, key=lambda item: int(item.raw_item["call_id"]))]  # type: ignore[index]


class TestOpenAIAgents(OnTheDefaultPool):
    async def turn(self, tools: Sequence[Any], calls: Sequence[Call]) -> list[Told]:
        handed = [function_tool(tool, failure_error_function=in_its_words) for tool in tools]
        heard = await outputs(Agent("cook", tools=list(handed), model=asking_for(calls)))
        return [Told(str(text), failed=str(text).startswith("error: ")) for text in heard]

    def shown(self, tool: Any) -> dict[str, Any]:
        made = function_tool(tool)
        return {"name": made.name, "description": made.description, "parameters": made.params_json_schema}


def test_docstrings_describe_the_parameters_and_a_lax_schema_keeps_defaults_optional() -> None:
    strict, lax = function_tool(look_up), function_tool(look_up, strict_mode=False)
    assert strict.params_json_schema["properties"]["days"]["description"] == "How many days ahead."
    assert strict.params_json_schema["required"] == ["city", "days", "unit"]  # theirs: strict asks for all
    assert lax.params_json_schema["required"] == ["city"]


async def test_by_default_the_model_hears_only_that_an_error_occurred() -> None:
    calls = [("broken", {"city": "Lyon"}), ("hang", {"city": "Lyon"}), ("greet", {"name": "Ana"})]
    heard = await outputs(
        Agent("cook", tools=[function_tool(t) for t in (broken, hang, greet)], model=asking_for(calls))
    )
    assert heard[0] == heard[1] == "An error occurred while running the tool. Please try again."
    assert heard[2] == "hello Ana"


@pytest.mark.parametrize("failing", [broken, hang], ids=["error", "time-out"])
async def test_without_an_error_function_the_run_ends_with_the_error_itself(failing: Any) -> None:
    calls = [(failing.__name__, {"city": "Lyon"})]
    handed = function_tool(failing, failure_error_function=None)
    with pytest.raises((LookupError, TimedOutError, UserError), match="Lyon"):
        await outputs(Agent("cook", tools=[handed], model=asking_for(calls)))


async def test_an_error_that_ends_the_run_cancels_the_other_calls() -> None:
    kitchen.STILL.clear()
    calls = [("simmer", {"dish": "soup"}), ("broken", {"city": "Lyon"})]
    handed = [function_tool(simmer), function_tool(broken, failure_error_function=None)]
    with pytest.raises(UserError, match="Lyon"):
        await outputs(Agent("cook", tools=list(handed), model=asking_for(calls)))
    assert kitchen.STILL == ["soup begun", "soup off the fire"]


async def test_a_plain_def_under_tool_may_have_their_time_out_too() -> None:
    # Of a plain function of yours they refuse one: there is no way for them to end a thread's work.
    with pytest.raises(ValueError, match="async"):
        function_tool(hang.body, timeout=0.2)
    slow = function_tool(hang.options(timeout=None), timeout=0.2)
    async with asyncio.timeout(10):
        (heard,) = await outputs(Agent("cook", tools=[slow], model=asking_for([("hang", {"city": "Lyon"})])))
    assert heard == "Tool 'hang' timed out after 0.2 seconds."


def test_run_sync_runs_tools_in_the_loop_it_makes() -> None:
    agent = Agent("cook", tools=[function_tool(look_up)], model=asking_for([("look_up", {"city": "Lyon"})]))
    result = Runner.run_sync(agent, "go", run_config=QUIET)
    assert result.final_output == "done"
    assert "Lyon: 3 days in C" in [getattr(item, "output", None) for item in result.new_items]


@tool(timeout=5)
def sign(context: RunContextWrapper[str], text: str) -> str:
    """Sign a letter."""
    return f"{text}, {context.context}"


@tool(timeout=5)
async def sign_later(context: "ToolContext[str]", text: str) -> str:
    """Sign a letter on the loop."""
    return f"{text}, {context.context}, call {context.tool_call_id}"


class Desk:
    @tool
    def stamp(self, context: RunContextWrapper[str], text: str) -> str:
        """Stamp a letter."""
        return f"[{text}] for {context.context}"


async def test_the_run_context_comes_to_those_who_annotate_it() -> None:
    calls = [(name, {"text": "Dear"}) for name in ("sign", "sign_later", "stamp")]
    handed = [function_tool(made) for made in (sign, sign_later, Desk().stamp)]
    heard = await outputs(Agent("cook", tools=list(handed), model=asking_for(calls)), context="Ana")
    assert heard == ["Dear, Ana", "Dear, Ana, call 1", "[Dear] for Ana"]
    assert list(handed[0].params_json_schema["properties"]) == ["text"]


@tool(lane="process", timeout=30)
def far(context: RunContextWrapper[str], text: str) -> str:
    """Sign a letter, far away."""
    return text


async def test_their_context_does_not_travel_to_a_process_and_the_error_says_so() -> None:
    (told,) = await TestOpenAIAgents().turn([far], [("far", {"text": "Dear"})])
    assert told.failed
    assert "argument 'context' of far(...) can't be sent to a process" in told.text


async def test_the_decorator_stands_above_ours() -> None:
    @function_tool
    @tool(timeout=5)
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    assert isinstance(add, FunctionTool)
    assert await outputs(Agent("cook", tools=[add], model=asking_for([("add", {"a": 1, "b": 2})]))) == [3]


async def test_copies_of_a_function_tool_call_the_same_tool() -> None:
    handed = copy.copy(function_tool(look_up))
    agent = Agent("cook", tools=[handed], model=asking_for([("look_up", {"city": "Lyon"})]))
    assert await outputs(agent.clone(name="other")) == ["Lyon: 3 days in C"]


async def test_a_streamed_run_calls_tools_too() -> None:
    agent = Agent("cook", tools=[function_tool(look_up)], model=asking_for([("look_up", {"city": "Lyon"})]))
    result = Runner.run_streamed(agent, "go", run_config=QUIET)
    seen = [event.item async for event in result.stream_events() if event.type == "run_item_stream_event"]
    assert [item.output for item in seen if isinstance(item, ToolCallOutputItem)] == ["Lyon: 3 days in C"]


async def test_twenty_runs_at_once_share_the_lanes() -> None:
    calls = [("visit", {"number": 1}), ("greet", {"name": "Ana"})]
    handed = [function_tool(visit), function_tool(greet)]
    agents = [Agent("cook", tools=list(handed), model=asking_for(calls)) for _ in range(20)]
    assert await asyncio.gather(*map(outputs, agents)) == 20 * [["shop 1", "hello Ana"]]
