"""The policy file: written and read back, and what is wrong with one said by line."""

from pathlib import Path

import pytest

from planloom.configs.policy import policy_text, read_policy
from planloom.core.errors import ConfigError
from planloom.quality.policy import Group, Policy, Weights
from planloom.quality.signal import Signal

GROUP = Group(
    kind="sums",
    model="cheap",
    strong_model="dear",
    samples=40,
    weak_accuracy=0.5,
    strong_accuracy=0.75,
    signal=Signal(auc=0.8, low=0.7, high=0.9, right=20, wrong=20),
    weights=Weights(intercept=1.5, columns={"score": 0.75, "arithmetic": -0.25}),
    strong=Weights(intercept=2.0, columns={"length": -0.5}),
    threshold=0.25,
)


def test_a_policy_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    policy = Policy(created="2026-01-01", groups=(GROUP, Group(model="other")))
    path = tmp_path / "policy.yaml"
    path.write_text(policy_text(policy))
    assert read_policy(path) == policy


def test_a_group_without_signal_says_so(tmp_path: Path) -> None:
    weak = Signal(auc=0.51, low=0.4, high=0.6, right=20, wrong=20)
    text = policy_text(Policy(created="2026-01-01", groups=(Group(signal=weak),)))
    assert "signal: no signal" in text
    assert "auc: 0.51" in text


def test_an_unknown_check_and_an_unknown_key_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(policy_text(Policy(created="x", groups=(GROUP,))).replace("arithmetic", "arithmetics"))
    with pytest.raises(ConfigError, match=r"policy.yaml:\d+:\d+: .*arithmetics: no check or trait of the name"):
        read_policy(path)
    path.write_text("version: 2\ncreated: x\ngroups: []\n")
    with pytest.raises(ConfigError, match="version"):
        read_policy(path)
