"""Apps that cannot be deployed as they are: refused by name, and nothing else is touched."""

import os
import socket

from tests.host.scenes import (
    IMAGE,
    OWNED,
    WANTED,
    active,
    app_of,
    configure,
    deploy,
    deploy_folder,
    events,
    finding,
    main_pid,
    ready,
    service,
    sleeper,
    source,
    states,
    status,
    sync,
    waiting_of,
)

# --- what Podman's generator refuses --------------------------------------------------------------

GOOD = {
    "apps/key/key.container": sleeper(),
    "apps/net/net.container": sleeper(),
    "apps/pods/pods.container": sleeper(),
    "apps/many/many@.container": sleeper(wanted="\n[Install]\nDefaultInstance=one\n" + WANTED[11:]),
    "apps/part/part.container": sleeper(),
    "apps/part/part.container.d/10-name.conf": "[Container]\nHostName=part\n",
    "apps/form/form.container": sleeper(),
    "apps/kube/kube.service": service(),
    "apps/mount/mount.container": sleeper(),
    "apps/fine/fine.service": service(),
}
REFUSED = {
    "apps/key/key.container": sleeper("Bogus=1"),
    "apps/net/net.container": sleeper("Network=missing.network"),
    "apps/pods/pods.container": sleeper("Pod=missing.pod"),
    "apps/many/many@.container": sleeper("Bogus=1"),
    "apps/part/part.container.d/10-name.conf": "[Container]\n\nHostNam=part\n",
    "apps/form/form.container": "[Container\nImage=x\n",
    "apps/kube/kube.kube": "[Kube]\n",
    "apps/mount/mount.container": sleeper("Mount=type=bind,destination=/x"),  # 5.4 crashes at it
    "apps/fine/fine.service": service(2000000),
}
WORDS = {
    "key": ("apps/key/key.container", 5, "Bogus"),
    "net": ("apps/net/net.container", 5, "missing.network"),
    "pods": ("apps/pods/pods.container", 5, "missing.pod"),
    "many": ("apps/many/many@.container", 5, "Bogus"),
    "part": ("apps/part/part.container.d/10-name.conf", 3, "HostNam"),
    "form": ("apps/form/form.container", 1, "not a key-value pair"),
    "kube": ("apps/kube/kube.kube", 0, "Yaml"),
    "mount": ("apps/mount/mount.container", None, ""),  # newer ones refuse it, without the line
}


def test_what_the_generator_refuses_stays_at_its_last_good_revision(user, git_server):
    repository = deploy(user, git_server, GOOD)
    names = (*WORDS, "fine")
    ready(user, *names)
    first = repository.head
    units = [f"{name}.service" for name in names if name != "many"] + ["many@one.service"]
    before = {unit: main_pid(user, unit) for unit in units}
    repository.commit(REFUSED, "Break nearly everything")
    assert sync(user).returncode == 3
    for app, (path, line, words) in WORDS.items():
        found = finding(user, app)
        assert found["path"] == path, found
        assert line is None or found.get("line", 0) == line, found
        assert words in found["message"], found
        assert app_of(user, app)["revision"] == first
    assert states(user)["fine"] == "ready"
    after = {unit: main_pid(user, unit) for unit in units}
    assert {unit for unit in units if before[unit] != after[unit]} == {"fine.service"}
    # The old revision is still repaired.
    user.systemctl("stop", "key.service")
    user.wait_for(lambda: active(user, "key.service"))
    # Said in words, too, and by `check` before anything is pushed.
    shown = user.podvisor("status", check=False).stdout
    assert "apps/net/net.container:5" in shown
    user.run("git", "clone", "--quiet", repository.url, "clone")
    checked = user.podvisor("check", "clone", check=False)
    assert checked.returncode == 1
    assert "apps/part/part.container.d/10-name.conf:3" in checked.stdout + checked.stderr
    repository.git("revert", "--no-edit", "HEAD")
    repository.push()
    assert sync(user).returncode == 0
    ready(user, *names)
    assert events(user, kind="recovered", app="net")


def test_an_app_that_is_refused_from_the_start_is_not_installed(user, git_server):
    deploy(user, git_server, {**REFUSED, "apps/key/more.service": service()})
    user.wait_for(lambda: states(user).get("fine") == "ready")
    assert finding(user, "key")["line"] == 5
    assert not (user.home / OWNED / "key").exists()
    assert user.unit_state("more.service")["LoadState"] == "not-found"


def test_check_warns_of_what_systemd_would_pass_over(user):
    files = {
        "web/web.container": sleeper(wanted="\n[Service]\nRestrat=always\n[Install]\nWantdBy=x\n"),
        "web/web.container.d/10-more.conf": "[Unit]\nDescripton=x\n",
        "job/job@.service": "[Service]\nExecStart=/bin/true\nType=onshot\n",
        "fine/fine.service": service(),
        "fine/box.container": sleeper(),
    }
    for path, text in files.items():
        user.write(f"source/{path}", text)
    done = user.podvisor("check", "source")
    passed = "systemd passes it over (did you mean"
    for line in (
        f"web/web.container:7: Restrat= is no key of [Service]: {passed} Restart=?)",
        f"web/web.container:9: WantdBy= is no key of [Install]: {passed} WantedBy=?)",
        f"web/web.container.d/10-more.conf:2: Descripton= is no key of [Unit]: {passed}",
        "job/job@.service:3: systemd passes this over: Failed to parse Type=onshot",
    ):
        assert done.stdout.count(f"warning: {line}") == 1, done.stdout


# --- names that are taken -------------------------------------------------------------------------


def test_two_apps_of_one_unit_or_container_name(user, git_server):
    first = {
        "apps/b/web.container": sleeper(),
        "apps/d/db.container": sleeper("ContainerName=shared"),
        "apps/f/job.service": service(),
    }
    repository = deploy(user, git_server, first)
    ready(user, "b", "d", "f")
    units = ("web.service", "db.service", "job.service")
    before = [main_pid(user, unit) for unit in units]
    # Each of the new ones comes first by name, and still the one that runs goes first.
    repository.commit(
        {
            "apps/a/web.container": sleeper("HostName=a"),
            "apps/c/other.container": sleeper("ContainerName=shared"),
            "apps/e/again.container": sleeper("ServiceName=job"),
        }
    )
    assert sync(user).returncode == 3
    assert [main_pid(user, unit) for unit in units] == before
    for new, old, name in (("a", "b", "web.container"), ("c", "d", "shared"), ("e", "f", "job")):
        found = finding(user, new)
        assert f"{old} and {new} both define" in found["message"], found
        assert name in found["message"]
        assert found["path"].startswith(f"apps/{new}/")
        assert states(user)[old] == "ready"
        assert not (user.home / OWNED / new).exists()
    repository.commit(
        {
            "apps/b/web.container": None,
            "apps/c/other.container": sleeper(),
            "apps/e/again.container": None,
        }
    )
    assert sync(user).returncode == 0
    ready(user, "a", "c", "d", "f")
    assert active(user, "web.service", "other.service", "db.service")


def test_two_units_of_one_app_with_one_container_name(user, git_server):
    twins = {
        "apps/web/a.container": sleeper("ContainerName=web"),
        "apps/web/b.container": sleeper("ContainerName=web"),
        "apps/two/x.container": sleeper(),
        "apps/two/more/x.container": sleeper(),
    }
    repository = deploy(user, git_server, twins)
    user.wait_for(lambda: states(user) == {"web": "refused", "two": "refused"})
    found = finding(user, "web")
    assert found["path"] == "apps/web/b.container"
    assert "a.container makes a container named web as well" in found["message"]
    assert "define the same unit" in finding(user, "two")["message"]
    # Renaming the file of a container with a name of its own is no conflict.
    repository.commit(
        {"apps/web/b.container": None, "apps/two/x.container": None}, "Only one of each"
    )
    assert sync(user).returncode == 0
    repository.commit(
        {"apps/web/a.container": None, "apps/web/c.container": twins["apps/web/a.container"]}
    )
    assert sync(user).returncode == 0
    ready(user, "web", "two")
    assert active(user, "c.service")
    assert user.podman("inspect", "--format={{.State.Status}}", "web").stdout == "running\n"


def test_a_name_stays_taken_while_its_app_is_refused(user, git_server):
    repository = deploy(user, git_server, {"apps/b/web.container": sleeper()})
    ready(user, "b")
    pid = main_pid(user, "web.service")
    repository.commit(
        {"apps/b/web.container": sleeper("Bogus=1"), "apps/a/web.container": sleeper()}
    )
    sync(user)
    assert states(user) == {"a": "refused", "b": "refused"}
    assert "both define" in finding(user, "a")["message"]
    assert main_pid(user, "web.service") == pid
    assert not (user.home / OWNED / "a").exists()
    # So does what its last good revision alone calls so.
    other = {"apps/a/web.container": None, "apps/a/a.container": sleeper("ServiceName=web")}
    repository.commit({**other, "apps/b/web.container": None, "apps/b/b.container": "[X\n"})
    sync(user)
    messages = [one["message"] for one in app_of(user, "a")["findings"]]
    assert any("apps b and a both define the unit web.service" in one for one in messages)
    assert main_pid(user, "web.service") == pid
    # To systemd an alias is a name as well.
    alias = "\n[Install]\nAlias=web.service\n"
    thieves = {
        "apps/a/a.container": sleeper() + alias,
        "apps/c/c.service": service() + alias,
        "apps/d/d.service": service() + alias.replace("web", "podvisor"),
    }
    repository.commit({**thieves, "apps/b/web.container": sleeper(), "apps/b/b.container": None})
    sync(user)
    user.wait_for(lambda: states(user)["b"] == "ready", what="b")
    for name, said in (("a", "both define"), ("c", "both define"), ("d", "exists already")):
        assert states(user)[name] == "refused"
        assert said in finding(user, name)["message"]
    assert main_pid(user, "web.service") == pid
    assert user.unit_state("web.service")["Id"] == "web.service"


def test_two_sources_with_one_app_name(user, git_server):
    repository = deploy(user, git_server, {"apps/web/web.service": service()})
    ready(user, "web")
    pid = main_pid(user, "web.service")
    user.write("more/apps/web/web.service", service(5))
    configure(user, f'git = "{repository.url}"', more='[sources.also]\nfolder = "~/more"\n')
    user.reload_daemon()
    sync(user)
    assert main_pid(user, "web.service") == pid
    shown = user.podvisor("status", check=False).stdout
    assert "sources home and also both hold an app named web" in " ".join(shown.split())


# --- what podvisor does not own -------------------------------------------------------------------


def test_what_is_not_podvisors_is_never_overwritten(user, git_server):
    mine = {
        ".config/systemd/user/plain.service": service(7000000),
        ".config/containers/systemd/own.container": sleeper("HostName=own"),
        f"{OWNED}/theirs/theirs.container": sleeper("HostName=theirs"),
    }
    for path, text in mine.items():
        user.write(path, text)
    user.systemctl("daemon-reload")
    user.systemctl("start", "plain.service", "own.service")
    user.podman("run", "--detach", "--name=byhand", "--network=none", f"{IMAGE}:1", "sleep", "1000")
    before = {
        "plain": main_pid(user, "plain.service"),
        "own": main_pid(user, "own.service"),
        "byhand": user.podman("inspect", "--format={{.Id}}", "byhand").stdout,
    }
    repository = deploy(
        user,
        git_server,
        {
            "apps/a/plain.service": service(),
            "apps/b/own.container": sleeper(),
            "apps/c/c.container": sleeper("ContainerName=byhand"),
            "apps/theirs/theirs.container": sleeper(),
            "apps/fine/fine.service": service(),
        },
    )
    user.wait_for(lambda: states(user).get("fine") == "ready")
    assert sync(user).returncode == 3
    for app, name in (
        ("a", "plain.service"),
        ("b", "own.service"),
        ("c", "byhand"),
        ("theirs", "theirs.container"),
    ):
        found = finding(user, app)
        assert name in found["message"], found
        assert found["hint"], found
    assert {path: user.read(path) for path in mine} == mine
    after = {
        "plain": main_pid(user, "plain.service"),
        "own": main_pid(user, "own.service"),
        "byhand": user.podman("inspect", "--format={{.Id}}", "byhand").stdout,
    }
    assert after == before
    # Out of the way, each is deployed at the next pass.
    user.systemctl("stop", "plain.service", "own.service")
    user.podman("rm", "--force", "--time=0", "byhand")
    for path in mine:
        (user.home / path).unlink()
    user.systemctl("daemon-reload")
    assert sync(user).returncode == 0
    ready(user, "a", "b", "c", "fine", "theirs")
    # A file that somebody lays into an app's folder is said, and left alone.
    user.write(f"{OWNED}/a/stray.container", sleeper())
    repository.commit({"apps/a/plain.service": service(5000000)})
    assert sync(user).returncode == 0
    (warning,) = app_of(user, "a")["findings"]
    assert warning["path"] == "stray.container"
    assert (user.home / OWNED / "a/stray.container").exists()
    # And so is a unit of the same name beside one that is podvisor's.
    user.write(".config/containers/systemd/own.container", sleeper("HostName=own"))
    assert sync(user).returncode == 3
    assert "own.container" in finding(user, "b")["message"]
    assert active(user, "own.service")


# --- files that are not deployed ------------------------------------------------------------------


def test_links_paths_and_names_in_git(user, git_server):
    links = {
        "apps/out/secret": "../../../etc/passwd",
        "apps/absolute/secret": "/etc/passwd",
        "apps/across/data": "../fine/data",
        "apps/circle/one": "two",
        "apps/circle/two": "one",
        "apps/fine/current": "data",
        "apps/fine/many@two.container": "many@.container",
    }
    container = sleeper("Volume=./current:/srv:ro")
    files = {
        "apps/out/out.service": service(),
        "apps/absolute/absolute.service": service(),
        "apps/across/across.service": service(),
        "apps/circle/circle.service": service(),
        "apps/climb/climb.container": sleeper("Volume=../fine/data:/srv"),
        "apps/dotted/dotted.container": sleeper("EnvironmentFile=./../../etc/passwd"),
        "apps/control/control.service": service(),
        "apps/control/a\x1b[31mred": "x",
        "apps/large/large.service": service(),
        "apps/large/data.bin": "x" * 2000,
        "apps/heavy/heavy.service": service(),
        **{f"apps/heavy/{number}.txt": "x" * 900 for number in range(5)},
        "apps/fine/fine.container": container,
        "apps/fine/data/index.html": "linked\n",
        "apps/fine/many@.container": sleeper(),
    }
    limits = '[limits]\nfile_size = "1K"\napp_size = "4K"\n'
    repository = deploy(user, git_server, files, more=limits, links=links)
    user.wait_for(lambda: states(user).get("fine") == "ready")
    assert active(user, "fine.service", "many@two.service")
    read = user.podman("exec", "systemd-fine", "cat", "/srv/index.html").stdout
    assert read == "linked\n"
    refused = {
        "out": ("apps/out/secret", "leads out of the source"),
        "absolute": ("apps/absolute/secret", "absolute path"),
        "across": ("apps/across/data", "leads out of the folder of app across"),
        "climb": ("apps/climb/climb.container", "leaves the folder of app climb"),
        "dotted": ("apps/dotted/dotted.container", "leaves the folder of app dotted"),
        "control": ("apps/control/a\\x1b[31mred", "control characters"),
        "large": ("apps/large/data.bin", "larger than the limit"),
        "heavy": ("apps/heavy", "too large"),
    }
    for app, (path, words) in refused.items():
        found = finding(user, app)
        assert found["path"] == path
        assert words in found["message"], found
        assert not (user.home / OWNED / app).exists()
    circle = app_of(user, "circle")
    assert {one["path"] for one in circle["findings"]} == {"apps/circle/one", "apps/circle/two"}
    assert {states(user)[app] for app in (*refused, "circle")} == {"refused"}
    assert "\x1b[31mred" not in user.podvisor("status", check=False).stdout
    repository.commit(
        {"apps/fine/data/index.html": "changed\n", "apps/fine/many@.container": sleeper("Tmpfs=/x")}
    )
    sync(user)
    read = user.podman("exec", "systemd-fine", "cat", "/srv/index.html").stdout
    assert read == "changed\n"
    restarts = events(user, step="restart")
    assert sorted(one["unit"] for one in restarts) == ["fine.service", "many@two.service"]


def test_devices_and_fifos_in_a_folder(user):
    places = {"fifo", "pipe", "device", "socket", "link", "odd"}
    for name in places:
        user.write(f"apps/{name}/{name}.service", service())
    root = user.home / "apps"
    os.mkfifo(root / "fifo/data")
    os.mkfifo(root / "pipe/pipe.container")
    os.mknod(root / "device/zero", 0o20666, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket/sock"))
    (root / "link/passwd").symlink_to("/etc/passwd")
    (root / "odd/a\nb").touch()
    deploy_folder(user, {"fine/fine.service": service()})
    user.wait_for(lambda: states(user).get("fine") == "ready")
    refused = {
        "fifo": ("fifo/data", "is a fifo"),
        "pipe": ("pipe/pipe.container", "is a fifo"),
        "device": ("device/zero", "is a character device"),
        "socket": ("socket/sock", "is a socket"),
        "link": ("link/passwd", "absolute path"),
        "odd": ("odd/a\\nb", "control characters"),
    }
    for app, (path, words) in refused.items():
        found = finding(user, app)
        assert found["path"] == path
        assert words in found["message"], found
        assert not (user.home / OWNED / app).exists()
    # Removed, they are noticed by themselves.
    (root / "fifo/data").unlink()
    (root / "link/passwd").unlink()
    user.wait_for(lambda: [states(user)[name] for name in ("fifo", "link")] == ["ready"] * 2)


def test_a_running_app_whose_newest_files_are_refused_keeps_running(user, git_server):
    repository = deploy(
        user,
        git_server,
        {"apps/web/web.container": sleeper("Volume=./conf:/srv"), "apps/web/conf/a": "1\n"},
    )
    ready(user, "web")
    pid = main_pid(user, "web.service")
    repository.commit({"apps/web/conf/a": "2\n"}, links={"apps/web/conf/b": "/etc/shadow"})
    assert sync(user).returncode == 3
    assert finding(user, "web")["path"] == "apps/web/conf/b"
    assert main_pid(user, "web.service") == pid
    assert user.read(f"{OWNED}/web/conf/a") == "1\n"


def test_a_folder_that_a_container_takes_to_itself_keeps_no_other_app(user, git_server):
    files = {
        "apps/db/db.container": sleeper("Volume=./data:/data"),
        "apps/db/data/.gitkeep": "",
        "apps/web/web.container": sleeper("Environment=N=1"),
    }
    repository = deploy(user, git_server, files)
    ready(user, "db", "web")
    place = f"{OWNED}/db/data"
    # As PostgreSQL's does.
    user.run("podman", "unshare", "sh", "-c", f"chown 101:101 {place} && chmod 700 {place}")
    user.write(".config/systemd/user/loop.service", "")
    user.run("ln", "-sfn", "loop.service", ".config/systemd/user/loop.service")
    repository.commit({"apps/web/web.container": sleeper("Environment=N=2")}, "Change another")
    assert sync(user).returncode == 0
    assert states(user) == {"db": "ready", "web": "ready"}
    assert app_of(user, "web")["revision"] == repository.head
    assert "took it to itself" in user.podvisor("status", "db").stdout
    first = app_of(user, "db")["revision"]
    repository.commit({"apps/db/data/seed": "x"}, "Write into it")
    assert sync(user).returncode == 3
    assert "cannot write into" in finding(user, "db")["message"]
    user.systemctl("restart", "podvisor.service")  # nothing is known from before
    user.wait_for(lambda: states(user) == {"db": "refused", "web": "ready"})
    assert app_of(user, "db")["revision"] == first
    user.systemctl("stop", "db.service")
    user.wait_for(lambda: active(user, "db.service"), what="its repair")
    user.run("podman", "unshare", "rm", "-rf", place)


def test_a_folder_whose_name_cannot_be_an_apps(user, git_server):
    names = ("-dash", "sp ace", "a" * 64)
    bad = {f"apps/{name}/x.service": service() for name in names}
    deploy(user, git_server, {"apps/fine/fine.service": service(), **bad})
    user.wait_for(lambda: states(user).get("fine") == "ready")
    findings = status(user)["sources"][0]["findings"]
    assert len(findings) == len(names)
    for name in names:
        assert any(repr(name) in found["message"] for found in findings), name
    assert states(user).keys() == {"fine"}
    assert status(user)["sources"][0]["revision"]
    assert not source(user).get("error")


def test_a_port_that_cannot_be_had_is_told_with_its_holder_or_the_mend(user):
    def publishing(ports):
        return sleeper(f"PublishPort={ports}").replace("Network=none\n", "")

    deploy_folder(user, {"a/a.container": publishing("18437:80")})
    ready(user, "a")
    user.write("apps/b/b.container", publishing("127.0.0.1:18437:80"))
    user.write("apps/low/low.container", publishing("80:80"))
    assert sync(user).returncode == 3
    assert "publishes port 18437/tcp, and so does a.service of a" in str(app_of(user, "b"))
    assert "port 18437 is taken by a.service (pasta" in str(waiting_of(user, "b"))
    said = str(waiting_of(user, "low"))
    assert "Permission denied" in said
    assert "net.ipv4.ip_unprivileged_port_start=80" in said
    assert states(user)["a"] == "ready"
