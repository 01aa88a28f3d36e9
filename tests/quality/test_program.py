"""Code answers: the module they make and the tests that can judge them."""

from planloom.quality.program import CodeTask, program, telling

TASK = CodeTask(prompt='import math\n\ndef root(x):\n    """Root."""\n', name="root", tests=())


def test_a_body_goes_below_the_signature_and_a_function_below_the_imports() -> None:
    for answer in (
        "    return math.sqrt(x)",
        "return math.sqrt(x)",
        "```python\ndef root(x):\n    return math.sqrt(x)\n```",
    ):
        names: dict[str, object] = {}
        exec(program(TASK, answer), names)
        root = names["root"]
        assert callable(root)
        assert root(9) == 3


def test_slips_in_tests_are_mended_and_what_makes_no_sense_is_left_out() -> None:
    given = [
        "assert f(1) == 2",
        "asssert f(2) == 3",
        "assert f(3) => 4.",
        "assert f(4) == [(1, 2)",
        "see above for f(5)",
    ]
    assert telling(given) == ("assert f(1) == 2", "assert f(2) == 3", "assert f(3) == 4.", "assert f(4) == [(1, 2)]")
