import pytest

from supervisor.core.config.reader import read_settings

TOKEN = "token = 'file:~/page-token'"
HEADER = "user_header = 'X-Forwarded-User'"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listen = '127.0.0.1:9079'",
        "listen = '127.8.8.8:1'\nhosts = ['a.example', '192.0.2.1', 'nas.lan']\nidle = '0s'",
        "listen = '[::1]:9079'",
        "listen = '~/.local/share/page/page.sock'",
        "listen = '/run/user/1000/page.sock'",
        f"listen = '0.0.0.0:9079'\n{TOKEN}",
        f"listen = '127.0.0.1:9079'\nactions = true\n{TOKEN}",
        f"listen = '127.0.0.1:9079'\nrequire_login = true\n{TOKEN}",
        "listen = '~/page/page.sock'\nrequire_login = true\nuser_header = 'Remote-User'",
        "actions = true\ntoken = 'credential:page-token'",
        "listen = '~/page/page.sock'\nactions = true\nuser_header = 'Remote-User'",
    ],
)
def test_accepted(text: str) -> None:
    assert read_settings(f"[web]\n{text}\n").findings == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen = '0.0.0.0:9079'", ":2: “0.0.0.0:9079” is for everybody who reaches this machine"),
        ("listen = '192.168.1.2:9079'", "is for everybody who reaches this machine"),
        ("listen = '[::]:9079'", "is for everybody who reaches this machine"),
        ("listen = '9079'", "cannot listen on “9079”"),
        ("listen = 'localhost:9079'", "cannot listen on “localhost:9079”"),
        ("listen = '/a\"b'", "is no path of a socket"),
        ("hosts = ['*.example.org']", "is no name"),
        ("hosts = ['a b']", "is no name"),
        ("hosts = ['']", "is no name"),
        ("hosts = ['nas.lan:8443']", "(a host counts at all ports: write nas.lan)"),
        ("idle = '-1s'", ":2:"),
        ("tokens = 'x'", "there is no setting “tokens” in [web]"),
        ("token = 'x'", "write file:/PATH, credential:NAME"),
        ("token = 'podman:page'", "“token” cannot be a secret of Podman's"),
        ("actions = true", ":2: nobody can order anything"),
        ("require_login = true", ":2: nobody could look"),
        ("actions = 'yes'", "“actions” must be true or false"),
        (f"actions = true\n{HEADER}\nlisten = '0.0.0.0:9'", "can write “X-Forwarded-User”"),
        (f"actions = true\n{HEADER}\n{TOKEN}\nlisten = '[::]:9'", "can write “X-Forwarded-User”"),
        ("actions = true\nuser_header = 'X: y'", "is no header that says who it is"),
        ("actions = true\nuser_header = 'Cookie'", "is no header that says who it is"),
    ],
)
def test_refused(text: str, said: str) -> None:
    reading = read_settings(f"[web]\n{text}\n")
    assert reading.settings is None
    (finding,) = reading.findings
    assert said in str(finding)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"listen = '127.0.0.1:9'\nactions = true\n{HEADER}", "whatever runs on this machine"),
        (f"listen = '[::1]:9'\nrequire_login = true\n{HEADER}", "whatever runs on this machine"),
    ],
)
def test_warned_of(text: str, said: str) -> None:
    reading = read_settings(f"[web]\n{text}\n")
    assert reading.settings is not None
    (finding,) = reading.findings
    assert said in str(finding)
