"""`.certificate` files from the source to desired state, and what `podvisor check` says of them."""

import msgspec
import pytest

from supervisor.controllers.desired.checker import check
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.model.certificate import CertificateUse
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings
from supervisor.model.check import CheckedCertificate
from supervisor.model.settings import SourceSettings
from supervisor.wiring.planning import Planning

pytestmark = pytest.mark.anyio

WEB = "[Certificate]\nDomain=www.example.org\n"


async def checked(world, files, **more):
    world.reader.put("home", files)
    planning = Planning(world.ports())
    state = planning.desired_state(CurrentSettings(world.settings), standing={})
    found = await check(reader=world.reader, desired_state=state, **more)
    return found, state


async def test_what_an_app_asks_for_is_shown(world):
    files = {
        "apps/web/web.container": "x",
        "apps/web/web.certificate": WEB + "Restart=web.container\n",
    }
    found, state = await checked(world, files)
    assert found.findings == ()
    (app,) = found.apps
    assert app.certificates == (
        CheckedCertificate(
            name="web",
            path="apps/web/web.certificate",
            domains=("www.example.org",),
            issuer="letsencrypt",
        ),
    )
    (unit,) = state.latest()["web"].wanted.units
    assert unit.certificate_uses == (
        CertificateUse(name="web", fixed=True, path="web.certificate", line=3),
    )
    assert state.certificates() == {"web": "web"}


async def test_other_settings_have_files_judged_anew(world):
    files = {
        "apps/web/web.container": "x",
        "apps/web/web.certificate": WEB + "Issuer=company\n",
        "apps/web/plain.certificate": WEB,
    }
    world.reader.put("home", files)
    current = CurrentSettings(world.settings)
    state = Planning(world.ports()).desired_state(current, standing={})
    state.put(await world.reader.fetch("home", world.settings.sources["home"]))
    (one,) = (await state.deployments()).values()
    assert ["have no issuer company" in str(each) for each in one.findings] == [True]
    described = {"company": IssuerSettings(directory="https://ca.example.org/dir")}
    certificates = CertificateSettings(issuer="letsencrypt-staging", issuers=described)
    current.put(msgspec.structs.replace(world.settings, certificates=certificates))
    (one,) = (await state.deployments()).values()
    assert one.findings == ()
    assert [each.terms.issuer for each in one.wanted.certificates] == [
        "letsencrypt-staging",
        "company",
    ]
    assert (await state.deployments())["web"] is one


async def test_another_source_has_files_judged_anew(world):
    text = WEB + "Directory=/srv/more/web/tls\n"
    world.reader.put("home", {"apps/web/web.container": "x", "apps/web/web.certificate": text})
    current = CurrentSettings(world.settings)
    state = Planning(world.ports()).desired_state(current, standing={})
    state.put(await world.reader.fetch("home", world.settings.sources["home"]))
    (one,) = (await state.deployments()).values()
    assert one.wanted
    sources = {**world.settings.sources, "more": SourceSettings(folder="/srv/more")}
    current.put(msgspec.structs.replace(world.settings, sources=sources))
    (one,) = (await state.deployments()).values()
    assert one.wanted is None
    assert "is in /srv/more, which is a source of apps" in str(one.findings[0])
    assert (one.findings[0].path, one.findings[0].line) == ("apps/web/web.certificate", 3)


async def test_one_that_means_nothing_has_its_app_refused(world):
    files = {"apps/web/web.container": "x", "apps/web/web.certificate": "[Certificate]\nDomain=*"}
    found, _ = await checked(world, files)
    (app,) = found.apps
    assert app.refused
    (finding,) = found.findings
    assert (finding.path, finding.line, finding.fatal) == ("apps/web/web.certificate", 2, True)


async def test_a_unit_that_no_app_has_is_told_of(world):
    files = {"apps/web/web.container": "x", "apps/web/web.certificate": WEB + "Reload=wep.service"}
    found, _ = await checked(world, files)
    (finding,) = found.findings
    assert "Reload=wep.service: no app has such a unit" in finding.message
    assert (finding.hint, finding.fatal) == ("did you mean web.service?", False)


@pytest.mark.parametrize("has_others", [False, True])
async def test_a_certificate_that_no_app_describes_is_told_of(world, has_others):
    files = {"apps/web/web.container": "tls=tls", "apps/web/web.certificate": WEB}
    found, _ = await checked(world, files, has_others=has_others)
    (finding,) = found.findings
    assert "web.service uses the certificate tls, which no app describes" in finding.message
    assert finding.path == "apps/web/web.container"
    assert finding.fatal is not has_others, "another source may have it"
    described = files | {"apps/tls/tls.container": "x", "apps/tls/tls.certificate": WEB}
    found, _ = await checked(world, described)
    assert found.findings == ()
