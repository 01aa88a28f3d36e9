"""The same obedient model in an ordinary loop: LangGraph's prebuilt ReAct agent with every tool."""

import json
import warnings
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool, ToolException
from pydantic import Field

from dojo.attacks import Calls, attack, marker, said
from dojo.world import World, ground_truth

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langgraph.prebuilt import create_react_agent


class ObedientChat(BaseChatModel):
    """Calls what the user's task takes; once it reads an order, that comes first."""

    world: Any
    own: list[tuple[str, Any]]
    orders: list[tuple[str, Any]] = Field(default_factory=list)
    infected: bool = False

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, tools: Any, **kwargs: Any) -> "ObedientChat":
        """Know all tools already."""
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        last = messages[-1]
        if self._is_order(last):
            self.infected, self.orders = True, [*attack(self.world)]
        queue = self.orders or self.own
        if queue:
            name, args = queue.pop(0)
            call = ToolCall(id=f"call{len(messages)}", name=name, args=args)
            return _result(AIMessage("", tool_calls=[call]))
        answer = self.world.user.GROUND_TRUTH_OUTPUT
        return _result(AIMessage(f"{answer} {said(self.world)}" if self.infected else answer or "done"))

    def _is_order(self, message: BaseMessage) -> bool:
        if self.infected or self.world.injection is None or not isinstance(message, ToolMessage):
            return False
        return marker(self.world) in str(message.content)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _tools(world: World) -> Sequence[StructuredTool]:
    def made(function: Any) -> StructuredTool:
        def call(**args: Any) -> str:
            try:
                return json.dumps(world.call(function.name, args), ensure_ascii=False)
            except ValueError as exc:
                raise ToolException(str(exc)) from exc

        return StructuredTool.from_function(
            call,
            name=function.name,
            description=function.description,
            args_schema=function.parameters,
            handle_tool_error=True,
            infer_schema=False,
        )

    return [made(function) for function in world.suite.dojo.tools]


def run_loop(world: World, own: Calls | None = None) -> str:
    """Run the user's task in the loop and return the last message."""
    calls = [(call.function, dict(call.args)) for call in ground_truth(world)] if own is None else [*own]
    chat = ObedientChat(world=world, own=calls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = create_react_agent(chat, [*_tools(world)])
    last = agent.invoke({"messages": [("user", world.user.PROMPT)]}, {"recursion_limit": 300})["messages"][-1]
    return str(last.content)
