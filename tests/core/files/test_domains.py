import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.domains import parse_domain
from supervisor.core.files.unitfile import Refused


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.org", "example.org"),
        ("WWW.Example.ORG.", "www.example.org"),
        ("*.example.org", "*.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("straße.example", "xn--strae-oqa.example"),
        ("nas", "nas"),
        ("3com.com", "3com.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        (f"{'a' * 63}.example.org", f"{'a' * 63}.example.org"),
    ],
)
def test_is_a_domain(text: str, domain: str) -> None:
    assert parse_domain(text) == domain
    assert parse_domain(domain) == domain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a label of it is empty"),
        ("a..org", "a label of it is empty"),
        (".example.org", "a label of it is empty"),
        ("-a.org", "begins or ends with a hyphen"),
        ("a-.org", "begins or ends with a hyphen"),
        ("my_host.example.org", "“my_host” has other letters"),
        (f"{'a' * 64}.org", "longer than 63"),
        (".".join(["a" * 60] * 5), "longer than 253"),
        ("https://example.org/", "is a URL, and no domain"),
        ("https://[", "is a URL, and no domain"),
        ("example.org:443", "names a port"),
        ("192.0.2.1:443", "names a port"),
        ("example.org/path", "cannot be a domain"),
        ("a.org b.org", "cannot be a domain"),
        ("a.org,b.org", "cannot be a domain"),
        ("me@example.org", "cannot be a domain"),
        ("a\u0000.org", "cannot be a domain"),
        ("*", "is no wildcard"),
        ("*.", "a label of it is empty"),
        ("*.*.example.org", "is no wildcard"),
        ("www.*.example.org", "is no wildcard"),
        ("w*.example.org", "is no wildcard"),
        ("192.0.2.300", "neither a domain nor an IP address"),
        ("192.0.2", "neither a domain nor an IP address"),
        ("*.192.0.2.1", "neither a domain nor an IP address"),
        ("::", "no host can be told by"),
        ("ff02::1", "no host can be told by"),
        ("fe80::1%eth0", "no host can be told by"),
        ("xn--a.example", "cannot be a domain"),
        ("☃☃.example", "cannot be a domain"),
        ("a\u200bü.example.org\u3002\u3002", "cannot be a domain"),
    ],
)
def test_is_none(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_domain(text)
    assert said in str(refused.value)
    assert refused.value.hint or "longer" in said
    assert str(refused.value).isprintable()


LABELS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\Z")


@given(st.text(max_size=40) | st.lists(LABELS | st.text(max_size=4), max_size=4).map(".".join))
def test_any_text_is_read_once_for_all_or_refused(text: str) -> None:
    domain = said = ""
    try:
        domain = parse_domain(text)
    except Refused as refused:
        said = str(refused)
    assert said.isprintable()
    assert domain.isascii()
    assert domain == domain.lower()
    assert not domain or parse_domain(domain) == domain
