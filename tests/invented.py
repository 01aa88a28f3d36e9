"""Recorded answers that are invented here: a cheap model that slips in ways the checks can see, mostly."""

import json
import random
from pathlib import Path

from planloom.quality.recorded import Recorded


def invented(count: int, *, seed: int = 1, telling: bool = True, strong: bool = True) -> list[Recorded]:
    """Return answers to sums. `telling` makes a wrong one break an equation; else it is wrong without a trace."""
    draw = random.Random(seed)
    made: list[Recorded] = []
    for number in range(count):
        boxes, each = draw.randint(2, 40), draw.randint(2, 40)
        right = draw.random() < 0.6
        said = boxes * each + (0 if right or not telling else draw.randint(1, 9))
        made.append(
            Recorded(
                question_id=f"q{number}",
                question=f"There are {boxes} boxes of {each} pens each. How many pens are there?",
                answer=f"There are {boxes} * {each} = {said} pens.\n#### {said}",
                right=right,
                strong_right=draw.random() < 0.9 if strong else None,
                model="cheap",
                strong_model="dear",
            )
        )
    return made


def write(path: Path, recorded: list[Recorded]) -> Path:
    """Write a file of recorded answers."""
    rows = [
        {
            "question_id": each.question_id,
            "question": each.question,
            "weak_model": each.model,
            "weak_answer_text": each.answer,
            "weak_correct": each.right,
            "strong_model": each.strong_model,
            "strong_correct": each.strong_right,
        }
        for each in recorded
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
