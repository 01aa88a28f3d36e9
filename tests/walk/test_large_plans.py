"""Plans far larger than a planner writes."""

from support import MakeWorkflow

from planloom.engine import Engine


async def test_a_chain_of_a_thousand_tool_nodes_runs_to_its_end(make_workflow: MakeWorkflow) -> None:
    def step(x: int) -> int:
        """Count on."""
        return x + 1

    chain = [f'  n{i}: {{tool: step, with: {{x: "${{nodes.n{i - 1}.output}}"}}}}' for i in range(1, 1000)]
    nodes = "\n".join(["nodes:", "  n0: {tool: step, with: {x: 0}}", *chain, 'output: "${nodes.n999.output}"\n'])
    async with Engine(journal=":memory:", tools={"step": step}) as engine:
        result = await engine.run(make_workflow(nodes, models=""))
    assert (result.status, result.output) == ("done", 1000), result.error
