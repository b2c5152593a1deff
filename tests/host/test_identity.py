"""Units that become something else under one name, and objects of others, on one user's machine."""

from supervisor.cli import codes
from tests.host.scenes import (
    IMAGE,
    WANTED,
    deploy,
    events,
    finding,
    ready,
    service,
    sleeper,
    sync,
    wait_for_states,
)

UNITS = ".config/systemd/user"
PORT = 18990
SOCKET = "[Socket]\nListenStream=127.0.0.1:{}\n[Install]\nWantedBy=sockets.target\n"
CAT = "[Service]\nExecStart=/usr/bin/python3 -c 'import time; time.sleep(600)'\n"


def networked(network):
    return f"[Container]\nImage={IMAGE}:1\nExec=sleep infinity\nNetwork={network}.network\n{WANTED}"


def called(network, *more):
    return "".join(f"{line}\n" for line in ("[Network]", f"NetworkName={network}", *more))


def member(*more):
    lines = (f"Image={IMAGE}:1", "Exec=sleep infinity", "Pod=duo.pod", *more)
    return "[Container]\n" + "".join(f"{line}\n" for line in lines)


def podman(user, *arguments):
    return user.run("podman", *arguments, check=False).stdout.split()


def links(user):
    found = user.run("find", UNITS, "-type", "l", "-printf", "%P\n", check=False).stdout.split()
    return {link for link in found if "podvisor" not in link}


def test_units_become_others_under_their_name_and_nothing_of_others_is_touched(user, git_server):
    podman(user, "network", "create", "--label", "mine=1", "id-theirs")
    podman(user, "volume", "create", "id-data")
    first = {
        "kind/b.service": service(),
        "timer/t.timer": "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n",
        "timer/t.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "duo/duo.pod": f"[Pod]\nNetwork=none\n{WANTED}",
        "duo/one.container": member(),
        "net/n.network": called("id-one"),
        "net/n.container": networked("n"),
        "port/echo.socket": SOCKET.format(PORT),
        "port/echo.service": CAT,
        "theirs/x.network": called("id-theirs"),
        "theirs/x.container": networked("x"),
    }
    repository = deploy(user, git_server, first)
    others = ("duo", "kind", "net", "port", "timer")
    wait_for_states(user, theirs="refused", **dict.fromkeys(others, "ready"))
    assert "network id-theirs exists already" in finding(user, "theirs")["message"]
    user.systemctl("start", "echo.service")  # as a connection does
    user.systemctl("stop", "echo.socket")
    user.wait_for(
        lambda: user.unit_state("echo.socket")["ActiveState"] == "active", what="the socket again"
    )
    user.systemctl("start", "echo.service")

    second = {
        "kind/b.service": None,
        "kind/b.container": sleeper(),
        "duo/one.container": member("Environment=A=2"),
        "timer/t.timer": "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=default.target\n",
        "net/n.network": called("id-two"),
        "port/echo.socket": SOCKET.format(PORT + 1),
        "theirs/x.network": called("id-theirs", "[X-Podvisor]", "Adopt=yes"),
        "theirs/x.volume": "[Volume]\nVolumeName=id-data\n[X-Podvisor]\nAdopt=yes\nPrune=volumes\n",
    }
    repository.commit(second)
    sync(user)
    ready(user, *others, "theirs")
    assert podman(user, "ps", "--format", "{{.Names}}", "--filter", "name=systemd-b")
    assert user.unit_state("b.service")["LoadState"] == "loaded"
    assert {"id-two", "id-theirs"} <= set(podman(user, "network", "ls", "--format", "{{.Name}}"))
    assert "A=2" in " ".join(podman(user, "inspect", "-f", "{{.Config.Env}}", "systemd-one"))
    assert "id-one" not in podman(user, "network", "ls", "--format", "{{.Name}}")
    here = links(user)
    assert "b.service" not in here
    assert {"default.target.wants/t.timer", "t.timer"} <= here
    assert "timers.target.wants/t.timer" not in here

    gone = ("kind/b.container", "theirs/x.network", "theirs/x.container", "theirs/x.volume")
    repository.commit({"kind/b.service": service(), **dict.fromkeys(gone)})
    sync(user)
    ready(user, *others)
    assert not podman(user, "ps", "-a", "--format", "{{.Names}}", "--filter", "name=systemd-b")
    assert "b.service" in links(user)
    label = podman(user, "network", "inspect", "id-theirs", "-f", '{{index .Labels "mine"}}')
    assert label == ["1"]
    assert "id-data" in podman(user, "volume", "ls", "--format", "{{.Name}}")


def test_a_network_that_cannot_be_made_anew_is_taken_back_with_its_guests(user, git_server):
    podman(user, "network", "create", "--subnet", "10.91.0.0/24", "id-taken")
    network, guest = "proxy-network.service", "guest.service"
    files = {"home/proxy.network": "[Network]\n", "duo/guest.container": networked("proxy")}
    repository = deploy(user, git_server, files)
    ready(user, "home", "duo")
    repository.commit({"home/proxy.network": "[Network]\nSubnet=10.91.0.0/24\n"})
    done = sync(user)
    assert done.returncode == codes.NOT_WELL, done.stdout
    assert f"needs {network} of app home, which failed: Error: subnet 10.91" in done.stdout
    assert "conmon" not in done.stdout
    wait_for_states(user, home="reverted", duo="ready")
    assert user.unit_state(guest)["ActiveState"] == "active"
    assert {one["app"] for one in events(user, unit=guest)} == {"duo"}
    repository.commit({"home/proxy.network": "[Network]\nInternal=true\n"})
    assert sync(user).returncode == codes.OK
    ready(user, "home", "duo")
    assert user.unit_state(guest)["ActiveState"] == "active"
    options = podman(user, "network", "inspect", "systemd-proxy", "-f", "{{.Internal}}")
    assert options == ["true"]


def test_what_a_network_does_to_a_guest_that_uses_its_name_only_takes_it_back(user, git_server):
    guest = networked("proxy").replace("proxy.network", "id-named:ip=10.92.0.5")
    network = called("id-named", "Subnet=10.92.0.0/24")
    files = {"home/proxy.network": network, "duo/guest.container": guest}
    repository = deploy(user, git_server, files)
    ready(user, "home", "duo")
    repository.commit({"home/proxy.network": network.replace("10.92", "10.93")})
    assert sync(user).returncode == codes.NOT_WELL
    wait_for_states(user, home="reverted", duo="ready")
    (reverted,) = events(user, kind="reverted")
    assert (
        "guest.service of app duo, which needs proxy-network.service, failed" in reverted["reason"]
    )
    assert user.unit_state("guest.service")["ActiveState"] == "active"
