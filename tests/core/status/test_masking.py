"""Programs' words without their secrets."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.status.masking import masked

KEY = b"-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"
KUBE = b"kind: Secret\nmetadata: {name: db}\ndata:\n  password: czNjcmV0LXdvcmQ=\n"


@pytest.mark.parametrize(
    ("words", "value", "shown"),
    [
        ("password hunter22 failed", b"hunter22\n", "password … failed"),
        ("twice hunter22hunter22", b"hunter22", "twice ……"),
        ("read MIIEvQIBADANBg: bad", KEY, "read …: bad"),
        ("Basic aHVudGVyMjI= denied", b"hunter22", "Basic … denied"),
        ("postgres://u:a%2Fb%40c@db", b"a/b@c", "postgres://u:…@db"),
        ("two words here", b"two\n words\n", "… here"),
        ("password s3cret-word failed", KUBE, "password … failed"),
        ("cut: …ter22 failed", b"hunter22", "cut: … failed"),
        ("failed: hunt…", b"hunter22", "failed: …"),
        ("failed: hunt", b"hunter22", "failed: …"),
        ("er22 failed", b"hunter22", "… failed"),
        ("exit status 3: abc", b"abc", "exit status 3: abc"),
        ("é: ÿþ", b"\xff\xfe", "é: ÿþ"),
        ("", b"hunter22", ""),
    ],
)
def test_each_form_of_a_value_is_hidden(words, value, shown):
    assert masked(words, [value]) == shown


@given(
    st.text(),
    st.text(),
    st.text(min_size=4, alphabet=st.characters(exclude_characters="…", exclude_categories=["C"])),
)
def test_no_value_is_left(before, after, value):
    value = value.strip()
    if len(value) < 4:
        return
    for form in (value, b64encode(value.encode()).decode(), quote(value, safe="")):
        assert form not in masked(f"{before}{form}{after}", [value.encode()])
