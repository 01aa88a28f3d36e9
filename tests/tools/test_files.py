import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from planloom.configs.spec import FilesSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import JsonObject
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
    "a/" * 3000 + "b.txt",
    "../" * 50 + "etc/passwd",
    "a/./../../secret.txt",
    "a//..//..//secret.txt",
    "/",
    "//",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "proc/self/root/etc/passwd",
    "proc/self/fd/0",
    "self/environ",
    "fd/0",
    "dev/zero",
    "zero",
    "socket",
    "folder/root/a/b.txt",
    "folder/../secret.txt",
    "up/../secret.txt",
    "up/root/a/b.txt",
    "deep1/secret.txt",
    "endless/x",
    "dangling",
    "%2e%2e%2fsecret.txt",
    "..%2fsecret.txt",
    "%252e%252e/secret.txt",
    "..;/secret.txt",
    "\u2025/secret.txt",
    "\uff0e\uff0e/secret.txt",
    "\u2024\u2024/secret.txt",
    "..\u2215secret.txt",
    "..\uff0fsecret.txt",
    ".. /secret.txt",
    "C:\\secret.txt",
    "\\\\host\\share",
    "file:///etc/passwd",
    "a/b.txt\0.png",
    "\ud800",
    "a\udc80",
    "secret.txt",
    "$HOME/x",
    "`id`",
    "a/",
    "a/.",
    "./",
]

NAMES = frozenset(
    (
        "..\\secret.txt",
        "%2e%2e/secret.txt",
        "~/secret.txt",
        "missing/file.txt",
        "%2e%2e%2fsecret.txt",
        "..%2fsecret.txt",
        *("%252e%252e/secret.txt", "..;/secret.txt", "\u2025/secret.txt", "\uff0e\uff0e/secret.txt", ".. /secret.txt"),
        *("\u2024\u2024/secret.txt", "..\u2215secret.txt", "..\uff0fsecret.txt", "C:\\secret.txt", "\\\\host\\share"),
        *("file:///etc/passwd", "secret.txt", "$HOME/x", "`id`"),
    )
)
"""Names like any other: nothing decodes or expands them, so a file may be written there, below the root."""


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
    (root / "self").symlink_to("/proc/self")
    (root / "fd").symlink_to("/dev/fd")
    (root / "dev").symlink_to("/dev")
    (root / "zero").symlink_to("/dev/zero")
    (root / "dangling").symlink_to(tmp_path / "new.txt")
    (root / "deep1").symlink_to("deep2")
    (root / "deep2").symlink_to("a/../up")
    (root / "endless").symlink_to("endless/x")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)  # the path of a socket may only be short
        server.bind("socket")
        os.chdir(here)
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
@pytest.mark.parametrize("path", [path for path in OUTSIDE if path not in NAMES], ids=repr)
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
@pytest.mark.parametrize(
    ("args", "text", "next_offset"),
    [
        ({}, "hällo\nworld", None),
        ({"limit": 3}, "häl", 4),
        ({"offset": 4, "limit": 99}, "lo\nworld", None),
        ({"offset": 2, "limit": 2}, "ll", 5),  # byte 2 is in the middle of a character
        ({"offset": 99}, "", None),
        ({"line": 2}, "world", None),
        ({"line": 1, "lines": 1}, "hällo\n", 7),
        ({"line": 3}, "", None),
        ({"limit": 0}, "", 0),
        ({"encoding": "base64", "offset": 1, "limit": 2}, "w6Q=", 3),
    ],
)
async def test_a_file_is_read_in_slices(box: Toolbox, args: JsonObject, text: str, next_offset: int | None) -> None:
    found = await box.call(READ, {"path": "a/b.txt", **args})
    assert found == {"text": text, "next_offset": next_offset, "size_bytes": 12}


async def test_a_large_file_is_read_whole_in_slices_and_by_line(root: Path) -> None:
    line = "A line with some 日本語 in it, 0123456789\n"
    count = 5_000_000 // len(line.encode())
    (root / "large.txt").write_text(line * count, encoding="utf-8")
    async with Toolbox({"files": ToolSpec(files=str(root))}, base_dir=root, sandbox=Sandbox()) as box:
        pieces, offset = list[str](), 0
        while offset is not None:
            found = await box.call(READ, {"path": "large.txt", "offset": offset, "limit": 49_999})
            assert isinstance(found, dict)
            pieces.append(str(found["text"]))
            offset = found["next_offset"]
        assert "".join(pieces) == line * count
        last = await box.call(READ, {"path": "large.txt", "line": count, "lines": 5})
        assert isinstance(last, dict)
        assert (last["text"], last["next_offset"]) == (line, None)


async def test_what_is_no_text_goes_both_ways_as_base64(box: Toolbox, root: Path) -> None:
    args: JsonObject = {"path": "b.bin", "text": "//4AAQ==", "encoding": "base64"}
    assert await box.call(WRITE, args) == {"path": "b.bin", "size_bytes": 4}
    assert (root / "b.bin").read_bytes() == b"\xff\xfe\x00\x01"
    found = await box.call(READ, {"path": "b.bin", "encoding": "base64"})
    assert found == {"text": "//4AAQ==", "next_offset": None, "size_bytes": 4}


@pytest.mark.parametrize("args", [{"text": "no base64!", "encoding": "base64"}, {"text": "\ud800"}])
async def test_a_text_that_cannot_be_written_is_a_reason(box: Toolbox, args: JsonObject) -> None:
    with pytest.raises(ToolError, match="the text cannot be written"):
        await box.call(WRITE, {"path": "x.txt", **args})


async def test_replacing_a_file_keeps_its_permissions(box: Toolbox, root: Path) -> None:
    (root / "a" / "b.txt").chmod(0o640)
    await box.call(WRITE, {"path": "a/b.txt", "text": "new"})
    await box.call(WRITE, {"path": "a/new.txt", "text": "new"})
    assert [(root / "a" / name).stat().st_mode & 0o777 for name in ("b.txt", "new.txt")] == [0o640, 0o600]


def test_no_race_on_links_leads_out() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "races.py"
    command = [sys.executable, "-P", str(script), "--races", "2000"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert "reached outside: 0" in found.stdout
    assert "refused" in found.stdout
    assert "read inside" in found.stdout


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
