"""Each check of the machine by `podvisor doctor`: what spoils it, and what it says then."""

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.adapters.host.doctor import machine as machine_checks
from supervisor.adapters.host.doctor import session
from supervisor.adapters.host.doctor.host import PODMAN_INFO, PODMAN_PS, Said, ask
from supervisor.adapters.host.doctor.table import CHECKS, FOR_ROOT, examine
from supervisor.core.status.examination import Check, ok
from supervisor.model.doctor import Group, Severity
from tests.fakes.sound_machine import (
    CRONTAB,
    FAILED,
    HOME,
    JOURNAL,
    MASKED,
    OWN_GROUP,
    RUNTIME,
    SECRETS,
    TIME,
    UPDATE_TIMER,
    SoundMachine,
    sound_machine,
)

Spoil = Callable[[SoundMachine], object]
AUTH = '{"auths": {"ghcr.io": {"auth": "cGk6cGk="}}}'
WEB = "[Container]\nImage=docker.io/library/nginx:1\n"


def dropped(unit: str, lines: int) -> str:
    message = f"Suppressed {lines} messages from {unit}"
    return json.dumps({"MESSAGE": message, "N_DROPPED": str(lines)}) + "\n"


def ends(*told: tuple[str, str, str]) -> str:
    """Unit, run, and for what result it failed; of none, that its process exited."""
    lines = (
        {
            "USER_UNIT": unit,
            "USER_INVOCATION_ID": run,
            "MESSAGE_ID": session.FAILED if result else session.EXITED,
            "UNIT_RESULT": result,
        }
        for unit, run, result in told
    )
    return "".join(json.dumps(one) + "\n" for one in lines)


@pytest.fixture
def host() -> Iterator[SoundMachine]:
    with tempfile.TemporaryDirectory(prefix="pv") as folder, sound_machine(Path(folder)) as one:
        yield one


def test_on_a_sound_machine_all_is_in_order(host: SoundMachine) -> None:
    found = host.examine()
    assert [one for one in found if one.severity is not Severity.OK] == []
    silent = {check.code for check in CHECKS} - {one.code for one in found}
    assert silent == {"selinux", "foreign-files", "logins-private", "podman-secrets"}, (
        "there is nothing to look at"
    )
    assert all(one.seen and not one.why for one in found)


def test_programs_are_asked_once(host: SoundMachine) -> None:
    host.examine()
    assert sorted(host.asked) == sorted(set(host.asked))


def test_programs_are_asked_together(host: SoundMachine) -> None:
    together = threading.Barrier(4)
    waited = []

    def ask_with_others(*command: str) -> Said:
        if command[0] in ("podman", "journalctl", "timedatectl", "crontab"):
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(30)
                waited.append(command[0])
                together.abort()
        return SoundMachine.ask(host, *command)

    host.ask = ask_with_others  # type: ignore[method-assign]
    host.examine()
    assert waited, "four of them were under way at once"


def test_codes_are_unique() -> None:
    codes = [check.code for check in CHECKS]
    assert len(codes) == len(set(codes))


def lacks(path: str) -> Spoil:
    return lambda host: host.path(path).unlink()


def holds(path: str, text: str) -> Spoil:
    return lambda host: host.file(path, text)


def quadlet(path: str, text: str) -> Spoil:
    return lambda host: host.quadlet(path, text)


def answers(command: str, out: str = "", code: int = 0, err: str = "") -> Spoil:
    def spoil(host: SoundMachine) -> None:
        host.said[command] = Said(code, out, err)

    return spoil


def podman(**parts: object) -> Spoil:
    """`podman info` says something else: `host_kernel="5.4"` is kernel below host."""

    def spoil(host: SoundMachine) -> None:
        for name, value in parts.items():
            below, _, key = name.partition("_")
            host.info[below][key] = value

    return spoil


def runs(**container: object) -> Spoil:
    def spoil(host: SoundMachine) -> None:
        host.containers.append({"Id": "aaa", "State": "running", "Names": ["web"], **container})

    return spoil


def checked(seconds: int) -> Spoil:
    def spoil(host: SoundMachine) -> None:
        runs()(host)
        check = {"Test": ["CMD", "true"], "Interval": seconds * 1_000_000_000}
        said = json.dumps([{"Config": {"Healthcheck": check}}])
        host.said["podman inspect --type=container aaa"] = Said(0, said)

    return spoil


def has_secrets(*names: str) -> Spoil:
    return answers(SECRETS, "".join(f"{name}\n" for name in names))


def both(*spoils: Spoil) -> Spoil:
    return lambda host: [spoil(host) for spoil in spoils]


def environment(**values: str) -> Spoil:
    return lambda host: host.environment.update(values)


def without_session(host: SoundMachine) -> None:
    del host.environment["XDG_RUNTIME_DIR"]


def driver(host: SoundMachine) -> None:
    host.info["store"]["graphOptions"] = {"overlay.mount_program": {"Executable": "/usr/bin/f"}}


def failed(unit: str, load: str) -> str:
    return json.dumps([{"unit": unit, "load": load, "active": "failed", "sub": "failed"}])


ERROR, WARNING, INFO, UNKNOWN = (
    Severity.ERROR,
    Severity.WARNING,
    Severity.INFO,
    Severity.UNKNOWN,
)
SPOILT: list[tuple[Spoil, str, Severity, str, str]] = [
    # what is done, the check that says so, how bad it is, what was seen, what mends it
    (lacks("var/lib/systemd/linger/pi"), "lingering", WARNING, "pi does not linger", "loginctl"),
    (lacks("etc/subuid"), "subordinate-ids", ERROR, "pi has no subordinate ids", "usermod"),
    (
        holds("etc/subuid", "pi:100000:1000\n"),
        "subordinate-ids-size",
        WARNING,
        "pi has 1000 subordinate ids in /etc/subuid",
        "sudoedit /etc/subuid",
    ),
    (
        holds("etc/subgid", "ann:100000:65536\npi:100001:65536\nnonsense\na:b:c\n"),
        "subordinate-ids-overlap",
        WARNING,
        "those of ann",
        "sudoedit /etc/subgid",
    ),
    (without_session, "session-variables", WARNING, "is not set in this shell", "export XDG"),
    (
        environment(DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/0/bus"),
        "session-variables",
        ERROR,
        "DBUS_SESSION_BUS_ADDRESS is that of another user",
        "export DBUS",
    ),
    (lacks("run/user/1000/systemd/private"), "user-manager", ERROR, "does not run", "systemctl"),
    (
        lambda host: host.path(HOME).chmod(0o777),
        "home-permissions",
        WARNING,
        "others may write",
        f"chmod go-w {HOME}",
    ),
    (
        holds("proc/self/mounts", f"nas:/pi {HOME} nfs4 rw\nnas:/img {HOME}/.local nfs4 rw\n"),
        "home-place",
        WARNING,
        "the home folder is on nfs4 (nas:/pi)",
        "graphroot",
    ),
    (
        holds("proc/self/mounts", f"nas:/pi {HOME} nfs4 rw\nnas:/img {HOME}/.local nfs4 rw\n"),
        "storage-place",
        ERROR,
        "images are kept on nfs4 (nas:/img)",
        "graphroot",
    ),
    (
        holds("proc/key-users", " 1000:  14 14/14 190/200 6/20000\n"),
        "kernel-keys",
        WARNING,
        "190 of 200 kernel keys",
        "sudo sysctl --system",
    ),
    (answers("systemctl --version", "systemd 245\n"), "systemd-version", ERROR, "too old", "247"),
    (answers("systemctl --version", "systemd 252\n"), "systemd-version", INFO, "steady", "254"),
    (answers("systemctl --version"), "systemd-version", UNKNOWN, "does not say", ""),
    (
        answers(JOURNAL, "", 1, "No journal files were opened due to insufficient permissions.\n"),
        "journal-readable",
        WARNING,
        "may not read the journal",
        "usermod -aG systemd-journal pi",
    ),
    (answers(JOURNAL, "", 1, "Out of order\n"), "journal-readable", UNKNOWN, "Out of order", ""),
    (
        both(lacks("var/log/journal/abc/user-1000.journal"), holds("run/log/journal/a", "")),
        "journal-storage",
        INFO,
        "kept in memory",
        "Storage=persistent",
    ),
    (
        answers(
            " ".join(session.JOURNAL_DROPS),
            dropped("user@1000.service", 362510) + dropped("user@1000.service", 7),
        ),
        "journal-limit",
        WARNING,
        "has passed over 362517 lines of pi in the last day",
        "RateLimitBurst=100000",
    ),
    (
        answers(
            " ".join(session.JOURNAL_ENDS),
            ends(("a", "1", "exit-code"), ("a", "1", ""), ("b", "2", "signal")),
        ),
        "journal-limit",
        WARNING,
        "has passed over some lines of pi in the last day, also of how b ended",
        "restart systemd-journald",
    ),
    (
        answers(FAILED, failed("old.service", "not-found")),
        "failed-units",
        WARNING,
        "their files are gone: old.service",
        "systemctl --user reset-failed -- old.service",
    ),
    (
        answers(FAILED, failed(r"dev-my\x2ddisk.mount", "not-found")),
        "failed-units",
        WARNING,
        r"dev-my\x2ddisk.mount",
        r"reset-failed -- 'dev-my\x2ddisk.mount'",
    ),
    (
        answers(FAILED, failed("backup.service", "loaded")),
        "failed-units",
        WARNING,
        "backup.service failed",
        "journalctl --user --unit=backup.service",
    ),
    (answers(FAILED, "", 1, "no bus"), "failed-units", UNKNOWN, "no bus", ""),
    (
        answers(MASKED, '[{"unit_file": "podman.socket", "state": "masked"}]'),
        "masked-units",
        ERROR,
        "podman.socket is masked",
        "unmask podman.socket",
    ),
    (answers(MASKED, "{}"), "masked-units", UNKNOWN, "does not say", ""),
    (lacks("bin/podman"), "podman-installed", ERROR, "podman is not installed", "apt install"),
    (
        answers("podman --version", "podman version 4.9.3\n"),
        "podman-version",
        ERROR,
        "Podman 4.9.3 is too old",
        "5.0",
    ),
    (
        answers(" ".join(PODMAN_INFO), "", 125, "Error: database is locked\n"),
        "podman-answers",
        ERROR,
        "Podman does not work: Error: database is locked",
        "podman info",
    ),
    (
        lacks("run/user/1000/podman/podman.sock"),
        "podman-socket",
        ERROR,
        "cannot be reached",
        "enable --now podman.socket",
    ),
    (
        quadlet("podvisor/web/web.container", f"{WEB}HealthCmd=true\n"),
        "podman-faults",
        INFO,
        "may lose health checks",
        "5.8",
    ),
    (podman(version_Version="6.0.2"), "podman-faults", INFO, "one application", "quadlet rm"),
    (podman(store_graphDriverName="vfs"), "storage-driver", WARNING, "vfs", "system reset"),
    (podman(store_graphDriverName="btrfs"), "storage-driver", INFO, "btrfs", "overlay"),
    (driver, "storage-driver", WARNING, "fuse-overlayfs", "mount_program"),
    (podman(host_networkBackend="cni"), "network", WARNING, "CNI", "netavark"),
    (podman(host_networkBackendInfo={}), "network", ERROR, "netavark is not", "apt install"),
    (
        podman(host_networkBackendInfo={"path": "/n"}),
        "network",
        ERROR,
        "aardvark-dns is not installed",
        "apt install",
    ),
    (podman(host_rootlessNetworkCmd="slirp4netns"), "network", WARNING, "slirp4netns", "passt"),
    (podman(host_pasta={"executable": ""}), "network", ERROR, "pasta is not installed", "passt"),
    (podman(host_eventLogger="none"), "event-log", WARNING, "no events", "events_logger"),
    (podman(host_databaseBackend="boltdb"), "database", WARNING, "BoltDB", "SQLite"),
    (podman(host_freeLocks=3), "locks", WARNING, "3 locks left", "num_locks"),
    (
        holds(f"{HOME}/.config/containers/containers.conf.d/a.conf", "[engine\n"),
        "podman-settings",
        ERROR,
        "~/.config/containers/containers.conf.d/a.conf: ",
        "mend",
    ),
    (
        holds(f"{HOME}/.config/containers/policy.json", "{"),
        "podman-settings",
        ERROR,
        "policy.json",
        "mend",
    ),
    (
        holds(f"{RUNTIME}/containers/auth.json", AUTH),
        "logins-kept",
        WARNING,
        f"the login to ghcr.io is in {RUNTIME}/containers/auth.json",
        f"mv -n {RUNTIME}/containers/auth.json {HOME}/.config/containers/auth.json",
    ),
    (
        both(
            holds(f"{RUNTIME}/containers/auth.json", AUTH),
            holds(f"{HOME}/.config/containers/auth.json", "{}"),
            lambda host: host.path(f"{HOME}/.config/containers/auth.json").chmod(0o600),
        ),
        "logins-kept",
        WARNING,
        "the login to ghcr.io",
        f"podman login --authfile {HOME}/.config/containers/auth.json ghcr.io",
    ),
    (
        both(
            holds(f"{HOME}/.config/containers/auth.json", AUTH),
            lambda host: host.path(f"{HOME}/.config/containers/auth.json").chmod(0o644),
        ),
        "logins-private",
        WARNING,
        "others may read ~/.config/containers/auth.json",
        "chmod 600",
    ),
    (
        quadlet("podvisor/web/web.container", f"{WEB}PublishPort=80:8080\nPublishPort=443:8443\n"),
        "privileged-ports",
        ERROR,
        "443 (web.container), 80 (web.container)",
        "ip_unprivileged_port_start=80 ",
    ),
    (
        both(
            quadlet("podvisor/web/web.container", f"{WEB}PublishPort=8080:80\n"),
            quadlet("podvisor/web/web.container.d/9.conf", "[Container]\nPublishPort=70:70\n"),
        ),
        "privileged-ports",
        ERROR,
        "70 (web.container)",
        "ip_unprivileged_port_start=70 ",
    ),
    (
        both(quadlet("podvisor/web/web.container", WEB), quadlet("web.container", WEB)),
        "unit-conflicts",
        ERROR,
        "~/.config/containers/systemd/web.container makes web.service",
        "keep one",
    ),
    (
        both(
            quadlet("podvisor/web/web.container", WEB),
            holds(f"{HOME}/.config/systemd/user/web.service", "[Service]\n"),
        ),
        "unit-conflicts",
        ERROR,
        "~/.config/systemd/user/web.service hides",
        "daemon-reload",
    ),
    (
        both(
            quadlet("podvisor/web/web.container", f"{WEB}ContainerName=site\n"),
            quadlet("old.container", f"{WEB}ContainerName=site\n"),
        ),
        "unit-conflicts",
        ERROR,
        "both make the container site",
        "ContainerName=",
    ),
    (
        both(
            quadlet("web.container", f"{WEB}Secret=db,type=env\nSecret=key\n"), has_secrets("key")
        ),
        "podman-secrets",
        ERROR,
        "web.container uses the secret db, and Podman has none",
        "podman secret create db -",
    ),
    (
        both(quadlet("web.container", f"{WEB}Secret=db\n"), answers(SECRETS, "", 125)),
        "podman-secrets",
        UNKNOWN,
        "Podman does not answer",
        "",
    ),
    (
        quadlet("mine.container", "[Container]\nImage\n"),
        "foreign-files",
        WARNING,
        "mine.container:2: it is neither KEY=VALUE",
        "passes over",
    ),
    (answers(UPDATE_TIMER, "active\n"), "second-updater", WARNING, "auto-update", "disable"),
    (
        runs(Image="docker.io/containrrr/watchtower:latest"),
        "second-updater",
        WARNING,
        "the container web (docker.io/containrrr/watchtower:latest)",
        "podman stop web",
    ),
    (
        answers(CRONTAB, "# podman pull\n0 4 * * * podman pull nginx && systemctl restart x\n"),
        "second-updater",
        WARNING,
        "crontab -l pulls images: 0 4",
        "remove",
    ),
    (
        holds("etc/cron.daily/update", "#!/bin/sh\npodman auto-update\n"),
        "second-updater",
        WARNING,
        "/etc/cron.daily/update",
        "remove",
    ),
    (
        holds(f"{HOME}/.config/systemd/user/up.service", "[Service]\nExecStart=podman pull x\n"),
        "second-updater",
        WARNING,
        "up.service pulls images",
        "ImagePolicy=",
    ),
    (checked(2), "health-checks", WARNING, "1 health check, 30 runs a minute", "--measure"),
    (
        answers(" ".join(PODMAN_PS), "", 125),
        "health-checks",
        UNKNOWN,
        "Podman does not answer",
        "",
    ),
    (podman(store_imageStore={"number": 500}), "images", INFO, "500 images", "image prune"),
    (lacks("sys/fs/cgroup/cgroup.controllers"), "control-groups", ERROR, "version 2", "boot"),
    (
        holds(f"sys/fs/cgroup/{OWN_GROUP}/cgroup.controllers", "memory pids\n"),
        "delegation",
        WARNING,
        "not delegated to pi: cpu",
        "Delegate=cpu",
    ),
    (
        both(
            holds("sys/fs/cgroup/cgroup.controllers", "cpu pids\n"),
            holds(f"sys/fs/cgroup/{OWN_GROUP}/cgroup.controllers", "cpu pids\n"),
        ),
        "delegation",
        WARNING,
        "switched off memory accounting",
        "cgroup_enable=memory",
    ),
    (
        lacks(f"sys/fs/cgroup/{OWN_GROUP}/cgroup.controllers"),
        "delegation",
        UNKNOWN,
        "not there",
        "",
    ),
    (
        holds("proc/sys/kernel/unprivileged_userns_clone", "0\n"),
        "user-namespaces",
        ERROR,
        "unprivileged_userns_clone=0",
        "50-userns.conf",
    ),
    (
        holds("proc/sys/user/max_user_namespaces", "0\n"),
        "user-namespaces",
        ERROR,
        "max_user_namespaces",
        "28633",
    ),
    (
        holds("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"),
        "user-namespaces",
        WARNING,
        "AppArmor keeps user namespaces",
        "profile",
    ),
    (holds("sys/fs/selinux/enforce", "1"), "selinux", INFO, "enforcing", ":z"),
    (
        holds("proc/sys/fs/inotify/max_user_watches", "100\n"),
        "inotify",
        WARNING,
        "max_user_watches is 100",
        "max_user_watches=65536",
    ),
    (
        answers(TIME, "NTP=no\nNTPSynchronized=no\nCanNTP=yes\n"),
        "time",
        WARNING,
        "not synchronised",
        "set-ntp true",
    ),
    (
        answers(TIME, "NTP=no\nNTPSynchronized=no\nCanNTP=no\n"),
        "time",
        WARNING,
        "no program",
        "systemd-timesyncd",
    ),
    (
        answers(TIME, "NTP=yes\nNTPSynchronized=no\nCanNTP=yes\n"),
        "time",
        WARNING,
        "not synchronised yet",
        "timesync-status",
    ),
    (answers(TIME, "", 1, "no bus"), "time", UNKNOWN, "no bus", ""),
    (
        holds("proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n"),
        "memory",
        INFO,
        "no swap",
        "zram",
    ),
    (
        holds("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 100 kB\n"),
        "memory",
        WARNING,
        "of memory can be had",
        "systemd-cgtop",
    ),
    (
        holds(
            "proc/meminfo",
            "MemTotal: 9 kB\nMemAvailable: 9 kB\nSwapTotal: 100000 kB\nSwapFree: 1 kB\n",
        ),
        "memory",
        WARNING,
        "zram is full",
        "",
    ),
    (holds("proc/meminfo", ""), "memory", UNKNOWN, "how much memory", ""),
    (
        holds("usr/lib/systemd/user/podman-user-wait-network-online.service", ""),
        "network-online",
        WARNING,
        "waits 90 s",
        "network-online.target",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "code", "severity", "seen", "mend"),
    SPOILT,
    ids=[f"{number}-{row[1]}" for number, row in enumerate(SPOILT)],
)
def test_says_what_is_wrong_and_what_mends_it(  # noqa: PLR0917
    host: SoundMachine, spoil: Spoil, code: str, severity: Severity, seen: str, mend: str
) -> None:
    spoil(host)
    (found,) = [one for one in host.wrong() if one.code == code and one.severity is severity]
    assert seen in found.seen
    assert mend in "\n".join([found.advice, *found.commands])
    assert found.why


def test_every_check_has_been_spoilt() -> None:
    spoilt = {row[1] for row in SPOILT}
    assert {check.code for check in CHECKS} - spoilt == {"rootless", "disk"}


@pytest.mark.parametrize(
    ("taken", "inodes", "severity"),
    [(0.5, 0.5, Severity.OK), (0.92, 0.5, WARNING), (0.99, 0.5, ERROR), (0.5, 0.95, WARNING)],
)
def test_how_full_a_disk_is(taken: float, inodes: float, severity: Severity) -> None:
    blocks, files = 1_000_000, 100_000
    free, left = int(blocks * (1 - taken)), int(files * (1 - inodes))
    figures = os.statvfs_result((4096, 4096, blocks, free, free, files, left, left, 0, 255))
    assert severity in {one.severity for one in machine_checks._fullness("~", figures)}


def test_root_is_sent_away(host: SoundMachine) -> None:
    found = examine(host.host(user_id=0), FOR_ROOT)
    assert [one.code for one in found if one.severity is ERROR] == ["rootless"]


def test_a_login_that_is_kept_elsewhere_is_not_lost(host: SoundMachine) -> None:
    host.file(f"{RUNTIME}/containers/auth.json", AUTH)
    host.file(f"{HOME}/.config/containers/auth.json", AUTH).chmod(0o600)
    assert host.wrong() == []


def test_failed_units_of_apps_and_runs_of_health_checks_are_not_told_of(
    host: SoundMachine,
) -> None:
    host.quadlet("podvisor/web/web.container", WEB)
    host.quadlet("podvisor/web/worker@.container", WEB)
    host.quadlet("podvisor/plain/backup.service", "[Service]\nExecStart=/bin/false\n")
    host.quadlet("podvisor/plain/nested/each@.timer", "[Timer]\n")
    units = ("web.service", "worker@1.service", "backup.service", "each@a.b.timer")
    rows = [
        {"unit": unit, "load": "loaded"}
        for unit in (*units, f"{'a' * 64}-1b2c.service", "podvisor.service")
    ]
    host.said[FAILED] = Said(0, json.dumps(rows))
    assert host.wrong() == []


@pytest.mark.parametrize(
    "said", ["", "nonsense", "[1]", "null", '{"host": 7, "store": []}', '[{"Names": 7}]']
)
def test_nonsense_of_podman_is_no_defect(host: SoundMachine, said: str) -> None:
    for command in (PODMAN_INFO, PODMAN_PS):
        host.said[" ".join(command)] = Said(0, said)
    assert not [one for one in host.examine() if "the check failed" in one.seen]


def test_a_check_that_hangs_is_unknown_and_the_others_are_told(host: SoundMachine) -> None:
    ends = threading.Event()
    hung = Check("hung", Group.MACHINE, "why", lambda _: ends.wait(60) and None)
    fine = Check("fine", Group.MACHINE, "why", lambda _: ok("fine"))
    began = time.monotonic()
    found = examine(host.host(), (hung, fine), patience=0.2)
    ends.set()
    assert time.monotonic() - began < 30
    assert [(one.code, one.severity) for one in found] == [
        ("hung", UNKNOWN),
        ("fine", Severity.OK),
    ]


def test_a_defect_of_one_check_does_not_hide_the_others(host: SoundMachine) -> None:
    def broken(_: object) -> None:
        raise KeyError("x")

    checks = (
        Check("broken", Group.MACHINE, "why", broken),
        Check("fine", Group.MACHINE, "why", lambda _: ok("fine")),
    )
    found = examine(host.host(), checks)
    assert [one.severity for one in found] == [UNKNOWN, Severity.OK]
    assert "KeyError" in found[0].seen


def test_programs_that_are_not_there_say_so() -> None:
    said = ask("podvisor-does-not-exist")
    assert (said.code, said.last_words) == (127, "podvisor-does-not-exist is not installed")
    assert ask("echo", "well") == Said(0, "well\n")


def test_a_program_that_hangs_is_ended() -> None:
    said = ask("sleep", "1000", patience=0.01)
    assert (said.code, said.last_words) == (124, "no answer within 0 s")
