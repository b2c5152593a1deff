"""Two certificates of one set of names, whatever happens to them.

Orders fail in every way, files are damaged, people ask and change what they asked for, servers do
not take up what is new, the clock is set: no more is asked of the issuer than it allows, something
is always next, and what was issued is never given up for a stand-in.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from supervisor.core.certificates import limits, records, renewal, warning
from supervisor.core.certificates.next_step import TRUSTED_SINCE, next_step
from supervisor.core.certificates.order_reason import is_early
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.served import LOOK_AGAIN_SECONDS, TAKE_UP_SECONDS
from supervisor.core.certificates.steps import (
    AskRenewalInfo,
    Forget,
    ForgetFailure,
    InstallAgain,
    LookServed,
    Nothing,
    OrderOne,
    PutBackFormer,
    RestartUsers,
    Serve,
    StandIn,
    TryAgain,
)
from supervisor.model.acme import FailureKind, OrderRefusal, RenewalInfo
from supervisor.model.certificate import (
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Stage,
)
from tests.core.certificates.samples import DAY, FOLDER, HOUR, NOW, issued
from tests.examples import scaled

LIMITS = limits.LETS_ENCRYPT
NAMES = st.sampled_from(["one", "other"])
DOMAINS = [("a.example.org",), ("*.a.example.org", "b.example.org"), ("c.example.org",)]
CHECKS = st.sampled_from([(), ("https://localhost",), ("https://localhost", "https://[::1]")])
DIRECTORY = "https://ca.example.org/directory"
STEPS_OF_A_PASS = 80


class Certificates(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = NOW
        """As the clock says; the issuer's may be another one."""
        self.ahead = 0.0
        self.back = self.back_at_failed = self.back_at_issued = 0.0
        """How far the clock was set back, also when what was counted was given up for that."""
        self.made = 0
        self.desired: dict[str, DesiredCertificate | None] = {}
        self.records = dict.fromkeys(("one", "other"), CertificateRecord())
        self.seen = dict.fromkeys(("one", "other"), Seen(folder=FOLDER, users=("web.service",)))
        self.way = "1"
        self.rests: dict[str, Nothing] = {}
        self.issued: list[tuple[float, CertificateTerms]] = []
        self.failed: list[tuple[float, CertificateTerms]] = []
        self.warned: dict[str, float] = {}
        for name in self.records:
            self.desired[name] = DesiredCertificate(
                name=name, path="x", terms=CertificateTerms(domains=DOMAINS[0])
            )

    # What happens.

    @rule(name=NAMES, domains=st.sampled_from(DOMAINS), key=st.sampled_from(["a", "b"]))
    def terms_change(self, name, domains, key):
        self.want(name, terms=CertificateTerms(domains=domains, profile=key))

    @rule(name=NAMES, standin=st.booleans(), check=CHECKS, mode=st.sampled_from([0o600, 0o640]))
    def file_changes(self, name, standin, check, mode):
        self.want(name, standin=standin, check=check, mode=mode)

    def want(self, name, **fields):
        if before := self.desired[name]:
            wanted = self.desired[name] = replace(before, **fields)
            self.records[name] = records.to_be_seen_at(self.records[name], wanted.check)
            self.look_again(name)

    @rule(name=NAMES, wanted=st.booleans())
    def app_goes_or_comes(self, name, wanted):
        self.desired[name] = None
        if wanted:
            terms = CertificateTerms(domains=DOMAINS[0])
            self.desired[name] = DesiredCertificate(name=name, path="x", terms=terms)
            self.records[name] = records.to_be_seen_at(self.records[name], ())
        self.look_again(name)

    @rule(name=NAMES, kept=st.booleans(), installed=st.booleans(), previous=st.booleans())
    def files_are_damaged(self, name, kept, installed, previous):
        self.see(name, kept=kept, installed=installed, previous_kept=previous)

    @rule(name=NAMES)
    def folder_is_made_anew(self, name):
        before = self.records[name]
        after = records.in_folder(records.lost_folder(before), "another", manner="")
        assert not before.version or before.version != after.version
        assert records.in_folder(after, "another", manner="") == after
        self.records[name] = after
        self.look_again(name)

    @rule(name=NAMES, users=st.sampled_from([(), ("web.service",)]), waits=st.booleans())
    def users_come_and_go(self, name, users, waits):
        self.see(name, users=users, waiting=users if waits else ())

    @rule(name=NAMES, failing=st.sampled_from(["", "no such key"]), held=st.booleans())
    def users_fail_or_are_held(self, name, failing, held):
        users = self.seen[name].users
        self.see(name, failing=failing if users else "", held="web is suspended" if held else "")

    def see(self, name, **fields):
        self.seen[name] = replace(self.seen[name], **fields)
        self.look_again(name)

    @rule(name=NAMES, at_once=st.booleans())
    def person_asks(self, name, at_once):
        self.records[name] = records.asked(self.records[name], self.now, at_once=at_once)
        self.look_again(name)

    @rule(name=NAMES)
    def person_revokes(self, name):
        self.records[name] = records.revoked(self.records[name])
        self.look_again(name)

    @rule(name=NAMES, fails=st.booleans())
    def files_can_be_written_or_not(self, name, fails):
        record = self.records[name]
        self.records[name] = (
            records.files_failed(record, "no room", "make room", self.now)
            if fails
            else records.files_are_well(record)
        )
        self.warn(name)
        self.look_again(name)

    @rule(name=NAMES)
    def network_comes_up(self, name):
        before = self.records[name]
        after = self.records[name] = records.network_came(before, self.now)
        if before.failure:
            assert (after.failure.retry_at == 0) == (before.failure.retry_at == 0)
        self.look_again(name)

    @rule()
    def settings_change(self):
        self.way += "1"
        self.rests.clear()

    @rule(seconds=st.floats(1, 100 * DAY))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule(seconds=st.sampled_from([-400 * DAY, -DAY, -HOUR / 2, HOUR / 2, DAY, 400 * DAY]))
    def clock_is_set(self, seconds):
        self.now += seconds
        self.ahead += seconds
        self.rests.clear()
        # What was long ago is forgotten, also where a clock that is set back says it was not.
        self.back += max(-seconds, 0.0)
        if self.back - self.back_at_failed >= HOUR:
            self.back_at_failed = self.back
            self.failed.clear()
        if self.back - self.back_at_issued >= 7 * DAY:
            self.back_at_issued = self.back
            self.issued.clear()

    def look_again(self, name):
        self.rests.pop(name, None)

    # What is done.

    @rule(
        name=NAMES,
        outcomes=st.lists(st.sampled_from([None, *FailureKind]), min_size=1, max_size=4),
        windows=st.lists(st.sampled_from([None, -10, 0, 30, 60, 500]), min_size=1, max_size=4),
        served=st.lists(st.booleans(), min_size=1, max_size=3),
    )
    def passes(self, name, outcomes, windows, served):
        for number in range(STEPS_OF_A_PASS):
            self.warn(name)
            step = self.ask(name)
            if isinstance(step, Nothing):
                self.rests[name] = step
                self.seen[name] = replace(self.seen[name], unserved=None)
                return
            outcome = outcomes[number % len(outcomes)]
            window = windows[number % len(windows)]
            self.do(name, step, outcome, window, served[number % len(served)])
        raise AssertionError(f"a pass that never ends: {step}")

    @precondition(lambda self: any(one.until for one in self.rests.values()))
    @rule(outcome=st.sampled_from([None, *FailureKind]), served=st.booleans())
    def next_moment_comes(self, outcome, served):
        until, name = min((one.until, name) for name, one in self.rests.items() if one.until)
        self.now = max(self.now, until)
        self.passes(name, [outcome], [None], [served])

    @rule(name=NAMES, times=st.integers(1, 12), outcome=st.sampled_from([None, *FailureKind]))
    def somebody_is_impatient(self, name, times, outcome):
        for _ in range(times):
            self.person_asks(name, at_once=True)
            self.passes(name, [outcome], [None], [True])
            self.now += 60

    @rule(names=st.lists(NAMES, min_size=1, max_size=12))
    def somebody_changes_domains_to_and_fro(self, names):
        for number, name in enumerate(names):
            self.app_goes_or_comes(name, wanted=bool(number % 3))
            self.want(name, terms=CertificateTerms(domains=DOMAINS[number % 3]))
            self.passes(name, [None], [None], [True])
            self.now += HOUR

    @rule(name=NAMES, after=st.floats(0, 200 * DAY), terms=st.sampled_from("ab"))
    def another_one_is_not_served(self, name, after, terms):
        self.passes(name, [None], [None], [True])
        self.now += after
        self.want(name, check=("https://localhost",))
        self.terms_change(name, DOMAINS[0], terms)
        for _ in range(50):
            self.see(name, users=("web.service",), waiting=())
            self.passes(name, [None], [60], [False])
            self.now += 1

    def warn(self, name):
        record = self.records[name]
        if not warning.due(name, record, self.now):
            return
        facts = record.current.facts
        assert self.now >= facts.not_after - facts.lifetime / 5
        assert not 0 <= self.now - self.warned.get(name, 0.0) < DAY
        self.warned[name] = self.now
        self.records[name] = records.warned(record, self.now)

    def ask(self, name):
        others = [one for other, one in self.records.items() if other != name]
        return next_step(
            self.desired[name],
            self.records[name],
            self.seen[name],
            self.now,
            limits=LIMITS,
            others=others,
            way=self.way,
            directory=DIRECTORY,
        )

    def do(self, name, step, outcome, window, served):
        record, desired = self.records[name], self.desired[name]
        current = record.current
        self.seen[name] = replace(self.seen[name], unserved=None)
        assert step.reason
        match step:
            case StandIn():
                assert current is None or current.standin
                new = self.make(desired.terms, at=self.now, standin=True)
                record = records.installed(record, new, folder=FOLDER, now=self.now)
                self.files_are_good(name)
            case OrderOne():
                record = self.order(name, step, outcome)
            case AskRenewalInfo():
                record = replace(record, renewal=self.choose(record, window))
            case InstallAgain():
                assert self.seen[name].kept
                record = records.installed_again(record, folder=FOLDER)
                self.seen[name] = replace(self.seen[name], installed=True)
            case LookServed():
                assert desired.check
                why = "" if served else "the former is served"
                one = current if served else record.previous
                versions = dict.fromkeys(desired.check, one.version if one else "")
                record = records.looked(records.saw(record, versions), why, self.now)
                self.seen[name] = replace(self.seen[name], unserved=why, is_answered=bool(one))
            case Serve():
                record = records.served(record)
            case TryAgain():
                record = records.tried_again(record, self.now)
                if record.ready:
                    assert record.ready.version != record.revoked
                    record = records.installed(record, record.ready, folder=FOLDER, now=self.now)
                    self.files_are_good(name)
            case RestartUsers():
                assert record.stage is Stage.INSTALLED
                record = records.restarted(record, self.now)
            case PutBackFormer():
                former = record.previous
                assert not former.standin
                assert former.facts.not_after > self.now
                assert former.version != record.revoked
                if step.check:
                    assert former.version in {one.version for one in record.servers}
                record = records.put_back(
                    record,
                    step.reason,
                    folder=FOLDER,
                    now=self.now,
                    way=desired.way,
                    check=step.check,
                )
                assert self.now < record.refused.again_at <= former.facts.not_after
            case ForgetFailure():
                record = records.without_failure(record, desired.terms)
            case Forget():
                assert desired is None
                record = records.forgotten(record, self.now)
                self.warned.pop(name, None)
        if current is not None and not current.standin and desired is not None:
            assert record.current is not None
            assert not record.current.standin
        self.records[name] = record

    def order(self, name, step, outcome):
        record, desired = self.records[name], self.desired[name]
        assert self.now >= TRUSTED_SINCE
        terms, current = desired.terms, record.current
        same = current is not None and set(current.terms.domains) == set(terms.domains)
        names = set(terms.domains)
        proven = limits.proven(terms.domains)
        refused = record.refused
        if refused is not None and not (record.asked_at or step.new_key):
            again = refused.terms != terms or self.now >= refused.again_at
            assert again or not (self.seen[name].kept or self.seen[name].installed)
        failures = [at for at, one in self.failed if proven & limits.proven(one.domains)]
        assert self.within(failures, HOUR) < LIMITS.failed_validations
        if not (step.replaces and same):
            spent = [at for at, one in self.issued if set(one.domains) == names]
            assert self.within(spent, 7 * DAY) < LIMITS.certificates
        if outcome is not None:
            if outcome is FailureKind.VALIDATION:
                self.failed.append((self.now, terms))
            refusal = OrderRefusal(kind=outcome, message="no")
            return records.failed(record, refusal, terms=terms, way=self.way, now=self.now)
        self.issued.append((self.now, terms))
        new = self.make(terms, at=self.now - self.ahead)
        self.files_are_good(name)
        record = records.issued(record, new, self.now)
        return records.installed(record, record.ready, folder=FOLDER, now=self.now)

    def within(self, times, window):
        return sum(abs(at - self.now) < window for at in times)

    def make(self, terms, *, at, standin=False):
        self.made += 1
        return issued(self.made, at=at, terms=terms, standin=standin)

    def files_are_good(self, name):
        previous_kept = self.seen[name].kept
        self.seen[name] = replace(
            self.seen[name], kept=True, installed=True, previous_kept=previous_kept
        )

    def choose(self, record, days):
        current, chosen = record.current, record.renewal
        if days is None:
            return renewal.unanswered(current, chosen, self.now)
        start = current.facts.not_before + days * DAY
        info = RenewalInfo(start=start, end=start + DAY)
        answer = renewal.answered(current, info, chosen, self.now)
        if chosen and (chosen.version, chosen.start) == (current.version, start):
            assert answer.at == chosen.at, "a moment that was chosen stays"
        assert info.start <= answer.at <= info.end
        return answer

    # What is always true.

    @invariant()
    def something_is_next_unless_a_person_is_needed(self):
        for name, rest in self.rests.items():
            record, desired = self.records[name], self.desired[name]
            if rest.until:
                continue
            if desired is None:
                assert record == CertificateRecord() or self.seen[name].users
                continue
            assert record.failure is not None
            assert not record.failure.retry_at

    @invariant()
    def nobody_waits_for_what_is_over(self):
        for name, rest in self.rests.items():
            if rest.until and rest.until <= self.now + LOOK_AGAIN_SECONDS:
                continue  # it is over, or it is looked whether the one that just came is served
            record = self.records[name]
            if self.desired[name] is None or record.current is None or record.failure:
                continue
            if record.current.standin or record.refused or is_early(record.current, self.now):
                continue
            if self.now >= renewal.last_moment(record.current):
                assert "but" in rest.reason or self.now < TRUSTED_SINCE

    @invariant()
    def nobody_waits_for_ever_for_who_does_not_take_it_up(self):
        for name, rest in self.rests.items():
            record, seen = self.records[name], self.seen[name]
            if self.desired[name] is None or record.stage is not Stage.INSTALLED:
                continue
            if seen.waiting and record.previous and not seen.held and seen.installed:
                assert not seen.failing
                assert rest.until <= record.since + TAKE_UP_SECONDS

    @invariant()
    def people_are_told_in_time(self):
        for record in self.records.values():
            at = warning.next_at(record)
            fails = record.failure or record.files_failure or record.refused
            if fails and record.current and not record.current.standin:
                assert at
                assert at <= max(
                    record.warned_at + DAY,
                    record.current.facts.not_after - record.current.facts.lifetime / 5,
                )

    @invariant()
    def only_what_was_taken_up_late_is_called_by_another_version(self):
        for record in self.records.values():
            assert record.version.endswith("+") == (record.stage is Stage.RESTARTED)


TestCertificates = Certificates.TestCase
TestCertificates.settings = settings(max_examples=scaled(150), stateful_step_count=40)
