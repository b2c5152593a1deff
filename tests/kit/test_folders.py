"""Folders are removed with what is in them, and nothing besides."""

import os
from pathlib import Path

from supervisor.kit.folders import is_installed, remove_tree


def test_removes_a_folder_and_follows_no_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "folder"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "deep" / "file").touch()
    (folder / "link").symlink_to(kept)
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    remove_tree(folder)
    assert not folder.exists()
    link = tmp_path / "link"
    link.symlink_to(kept)
    remove_tree(link)
    remove_tree(tmp_path / "absent")
    assert link.is_symlink()
    assert (kept / "file").exists()


def test_a_program_is_a_file_that_may_be_run(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "tool").touch(0o600)
    (second / "tool").mkdir(parents=True)
    path = f"{first}:{second}"
    assert not is_installed("tool", path)
    (first / "tool").chmod(0o700)
    assert is_installed("tool", path)
    assert not is_installed("other", path)
