"""`planloom lint`: prompts, looked at without running anything."""

from pathlib import Path


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
