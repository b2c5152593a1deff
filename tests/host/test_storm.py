"""As many unit signals and signs of Podman as the host can make in ten seconds."""

from collections import Counter
from pathlib import Path

from tests.host.scenes import OWNED, active, configure, main_pid, service, sleeper, wait_for_states

HERE = Path(__file__).parent
STORM_SECONDS = 10
ONESHOT = "[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n"


def test_a_storm_is_few_passes_and_leaves_nothing_behind(user):
    apps = {
        "apps/stormy/flap.service": ONESHOT,
        "apps/stormy/main.service": service(),
        "apps/boxed/boxed.container": sleeper("Secret=token"),
        "apps/quiet/quiet.service": service(),
    }
    for path, text in apps.items():
        user.write(path, text)
    make_secret(user, "first")
    configure(user, 'folder = "~/apps"')
    passes = user.home / "passes"
    run_counted(user, passes)
    # A person starts the one that flaps, and nothing else.
    wait_for_states(user, boxed="ready", quiet="ready", stormy="inactive")
    for _ in range(3):  # what is loaded at the first of each is not the storm's
        user.systemctl("restart", "flap.service")
        user.podvisor("sync")
    boxed = main_pid(user, "boxed.service")
    before, memory = Counter(passes.read_text().split()), pss(user)

    restarts, signs = storm(user)
    user.write(f"{OWNED}/stormy/flap.service", "somebody else was here")
    user.systemctl("stop", "main.service")
    make_secret(user, "second")
    user.wait_for(lambda: active(user, "main.service", "quiet.service"), what="what was stopped")
    user.wait_for(
        lambda: "oneshot" in user.read(f"{OWNED}/stormy/flap.service"), what="what was changed"
    )
    user.wait_for(lambda: runs_anew(user, "boxed.service", boxed), what="what has a new secret")
    assert restarts > 100
    assert signs > 700
    made = Counter(passes.read_text().split()) - before
    assert 0 < made["stormy"] <= 20
    assert 0 < made["boxed"] <= 20
    assert made["quiet"] <= 20
    # A person starts the one that flaps, and nothing else.
    wait_for_states(user, boxed="ready", quiet="ready", stormy="inactive")
    user.wait_for(lambda: pss(user) < memory + 5_000, what="memory as before")


def make_secret(user, text):
    user.write("secret", text)
    user.podman("secret", "create", "--replace", "token", f"/home/{user.name}/secret")


def runs_anew(user, unit, before):
    return active(user, unit) and main_pid(user, unit) != before


def run_counted(user, passes):
    """The daemon, with its passes written down."""
    user.systemctl("start", "podman.socket")
    harness = user.write("count_passes.py", (HERE / "count_passes.py").read_text())
    inside = f"/home/{user.name}"
    user.run(
        "systemd-run",
        "--user",
        "--quiet",
        "--unit=podvisor-counted",
        "/opt/podvisor/bin/python",
        f"{inside}/{harness.name}",
        f"{inside}/.config/podvisor/config.toml",
        f"{inside}/{passes.name}",
    )


def storm(user):
    """Restarts and signs that there were."""
    maker = user.write("storm.py", (HERE / "storm.py").read_text())
    done = user.run(
        "/opt/podvisor/bin/python",
        f"/home/{user.name}/{maker.name}",
        "flap.service",
        str(STORM_SECONDS),
    )
    return map(int, done.stdout.split())


def pss(user):
    """Memory of the daemon in kB."""
    pid = user.unit_state("podvisor-counted.service")["MainPID"]
    text = user.host.run("cat", f"/proc/{pid}/smaps_rollup").stdout
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))
