"""The judge: another model reads a result against a rubric. The last resort among the checks."""

from planloom.agents.prompting import block, clip, prompt, section
from planloom.core.json import Json, closed
from planloom.core.outcome import Evidence
from planloom.models.base import ChatModel, Message, Request
from planloom.models.text import extract_json

_RESULT_CHARS = 100_000
_VERDICT = closed({"pass": {"type": "boolean"}, "reason": {"type": "string"}})


async def judge(rubric: str, goal: str, output: Json, model: ChatModel, *, node_id: str, attempt: int) -> Evidence:
    """Return the verdict as evidence; a reply that cannot be read is a failed check.

    Raises:
        ModelError: The model gave no usable reply.
        BudgetExceeded: The call does not fit the budget.
    """
    result = block(clip(output, _RESULT_CHARS))
    text = section("Goal of the work", goal) + section("Rubric", rubric) + section("Result", result)
    reply = await model(
        Request(
            messages=(Message(role="system", text=prompt("judge")), Message(role="user", text=text.strip())),
            role="judge",
            node_id=node_id,
            attempt=attempt,
            schema=_VERDICT,
            schema_name="verdict",
        )
    )
    try:
        verdict = extract_json(reply.text)
    except ValueError:
        verdict = None
    if not isinstance(verdict, dict) or not isinstance(verdict.get("pass"), bool):
        return Evidence(check="judge", passed=False, expected="a verdict", found=reply.text[:300])
    reason = str(verdict.get("reason", ""))
    return Evidence(check="judge", passed=verdict["pass"] is True, expected=rubric[:300], found=reason[:500])
