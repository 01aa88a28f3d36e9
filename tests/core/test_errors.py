"""Of the errors of many tasks, the one that people are shown."""

from planloom.core.errors import RunError, to_be_shown


def test_errors_that_say_the_same_are_shown_as_one() -> None:
    full = RunError("the disk is full")
    group = ExceptionGroup("tasks", [full, ExceptionGroup("more", [RunError("the disk is full"), full])])
    assert to_be_shown(group) is full


def test_errors_that_differ_stay_a_group_of_all() -> None:
    group = ExceptionGroup("tasks", [RunError("the disk is full"), ValueError("the disk is full")])
    assert to_be_shown(group) is group


def test_what_is_no_error_of_the_run_is_shown_as_its_end() -> None:
    assert "torn down" in str(to_be_shown(BaseExceptionGroup("tasks", [KeyboardInterrupt()])))
