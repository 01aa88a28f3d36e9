"""Slices of a stored value: by byte, by line, at a path; whatever is asked, only what was given is read."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import RunId
from planloom.graphs.slices import Slices
from planloom.state.artifacts import Artifacts
from planloom.state.journal import Journal

TEXT = "".join(f"line {number} 日本\n" for number in range(1, 60_001))
ROWS: list[Json] = [{"id": number, "name": f"row {number}", "tags": ["a", "b"]} for number in range(20_000)]
DATA: JsonObject = {"rows": ROWS, "a key": {"deep": "Grüße"}, "none": None}


@pytest.fixture
async def artifacts() -> AsyncIterator[Artifacts]:
    async with Journal(":memory:") as journal:
        yield Artifacts(journal, RunId("r"))


async def read(artifacts: Artifacts, value: Json, **asked: Json) -> dict[str, Json]:
    kept = await artifacts.keep(value)
    found = await Slices(artifacts).read({"artifact": f"sha256:{kept.digest}", **asked}, {kept.digest})
    assert isinstance(found, dict)
    return found


async def test_lines_are_read_from_any_of_them_and_the_next_offset_goes_on(artifacts: Artifacts) -> None:
    piece = await read(artifacts, TEXT, line=41_000, lines=2)
    assert piece["text"] == "line 41000 日本\nline 41001 日本\n"
    further = await read(artifacts, TEXT, offset=piece["next_offset"], lines=1)
    assert further["text"] == "line 41002 日本\n"
    assert await read(artifacts, TEXT, line=60_000) == {"text": "line 60000 日本\n", "next_offset": None}
    assert await read(artifacts, TEXT, line=70_000) == {"text": "", "next_offset": None}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("rows[19999].name", "row 19999"),
        ("rows[3]", '{"id": 3, "name": "row 3", "tags": ["a", "b"]}'),
        ('["a key"].deep', "Grüße"),
        (".rows[0].tags[1]", "b"),
    ],
)
async def test_a_path_reads_what_stands_there(artifacts: Artifacts, path: str, text: str) -> None:
    assert await read(artifacts, DATA, path=path) == {"text": text, "next_offset": None}


async def test_what_stands_at_a_path_is_read_in_slices_too(artifacts: Artifacts) -> None:
    first = await read(artifacts, DATA, path="rows[3]", limit=8)
    assert first == {"text": '{"id": 3', "next_offset": 8}
    assert (await read(artifacts, DATA, path="rows[3]", offset=8, limit=8))["text"] == ', "name"'


@pytest.mark.parametrize(
    ("value", "asked", "message"),
    [
        (TEXT, {"path": "rows"}, "expected an artifact of kind json with path, found text"),
        (DATA, {"path": "rows[20000]"}, r"no 20000 in a list of 20000"),
        (DATA, {"path": "rows["}, "cannot read"),
        (TEXT, {"line": 0}, "line: Input should be greater than or equal to 1"),
        (TEXT, {"offset": "9"}, "offset: Input should be a valid integer"),
        (TEXT, {"start": 9}, "start: Extra inputs are not permitted"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_what_was_expected(
    artifacts: Artifacts, value: Json, asked: JsonObject, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        await read(artifacts, value, **asked)


@pytest.mark.parametrize("asked", [{}, {"path": "rows"}, {"line": 1}])
async def test_nothing_is_read_that_was_not_given(artifacts: Artifacts, asked: JsonObject) -> None:
    kept = await artifacts.keep(DATA)
    with pytest.raises(ToolError, match="was given no artifact"):
        await Slices(artifacts).read({"artifact": f"sha256:{kept.digest}", **asked}, set())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(alphabet="aé日🙂\n", min_size=1, max_size=60), st.integers(1, 9), st.none() | st.integers(1, 3))
async def test_slices_one_after_the_other_make_up_the_whole(
    artifacts: Artifacts, text: str, limit: int, lines: int | None
) -> None:
    offset: Json = 0
    pieces: list[str] = []
    while offset is not None:
        piece = await read(artifacts, text, offset=offset, limit=limit, **({"lines": lines} if lines else {}))
        pieces.append(str(piece["text"]))
        offset = piece["next_offset"]
    assert "".join(pieces) == text


async def test_a_handle_says_what_can_be_asked_for(artifacts: Artifacts) -> None:
    assert (await artifacts.keep(TEXT)).outline == "text, 60,001 lines"
    assert (await artifacts.keep(DATA)).outline == (
        "{rows: list of 20,000, the first: {id, name, tags}, a key: {deep: text}, none: null}"
    )
    many = await artifacts.keep({f"key {number}": number for number in range(5000)})
    assert many.outline.startswith("{key 0: number, ")
    assert many.outline.endswith(", and 4,988 more}")
    assert len((await artifacts.keep([[{"k" * 60 + str(n): {"x" * 60: 1} for n in range(12)}]])).outline) <= 800
