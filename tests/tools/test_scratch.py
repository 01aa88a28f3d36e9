"""The scratch folder goes, whatever the code left in it."""

import os
from pathlib import Path

from planloom.tools.scratch import Scratch


def test_folders_too_deep_for_a_path_are_removed() -> None:
    scratch = Scratch()
    handle = os.open(scratch.path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    scratch.remove()
    assert not Path(scratch.path).exists()


def test_locked_folders_are_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    scratch = Scratch()
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    inner = Path(scratch.path, "a", "b")
    inner.mkdir(parents=True)
    Path(scratch.path, "out").symlink_to(tmp_path)
    (inner / "out").symlink_to(tmp_path)
    inner.chmod(0)
    inner.parent.chmod(0)
    scratch.remove()
    assert not Path(scratch.path).exists()
    assert kept.read_text() == "kept"
