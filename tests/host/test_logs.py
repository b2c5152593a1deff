"""What programs wrote, and what podvisor did meanwhile, on one user's machine."""

import json

from tests.host.scenes import IMAGE, WANTED, deploy_folder, ready, states

TALKS = f"""\
[Container]
Image={IMAGE}:1
Network=none
Exec=sh -c 'echo hello from $HOSTNAME; echo and err >&2; exec sleep infinity'
HostName=talker
{WANTED}"""


def lines(user, *words):
    done = user.podvisor("logs", *words, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lines_of_a_container_and_what_was_done_to_it(user):
    deploy_folder(user, {"talk/talk.container": TALKS})
    ready(user, "talk")

    def told():
        found = lines(user, "talk", "-n", "0")
        texts = [one.get("line") for one in found]
        return found if {"hello from talker", "and err"} <= {*texts} else None

    found = user.wait_for(told, what="the lines of the container")
    times = [one["event"]["time"] if "event" in one else one["time"] for one in found]
    assert times == sorted(times)
    assert any(one.get("event", {}).get("step") == "start" for one in found)

    # What comes is shown as it comes, of podvisor too.
    follow = """
        podvisor logs talk -f -n 1 --json >followed & followed=$!
        podvisor suspend talk
        until grep -q '"suspended"' followed; do sleep 0.1; done
        kill $followed
    """
    user.run("sh", "-c", follow)

    # The event log is in the journal, too.
    user.host.run("journalctl", "--sync")
    found = user.run("journalctl", "--user", "PODVISOR_APP=talk", "--output=json").stdout
    told = [json.loads(line) for line in found.splitlines()]
    assert {"applied", "suspended"} <= {one["PODVISOR_EVENT"] for one in told}
    assert {one["_SYSTEMD_USER_UNIT"] for one in told} == {"podvisor.service"}


CRASHES = """\
[Container]
Image={image}:1
Network=none
LogDriver={driver}
Exec=sh -c 'echo no disk; exit 4'
[Service]
{service}
"""


def test_words_are_told_once_and_what_is_missing_is_said(user):
    """Of a job, each line of which is in the journal twice; of containers without a journal."""
    files = {
        "talk/talk.container": TALKS.replace("[Container]", "[Container]\nLogDriver=k8s-file"),
        "job/job.container": CRASHES.format(image=IMAGE, driver="journald", service="Type=oneshot"),
        "mute/mute.container": CRASHES.format(image=IMAGE, driver="none", service="") + WANTED,
    }
    deploy_folder(user, files)
    user.wait_for(
        lambda: {("talk", "ready"), ("job", "inactive")} <= states(user).items(), what="the apps"
    )
    found = user.wait_for(
        lambda: (
            (all_lines := [one.get("line") for one in lines(user, "talk", "-n", "0")])
            and "and err" in all_lines
            and all_lines
        ),
        what="the lines that Podman has",
    )
    assert found.count("hello from talker") == 1

    user.run("systemctl", "--user", "start", "job.service", check=False)

    def told():
        texts = [one.get("line") for one in lines(user, "job.service", "-n", "0")]
        return texts if "Failed to start job.service." in texts else None

    assert user.wait_for(told, what="the end of the job").count("no disk") == 1

    user.wait_for(
        lambda: "LogDriver=none: nobody keeps" in user.podvisor("why", "mute", check=False).stdout,
        what="the word that there are none",
    )
