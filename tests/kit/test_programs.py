"""Which programs there are."""

from pathlib import Path

from supervisor.kit.programs import is_installed


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


def test_a_folder_that_cannot_be_looked_into_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tool").touch(0o700)
    (tmp_path / "closed").mkdir(mode=0)
    path = f"{tmp_path / 'closed'}:/{'x' * 5000}:{tmp_path}"
    assert is_installed("tool", path)
    assert not is_installed("other", path)
