"""Which source of the settings a folder is, or is a copy of."""

import pytest

from supervisor.core.config.checking import settings_for_check, sources_of
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Globs
from supervisor.model.settings import SourceSettings

SOURCES = {
    "home": SourceSettings(
        git=GitUrl("https://me:token@git.example/me/home.git"), apps=Globs(["a/*"])
    ),
    "local": SourceSettings(folder="~/apps"),
    "ssh": SourceSettings(git=GitUrl("git@git.example:me/other.git")),
    "bare": SourceSettings(git=GitUrl("file:///srv/bare.git")),
}


@pytest.mark.parametrize(
    ("folder", "origins", "expected"),
    [
        ("/home/me/apps", [], ["local"]),
        ("/home/me/clone", ["https://git.example/me/home"], ["home"]),
        ("/home/me/clone", ["ssh://git@git.example/me/home.git"], ["home"]),
        ("/home/me/clone", ["ssh://git@git.example/me/other"], ["ssh"]),
        ("/home/me/clone", ["/srv/bare.git"], ["bare"]),
        ("/srv/bare", [], ["bare"]),
        ("/home/me/My Apps", ["https://elsewhere.example/x.git"], ["my-apps"]),
        ("/", [], ["source"]),
    ],
)
def test_a_folder_is_known_by_its_place_and_by_its_remotes(folder, origins, expected):
    found = sources_of(folder, origins, SOURCES, {"local": "/home/me/apps"})
    assert list(found) == expected


def test_what_is_given_takes_the_place_of_the_settings_and_secrets_are_left_behind():
    home = SourceSettings(
        git=GitUrl("https://x/y"),
        apps=Globs(["a/*"]),
        ignore=Globs(["b"]),
        exclude=("c",),
        verify="ssh",
    )
    assert settings_for_check(home, folder="/x", apps=["d"]) == SourceSettings(
        folder="/x", apps=Globs(["d"]), ignore=Globs(["b"]), exclude=("c",)
    )
