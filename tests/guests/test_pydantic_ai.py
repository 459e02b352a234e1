"""A tool in the hands of Pydantic AI; its ``FunctionModel`` plays the model."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent, ModelRetry, RunContext, Tool, ToolFailed
from pydantic_ai.capabilities import Hooks
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from linecook import tool
from linecook.errors import TimedOutError

from . import kitchen
from .kitchen import broken, greet, hang, look_up, simmer, visit
from .promises import Call, Promises, Told


def returned(messages: list[ModelMessage]) -> dict[str, ToolReturnPart]:
    """What the model has been told, by the id of the call."""
    parts = [part for message in messages for part in message.parts]
    return {part.tool_call_id: part for part in parts if isinstance(part, ToolReturnPart)}


def asking_for(calls: Sequence[Call]) -> FunctionModel:
    """A model that asks for *calls* in its first turn and is content with what it hears."""

    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse([TextPart("done")])
        return ModelResponse([ToolCallPart(name, args, tool_call_id=f"{n}") for n, (name, args) in enumerate(calls)])

    return FunctionModel(reply)


async def tell_the_model(ctx: RunContext[Any], /, *, error: Exception, **call: Any) -> Any:
    """Have the model hear of an error; without this it ends the run."""
    raise ToolFailed(str(error)) from error


class TestPydanticAI(Promises):
    async def turn(self, tools: Sequence[Any], calls: Sequence[Call]) -> list[Told]:
        agent = Agent(asking_for(calls), tools=tools, capabilities=[Hooks(tool_execute_error=tell_the_model)])
        told = returned((await agent.run("go")).all_messages())
        answers = [told[f"{n}"] for n in range(len(calls))]
        return [Told(answer.model_response_str(), failed=answer.outcome != "success") for answer in answers]

    def shown(self, tool: Any) -> dict[str, Any]:
        definition = Tool(tool).tool_def
        return {
            "name": definition.name,
            "description": definition.description,
            "parameters": definition.parameters_json_schema,
            "returns": definition.return_schema,
        }


def test_docstrings_describe_the_parameters_and_defaults_are_not_required() -> None:
    parameters = Tool(look_up).tool_def.parameters_json_schema
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["days"] == {
        "default": 3, "description": "How many days ahead.", "type": "integer",
    }  # fmt: skip


@pytest.mark.parametrize("failing", [broken, hang], ids=["error", "time-out"])
async def test_an_error_ends_the_run_as_that_of_a_plain_tool_does(failing: Any) -> None:
    agent = Agent(
        asking_for([(failing.__name__, {"city": "Lyon"}), ("greet", {"name": "Ana"})]), tools=[failing, greet]
    )
    with pytest.raises((LookupError, TimedOutError), match="Lyon"):
        await agent.run("go")


async def test_an_error_that_ends_the_run_cancels_the_other_calls() -> None:
    kitchen.STILL.clear()
    calls = [("simmer", {"dish": "soup"}), ("broken", {"city": "Lyon"})]
    with pytest.raises(LookupError, match="Lyon"):
        await Agent(asking_for(calls), tools=[simmer, broken]).run("go")
    assert kitchen.STILL == ["soup begun", "soup off the fire"]


async def test_their_own_time_out_stands_beside_ours() -> None:
    # Theirs takes ours for its own, since TimedOutError is a TimeoutError: the model hears their figure.
    agent = Agent(asking_for([("hang", {"city": "Lyon"})]), tools=[hang], tool_timeout=20)
    began = time.monotonic()
    told = returned((await agent.run("go")).all_messages())
    assert time.monotonic() - began < 10
    assert "Timed out after 20 seconds." in told["0"].model_response_str()


async def test_their_shorter_time_out_answers_at_once_and_gives_the_thread_up() -> None:
    slow = hang.options(timeout=None)
    agent = Agent(asking_for([("hang", {"city": "Lyon"})]), tools=[slow], tool_timeout=0.2)
    async with asyncio.timeout(10):
        told = returned((await agent.run("go")).all_messages())
    assert "Timed out after 0.2 seconds." in told["0"].model_response_str()


def test_run_sync_runs_tools_in_the_loop_it_makes() -> None:
    agent = Agent(TestModel(call_tools=["look_up"]), tools=[look_up])
    assert "a: 3 days in C" in agent.run_sync("go").output


async def test_a_model_of_theirs_that_calls_every_tool_is_answered() -> None:
    output = (await Agent(TestModel(), tools=[look_up, greet]).run("go")).output
    assert "hello" in output


@tool(timeout=5)
def sign(context: RunContext[str], text: str) -> str:
    """Sign a letter."""
    return f"{text}, {context.deps}"


@tool(timeout=5)
async def sign_later(context: "RunContext[str]", text: str) -> str:
    """Sign a letter on the loop."""
    return f"{text}, {context.deps}, try {context.retry}"


class Desk:
    @tool
    def stamp(self, context: RunContext[str], text: str) -> str:
        """Stamp a letter."""
        return f"[{text}] for {context.deps}"


async def test_the_run_context_comes_to_those_who_annotate_it() -> None:
    asked = [("sign", {"text": "Dear"}), ("sign_later", {"text": "Dear"}), ("stamp", {"text": "Dear"})]
    agent = Agent(asking_for(asked), deps_type=str, tools=[sign, sign_later, Desk().stamp])
    told = returned((await agent.run("go", deps="Ana")).all_messages())
    assert [told[f"{n}"].content for n in range(3)] == ["Dear, Ana", "Dear, Ana, try 0", "[Dear] for Ana"]
    assert list(Tool(sign).tool_def.parameters_json_schema["properties"]) == ["text"]


@tool(lane="process", timeout=30)
def far(context: RunContext[str], text: str) -> str:
    """Sign a letter, far away."""
    return text


async def test_their_context_does_not_travel_to_a_process_and_the_error_says_so() -> None:
    (told,) = await TestPydanticAI().turn([far], [("far", {"text": "Dear"})])
    assert told.failed
    assert "argument 'context' of far(...) can't be sent to a process" in told.text


async def test_the_decorators_take_a_tool() -> None:
    agent = Agent(asking_for([("sign", {"text": "Dear"}), ("look_up", {"city": "Lyon"})]), deps_type=str)
    assert agent.tool(sign) is sign
    assert agent.tool_plain(look_up) is look_up
    told = returned((await agent.run("go", deps="Ana")).all_messages())
    assert [told[f"{n}"].content for n in range(2)] == ["Dear, Ana", "Lyon: 3 days in C"]


@tool(timeout=5)
def pick(number: int) -> int:
    """Pick a number; the first is always wrong."""
    if number == 0:
        raise ModelRetry("one more than that")
    return number


async def test_a_tool_may_speak_their_language() -> None:
    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told = returned(messages)
        if told.get("1"):
            return ModelResponse([TextPart("done")])
        return ModelResponse([ToolCallPart("pick", {"number": len(told)}, tool_call_id=f"{len(told)}")])

    told = returned((await Agent(FunctionModel(reply), tools=[pick]).run("go")).all_messages())
    assert told["0"].outcome == "retried"
    assert "one more than that" in told["0"].model_response_str()
    assert told["1"].content == 1


def test_a_stream_is_no_tool_and_they_warn() -> None:
    with pytest.warns(UserWarning, match="return schema for 'pieces'"):
        Tool(kitchen.pieces)


async def test_twenty_runs_at_once_share_the_lanes() -> None:
    agent = Agent(asking_for([("visit", {"number": 1}), ("greet", {"name": "Ana"})]), tools=[visit, greet])
    runs = await asyncio.gather(*(agent.run("go") for _ in range(20)))
    assert [run.output for run in runs] == 20 * ["done"]
