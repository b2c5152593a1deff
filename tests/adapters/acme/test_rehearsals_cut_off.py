"""A rehearsal that is cut off takes away what it put into DNS."""

from pathlib import Path

import anyio
import pytest

from supervisor.adapters.acme.issuer import AcmeCertificates
from supervisor.model.acme import AcmeIssuer, Order, ZoneAccess
from supervisor.model.certificate import CertificateTerms, Challenge
from supervisor.model.rehearsal import Rehearsal
from tests.adapters.acme import small_dns
from tests.adapters.acme.small_dns import Server

pytestmark = pytest.mark.anyio

HOOK = """#!/bin/sh
echo "$1 $2" >>"$0.log"
"""


def said(hook: Path) -> list[str]:
    log = hook.with_name(f"{hook.name}.log")
    return log.read_text().splitlines() if log.exists() else []


async def test_records_go_when_who_asked_goes(tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o700)
    zone = small_dns.zone("org", {"ns.org": "127.0.0.1"})
    with small_dns.serving({"127.0.0.1": Server([zone])}) as port:
        order = Order(
            name="web",
            folder=str(tmp_path / "web"),
            accounts=str(tmp_path / "accounts"),
            issuer=AcmeIssuer(name="fake", directory="http://127.0.0.1:1/directory"),
            terms=CertificateTerms(domains=("example.org",)),
            challenge=Challenge.DNS,
            zones=(ZoneAccess(zone="example.org", provider="hook", hook=str(hook)),),
            resolvers=(f"127.0.0.1:{port}",),
        )
        issuer = AcmeCertificates(accounts=tmp_path / "accounts")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(issuer.rehearse, Rehearsal(order=order))
            with anyio.fail_after(60):
                while not said(hook):  # noqa: ASYNC110  # the process is not ours to wait for
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    record = "_acme-challenge.example.org"
    assert said(hook) == [f"present {record}", f"cleanup {record}"]
    assert not (tmp_path / "web" / "dns.json").exists()
