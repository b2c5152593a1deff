"""schemathesis at the page of a daemon that runs, through its sandbox, with the right to order.

As in tests/api/test_fuzzed.py, where a service answers that says what it is told to. What is asked
follows from the document that the page serves: each run asks the same.
"""

from tests.fakes import fuzzer
from tests.host.conftest import call
from tests.host.scenes import deploy_folder, events, ready, service

TOKEN = "correct horse battery staple"
SOME = (
    *("status", "events", "why", "logs", "machine", "plan"),
    *("sync", "suspend", "rollback", "scale"),
)
"""Endpoints with something behind them here, of some that are alike one."""
UNITS = ("podvisor.service", "podvisor-web.service")


def test_it_keeps_to_the_document_whatever_is_asked(user, tmp_path):
    user.write("token", f"{TOKEN}\n", mode=0o600)
    page = f"http://127.0.0.1:{user.port}"
    web = f'[web]\nlisten = "127.0.0.1:{user.port}"\nidle = "0s"\n'
    web += 'actions = true\ntoken = "file:~/token"\n'
    deploy_folder(user, {"a/a.service": service(), "b/b.service": service()}, more=web)
    ready(user, "a", "b")
    assert user.run("curl", "-s", "-f", f"{page}/openapi.json").stdout
    before = [user.unit_state(unit)["MainPID"] for unit in UNITS]

    options = ("--phases", "coverage", "--seed", "1", "--request-timeout", "60")
    options += ("--include-operation-id-regex", f"^({'|'.join(SOME)})$")
    fuzz = fuzzer.command(f"{page}/openapi.json", *options, token=TOKEN)
    inside = ("nsenter", "--net", f"--target={user.host.pid}")  # of the host, its loopback alone
    environment = {**fuzzer.environment("fuzz_hooks_live"), "FUZZED_APP": "a"}
    done = call(*inside, *fuzz, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout

    assert events(user, kind="suspended", by="token (API)")
    user.podvisor("resume")
    ready(user, "a", "b")
    assert [user.unit_state(unit)["MainPID"] for unit in UNITS] == before
    user.host.run("journalctl", "--sync")
    words = ("journalctl", "--quiet", "--output=cat", f"_UID={user.uid}")
    said = user.host.run(*words, f"_SYSTEMD_USER_UNIT={UNITS[1]}").stdout
    assert "Traceback" not in said
