"""Podman's events from each place by itself, on a real Podman and journal."""

from pathlib import Path

import pytest
from conftest import User
from scenes import deploy_folder, ready, sleeper, status

SCRIPT = Path(__file__).parent / "contracts" / "podman_events.py"
LOGGER = '[engine]\nevents_logger = "{}"\n'
SETTINGS = ".config/containers/containers.conf"
JOURNAL = "/var/log/journal/*/user-{}.journal"


def run(user: User, way: str, **env: str) -> None:
    user.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-", way),
        input=SCRIPT.read_text(),
        timeout=600,
        env=env,
    )


def hide_journal(user: User, *, hidden: bool = True) -> None:
    """Take the user's own journal from the user, as it is where it is kept in memory only."""
    entry = f"-x u:{user.name}" if hidden else f"-m u:{user.name}:r"
    user.host.run("sh", "-c", f"setfacl {entry} {JOURNAL.format(user.uid)}")


def log_something(user: User) -> None:
    """Make sure that the user has a journal."""
    user.run("podman", "volume", "create", "first")
    user.host.run("journalctl", "--sync")


def test_the_journal(user: User) -> None:
    run(user, "journal")


def test_the_log_file_also_when_podman_rotates_it(user: User) -> None:
    user.write(SETTINGS, LOGGER.format("file") + 'events_logfile_max_size = "3k"\n')
    run(user, "file")


def test_the_api_where_the_log_is_not_found(user: User) -> None:
    # Known to Podman's processes only:
    place = f"/home/{user.name}/elsewhere"
    log = f'events_logfile_path = "{place}.log"\n'
    user.write("elsewhere.conf", LOGGER.format("file") + log)
    user.write(
        ".config/systemd/user/podman.service.d/elsewhere.conf",
        f"[Service]\nEnvironment=CONTAINERS_CONF_OVERRIDE={place}.conf\n",
    )
    user.systemctl("daemon-reload")
    run(user, "api", CONTAINERS_CONF_OVERRIDE=f"{place}.conf")


def test_a_journal_that_cannot_be_read(user: User) -> None:
    log_something(user)
    hide_journal(user)
    run(user, "stores")


def test_no_events_at_all(user: User) -> None:
    user.write(SETTINGS, LOGGER.format("none"))
    run(user, "stores")


def watch(user: User) -> dict[str, str]:
    return next(iter(status(user).get("watches", ())), {})


@pytest.mark.parametrize("repaired", ["acl", "settings"])
def test_a_hidden_journal_is_said_and_left_when_there_is_a_better_way(
    user: User, repaired: str
) -> None:
    log_something(user)
    hide_journal(user)
    deploy_folder(user, {"web/web.container": sleeper()})
    ready(user, "web")
    user.wait_for(lambda: watch(user).get("way") == "stores", what="the choice")
    shown = user.podvisor("status").stdout
    assert "insufficient permissions" in shown
    assert "systemd-journal" in shown, "it says what to do"
    if repaired == "acl":
        hide_journal(user, hidden=False)
        user.reload_daemon()
        user.wait_for(lambda: watch(user).get("way") == "journal", what="the choice")
    else:
        user.write(SETTINGS, LOGGER.format("file"))
        user.wait_for(lambda: watch(user).get("way") == "file", what="the choice")
    assert "hint" not in watch(user)
    log = user.podvisor("events").stdout
    assert "stores: Podman logs to the journal" in log
