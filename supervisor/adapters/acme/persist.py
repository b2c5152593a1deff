"""The records of `dns-persist-01`, which people write: whether what stands there does.

https://datatracker.ietf.org/doc/draft-ietf-acme-dns-persist/
"""

import time
from collections.abc import Sequence

from supervisor.adapters.acme.network import Network
from supervisor.adapters.acme.refusals import odd, refused
from supervisor.adapters.acme.replies import ChallengeState, Directory
from supervisor.model.acme import FailureKind, Order
from supervisor.model.rehearsal import PersistRecord


def record_of(
    domain: str, *, issuers: Sequence[str], account: str, resolvers: Sequence[str]
) -> PersistRecord:
    """Return the record that a name needs, and what is wrong with those that stand there.

    `issuers` are the names by which the issuer goes in DNS: a record with any of them does.
    """
    from supervisor.adapters.acme import dns_look  # noqa: PLC0415  # few challenges need it

    problems = {
        issuer: dns_look.persist_problem(
            domain, issuer=issuer, account=account, now=time.time(), resolvers=resolvers
        )
        for issuer in issuers
    }
    issuer = next((one for one, problem in problems.items() if not problem), issuers[0])
    name, value = dns_look.persist_record(domain, issuer=issuer, account=account)
    return PersistRecord(name=name, value=value, problem=problems[issuer])


def hint_of(record: PersistRecord) -> str:
    """Say what to write."""
    return f'write the record {record.name} TXT "{record.value}"'


def see(
    domain: str, challenge: ChallengeState, network: Network, directory: Directory, order: Order
) -> None:
    """See that the issuer can be told to look. Raises Refused, with what to write."""
    issuers = challenge.issuer_domain_names or directory.meta.caa_identities
    if not issuers:
        raise odd(network.issuer.name, "it does not say what it is called in DNS")
    record = record_of(domain, issuers=issuers, account=network.kid, resolvers=order.resolvers)
    if record.problem:
        message = f"cannot prove {domain} by {challenge.type}: {record.problem}"
        raise refused(FailureKind.PASSING, message, hint_of(record))
