import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from planloom.configs.spec import FilesSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.plan import ToolName
from planloom.tools import beneath
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

SECRET = "outside-the-root-9911"
READ, LIST, WRITE = ToolName("files.read"), ToolName("files.list"), ToolName("files.write")
OUTSIDE = [
    "../secret.txt",
    "a/../../secret.txt",
    "./../secret.txt",
    "..",
    "a/..",
    "/etc/passwd",
    "//etc/passwd",
    "link.txt",
    "absolute.txt",
    "folder/secret.txt",
    "chain.txt",
    "up/secret.txt",
    "..\\secret.txt",
    "%2e%2e/secret.txt",
    "a\0b",
    "",
    ".",
    "pipe",
    "a",
    "loop",
    "~/secret.txt",
    "proc/self/environ",
    "missing/file.txt",
    "a/b.txt/c",
    "x" * 300,
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with every kind of trap in it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "b.txt").write_text("hällo\nworld", encoding="utf-8")
    (root / "link.txt").symlink_to("../secret.txt")
    (root / "absolute.txt").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path)
    (root / "chain.txt").symlink_to("link.txt")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "proc").symlink_to("/proc")
    os.mkfifo(root / "pipe")
    return root


@pytest_asyncio.fixture
async def box(root: Path) -> AsyncIterator[Toolbox]:
    spec = ToolSpec(files=FilesSpec(root="root", max_bytes=1000), access="write")
    async with Toolbox({"files": spec}, base_dir=root.parent, sandbox=Sandbox()) as opened:
        yield opened


@pytest.fixture(params=["the kernel's openat2", "part by part"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to open a path; the second is what other systems have."""
    if request.param == "part by part":
        monkeypatch.setattr(sys, "platform", "plan9")
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("path", OUTSIDE, ids=repr)
async def test_nothing_outside_the_root_and_nothing_but_files_can_be_read(box: Toolbox, path: str) -> None:
    with pytest.raises(ToolError) as caught:
        await box.call(READ, {"path": path})
    assert SECRET not in str(caught.value)
    assert str(box) not in str(caught.value)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "path", [path for path in OUTSIDE if not path.startswith(("missing", "..\\", "%", "~"))], ids=repr
)
async def test_nothing_outside_the_root_can_be_written(box: Toolbox, root: Path, path: str) -> None:
    with pytest.raises(ToolError):
        await box.call(WRITE, {"path": path, "text": "x"})
    assert (root.parent / "secret.txt").read_text() == SECRET
    assert sorted(entry.name for entry in root.parent.iterdir()) == ["root", "secret.txt"]
    assert not list(root.rglob("*.tmp"))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("path", ["folder", "up", "proc", "..", "/", "a/b.txt", "missing", "../root"])
async def test_only_folders_below_the_root_can_be_listed(box: Toolbox, path: str) -> None:
    with pytest.raises(ToolError):
        await box.call(LIST, {"path": path})


@pytest.mark.usefixtures("way")
async def test_a_text_is_read_in_slices_of_characters(box: Toolbox) -> None:
    assert await box.call(READ, {"path": "a/b.txt"}) == {"text": "hällo\nworld", "next_offset": None}
    assert await box.call(READ, {"path": "a/b.txt", "limit": 3}) == {"text": "häl", "next_offset": 3}
    assert await box.call(READ, {"path": "a/b.txt", "offset": 3, "limit": 99}) == {
        "text": "lo\nworld",
        "next_offset": None,
    }
    assert await box.call(READ, {"path": "a/b.txt", "offset": 99}) == {"text": "", "next_offset": None}


@pytest.mark.usefixtures("way")
async def test_a_file_is_written_whole_and_its_folders_are_made(box: Toolbox, root: Path) -> None:
    assert await box.call(WRITE, {"path": "x/y/z.txt", "text": "é"}) == {"path": "x/y/z.txt", "size_bytes": 2}
    await box.call(WRITE, {"path": "x/y/z.txt", "text": "again"})
    assert (root / "x/y/z.txt").read_text() == "again"
    assert [path.name for path in (root / "x/y").iterdir()] == ["z.txt"]


@pytest.mark.usefixtures("way")
async def test_a_listing_names_kinds_and_follows_no_link(box: Toolbox) -> None:
    found = await box.call(LIST, {})
    assert isinstance(found, dict)
    assert isinstance(found["entries"], list)
    kinds = {entry["name"]: entry["type"] for entry in found["entries"] if isinstance(entry, dict)}
    assert (kinds["a"], kinds["link.txt"], kinds["pipe"]) == ("folder", "link", "other")
    assert await box.call(LIST, {"path": "a"}) == {
        "entries": [{"name": "b.txt", "type": "file", "size_bytes": 12}],
        "truncated": False,
    }


async def test_a_text_that_is_too_large_is_not_written(box: Toolbox, root: Path) -> None:
    with pytest.raises(ToolError, match="1001 bytes are more than 1000"):
        await box.call(WRITE, {"path": "big.txt", "text": "x" * 1001})
    assert not (root / "big.txt").exists()


async def test_a_file_that_is_not_text_is_refused(box: Toolbox, root: Path) -> None:
    (root / "b.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ToolError, match="not UTF-8 text"):
        await box.call(READ, {"path": "b.bin"})


async def test_without_write_access_there_is_no_write(root: Path) -> None:
    spec = ToolSpec(files=str(root))
    async with Toolbox({"files": spec}, base_dir=root.parent, sandbox=Sandbox()) as box:
        assert list(box.tools) == ["files.read", "files.list"]
        with pytest.raises(ToolError, match="there is no such tool"):
            await box.call(WRITE, {"path": "x", "text": ""})


async def test_a_root_that_is_not_there_is_a_fault_of_the_workflow(tmp_path: Path) -> None:
    box = Toolbox({"files": ToolSpec(files="nowhere")}, base_dir=tmp_path, sandbox=Sandbox())
    with pytest.raises(ConfigError, match=r"tools\.files\.files: cannot open folder 'nowhere'"):
        async with box:
            pass


def test_a_folder_that_becomes_a_link_does_not_lead_out(root: Path) -> None:
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        (root / "a" / "b.txt").unlink()
        (root / "a").rmdir()
        (root / "a").symlink_to(root.parent)
        with pytest.raises(beneath.OutsideError):
            beneath.open_file(handle, "a/secret.txt", os.O_RDONLY)
    finally:
        os.close(handle)
