"""Where links in the user's unit folder lead, seen from podvisor's own folder."""

from pathlib import Path

import pytest

from supervisor.adapters.files.paths import leads_to


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "web/conf").mkdir(parents=True)
    (root / "web/a.service").touch()
    (root / "web/b.service").symlink_to("a.service")
    return root


@pytest.mark.parametrize(
    ("said", "leads"),
    [
        ("{root}/web/a.service", "{root}/web/a.service"),
        ("{root}/web/b.service", "{root}/web/b.service"),  # as systemd says it, who loads it so
        ("{root}/web/gone.service", "{root}/web/gone.service"),
        ("{root}/../root/web/b.service", "{root}/web/a.service"),
        ("{root}//web/b.service", "{root}/web/a.service"),
        ("root/web/b.service", "{root}/web/a.service"),
        ("{root}/../other.service", "{home}/other.service"),
        ("link.service", "{home}/link.service"),
    ],
)
def test_it_leads_where_it_says_or_where_that_leads(
    tmp_path: Path, root: Path, said: str, leads: str
) -> None:
    link = tmp_path / "link.service"
    link.symlink_to(said.format(root=root))
    assert leads_to(str(link), str(root)) == leads.format(root=root, home=tmp_path)
