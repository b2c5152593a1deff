"""`.secret` files: what they ask for, and what is said of those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.secret_files import is_secret, read_secret_files
from supervisor.model.errors import Finding
from supervisor.model.secret import DesiredSecret, SecretKind
from tests.core.candidates import from_texts

AGE = "age-encryption.org/v1\n"


def read(
    files: dict[str, str], links: dict[str, str] | None = None
) -> tuple[tuple[DesiredSecret, ...], tuple[Finding, ...]]:
    return read_secret_files(AppFiles(*from_texts("web", files, links=links or {})))


def one(text: str, **files: str) -> DesiredSecret:
    (secret,), findings = read({"db.secret": text, "db.age": AGE, **files})
    assert findings == ()
    return secret


def refused(text: str, files: dict[str, str] | None = None, **links: str) -> tuple[str, int, str]:
    secrets, findings = read({"db.secret": text, **(files or {"db.age": AGE})}, links)
    assert secrets == ()
    (finding,) = [finding for finding in findings if finding.fatal]
    assert finding.path == "apps/web/db.secret"
    assert finding.hint
    return finding.message, finding.line, finding.hint


def test_a_file_that_age_encrypted() -> None:
    secret = one("# why\n[Secret]\nSource=age:db.age\n")
    assert (secret.name, secret.kind, secret.line) == ("db", SecretKind.AGE, 3)
    assert secret.source == "age:db.age"
    assert len(secret.oid) == 40


def test_a_key_in_a_file_that_sops_encrypted() -> None:
    text = "[Secret]\nName=pg-pass\nSource=sops:all/s.yaml#db.users.0.password\n"
    (secret,), findings = read({"db.secret": text, "all/s.yaml": "x"})
    assert not findings
    assert (secret.name, secret.place) == ("pg-pass", "all/s.yaml")
    assert secret.key == ("db", "users", "0", "password")
    assert secret.source == "sops:all/s.yaml#db.users.0.password"


def test_a_credential_and_a_generated_one() -> None:
    assert one("[Secret]\nSource=credential:db-pass\n").source == "credential:db-pass"
    secret = one("[Secret]\nGenerate=32\n")
    assert (secret.length, secret.stays) == (32, True)
    assert not one("[Secret]\nGenerate=32\nPrune=yes\n").stays


def test_the_last_of_several_counts_and_an_empty_one_takes_it_back() -> None:
    assert one("[Secret]\nSource=credential:a\nSource=age:db.age\n").source == "age:db.age"
    assert one("[Secret]\nGenerate=8\nGenerate=\nSource=age:db.age\n").source == "age:db.age"


def test_a_link_is_followed_within_the_app() -> None:
    (secret,), _ = read({"x.secret": "[Secret]\nSource=age:a\n", "real": AGE}, {"a": "real"})
    (same,), _ = read({"x.secret": "[Secret]\nSource=age:real\n", "real": AGE})
    assert secret.oid == same.oid


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[Secrt]\nSource=age:db.age\n", 0, "no [Secret] section"),
        ("Source=age:db.age\n", 0, "no [Secret] section"),
        ("[Secret]\n", 0, "does not say where"),
        ("[Secret]\nSource=age:db.age\nGenerate=32\n", 2, "exclude each other"),
        ("[Secret]\nSource=hunter2\n", 2, "what kind of source"),
        ("[Secret]\nSource=age:\n", 2, "not in the app's folder"),
        ("[Secret]\nSource=age:/etc/passwd\n", 2, "not in the app's folder"),
        ("[Secret]\nSource=age:../other/db.age\n", 2, "not in the app's folder"),
        ("[Secret]\nSource=age:none.age\n", 2, "is not there"),
        ("[Secret]\nSource=sops:db.age\n", 2, "does not name a key"),
        ("[Secret]\nSource=sops:db.age#a..b\n", 2, "does not name a key"),
        ("[Secret]\nSource=credential:../x\n", 2, "cannot name a credential"),
        ("[Secret]\nGenerate=yes\n", 2, "how many letters"),
        ("[Secret]\nGenerate=7\n", 2, "how many letters"),
        ("[Secret]\nGenerate=99999999999999\n", 2, "how many letters"),
        ("[Secret]\nGenerate=32\nPrune=perhaps\n", 2, "Prune="),
        ("[Secret]\nName=a,b\nGenerate=32\n", 3, "cannot name a secret"),
        (f"[Secret]\nName={'x' * 254}\nGenerate=32\n", 3, "cannot name a secret"),
    ],
)
def test_what_means_nothing(text: str, line: int, said: str) -> None:
    message, at, _ = refused(text)
    assert said in message
    assert at == line


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        '{"data": "ENC[hunter2]"}',
        "[db]\npassword=hunter2\n",
        "\0GITCRYPT\0hunter2",
        "",
    ],
)
def test_another_tools_file_is_installed_as_it_is(text: str) -> None:
    secrets, (finding,) = read({"db.secret": text})
    assert (secrets, finding.fatal, finding.path) == ((), False, "apps/web/db.secret")
    assert "hunter2" not in str(finding)
    assert "begins with [Secret]" in finding.hint


@pytest.mark.parametrize(
    "text",
    [
        "Source=%s",
        "Source=age:%s",
        "Source=age:/%s",
        "Source=sops:%s",
        "Source=sops:%s#a",
        "Source=credential:../%s",
        "Generate=%s",
        "Generate=8\nPrune=%s",
        "Generate=8\nName=,%s",
        "%s",
        "[%s",
    ],
)
def test_what_may_be_the_secret_itself_is_not_repeated(text: str) -> None:
    _, findings = read({"db.secret": "[Secret]\n" + text % "hunter2"})
    assert findings
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize(
    ("files", "links", "said"),
    [
        ({"db.age": ""}, {}, "is empty"),
        ({"db.age": "not age"}, {}, "no file that age encrypted"),
        ({"db.age": AGE + "x" * (1 << 20)}, {}, "too large for a secret"),
        ({"x": "y"}, {"db.age": "/etc/passwd"}, "not in the app's folder"),
        ({"x": "y"}, {"db.age": "gone"}, "is not there"),
        ({"db.age/x": "y"}, {}, "is a folder"),
    ],
)
def test_an_encrypted_file_that_cannot_be_one(
    files: dict[str, str], links: dict[str, str], said: str
) -> None:
    assert said in refused("[Secret]\nSource=age:db.age\n", files, **links)[0]


def test_unknown_keys_are_warnings_with_what_was_meant() -> None:
    secrets, findings = read(
        {"db.secret": "[Secret]\nGenerat=1\nGenerate=32\nnonsense\n[Unit]\nName=x\n[X-Mine]\na=b\n"}
    )
    assert len(secrets) == 1
    assert {(found.line, found.fatal) for found in findings} == {(2, False), (4, False), (6, False)}
    by_line = {found.line: found for found in findings}
    assert by_line[2].hint == "did you mean Generate=?"
    assert by_line[6].hint == "write it below [Secret]"


def test_two_files_with_one_name() -> None:
    text = "[Secret]\nName=x\nGenerate=32\n"
    secrets, (found,) = read({"a.secret": text, "b.secret": text})
    assert [secret.path for secret in secrets] == ["a.secret"]
    assert found.message == "a.secret and b.secret both make the secret x"
    assert found.path == "apps/web/b.secret"


def test_which_files_are_secrets() -> None:
    assert is_secret("db.secret")
    assert is_secret("deep/db.secret")
    assert not is_secret(".secret")
    assert not is_secret("db.secret.age")


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    secrets, findings = read({"db.secret": text, "db.age": AGE})
    assert len(secrets) <= 1
    assert secrets or findings
