import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from supervisor.cli.local.default_file import default_text
from supervisor.core.config.reader import read_settings
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings, SourceSettings

Podvisor = Callable[..., Any]


def test_the_default_file_as_it_is_sets_nothing() -> None:
    assert read_settings(default_text()).settings == Settings()


def test_no_word_of_it_is_broken() -> None:
    words = {word for line in default_text().splitlines() for word in line.split()}
    assert [word for word in words if word.endswith("-") and len(word) > 1] == []


def test_uncommented_it_sets_everything_to_its_default() -> None:
    text = re.sub(r"^#(?=\S)", "", default_text(), flags=re.MULTILINE)
    reading = read_settings(text)
    (finding,) = reading.findings
    assert "nobody hears the webhooks of registry “ghcr”" in str(finding)
    assert reading.settings is not None
    assert set(reading.settings.sources) == {"apps", "local", "artifact", "over-ssh"}
    images = msgspec.structs.replace(reading.settings.images, by_app={}, by_image={})
    webhooks = msgspec.structs.replace(reading.settings.webhooks, registries={})
    certificates = reading.settings.certificates
    described = (set(certificates.issuers), set(certificates.zones))
    assert described == ({"company"}, {"example.org"})
    certificates = msgspec.structs.replace(certificates, issuers={}, zones={})
    plain = msgspec.structs.replace(
        reading.settings,
        sources={},
        images=images,
        webhooks=webhooks,
        certificates=certificates,
        notify={},
    )
    assert plain == Settings()
    phone = NotifySettings(url=SecretRef("file:~/.config/podvisor/notify-phone"))
    assert reading.settings.notify == {"phone": phone}
    assert set(reading.settings.webhooks.registries) == {"ghcr"}
    assert set(reading.settings.images.by_app) == {"web"}
    assert set(reading.settings.images.by_image) == {"docker.io/library/*"}


def test_every_setting_is_explained() -> None:
    lines = default_text().splitlines()
    named = ("sources", "notify")
    shapes = [field.type for field in msgspec.structs.fields(Settings) if field.name not in named]
    for shape in (SourceSettings, *shapes, NotifySettings):
        for field in msgspec.structs.fields(shape):
            sections = ("images", "webhooks", "certificates")
            begins = (f"#{field.name} = ", *(f"#[{one}.{field.name}." for one in sections))
            at = next(n for n, line in enumerate(lines) if line.startswith(begins))
            assert lines[at - 1].startswith("# "), field.name


def test_writes_a_private_file_once(podvisor: Podvisor, home: Path) -> None:
    path = home / "config/podvisor/config.toml"
    said = podvisor("init")
    assert said.code == 0
    assert "Wrote ~/config/podvisor/config.toml." in said.out
    assert path.read_text() == default_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    path.write_text("mine")
    said = podvisor("init")
    assert said.code == 1
    assert "is there already" in said.err
    assert path.read_text() == "mine"

    assert podvisor("init", "--force").code == 0
    assert path.read_text() == default_text()
    assert path.with_name("config.toml.old").read_text() == "mine"


def test_what_was_kept_is_never_lost(podvisor: Podvisor, home: Path) -> None:
    path = home / "config/podvisor/config.toml"
    podvisor("init")
    for text in ("mine", "mine too"):
        path.write_text(text)
        podvisor("init", "--force")
    said = podvisor("init", "--force")
    assert said.code == 0
    assert said.out == "~/config/podvisor/config.toml is that file already, unchanged.\n"
    texts = {file.name: file.read_text() for file in path.parent.iterdir()}
    assert texts == {
        "config.toml": default_text(),
        "config.toml.old": "mine",
        "config.toml.old.2": "mine too",
    }


def test_writes_where_it_is_told_to(podvisor: Podvisor, tmp_path: Path) -> None:
    assert podvisor("--config", str(tmp_path / "a/b.toml"), "init").code == 0
    assert (tmp_path / "a/b.toml").exists()
    (tmp_path / "file").touch()
    said = podvisor("--config", str(tmp_path / "file/b.toml"), "init")
    assert said.code == 1
    assert "cannot write ~/file/b.toml: " in said.err
