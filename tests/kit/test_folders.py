"""Folders are removed with what is in them, and nothing besides."""

import os
from pathlib import Path

import pytest

from supervisor.kit.folders import remove_tree


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


def test_what_cannot_be_removed_keeps_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c", "deep/d"):
        (folder / name).touch()
    stuck = {
        next(path for path in where.iterdir() if path.is_file())
        for where in (folder, folder / "deep")
    }
    unlink = Path.unlink

    def refuse(path: Path, **words: bool) -> None:
        if path in stuck:
            raise PermissionError(path)
        unlink(path, **words)

    monkeypatch.setattr(Path, "unlink", refuse)
    remove_tree(folder)
    assert {path for path in folder.rglob("*") if path.is_file()} == stuck
