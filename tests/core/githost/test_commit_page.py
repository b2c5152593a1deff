import pytest

from supervisor.core.githost.commit_page import commit_page
from supervisor.model.git_url import GitUrl


@pytest.mark.parametrize(
    ("url", "kind", "page"),
    [
        ("https://github.com/me/home.git", "", "https://github.com/me/home/commit/{revision}"),
        ("git@github.com:me/home.git", "generic", "https://github.com/me/home/commit/{revision}"),
        ("https://me:secret@codeberg.org/me/home", "", "https://codeberg.org/me/home/commit/{revision}"),
        ("ssh://git@git.example.org:2222/me/home", "forgejo", "https://git.example.org/me/home/commit/{revision}"),
        ("http://git.example.org:3000/me/home", "gitea", "http://git.example.org:3000/me/home/commit/{revision}"),
        ("https://gitlab.com/a/b/c.git", "", "https://gitlab.com/a/b/c/-/commit/{revision}"),
        ("https://bitbucket.org/me/home", "", "https://bitbucket.org/me/home/commits/{revision}"),
        ("https://git.example.org/me/home", "", ""),
        ("https://git.example.org/me/home", "generic", ""),
        ("file:///srv/git/me/home", "github", ""),
        ("", "github", ""),
    ],
)  # fmt: skip
def test_where_a_commit_is_shown(url: str, kind: str, page: str) -> None:
    assert commit_page(GitUrl(url), kind) == page


def test_a_path_is_no_template() -> None:
    page = commit_page(GitUrl("https://github.com/me/{x}<y>"), "")
    assert page == "https://github.com/me/%7Bx%7D%3Cy%3E/commit/{revision}"
