"""Units that `.certificate` files name, and certificates that two apps want."""

import pytest
from msgspec.structs import replace

from supervisor.core.desired.certificate_users import (
    doubtful_users,
    misplaced_uses,
    with_named_users,
)
from supervisor.core.desired.conflicts import unit_conflicts
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.certificate import CertificateTerms, CertificateUse, DesiredCertificate
from supervisor.model.quadlet import UnitKind
from supervisor.model.secret import DesiredSecret, SecretKind, SecretUse


def unit(
    name: str,
    *uses: CertificateUse,
    instances: tuple[str, ...] = (),
    kind: UnitKind = UnitKind.CONTAINER,
    secrets: tuple[str, ...] = (),
) -> DesiredUnit:
    return DesiredUnit(
        name=f"{name}.service",
        kind=kind,
        path=f"{name}.{kind}",
        secret_uses=tuple(SecretUse(one, f"{name}.{kind}", 5) for one in secrets),
        digest="",
        certificate_uses=uses,
        instances=instances,
    )


def app(name: str, *units: DesiredUnit, **certificates: dict[str, object]) -> DesiredApp:
    terms = CertificateTerms(domains=("a.org",))
    return DesiredApp(
        name=name,
        source="home",
        revision="r",
        root=name,
        files=(),
        units=units,
        generator="v",
        certificates=tuple(
            DesiredCertificate(name=one, path=f"{one}.certificate", line=2, terms=terms, **more)
            for one, more in certificates.items()
        ),
    )


def uses_of(app: DesiredApp) -> dict[str, tuple[CertificateUse, ...]]:
    return {one.name: one.certificate_uses for one in app.units if one.certificate_uses}


MOUNTED = CertificateUse(name="web", path="web.container", line=3)
BY_FILE = CertificateUse(name="web", fixed=True, path="web.container", line=3)


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        ((), {"reload": ("web.service",)}, {"fixed": False}),
        ((), {"reload": ("web.container",)}, {"fixed": False}),
        ((), {"restart": ("web.service",)}, {"fixed": True}),
        ((), {"reload": ("web.service",), "restart": ("web.container",)}, {"fixed": True}),
    ],
)
def test_a_unit_of_its_own_app_that_is_named(before, asked, after):
    (found,), (good,) = (
        some.values()
        for some in with_named_users(
            {"web": app("web", unit("web", *before), web=asked)}, {"x": app("x")}
        )
    )
    use = CertificateUse(name="web", path="web.certificate", line=2, **after)
    assert uses_of(found) == {"web.service": (use,)}
    assert not uses_of(good)


@pytest.mark.parametrize(
    ("mounted", "asked", "after"),
    [
        (MOUNTED, "reload", MOUNTED),
        (MOUNTED, "restart", replace(MOUNTED, fixed=True)),
        (BY_FILE, "reload", BY_FILE),
        (BY_FILE, "restart", BY_FILE),
    ],
)
def test_one_that_mounts_it_too(mounted, asked, after):
    named = app("web", unit("web", mounted), web={asked: ("web.service",)})
    ((found,),) = (some.values() for some in with_named_users({"web": named}))
    assert uses_of(found) == {"web.service": (after,)}


def test_a_unit_of_another_app_and_the_instances_of_a_template():
    asking = app("tls", web={"restart": ("proxy.service", "w@2.service")})
    others = {"a": app("a", unit("proxy")), "b": app("b", unit("w@", instances=("1", "2")))}
    wanted, good = with_named_users({"tls": asking, **others}, {"b": others["b"]})
    assert wanted["tls"] is asking
    proxy = CertificateUse(name="web", fixed=True, path="proxy.container")
    assert uses_of(wanted["a"]) == {"proxy.service": (proxy,)}
    assert uses_of(wanted["b"]) == {"w@.service": (replace(proxy, path="w@.container"),)}
    assert good["b"] is wanted["b"], "one app stays one object"


def test_another_revision_of_the_app_itself_has_no_say():
    old = app("web", unit("web"), web={"restart": ("web.service",)})
    new = app("web", unit("web"), web={"reload": ("web.service",)})
    wanted, good = with_named_users({"web": new}, {"web": old})
    assert not uses_of(wanted["web"])["web.service"][0].fixed
    assert uses_of(good["web"])["web.service"][0].fixed


def test_an_app_of_which_nobody_speaks_is_the_same_object():
    apps = {"a": app("a", unit("a")), "b": app("b", unit("b"), web={"reload": ("b.service",)})}
    assert with_named_users({"a": apps["a"]}, {})[0]["a"] is apps["a"]
    assert with_named_users(apps)[0]["a"] is apps["a"]
    once = with_named_users(apps)[0]
    assert with_named_users(once)[0]["b"] is once["b"], "what is said is not said again"


def test_a_unit_that_no_app_has_is_a_warning():
    named = {"reload": ("webb.service", "web"), "restart": ("zzz",), "unit_lines": (3, 3, 5)}
    asking = app("web", unit("web"), web=named)
    apps = {"web": asking, "other": app("other", unit("other"))}
    found = doubtful_users(apps, apps.values())
    assert {name: [one.message for one in some] for name, some in found.items()} == {
        "web": [
            "Reload=webb.service: no app has such a unit",
            "Reload=web: no app has such a unit",
            "Restart=zzz: no app has such a unit",
        ]
    }
    first = found["web"][0]
    assert (first.path, first.line, first.fatal) == ("web/web.certificate", 3, False)
    assert [one.line for one in found["web"]] == [3, 3, 5]
    assert first.hint == "did you mean web.service?"
    assert doubtful_users({"other": apps["other"]}, apps.values()) == {}


@pytest.mark.parametrize(
    ("names", "folders", "said", "hint"),
    [
        (("web", "web"), ("", ""), "both define the certificate web (a/web.c", "another name, or"),
        (("web", "mail"), ("/t", "/t"), "both define the certificate folder /t (", "another Direc"),
    ],
)
def test_two_apps_that_want_one_certificate_or_one_place(names, folders, said, hint):
    apps = {
        one: app(one, **{name: {"directory": folder}})
        for one, name, folder in zip("ab", names, folders, strict=True)
    }
    assert set(unit_conflicts(apps, {})) == {"a", "b"}
    refused = unit_conflicts(apps, {"a"})
    assert set(refused) == {"b"}
    assert said in refused["b"][0].message
    assert refused["b"][0].hint.startswith(f"give one of them {hint}")
    assert refused["b"][0].path == f"b/{names[1]}.certificate"


@pytest.mark.parametrize("whose", ["web", "other"])
def test_a_unit_that_names_a_secret_of_a_certificate_is_started_anew_for_it(whose):
    asking = app(whose, tls={"secrets": ("web",)})
    using = app("web", unit("web", secrets=("db", "web.key", "web.crt")), unit("db"))
    if whose == "web":
        using = replace(using, certificates=asking.certificates)
    apps = {"web": using} | ({"other": asking} if whose == "other" else {})
    (found, _) = with_named_users(apps, {})
    use = CertificateUse(
        name="tls", fixed=True, secrets=("web.key", "web.crt"), path="web.container", line=5
    )
    assert uses_of(found["web"]) == {"web.service": (use,)}


def test_one_that_mounts_it_and_names_a_secret_of_it_too():
    using = app("web", unit("web", MOUNTED, secrets=("x.key",)), web={"secrets": ("x",)})
    ((found,), _) = (some.values() for some in with_named_users({"web": using}, {"x": app("x")}))
    assert uses_of(found) == {"web.service": (replace(MOUNTED, fixed=True, secrets=("x.key",)),)}


def test_a_revision_without_the_secret_says_nothing_of_one_that_has_it():
    before, after = app("web", tls={"secrets": ("a",)}), app("web", unit("web", secrets=("a.key",)))
    wanted, _ = with_named_users({"web": after}, {"web": before})
    assert not uses_of(wanted["web"])


@pytest.mark.parametrize(
    ("kind", "secret", "said", "hint"),
    [
        (UnitKind.KUBE, "a.key", "holds bare PEM, which web.service cannot", "name a: it has tls."),
        (UnitKind.CONTAINER, "a", "holds key and chain as Kubernetes has", "name a.key and a.crt"),
        (UnitKind.KUBE, "a", "", ""),
        (UnitKind.CONTAINER, "a.crt", "", ""),
        (UnitKind.CONTAINER, "b", "", ""),
    ],
)
def test_a_secret_that_a_unit_cannot_read(kind, secret, said, hint):
    using = app("web", unit("web", kind=kind, secrets=(secret,)), tls={"secrets": ("a",)})
    wanted, _ = with_named_users({"web": using}, {})
    findings = doubtful_users(wanted, wanted.values()).get("web", ())
    assert [bool(said)] * bool(said) == [said in one.message for one in findings]
    for one in findings:
        assert (one.path, one.line, one.fatal) == (f"web/web.{kind}", 5, False)
        assert one.hint.startswith(hint)


def test_two_apps_that_want_one_secret():
    apps = {one: app(one, **{one: {"secrets": ("tls",)}}) for one in "ab"}
    refused = unit_conflicts(apps, {"a"})
    assert set(refused) == {"b"}
    (one,) = refused["b"]
    assert one.message.startswith("apps a and b both define the secret tls (")


def test_two_apps_that_want_one_secret_by_other_words():
    """One makes tls, tls.key and tls.crt, the other one of them by a name of its own."""
    apps = {"a": app("a", a={"secrets": ("tls", "more")}), "b": app("b", b={"secrets": ("more",)})}
    secret = DesiredSecret(name="tls.key", kind=SecretKind.AGE, path="tls.secret")
    apps["b"] = replace(apps["b"], secrets=(secret,))
    found = [one.message.partition(" (")[0] for one in unit_conflicts(apps, {"a"})["b"]]
    assert found == [f"apps a and b both define the secret {name}" for name in ("more", "tls.key")]


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        (UnitKind.PLAIN, {"owner": (999, 0)}, True),
        (UnitKind.PLAIN, {"owner": (999, 0), "mode": 0o644}, False),
        (UnitKind.PLAIN, {}, False),
        (UnitKind.CONTAINER, {"owner": (999, 0)}, False),
    ],
)
def test_a_unit_of_the_user_whose_key_is_given_away(kind, asked, said):
    using = app("web", unit("web", MOUNTED, kind=kind))
    apps = {"web": using, "other": app("other", web=asked)}
    findings = doubtful_users(apps, apps.values())
    assert set(findings) == ({"web"} if said else set())
    for one in findings.get("web", ()):
        assert "web.service cannot read the key of the certificate web" in one.message
        assert "999:0" in one.message
        assert (one.path, one.line, one.fatal) == ("web/web.container", 3, False)


OWN_PLACE = CertificateUse(name="tls", own_place=True, path="web.container", line=3)
ELSEWHERE = {"directory": "/home/pi/twotls"}


@pytest.mark.parametrize("use", [OWN_PLACE, replace(OWN_PLACE, own_place=False)])
def test_a_unit_of_the_same_app_that_names_where_it_is_not_installed(use):
    refused = misplaced_uses({"web": app("web", unit("web", use), tls=ELSEWHERE)}, (), {})
    assert list(refused) == (["web"] if use.own_place else [])
    for finding in refused.get("web", ()):
        assert (finding.path, finding.line, finding.fatal) == ("web/web.container", 3, True)
        assert "web.service names podvisor's own place of the certificate tls" in finding.message
        where = "/home/pi/twotls, where Directory= of tls.certificate puts it"
        assert finding.hint == f"name {where}"
    assert not misplaced_uses({"web": app("web", unit("web", use), tls={})}, (), {})


def test_a_unit_of_another_app_that_names_where_it_is_not_installed():
    using, asking = app("a", unit("web", OWN_PLACE)), app("b", unit("b"), tls=ELSEWHERE)
    for refused in (
        misplaced_uses({"a": using, "b": asking}, (), {}),
        misplaced_uses({"a": using}, [asking], {}),
    ):
        assert list(refused) == ["a"]
        assert refused["a"][0].hint.endswith("where Directory= of b/tls.certificate puts it")


def test_what_is_refused_itself_has_no_other_app_refused():
    asking = app("b", unit("b", OWN_PLACE), tls=ELSEWHERE)
    assert list(misplaced_uses({"a": app("a", unit("web", OWN_PLACE)), "b": asking}, (), {})) == [
        "b"
    ]


@pytest.mark.parametrize(
    ("now", "digest", "hint"),
    [
        ("/home/pi/two", "", "name /home/pi/two, where Directory= of tls.certificate puts it"),
        ("", "", "name podvisor's own place of it, or say Directory=/home/pi/one again"),
        ("/home/pi/two", "another", ""),
        ("/home/pi/one/below", "", ""),
    ],
)
def test_a_unit_that_names_where_it_was_installed_before(now, digest, hint):
    named = CertificateUse(name="tls", path="web.container", line=3)
    before = app("web", unit("web", named), tls={"directory": "/home/pi/one"})
    after = app("web", replace(unit("web"), digest=digest), tls={"directory": now})
    refused = misplaced_uses({"web": after}, (), {"web": before})
    assert [one.hint for one in refused.get("web", ())] == ([hint] if hint else [])
    for finding in refused.get("web", ()):
        assert "web.service names /home/pi/one, where the certificate tls is" in finding.message
        assert (finding.path, finding.line, finding.fatal) == ("web/web.container", 3, True)
    assert not misplaced_uses({"web": before}, (), {"web": before})


@pytest.mark.parametrize("is_mine", [True, False])
def test_who_mounts_a_volume_that_binds_a_certificate_uses_it(*, is_mine: bool) -> None:
    bound = CertificateUse(name="web", own_place=True, path="tls.volume", line=4)
    holder = replace(unit("tls-volume", bound), kind=UnitKind.VOLUME, object_name="systemd-tls")
    user = replace(unit("web"), volumes=("systemd-data", "systemd-tls"))
    other = replace(unit("other"), volumes=("systemd-data",))
    apps = {"tls": app("tls", holder, *([user] if is_mine else ()))}
    apps |= {} if is_mine else {"web": app("web", user, other)}
    (found,) = with_named_users(apps)
    uses = {name: use for one in found.values() for name, use in uses_of(one).items()}
    use = bound if is_mine else CertificateUse(name="web", path="web.container")
    assert uses == {"tls-volume.service": (bound,), "web.service": (use,)}


def test_a_unit_that_is_named_keeps_what_its_instances_use() -> None:
    uses = [CertificateUse(name=one, instance=one) for one in ("1", "2")]
    one = app(
        "web", unit("web@", *uses, instances=("1", "2")), web={"restart": ("web@.container",)}
    )
    (found,) = with_named_users({"web": one})
    (held,) = uses_of(found["web"]).values()
    assert [(use.name, use.instance) for use in held] == [("1", "1"), ("2", "2"), ("web", "")]
