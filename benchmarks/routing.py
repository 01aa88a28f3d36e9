"""What the router's checks on text are worth on recorded answers of real models.

python -P benchmarks/routing.py --data FILE [--model NAME] [--second FILE --second-model NAME]
                                [--calibrate-on FILE] [--halves TIMES] [--json]

Rows are JSON lines (also gzipped) with the columns of `planloom.state.recordings`; those without `strong_correct` are
left out. Rules:

- untrained: the checks with the strengths they come with; nothing is fitted.
- calibrated: weights fitted on --calibrate-on; without it on the same file by 5-fold cross-validation over questions,
  repeated with 5 splits, as mean and standard deviation. --halves fits on one half of the questions and measures on
  the other, both ways, so many times: how far another sample of questions may lie from the mean.
- two_answers: a second cheap answer to each question; agreement and checks decide, nothing is fitted.
- visible_tests: for code; an answer goes up when a test that its writer could see fails, or when there is none.

APGR, CPT50 and CPT80 are those of RouteLLM (arXiv 2406.18665): PGR = (accuracy - weak) / (strong - weak), where
`weak` is the first cheap model alone; random routing has .500 / 50 / 80. The cost counts every cheap answer, also of
what goes up: USD per million tokens (--weak-price, --strong-price), a token taken as 4 characters of question and
answer.
"""

import argparse
import asyncio
import json
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json
from planloom.quality.calibrate import calibrate
from planloom.quality.curve import Case, Curve, draw_curve
from planloom.quality.program import program, telling
from planloom.quality.recorded import Recorded
from planloom.quality.ruling import Ruled, by_checks, by_consensus, by_policy
from planloom.quality.signal import Signal
from planloom.quality.signal import measure as separation
from planloom.state.recordings import read_recordings
from planloom.tools.sandbox import Sandbox

SPLITS = 5
UNTRAINED_THRESHOLD = 0.0
"""Log-odds: an answer goes up when the checks make it more likely wrong than right."""
TWO_THRESHOLD = math.log(2)
"""Log-odds: an answer is kept when two to one speaks for it."""


class Costs:
    """USD, from lengths of texts."""

    def __init__(self, weak_price: float, strong_price: float) -> None:
        self._weak, self._strong = weak_price / 4e6, strong_price / 4e6

    def cheap(self, each: Recorded) -> float:
        """Return what a cheap answer cost."""
        return (len(each.question) + len(each.answer)) * self._weak

    def strong(self, each: Recorded) -> float:
        """Return what the strong answer cost; where it is not recorded, one as long as the cheap one."""
        return (len(each.question) + len(each.strong_answer or each.answer)) * self._strong

    def share(self, ruled: Sequence[Ruled], sent: Sequence[bool]) -> float:
        """Return the cost as a share of always asking the strong model."""
        cheap = sum(self.cheap(answer) for each in ruled for answer in each.cheap)
        up = sum(self.strong(each.cheap[0]) for each, goes in zip(ruled, sent, strict=True) if goes)
        always = sum(self.strong(each.cheap[0]) for each in ruled)
        return (cheap + up) / always if always else math.nan


def described(curve: Curve) -> dict[str, Json]:
    """Return the figures of a curve."""
    cpt50, cpt80 = curve.cpt(0.5), curve.cpt(0.8)
    return {"apgr": curve.apgr, "cpt50": cpt50, "cpt80": cpt80}


def report(ruled: Sequence[Ruled], weak: float, costs: Costs) -> dict[str, Json]:
    """Return the figures of a rule: its curve, its own operating point and its most accurate one."""
    curve = draw_curve([each.case for each in ruled], weak=weak)
    urgencies = sorted((each.case.urgency for each in ruled), reverse=True)
    best = min(urgencies[: round(curve.best.share * len(ruled))], default=math.inf)
    return {
        **described(curve),
        "kept_accuracy": sum(each.case.kept for each in ruled) / len(ruled),
        "operating_point": operating(ruled, [each.goes_up for each in ruled], curve, costs),
        "most_accurate": operating(ruled, [each.case.urgency >= best for each in ruled], curve, costs),
    }


def operating(ruled: Sequence[Ruled], sent: Sequence[bool], curve: Curve, costs: Costs) -> dict[str, Json]:
    """Return share of strong calls, accuracy, PGR and cost when these questions go up."""
    right = sum(each.case.strong if goes else each.case.kept for each, goes in zip(ruled, sent, strict=True))
    accuracy = right / len(ruled)
    gap = curve.strong - curve.weak
    return {
        "strong_calls": sum(sent) / len(ruled),
        "accuracy": accuracy,
        "pgr": (accuracy - curve.weak) / gap if gap else 0.0,
        "above_always_strong": accuracy - curve.strong,
        "cost_share": costs.share(ruled, sent),
    }


def calibrated(
    rows: Sequence[Recorded], learn: Sequence[Recorded] | None, weak: float, costs: Costs
) -> dict[str, Json]:
    """Return the figures of calibrated weights, and on what they were fitted."""
    if learn is not None:
        group = calibrate(learn).group
        found = report(by_policy(rows, group), weak, costs) if group.signal and group.signal.found else {}
        return {"fitted_on": f"{len(learn)} rows of --calibrate-on", **signal(group.signal), **found}
    runs = [calibrate(rows, seed=seed) for seed in range(SPLITS)]
    first = runs[0].group
    out: dict[str, Json] = {
        "fitted_on": f"the same file: {SPLITS} splits of 5-fold cross-validation",
        **signal(first.signal),
    }
    if not first.signal or not first.signal.found:
        return out
    out |= spread([run.curve for run in runs if run.curve is not None])
    ruled = [
        Ruled(
            case=Case(urgency=u, kept=row.right, strong=bool(row.strong_right)),
            goes_up=u >= first.threshold,
            cheap=(row,),
        )
        for u, row in zip(runs[0].urgencies, rows, strict=True)
    ]
    figures = report(ruled, weak, costs)
    return {**out, "operating_point": figures["operating_point"], "most_accurate": figures["most_accurate"]}


def halved(rows: Sequence[Recorded], times: int) -> dict[str, Json]:
    """Return the figures of weights that were fitted on one half of the questions, on the other one."""
    ids = sorted({row.question_id for row in rows})
    curves: list[Curve] = []
    for seed in range(times):
        chosen = set(random.Random(seed).sample(ids, len(ids) // 2))
        halves = [[row for row in rows if (row.question_id in chosen) is side] for side in (True, False)]
        for learn, unseen in (halves, halves[::-1]):
            curves.append(draw_curve([each.case for each in by_policy(unseen, calibrate(learn).group)]))
    return {"fitted_on": f"one half of the questions, {times} times both ways", **spread(curves)}


def spread(curves: Sequence[Curve]) -> dict[str, Json]:
    """Return the figures of several curves as mean and standard deviation."""
    figures = [described(curve) for curve in curves]
    out: dict[str, Json] = {}
    for key in ("apgr", "cpt50", "cpt80"):
        values = [value for each in figures if isinstance(value := each[key], int | float)]
        if len(values) > 1:
            out[key], out[f"{key}_sd"] = statistics.mean(values), statistics.stdev(values)
    return out


def signal(found: Signal | None) -> dict[str, Json]:
    """Return whether a score tells right from wrong on rows that it was not fitted to."""
    if found is None or not found.found:
        return {"signal": "no signal", "auc": found.auc if found else None}
    return {"signal": "yes", "auc": found.auc, "auc_interval": [found.low, found.high]}


def paired(rows: Sequence[Recorded], second: Sequence[Recorded]) -> list[list[Recorded]]:
    """Join a second answer to each question by its id, or by its text where the ids differ; none goes with itself."""
    by_id = {each.question_id: each for each in second}
    by_text = {" ".join(each.question.split()): each for each in second if each.question}
    found = ((row, by_id.get(row.question_id) or by_text.get(" ".join(row.question.split()))) for row in rows)
    return [[row, other] for row, other in found if other is not None and other != row]


async def tested(rows: Sequence[Recorded]) -> list[Ruled]:
    """Run the visible tests of each answer in the sandbox."""
    async with Sandbox() as sandbox:
        return [await _tested(sandbox, row) for row in rows]


async def _tested(sandbox: Sandbox, row: Recorded) -> Ruled:
    task = row.task
    tests = telling(task.tests) if task else ()
    failed = True
    if task and tests:
        code = "\n".join((*tests, "result = True"))
        failed = bool((await sandbox.check(code, {}, loaded=program(task, row.answer), timeout_s=20)).error)
    doubt = 1.0 if failed else 1 / (len(tests) + 2)  # Laplace: one test passed says less than five
    case = Case(urgency=doubt, kept=row.right, strong=bool(row.strong_right))
    return Ruled(case=case, goes_up=failed, cheap=(row,))


def read(path: Path, model: str | None) -> list[Recorded]:
    """Return the rows whose question the strong model was asked too: only they tell the gap."""
    rows = [row for row in read_recordings(path, model=model) if row.strong_right is not None]
    if not rows:
        raise ConfigError(str(path), [Problem("expected true or false in some row", "strong_correct")])
    return rows


def measure(args: argparse.Namespace) -> dict[str, Json]:
    """Return all figures of one file."""
    rows = read(args.data, args.model)
    weak = sum(row.right for row in rows) / len(rows)
    costs = Costs(args.weak_price, args.strong_price)
    rules: dict[str, Json] = {}
    if rows[0].task:
        rules["visible_tests"] = report(asyncio.run(tested(rows)), weak, costs)
    else:
        learn = read(args.calibrate_on, args.model) if args.calibrate_on else None
        fitted = calibrated(rows, learn, weak, costs)
        if any(row.answer for row in rows):
            ruled = by_checks(rows, UNTRAINED_THRESHOLD)
            found = separation([-each.case.urgency for each in ruled], [row.right for row in rows])
            rules["untrained"] = {**signal(found), **report(ruled, weak, costs)}
        else:
            rules["untrained"] = {"signal": "no signal", "why": "no answer texts are recorded"}
        rules["calibrated"] = fitted
        if args.halves:
            rules["halves"] = halved(rows, args.halves)
    if args.second:
        pairs = paired(rows, read_recordings(args.second, model=args.second_model))
        if not pairs:
            wanted = f"expected other answers to questions of {args.data}; another model is named with --second-model"
            raise ConfigError(str(args.second), [Problem(wanted, "question_id")])
        first = sum(pair[0].right for pair in pairs) / len(pairs)
        rules["two_answers"] = {"n": len(pairs), **report(by_consensus(pairs, TWO_THRESHOLD), first, costs)}
    return {
        "data": args.data.name,
        "n": len(rows),
        "weak_model": rows[0].model,
        "strong_model": rows[0].strong_model,
        "weak_accuracy": weak,
        "strong_accuracy": sum(bool(row.strong_right) for row in rows) / len(rows),
        "usd_per_million_tokens": {"weak": args.weak_price, "strong": args.strong_price},
        "rules": rules,
    }


def printed(found: Mapping[str, Json], indent: int = 0) -> None:
    for key, value in found.items():
        if isinstance(value, dict):
            print(f"{'  ' * indent}{key}:")
            printed(value, indent + 1)
        else:
            print(
                f"{'  ' * indent}{key}: {value:.4g}" if isinstance(value, float) else f"{'  ' * indent}{key}: {value}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", help="weak model, where the file holds several; the first one otherwise")
    parser.add_argument("--second", type=Path)
    parser.add_argument("--second-model")
    parser.add_argument("--calibrate-on", type=Path)
    parser.add_argument("--halves", type=int, default=0, metavar="TIMES")
    parser.add_argument("--weak-price", type=float, default=0.24)
    parser.add_argument("--strong-price", type=float, default=24.7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        found = measure(args)
    except ConfigError as exc:
        parser.error(str(exc))
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        printed(found)


if __name__ == "__main__":
    main()
