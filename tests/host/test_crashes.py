"""What is said of units that crash, by status, events and history, on one user's machine."""

import json

from tests.host.scenes import (
    IMAGE,
    WANTED,
    app_of,
    deploy_folder,
    ready,
    service,
    sleeper,
    states,
    status,
)

KILLED = "A process of this unit has been killed by the OOM killer."


def plain(script):
    return f"[Service]\nExecStart=/bin/sh -c '{script}'\n{WANTED}"


# Hosts of the tests have no memory controller: the unit itself writes what systemd would, with the
# fields that systemd gives, as the journal may not know any more whose words they are.
FIELDS = '"SYSLOG_IDENTIFIER=systemd" "USER_UNIT=%n" "USER_INVOCATION_ID=$INVOCATION_ID"'
TELL = f'printf "%%s\\n" {FIELDS} "MESSAGE=%n: {KILLED}" | logger --journald'
# What is told of a run is in the journal before it ends.
TOLD = "journalctl --user USER_INVOCATION_ID=$INVOCATION_ID | grep -q OOM"
HEARD = f"until {TOLD}; do sleep 0.1; done"
SHORT_OF_MEMORY = plain(f"echo reserving 4 GB; {TELL}; {HEARD}; kill -KILL $$$$")
SIGNALLED = plain("kill -SEGV $$$$")
# The journal knows whose words these are as long as their process is there.
SPOKEN = 'until journalctl --user -u %n | grep -q "no room"; do sleep 0.1; done'
JOB = (
    "[Service]\nType=oneshot\n"
    f"ExecStart=/bin/sh -c 'echo no room on the tape; {SPOKEN}; test -e %h/room'\n"
)
TIMER = "[Timer]\nOnActiveSec=1s\nAccuracySec=1s\n[Install]\nWantedBy=timers.target\n"
PER_CONNECTION = (
    "[Socket]\nListenStream=%t/sk.sock\nAccept=yes\n[Install]\nWantedBy=sockets.target\n"
)
TAPE = 'until journalctl --user -u %n | grep -q "no tape"; do sleep 0.1; done'
ANSWERS = (
    "[Service]\nStandardInput=socket\nStandardOutput=journal\n"
    "ExecStart=/bin/sh -c "
    f"'read word; test $word = well && exit; echo no tape here; {TAPE}; exit 3'\n"
)
MISSING = f"""\
[Container]
Image={IMAGE}:1
Network=none
Exec=sh -c nginxx
{WANTED}"""


def test_a_crash_is_explained_wherever_it_is_told(user):
    files = {"web/web.container": sleeper(), "oom/oom.service": SHORT_OF_MEMORY}
    deploy_folder(user, {**files, "segv/segv.service": SIGNALLED})
    user.wait_for(lambda: app_of(user, "web").get("state") == "ready", what="the first release")
    user.write("apps/web/web.container", MISSING)

    def told():
        found = {one.get("subject"): one for one in status(user).get("incidents", ())}
        oom, segv = found.get("oom.service", {}), found.get("segv.service", {})
        return (
            app_of(user, "web").get("state") == "reverted"
            and oom.get("code") == segv.get("code") == "unit-down"
            and "(OOMKilled, out of memory)" in oom["text"]
            and oom.get("log") == ["reserving 4 GB"]
            and "(killed by SIGSEGV, invalid memory access" in segv["text"]
        )

    # They are tried again meanwhile: while one starts, nothing is known of how it ends.
    user.wait_for(told, what="what is wrong")
    words = ("OOMKilled, out of memory", "reserving 4 GB")
    user.wait_for(
        lambda: all(word in user.podvisor("status", check=False).stdout for word in words)
    )

    (failed, *_) = json.loads(user.podvisor("history", "web", "--json").stdout)["rollouts"]
    assert failed["outcome"] == "failed"
    assert "nginxx" in failed["reason"]
    assert "127" in failed["reason"] or "not found" in failed["reason"]
    assert any("nginxx" in line for line in failed["log"])

    done = user.podvisor("events", "segv", "--json").stdout
    events = [json.loads(line) for line in done.splitlines()]
    assert any("SIGSEGV" in one.get("reason", "") + one.get("detail", "") for one in events)


def test_a_timers_job_that_fails_is_wrong_until_it_has_run_well(user):
    files = {
        "backup/backup.service": JOB,
        "backup/backup.timer": TIMER,
        "web/web.service": service(),
    }
    deploy_folder(user, files)

    def wrong():
        return [(one["code"], one["text"], one.get("log")) for one in status(user)["incidents"]]

    log = ["no room on the tape"]
    failed = ("unit-failed", "backup.service failed (exit status 1)", log)
    user.wait_for(lambda: wrong() == [failed], what="a job that failed")
    ready(user, "backup", "web")  # as before
    done = user.podvisor("status", check=False)
    assert done.returncode == 3
    assert done.stdout.count("no room on the tape") == 1, done.stdout
    assert user.podvisor("status", "web").returncode == 0
    assert "backup.service failed" in user.podvisor("why", "backup", check=False).stdout

    user.write("room", "")
    user.systemctl("start", "backup.service")
    user.wait_for(lambda: status(user).get("incidents", []) == [], what="one that ran well")
    assert user.podvisor("status").returncode == 0


def test_what_a_connection_started_and_failed_is_wrong_until_it_is_reset(user):
    deploy_folder(user, {"sk/sk.socket": PER_CONNECTION, "sk/sk@.service": ANSWERS})
    user.wait_for(lambda: states(user) == {"sk": "ready"}, what="the socket")
    assert status(user).get("incidents", []) == []

    def connect(words):
        call = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        call += "s.sendall(sys.argv[2].encode() + b'\\n'); s.recv(1)"
        user.run("python3", "-c", call, f"{user.runtime}/sk.sock", words)

    connect("well")
    connect("bad")
    connect("bad")

    def wrong():
        return status(user).get("incidents", [])

    user.wait_for(lambda: len(wrong()) == 1 and wrong()[0]["text"].startswith("2 "), what="both")
    (one,) = wrong()
    assert (one["code"], one["subject"]) == ("unit-failed", "sk@.service")
    assert one["text"].endswith(".service failed (exit status 3)"), one
    assert one["log"] == ["no tape here"]
    logs = user.podvisor("logs", "sk@.service", "-n", "30").stdout
    assert logs.count("no tape here") == 3, "of both, and podvisor's event"
    user.systemctl("reset-failed", "sk@*.service")
    user.wait_for(lambda: wrong() == [], what="the end of it")
