"""Two certificates of one set of names, as in `test_certificates_go_on`, and others that wait.

Those of other clients are taken where they are of use, once, and never for a better one unless a
person says so.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from supervisor.core.certificates import imported, records
from supervisor.core.certificates.steps import TakeImported
from supervisor.model.certificate import CertificateTerms
from supervisor.model.imported import Imported
from tests.core.certificates.samples import DAY, FOLDER, issued
from tests.examples import scaled
from tests.properties.test_certificates_go_on import DIRECTORY, DOMAINS, Certificates


class Imports(Certificates):
    @rule(
        domains=st.sampled_from(DOMAINS),
        age=st.floats(-1, 91),
        days=st.sampled_from([6, 90]),
        replaces=st.booleans(),
    )
    def somebody_imports(self, domains, age, days, replaces):
        terms = CertificateTerms(domains=domains)
        self.made += 1
        begins = self.now - age * DAY
        one = Imported(
            facts=issued(self.made, at=begins, lifetime=days * DAY, terms=terms).facts,
            directory=DIRECTORY,
            key_type=terms.key_type,
            profile="a",
            digest="",
            source="elsewhere",
            at=self.now,
            replaces_valid=replaces,
        )
        for name, seen in self.seen.items():
            self.see(name, imported=(*seen.imported, one))

    def do(self, name, step, outcome, window, served):
        if isinstance(step, TakeImported):
            self.take(name, step)
        else:
            super().do(name, step, outcome, window, served)

    def take(self, name, step):
        before, terms = self.records[name], self.desired[name].terms
        (one,) = (one for one in self.seen[name].imported if one.version == step.version)
        assert self.now < one.facts.not_after
        assert set(one.facts.names) == set(terms.domains)
        assert one.version != before.revoked
        current = before.current
        if current is not None and not (current.standin or one.replaces_valid):
            is_no_use = current.facts.not_after <= self.now or current.terms != terms
            is_lost = not (self.seen[name].kept or self.seen[name].installed)
            assert is_no_use or is_lost or one.facts.not_after > current.facts.not_after
        for other, seen in self.seen.items():
            left = tuple(it for it in seen.imported if it is not one)
            self.seen[other] = replace(seen, imported=left, unserved=None)
        self.files_are_good(name)
        record = records.imported(before, imported.as_issued(one, terms), self.now)
        assert len(record.orders) <= len(before.orders) + 1
        self.records[name] = records.installed(record, record.ready, folder=FOLDER, now=self.now)


TestImports = Imports.TestCase
TestImports.settings = settings(max_examples=scaled(60), stateful_step_count=40)
