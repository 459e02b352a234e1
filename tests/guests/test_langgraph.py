"""A tool in the hands of LangGraph, by way of langchain-core and ``ToolNode``; a chat model of ours plays the model."""

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import pytest

pytest.importorskip("langgraph")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools import tool as their_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime, tools_condition

from linecook import install, tool
from linecook.errors import TimedOutError

from . import kitchen
from .kitchen import broken, greet, hang, look_up, simmer, visit
from .promises import Call, OnTheDefaultPool, Told


class Asking(BaseChatModel):
    """A model that asks for *calls* in its first turn and is content with what it hears."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "asking"

    def _generate(self, messages: list[BaseMessage], *rest: Any, **more: Any) -> ChatResult:
        heard = any(isinstance(message, ToolMessage) for message in messages)
        said = AIMessage("done") if heard else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=said)])

    async def _agenerate(self, *rest: Any, **more: Any) -> ChatResult:
        return self._generate(*rest, **more)


def graph_of(node: ToolNode, calls: Sequence[Call], *, is_async: bool = True) -> Any:
    """A graph of model and tools, round and round until the model asks for no more."""
    asked = [{"name": name, "args": arguments, "id": f"{n}"} for n, (name, arguments) in enumerate(calls)]
    model = Asking(calls=asked)

    async def think(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def think_here(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [model.invoke(state["messages"])]}

    async def route(state: MessagesState) -> str:  # theirs is plain, and would go to the loop's default pool
        return tools_condition(state)

    graph = StateGraph(MessagesState)
    graph.add_node("model", think if is_async else think_here)
    graph.add_node("tools", node)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", route if is_async else tools_condition, {"tools": "tools", END: END})
    graph.add_edge("tools", "model")
    return graph.compile()


def heard(state: Any, count: int) -> list[ToolMessage]:
    """What the model heard of its *count* calls, in their order."""
    told = {message.tool_call_id: message for message in state["messages"] if isinstance(message, ToolMessage)}
    return [told[f"{n}"] for n in range(count)]


GO = {"messages": [("user", "go")]}


class TestLangGraph(OnTheDefaultPool):
    async def turn(self, tools: Sequence[Any], calls: Sequence[Call]) -> list[Told]:
        graph = graph_of(ToolNode(tools, handle_tool_errors=True), calls)
        messages = heard(await graph.ainvoke(GO), len(calls))
        return [Told(str(message.content), failed=message.status == "error") for message in messages]

    def shown(self, tool: Any) -> dict[str, Any]:
        shown: dict[str, Any] = convert_to_openai_tool(their_tool(tool))["function"]
        return shown


def test_docstrings_describe_the_parameters_where_that_is_asked_for() -> None:
    parameters = convert_to_openai_tool(their_tool(look_up, parse_docstring=True))["function"]["parameters"]
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["days"] == {
        "default": 3, "description": "How many days ahead.", "type": "integer",
    }  # fmt: skip


@pytest.mark.parametrize("failing", [broken, hang], ids=["error", "time-out"])
async def test_an_error_ends_the_graph_as_that_of_a_plain_tool_does(failing: Any) -> None:
    calls = [(failing.__name__, {"city": "Lyon"}), ("greet", {"name": "Ana"})]
    with pytest.raises((LookupError, TimedOutError), match="Lyon"):
        await graph_of(ToolNode([failing, greet]), calls).ainvoke(GO)


async def test_an_error_that_ends_the_graph_leaves_the_other_calls_running() -> None:
    """ToolNode's own gather does; should this fail, LangGraph has got better, and the page must say so."""
    kitchen.STILL.clear()
    calls = [("simmer", {"dish": "soup"}), ("broken", {"city": "Lyon"})]
    with pytest.raises(LookupError, match="Lyon"):
        await graph_of(ToolNode([simmer, broken]), calls).ainvoke(GO)
    await asyncio.sleep(0.05)
    assert kitchen.STILL == ["soup begun"]
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.wait(left)
    assert kitchen.STILL == ["soup begun", "soup off the fire"]


async def test_only_our_errors_may_be_told() -> None:
    def late(error: TimedOutError) -> str:
        return f"too late: {error}"

    node = ToolNode([hang], handle_tool_errors=late)
    (message,) = heard(await graph_of(node, [("hang", {"city": "Lyon"})]).ainvoke(GO), 1)
    assert str(message.content).startswith("too late: hang(")


async def test_a_tool_alone_is_invoked_as_theirs_are() -> None:
    assert await their_tool(look_up).ainvoke({"city": "Lyon"}) == "Lyon: 3 days in C"
    asked = {"name": "look_up", "args": {"city": "Lyon"}, "id": "1", "type": "tool_call"}
    message = await their_tool(look_up).ainvoke(asked)
    assert (message.content, message.tool_call_id) == ("Lyon: 3 days in C", "1")


def in_a_loop(made: Any) -> BaseTool:
    """A tool that ``invoke`` can call too: on a loop of its own, with its time-out."""
    theirs = their_tool(made)
    assert isinstance(theirs, StructuredTool)
    theirs.func = lambda **arguments: asyncio.run(made(**arguments))
    return theirs


def test_invoke_without_a_loop_is_refused_until_it_is_given_one() -> None:
    with pytest.raises(NotImplementedError, match="sync invocation"):
        their_tool(look_up).invoke({"city": "Lyon"})
    assert in_a_loop(look_up).invoke({"city": "Lyon", "unit": "F"}) == "Lyon: 3 days in F"


def test_a_graph_that_is_invoked_without_a_loop_keeps_the_time_out() -> None:
    calls = [("visit", {"number": number}) for number in (6, 7, 8)]
    node = ToolNode([in_a_loop(visit)], handle_tool_errors=True)
    messages = heard(graph_of(node, calls, is_async=False).invoke(GO), 3)
    assert [message.status for message in messages] == ["success", "error", "success"]
    assert "did not end within timeout=2 s" in str(messages[1].content)


@tool(timeout=5)
def sign(text: str, runtime: ToolRuntime) -> str:
    """Sign a letter."""
    return f"{text}, call {runtime.tool_call_id} after {len(runtime.state['messages'])} messages"


@tool(timeout=5)
async def sign_later(text: str, state: "Annotated[dict[str, Any], InjectedState]", config: RunnableConfig) -> str:
    """Sign a letter on the loop."""
    return f"{text}, {len(state['messages'])} messages, {config['configurable']['who']}"


class Desk:
    @tool
    def stamp(self, text: str, runtime: ToolRuntime) -> str:
        """Stamp a letter."""
        return f"[{text}] {runtime.tool_call_id}"


async def test_state_runtime_and_config_come_to_those_who_annotate_them() -> None:
    node = ToolNode([sign, sign_later, Desk().stamp])
    calls = [(name, {"text": "Dear"}) for name in ("sign", "sign_later", "stamp")]
    state = await graph_of(node, calls).ainvoke(GO, {"configurable": {"who": "Ana"}})
    assert [message.content for message in heard(state, 3)] == [
        "Dear, call 0 after 2 messages", "Dear, 2 messages, Ana", "[Dear] 2",
    ]  # fmt: skip
    for made in (sign, sign_later, Desk().stamp):
        assert list(convert_to_openai_tool(their_tool(made))["function"]["parameters"]["properties"]) == ["text"]


@tool(lane="process", timeout=30)
def far(text: str, runtime: ToolRuntime) -> str:
    """Sign a letter, far away."""
    return text


async def test_their_context_does_not_travel_to_a_process_and_the_error_says_so() -> None:
    (told,) = await TestLangGraph().turn([far], [("far", {"text": "Dear"})])
    assert told.failed
    assert "argument 'runtime' of far(...) can't be sent to a process" in told.text


async def test_the_decorator_stands_above_ours() -> None:
    @their_tool
    @tool(timeout=5)
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    assert await add.ainvoke({"a": 1}) == 2


async def test_a_tool_may_be_a_node() -> None:
    @tool(timeout=5)
    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"heard {len(state['messages'])}")]}

    graph = StateGraph(MessagesState)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    said = await graph.compile().ainvoke(GO)
    assert said["messages"][-1].content == "heard 1"


async def test_install_has_plain_nodes_and_edges_run_in_the_thread_lane() -> None:
    ran: list[str] = []

    def plain_node(state: MessagesState) -> dict[str, Any]:
        ran.append(threading.current_thread().name)
        return {}

    def plain_edge(state: MessagesState) -> str:
        ran.append(threading.current_thread().name)
        return END

    graph = StateGraph(MessagesState)
    graph.add_node("node", plain_node)
    graph.add_edge(START, "node")
    graph.add_conditional_edges("node", plain_edge)
    with install():
        await graph.compile().ainvoke(GO)
    assert len(ran) == 2
    assert all("linecook" in name for name in ran)


async def test_what_is_no_string_arrives_as_json() -> None:
    @tool
    def menu() -> dict[str, Any]:
        """Show the menu."""
        return {"soup": 3, "of": ["leek", "carrot"]}

    (message,) = heard(await graph_of(ToolNode([menu]), [("menu", {})]).ainvoke(GO), 1)
    assert json.loads(str(message.content)) == {"soup": 3, "of": ["leek", "carrot"]}


async def test_twenty_graphs_at_once_share_the_lanes() -> None:
    graph = graph_of(ToolNode([visit, greet]), [("visit", {"number": 1}), ("greet", {"name": "Ana"})])
    states = await asyncio.gather(*(graph.ainvoke(GO) for _ in range(20)))
    assert [[message.content for message in heard(state, 2)] for state in states] == 20 * [["shop 1", "hello Ana"]]
