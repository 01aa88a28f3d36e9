"""`planloom lint`: prompts, looked at without running anything."""

from pathlib import Path

from planloom.configs.policy import policy_text
from planloom.quality.policy import Group, Policy
from planloom.quality.signal import Signal

SIGNAL = Signal(auc=0.8, low=0.7, high=0.9, right=20, wrong=20)


def test_lint_names_file_line_and_field(cli, tmp_path: Path) -> None:
    head = 'version: 1\nname: w\nmodels: {m: {model: "openai:x"}}\n'
    (tmp_path / "w.yaml").write_text(f"{head}nodes:\n  a: {{goal: Think step by step}}\n")
    (tmp_path / "good.yaml").write_text(f"{head}nodes:\n  a: {{goal: Add the figures}}\n")
    ran = cli("lint", "w.yaml", "good.yaml")
    assert ran.code == 1
    assert ran.err.startswith("w.yaml:5:")
    assert "nodes.a.goal: step_by_step" in ran.err
    assert ran.out == "good.yaml: ok\n"
    assert cli("lint", "good.yaml").code == 0
    assert cli("lint", "none.yaml").code == 2


def test_lint_validate_and_explain_warn_of_a_policy_that_was_fitted_for_another_model(cli, tmp_path: Path) -> None:
    policy = Policy(created="2026-01-01", groups=(Group(model="older", threshold=0.5, signal=SIGNAL),))
    (tmp_path / "policy.yaml").write_text(policy_text(policy))
    models = '{m: {model: "openai:x"}, n: {model: "openai:y"}}'
    (tmp_path / "w.yaml").write_text(
        f"version: 1\nname: w\nmodels: {models}\nroute: {{policy: policy.yaml}}\nnodes: {{a: {{goal: Add}}}}\n"
    )
    told = "the policy is set aside on 'm': it was fitted for older, and this is x"
    linted, checked, explained = (cli(command, "w.yaml") for command in ("lint", "validate", "explain"))
    assert (linted.code, checked.code, explained.code) == (1, 0, 0)
    assert all(told in " ".join(text.split()) for text in (linted.err, checked.err, explained.out))
    assert linted.err.startswith("w.yaml:4:")
