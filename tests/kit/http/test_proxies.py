"""Which proxy leads to a host, by the environment."""

import pytest

from supervisor.kit.http.connection import HttpError, address_of
from supervisor.kit.http.proxies import proxy_for

PROXY = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "plain.example:80"}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://registry.example/v2/", "proxy"),
        ("http://registry.example/v2/", "plain.example"),
        ("https://localhost:5000/", None),
        ("https://127.0.0.9/", None),
        ("http://[::1]:5000/", None),
    ],
)
def test_by_what_is_asked_over(url: str, host: str | None) -> None:
    found = proxy_for(address_of(url), PROXY)
    assert (found.address.host if found else None) == host
    assert proxy_for(address_of(url), {}) is None


@pytest.mark.parametrize(
    ("exceptions", "url", "is_direct"),
    [
        ("*", "https://a.example", True),
        ("", "https://a.example", False),
        ("example", "https://a.example", True),
        ("a.example", "https://a.example", True),
        ("a.example", "https://b.a.example", True),
        ("a.example", "https://ba.example", False),
        (".example", "https://a.example", True),
        (".a.example", "https://a.example", False),
        ("*.example", "https://a.example", True),
        ("x, A.EXAMPLE", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:5000", "https://a.example", False),
        ("a.example:5000", "https://a.example:5000", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:5000", True),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("nonsense/x", "https://10.1.2.3", False),
    ],
)
def test_exceptions(exceptions: str, url: str, *, is_direct: bool) -> None:
    found = proxy_for(address_of(url), PROXY | {"NO_PROXY": exceptions})
    assert (found is None) == is_direct


def test_a_password_is_not_shown() -> None:
    found = proxy_for(address_of("https://a.example"), {"https_proxy": "http://me:s%3Acret@p:1"})
    assert found
    assert found.headers == {"Proxy-Authorization": "Basic bWU6czpjcmV0"}
    assert "Y3JldA" not in repr(found)
    assert "cret" not in repr(found)


@pytest.mark.parametrize("text", ["socks5://proxy:1080", "http://", "http://[x"])
def test_what_is_no_proxy_of_ours_is_said(text: str) -> None:
    with pytest.raises(HttpError, match="https_proxy"):
        proxy_for(address_of("https://a.example"), {"https_proxy": text})


@pytest.mark.parametrize("password", ["pa/ss", "12/ss", "pa#ss", "pa?ss", "pa[ss", "p:a/s@s"])
def test_of_a_password_that_makes_no_url_nothing_is_shown(password: str) -> None:
    with pytest.raises(HttpError) as failure:
        proxy_for(address_of("https://a.example"), {"https_proxy": f"http://me:{password}@p:1"})
    assert str(failure.value).startswith("$https_proxy is no URL; in a password write / as %2F")
    assert failure.value.__cause__ is failure.value.__context__ is None
