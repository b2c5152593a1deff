import pytest

from supervisor.core.config.reader import read_settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listen = '127.0.0.1:9079'",
        "listen = '127.8.8.8:1'\nhosts = ['a.example', '192.0.2.1', 'nas.lan']\nidle = '0s'",
        "listen = '[::1]:9079'",
        "listen = '~/.local/share/page/page.sock'",
        "listen = '/run/user/1000/page.sock'",
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
        ("idle = '-1s'", ":2:"),
        ("token = 'x'", "there is no setting “token” in [web]"),
    ],
)
def test_refused(text: str, said: str) -> None:
    reading = read_settings(f"[web]\n{text}\n")
    assert reading.settings is None
    (finding,) = reading.findings
    assert said in str(finding)
