"""A workflow as a node of a LangGraph graph; the workflow itself uses another graph as a tool."""

import asyncio
from pathlib import Path
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from planloom import Engine, as_node

HERE = Path(__file__).parent


class State(TypedDict, total=False):
    question: str
    brief: str
    answer: str


def answer(state: State) -> State:
    return {"answer": f"What is known: {state['brief']}."}


async def main() -> State:
    async with Engine(journal=":memory:") as engine:
        builder = StateGraph(State)
        node = as_node(engine, HERE / "workflow.yaml", inputs={"topic": "question"}, output="brief")
        builder.add_node("research", node)
        builder.add_node("reply", answer)
        builder.add_edge(START, "research")
        builder.add_edge("research", "reply")
        builder.add_edge("reply", END)
        graph = builder.compile()
        state = await graph.ainvoke({"question": "Bern"})
        print(state["answer"])  # What is known: Bern is old; Bern is large.
        return state


if __name__ == "__main__":
    asyncio.run(main())
