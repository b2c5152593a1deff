"""`podvisor doctor` on a real host that has been made wrong, and what it mends there."""

import json

from tests.host.scenes import deploy_folder, ready, service, status

LINGER = "/var/lib/systemd/linger/{}"
JOURNAL = "/var/log/journal/*/user-{}.journal"
AUTH = '{"auths": {"localhost:5001": {"auth": "cGk6cmFzcGJlcnJ5"}}}'
UPDATER = "/etc/cron.daily/podvisor-test"
PORT_80 = "[Container]\nImage=localhost/podvisor-test:1\nPublishPort=80:8080\n"
FAILS = "[Service]\nExecStart=/bin/false\n"


def wrong(user):
    """What is not in order, by code: of several the first."""
    done = user.podvisor("doctor", "--json", check=False)
    found = {}
    for one in json.loads(done.stdout)["checks"]:
        if one["severity"] != "ok":
            found.setdefault(one["code"], one)
    assert done.returncode == any(one["severity"] == "error" for one in found.values())
    return found


def test_a_host_without_podvisor_on_it(user):
    found = wrong(user)
    assert found["service"]["commands"] == ["podvisor setup"]
    # Nobody else's containers, and no daemon, are needed to tell what the machine is like.
    assert found["apps"]["severity"] == "unknown"
    named = {"service", "settings", "podman-socket"}
    of_this_host = {"delegation", "time", "network-online", "disk", "memory"}
    of_the_daemon = {code for code, one in found.items() if one["severity"] == "unknown"}
    assert found.keys() - of_this_host - of_the_daemon <= named


def test_what_is_wrong_is_found_and_what_is_safe_is_mended(user):
    deploy_folder(user, {"web/web.service": service()})
    ready(user, "web")
    before = wrong(user)
    assert not before.keys() & {"daemon", "daemon-version", "apps", "sources", "lingering"}

    # A boot would lose the login, and everything else; a unit's file is gone; others may write.
    user.run("sh", "-c", f"mkdir -p {user.runtime}/containers; chmod g+w .")
    user.run("sh", "-c", f"cat > {user.runtime}/containers/auth.json", input=AUTH)
    user.write(".config/systemd/user/gone.service", FAILS)
    user.systemctl("daemon-reload")
    user.systemctl("start", "gone.service", check=False)
    (user.home / ".config/systemd/user/gone.service").unlink()
    user.systemctl("daemon-reload")
    # Not safe to mend: another updater, a port of root's, a journal that is not to be read.
    user.write(".config/containers/systemd/mine.container", PORT_80)
    user.host.run("sh", "-c", f"echo podman auto-update >{UPDATER}")
    user.host.run("sh", "-c", f"rm {LINGER.format(user.name)}")
    user.host.run("journalctl", "--sync")
    user.host.run("sh", "-c", f"setfacl -x u:{user.name} {JOURNAL.format(user.uid)}")
    # The daemon is older than what is installed.
    user.host.run(
        "sh", "-c", "touch /opt/podvisor/lib/python3*/site-packages/supervisor/__init__.py"
    )
    try:
        found = wrong(user)
        assert "localhost:5001" in found["logins-kept"]["seen"]
        assert "gone.service" in found["failed-units"]["seen"]
        assert "80 (mine.container)" in found["privileged-ports"]["seen"]
        assert UPDATER in found["second-updater"]["seen"]
        assert found["journal-readable"]["severity"] == "warning"
        assert {"home-permissions", "daemon-version", "lingering"} <= found.keys()
        started_at = status(user)["started_at"]

        said = user.podvisor("doctor", "--fix", "--yes", check=False).stdout
        for code in ("logins-kept", "failed-units", "home-permissions", "daemon-version"):
            for command in found[code]["commands"]:
                assert f"  $ {command}\n" in said
        assert "sudo" not in "".join(line for line in said.splitlines() if "  $ " in line)
        user.wait_for(lambda: status(user).get("started_at", 0) > started_at, what="a new daemon")
        left = wrong(user)
        mended = {"logins-kept", "failed-units", "home-permissions", "daemon-version"}
        assert not left.keys() & mended
        assert json.loads(user.read(".config/containers/auth.json")) == json.loads(AUTH)
        assert {"privileged-ports", "second-updater", "journal-readable"} <= left.keys()
        ready(user, "web")
    finally:
        user.host.run("rm", "-f", UPDATER)
        user.host.run("loginctl", "enable-linger", user.name)
