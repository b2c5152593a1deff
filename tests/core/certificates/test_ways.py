"""What tells one way of ordering from another: the challenge, and all settings of certificates."""

from supervisor.core.certificates.backoff import way_of
from supervisor.model.certificate import Challenge
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings, ZoneSettings
from supervisor.model.setting_types import Seconds, SecretRef


def settings(**more):
    return CertificateSettings(
        issuers={"mine": IssuerSettings(directory="https://ca", eab_key=SecretRef("file:~/key"))},
        zones={"example.org": ZoneSettings(secret=SecretRef("file:~/tsig"))},
        **more,
    )


def test_each_setting_makes_another_way():
    ways = {
        way_of(Challenge.HTTP, settings()),
        way_of(Challenge.DNS, settings()),
        way_of(Challenge.HTTP, settings(timeout=Seconds(60))),
        way_of(Challenge.HTTP, settings(email="me@example.org")),
        way_of(Challenge.HTTP, CertificateSettings()),
    }
    assert len(ways) == 5
    assert way_of(Challenge.HTTP, settings()) in ways
