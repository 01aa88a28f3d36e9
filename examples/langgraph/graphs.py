"""A LangGraph graph that a workflow uses as a tool."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class Search(TypedDict, total=False):
    topic: str
    notes: list[str]


def look(state: Search) -> Search:
    return {"notes": [f"{state['topic']} is old", f"{state['topic']} is large"]}


builder = StateGraph(Search)
builder.add_node("look", look)
builder.add_edge(START, "look")
builder.add_edge("look", END)
research = builder.compile()
