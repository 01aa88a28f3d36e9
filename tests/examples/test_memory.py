"""The example with memory: run again, it asks less and costs less."""

from played import ROOT, Play, without_pauses

EXAMPLE = ROOT / "examples" / "memory"


async def test_the_second_run_is_cheaper_and_calls_no_tool(play: Play) -> None:
    script = without_pauses(EXAMPLE / "rehearsal.yaml")
    first, second = [await play(EXAMPLE / "workflow.yaml", script) for _ in range(2)]
    assert [(one.result.status, one.result.output) for one in (first, second)] == [("done", 39)] * 2, first.result.error
    assert [len(one.server.requests) for one in (first, second)] == [2, 1]
    assert second.result.cost_usd < first.result.cost_usd
    assert [one.result.nodes["price"].attempts[0].tool_calls for one in (first, second)] == [1, 0]
