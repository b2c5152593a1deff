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
