import asyncio
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from canary import guests

from planloom.configs.spec import PythonSpec, ToolSpec
from planloom.core.errors import ToolError
from planloom.core.json import JsonObject
from planloom.core.plan import ToolName
from planloom.tools.box import MAX_OUTPUT_BYTES, BoxResult
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

Box = Literal["monty", "cpython"]
BOXES: tuple[Box, ...] = ("monty", "cpython")
both = pytest.mark.parametrize("box", BOXES)
pytestmark = pytest.mark.usefixtures("cpython_box")


@both
async def test_the_value_is_the_last_expression(sandbox: Sandbox, box: Box) -> None:
    result = await sandbox.run("x = 2\nx * n", {"n": 21}, box=box)
    assert (result.value, result.error, result.box) == (42, "", box)


@both
async def test_the_variable_result_wins_over_the_last_expression(sandbox: Sandbox, box: Box) -> None:
    result = await sandbox.run("result = [1, 2]\nprint('hello')\n99", {}, box=box)
    assert (result.value, result.stdout) == ([1, 2], "hello\n")


@both
async def test_variables_of_every_json_type_arrive(sandbox: Sandbox, box: Box) -> None:
    given: JsonObject = {"a": None, "b": [1, 2.5, "ü", True], "c": {"d": {"e": []}}}
    assert (await sandbox.run("[a, b, c]", given, box=box)).value == [None, given["b"], given["c"]]


@both
async def test_an_error_has_type_message_and_line(sandbox: Sandbox, box: Box) -> None:
    result = await sandbox.run("def f():\n    raise ValueError('bad')\n\nf()", {}, box=box)
    assert (result.error, result.line) == ("ValueError: bad", 2)


@both
async def test_a_failed_assertion_without_message_shows_what_was_asserted(sandbox: Sandbox, box: Box) -> None:
    result = await sandbox.run("got = 3\nassert got == 4", {}, box=box)
    assert result.error.startswith("AssertionError: assert ")
    assert result.line == 2


async def test_a_syntax_error_has_its_line_and_starts_no_box(sandbox: Sandbox) -> None:
    result = await sandbox.run("x = 1\ndef f(:\n    pass", {})
    assert result.error.startswith("SyntaxError: ")
    assert (result.line, result.box) == (2, "none")


@both
@pytest.mark.parametrize("code", ["{1, 2}", "float('nan')", "2 ** 20000", "len", "{(1, 2): 3}"])
async def test_a_value_that_is_not_json_is_an_error(
    sandbox: Sandbox, box: Box, code: str, failing: Callable[[BoxResult], str]
) -> None:
    failing(await sandbox.run(code, {}, box=box))


@both
async def test_too_large_a_value_is_an_error(sandbox: Sandbox, box: Box, failing: Callable[[BoxResult], str]) -> None:
    error = failing(await sandbox.run(f"'a' * {MAX_OUTPUT_BYTES + 1}", {}, box=box))
    assert error == f"ValueError: the value is larger than {MAX_OUTPUT_BYTES} bytes as JSON"


@both
async def test_runs_keep_nothing_from_each_other(sandbox: Sandbox, box: Box) -> None:
    await sandbox.run("leftover = 1\n0", {}, box=box)
    assert "NameError" in (await sandbox.run("leftover", {}, box=box)).error


@both
async def test_scratch_files_are_there(sandbox: Sandbox, box: Box) -> None:
    result = await sandbox.run("open('a.txt').read()", {}, box=box, files={"a.txt": b"hi"})
    assert result.value == "hi"


async def test_what_is_written_to_scratch_can_be_read_and_is_gone_afterwards(sandbox: Sandbox) -> None:
    code = "import os\nopen('a.txt', 'w').write('x')\n[os.getcwd(), open('a.txt').read()]"
    value = (await sandbox.run(code, {})).value
    assert isinstance(value, list)
    assert value[1] == "x"
    assert not Path(str(value[0])).exists()


async def test_auto_takes_the_box_that_the_code_needs(sandbox: Sandbox) -> None:
    assert (await sandbox.run("1 + 1", {})).box == "monty"
    assert (await sandbox.run("import fractions\nstr(fractions.Fraction(1, 3))", {})).box == "cpython"


@pytest.mark.parametrize(
    ("module", "code", "value"),
    [
        (
            "numpy",
            "import numpy as np\n[np.arange(3), np.float64(1.5), np.linalg.det(np.eye(3))]",
            [[0, 1, 2], 1.5, 1.0],
        ),
        ("pandas", "import pandas as pd\npd.DataFrame({'a': [1, 2]}).a.mean()", 1.5),
        ("sympy", "import sympy\nstr(sympy.diff('x**2'))", "2*x"),
        ("pint", "import pint\npint.UnitRegistry()('3 km').to('m').magnitude", 3000),
    ],
)
async def test_installed_libraries_work_in_the_cpython_box(
    sandbox: Sandbox, module: str, code: str, value: object
) -> None:
    pytest.importorskip(module)
    result = await sandbox.run(code, {}, timeout_s=30)
    assert (result.value, result.error, result.box) == (value, "", "cpython")


async def test_threads_and_an_event_loop_work_in_the_cpython_box(sandbox: Sandbox) -> None:
    code = (
        "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "async def one():\n    await asyncio.sleep(0)\n    return 1\n"
        "[asyncio.run(one()), *ThreadPoolExecutor(3).map(abs, [-1, -2])]"
    )
    assert (await sandbox.run(code, {})).value == [1, 1, 2]


@both
async def test_many_runs_at_once_all_end(sandbox: Sandbox, box: Box) -> None:
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(sandbox.run("n * n", {"n": n}, box=box)) for n in range(12)]
    assert [run.result().value for run in runs] == [n * n for n in range(12)]


async def test_a_cancelled_run_leaves_no_process(sandbox: Sandbox) -> None:
    before = guests()
    deadline = asyncio.timeout(0.5)
    with pytest.raises(TimeoutError):
        async with deadline:
            await sandbox.run("while True:\n    pass", {}, box="cpython", timeout_s=60)
    assert guests() <= before


async def test_a_closed_sandbox_leaves_no_process() -> None:
    before = guests()
    async with Sandbox() as sandbox:
        await sandbox.run("1", {}, box="cpython")
        async with asyncio.timeout(60):
            while len(guests() - before) != 1:  # one spare is kept warm; it starts when the first is taken
                await asyncio.sleep(0.01)
    assert guests() <= before


@pytest.mark.parametrize("box", BOXES)
async def test_a_cancelled_wait_for_a_box_starts_nothing(box: Box) -> None:
    async with Sandbox(max_parallel=1) as sandbox:
        async with asyncio.TaskGroup() as group:
            busy = group.create_task(sandbox.run("while True:\n    pass", {}, box=box, timeout_s=60))
            waiting = group.create_task(sandbox.run("1", {}, box=box))
            await asyncio.sleep(0)
            waiting.cancel()
            busy.cancel()
        assert (await sandbox.run("1 + 1", {}, box=box)).value == 2


async def test_files_that_the_code_leaves_come_back(sandbox: Sandbox) -> None:
    code = "import os\nopen('a.txt', 'w').write('hi')\nos.mkdir('d')\nopen('d/b', 'w').write('below')\n1"
    result = await sandbox.run(code, {}, files={"in.csv": b"1"}, keep_files=True)
    assert (result.value, result.files) == (1, {"a.txt": b"hi", "in.csv": b"1"})
    assert (await sandbox.run("open('a', 'w').write('x')\n1", {}, box="cpython")).files == {}


async def test_files_that_are_too_large_together_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ToolError, match="larger than 8388608 bytes"):
        await sandbox.run("for n in 'abc':\n    open(n, 'wb').write(bytes(3 * 2**20))\n1", {}, keep_files=True)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x", "a\0b", "a\n", "x" * 300])
async def test_a_scratch_file_needs_a_plain_name(
    sandbox: Sandbox, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ToolError, match="expected a name without folders"):
        await sandbox.run("1", {}, box="cpython", files={name: b""})
    assert not list(tmp_path.iterdir())


async def test_the_tool_hands_files_back_as_text_or_base64(sandbox: Sandbox) -> None:
    spec = ToolSpec(python=PythonSpec(files=True))
    code = "open('a.txt', 'w').write('hi')\nopen('b.bin', 'wb').write(b'\\xff')\n1"
    async with Toolbox({"py": spec}, base_dir=Path("/"), sandbox=sandbox) as box:
        found = await box.call(ToolName("py"), {"code": code})
    assert found == {
        "value": 1,
        "stdout": "",
        "files": {"a.txt": {"bytes": 2, "text": "hi"}, "b.bin": {"bytes": 1, "base64": "/w=="}},
    }


async def test_a_worker_whose_file_is_still_open_somewhere_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    holders: list[int] = []
    chmod = Path.chmod

    def held(path: Path, mode: int) -> None:
        chmod(path, mode)
        if path.name == "monty":  # as a process forked elsewhere does that has not reached its exec
            holders.append(os.open(path, os.O_WRONLY))
            threading.Timer(0.2, os.close, holders).start()

    monkeypatch.setattr(Path, "chmod", held)
    async with Sandbox() as sandbox:
        assert (await sandbox.run("6 * 7", {}, box="monty")).value == 42
    assert holders
