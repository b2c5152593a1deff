"""Have a certificate issued: a helper, which `issuer` asks.

Account, order, proofs, request, certificate; each step is written down before the next one, and an
order that was cut short goes on from the state that the issuer has it in.
"""

import ipaddress
import time
from pathlib import Path

import requests
from acme import crypto_util, messages
from cryptography import x509
from josepy.json_util import field
from msgspec.structs import replace

from supervisor.adapters.acme import persist
from supervisor.adapters.acme.accounts import account_key, sign_in, thumbprint
from supervisor.adapters.acme.chains import has_key, leads_to, read_chain
from supervisor.adapters.acme.memory import Memory
from supervisor.adapters.acme.network import Fields, Network, links
from supervisor.adapters.acme.offers import opened
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.proofs import Proof, shown
from supervisor.adapters.acme.refusals import (
    Refused,
    is_passing,
    names,
    odd,
    of_challenge,
    of_error,
    of_order,
    refused,
    unlike,
    unproven,
)
from supervisor.adapters.acme.replies import (
    Authorization,
    ChallengeState,
    Identifier,
    IssuerError,
    OrderState,
)
from supervisor.adapters.acme.resume import under_way
from supervisor.core.files.domains import WILDCARD
from supervisor.core.x509.pairs import facts_of, pair_problem
from supervisor.kit.helper import serve
from supervisor.kit.texts import one_line
from supervisor.model.acme import FailureKind, Order, OrderAnswer, Pair
from supervisor.model.certificate import Challenge

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_MANY_ORDERS = 10
_OTHERS_ORDERS = 3
_AGAIN_SECONDS = 0.5
_FAILED = 500
_LOCATION = "Location"
_VERSION = slice(16)
"""Of a fingerprint, as of `Issued.version`."""


class NewOrder(messages.NewOrder):
    """With what the library does not have (RFC 9773, section 5)."""

    replaces: str = field("replaces", omitempty=True)


class _OthersOrder(Exception):
    """Another certificate of the same names came of it: issuers may give one order to both."""


def issue(order: Order) -> OrderAnswer:
    """Have it issued, or say why not."""
    notes: list[str] = []
    try:
        pair = Issue(order, notes).run()
        return OrderAnswer(pair=replace(pair, notes=tuple(notes)))
    except Refused as error:
        found = error
    except IssuerError as error:
        found = of_error(error, order, doing="order a certificate")
    except OSError as error:
        why = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        message = f"cannot keep the order for {names(order.terms.domains)}: {why}"
        found = refused(FailureKind.PASSING, message)
    return OrderAnswer(refusal=replace(found.refusal, notes=tuple(notes)))


class Issue:
    """One order."""

    memory_type: type[Memory] = Memory

    def __init__(self, order: Order, notes: list[str] | None = None) -> None:
        """What else is to be told is added to `notes`."""
        self.order = order
        self.notes = [] if notes is None else notes
        self.path = account_path(Path(order.accounts), order.issuer.directory)
        key, self.was_there = account_key(self.path)
        deadline = time.monotonic() + order.timeout_seconds
        self.network = Network(order.issuer, key, deadline=deadline)
        self.url = ""
        self.has_requested = False
        """Whether this process had the order made into a certificate."""
        self.pauses = 0

    def run(self) -> Pair:
        directory = self.directory = opened(self.network, self.order)
        signed_in = sign_in(
            self.network, directory, self.order, self.path, was_there=self.was_there
        )
        self.notes += signed_in.notes
        self.thumbprint = thumbprint(self.network.signer)
        self.memory = self.memory_type(self.order, self.network.kid)
        try:
            self.url, state = under_way(self.network, self.memory, signed_in.account.orders)
            return self._gone_through(state or self._begun())
        except Refused as error:
            if error.has_ended:
                self.memory.forget()
            raise

    def _gone_through(self, state: OrderState) -> Pair:
        """Finish the order, or another one where it turns out to be of another certificate."""
        for _ in range(_OTHERS_ORDERS):
            try:
                return self._finished(state)
            except _OthersOrder:
                state = self._begun()
        raise refused(
            FailureKind.PASSING,
            f"{self.order.issuer.name} gives this order for {names(self.order.terms.domains)} the"
            " certificate of another one, of the same names and another key",
            has_ended=True,
        )

    def _begun(self) -> OrderState:
        self.memory.begin()
        self.has_requested = False
        replaces = self.order.replaces if self.directory.renewal_info else ""
        try:
            state, response = self._ordered_for(replaces)
        except IssuerError as error:
            raise of_error(
                error, self.order, doing="order a certificate", account=str(self.path)
            ) from error
        self.url = response.headers.get(_LOCATION, "")
        if not self.url:
            raise odd(self.order.issuer.name, "it does not say where the order is")
        self.memory.placed(self.url)
        return state

    def _ordered_for(self, replaces: str) -> tuple[OrderState, requests.Response]:
        """Order it; without what it replaces, where the issuer takes it only so.

        That is one that was replaced already, or is of another account: the limits count then.
        """
        for is_again in (False, True) if replaces else ():
            try:
                return self._ordered(replaces)
            except IssuerError as error:
                # Some fail so of what they do not know: trouble that passes is gone the next time.
                may_be_of_it = error.problem.word == "serverInternal" and error.status == _FAILED
                is_of_names = error.problem.word == "rejectedIdentifier"
                if is_of_names or (is_passing(error) and not may_be_of_it):
                    raise
                if is_again or not may_be_of_it:
                    break
            time.sleep(_AGAIN_SECONDS)
        return self._ordered("")

    def _ordered(self, replaces: str) -> tuple[OrderState, requests.Response]:
        terms = self.order.terms
        identifiers = [
            messages.Identifier(
                typ=messages.IDENTIFIER_IP if _is_address(one) else messages.IDENTIFIER_FQDN,
                value=one,
            )
            for one in terms.domains
        ]
        asked = NewOrder(identifiers=identifiers, profile=terms.profile, replaces=replaces)
        return self.network.tell(self.directory.new_order, asked, OrderState)

    def _finished(self, state: OrderState) -> Pair:
        """Bring the order from whatever state it is in to its end."""
        try:
            while state.status != "valid":
                match state.status:
                    case "pending":
                        self._prove(state)
                        state = self._seen(state)
                    case "ready":
                        state = self._requested(state)
                    case "processing":
                        state = self._seen(state)
                    case "invalid":
                        raise self._why_invalid(state)
                    case other:
                        raise odd(self.order.issuer.name, f"an order is “{one_line(other)}”")
            return self._fetched(state)
        except IssuerError as error:
            raise of_error(
                error, self.order, doing="have a certificate issued", account=str(self.path)
            ) from error

    def _seen(self, last: OrderState) -> OrderState:
        """Look at the order, again and again until it is another."""
        while True:
            state, response = self.network.ask(self.url, OrderState)
            if state.status != last.status:
                self.pauses = 0
                return state
            self._pause(response)

    def _pause(self, response: requests.Response) -> None:
        seconds = min(_FIRST_PAUSE_SECONDS * 2**self.pauses, _LONGEST_PAUSE_SECONDS)
        self.pauses += 1
        self.network.pause(response, seconds, about=names(self.order.terms.domains))

    def _why_invalid(self, state: OrderState) -> Refused:
        for url in state.authorizations if state.error is None else ():
            found, _ = self.network.ask(url, Authorization)
            if found.status != "valid":
                return self._why_unproven(found)
        return of_order(state.error, self.order)

    def _why_unproven(self, found: Authorization) -> Refused:
        for one in found.challenges:
            if one.error is not None:
                return of_challenge(
                    one.error, self.order, one_line(found.domain), self.directory.meta
                )
        return refused(
            FailureKind.VALIDATION,
            f"{self.order.issuer.name} does not take {one_line(found.domain)} as proven any more:"
            f" it is {one_line(found.status)}",
            has_ended=True,
        )

    # --- proving names

    def _prove(self, state: OrderState) -> None:
        """Show what proves each name that is not proven yet, for as long as the issuer looks."""
        waiting: list[tuple[str, ChallengeState]] = []
        proofs: list[Proof] = []
        for url in state.authorizations:
            found, _ = self.network.ask(url, Authorization)
            if found.status == "valid":
                continue
            if found.status != "pending":
                raise self._why_unproven(found)
            if not self._is_asked_for(found):
                raise odd(self.order.issuer.name, f"it asks for {one_line(found.domain)}")
            challenge = self._chosen(found)
            if challenge.type == Challenge.DNS_PERSIST:
                persist.see(found.domain, challenge, self.network, self.directory, self.order)
            waiting.append((url, challenge))
            proofs.append(self._proof(found.identifier, challenge))
        if not waiting:
            return
        with shown(proofs, self.order, timeout_seconds=self.network.left):
            for _, challenge in waiting:
                if challenge.status == "pending":
                    self._ready(challenge)
            self.pauses = 0
            failed: dict[str, Refused] = {}
            for url, _ in waiting:
                found, response = self.network.ask(url, Authorization)
                while found.status == "pending":
                    self._pause(response)
                    found, response = self.network.ask(url, Authorization)
                if found.status != "valid":
                    failed[one_line(found.domain)] = self._why_unproven(found)
        if failed:
            raise unproven(failed)

    def _is_asked_for(self, found: Authorization) -> bool:
        """Whether it is for one of the names; some issuers do not say that it is for a wildcard."""
        bare = {one.removeprefix(WILDCARD) for one in self.order.terms.domains}
        return found.domain.removeprefix(WILDCARD) in bare

    def _chosen(self, found: Authorization) -> ChallengeState:
        wanted = self.order.challenge
        for one in found.challenges:
            if one.type == wanted:
                return one
        offered = ", ".join(one_line(one.type, 20) for one in found.challenges[:_MANY_ORDERS])
        is_only_dns = found.wildcard or not offered
        raise refused(
            FailureKind.REFUSED,
            f"{self.order.issuer.name} does not verify {found.domain} by {wanted}",
            "a wildcard is proven by Challenge=dns-01 only"
            if is_only_dns
            else f"set Challenge= to one of these: {offered}",
            has_ended=True,
        )

    def _proof(self, identifier: Identifier, challenge: ChallengeState) -> Proof:
        domain = identifier.value.removeprefix(WILDCARD)
        return Proof(domain, challenge.token, f"{challenge.token}.{self.thumbprint}")

    def _ready(self, challenge: ChallengeState) -> None:
        """Have the issuer look."""
        try:
            self.network.post(challenge.url, Fields())
        except IssuerError as error:
            # It looks already, or is done with looking: what came of it is seen next.
            if error.problem.word != "malformed":
                raise

    # --- the certificate

    def _requested(self, state: OrderState) -> OrderState:
        """Ask for it, and see what becomes of the order; `ready` is that nothing does yet."""
        domains = self.order.terms.domains
        pem = crypto_util.make_csr(
            self.memory.key.encode(),
            [one for one in domains if not _is_address(one)],
            ipaddrs=[ipaddress.ip_address(one) for one in domains if _is_address(one)],
        )
        request = messages.CertificateRequest(csr=x509.load_pem_x509_csr(pem))
        try:
            state, response = self.network.tell(state.finalize, request, OrderState)
        except IssuerError as error:
            if error.problem.word != "orderNotReady":
                raise
            state, response = self.network.ask(self.url, OrderState)
            self._pause(response)
            return state
        self.has_requested = True
        if state.status in {"ready", "processing"}:
            self._pause(response)
            return self._seen(state)
        return state

    def _fetched(self, state: OrderState) -> Pair:
        issuer = self.order.issuer
        if not state.certificate:
            raise odd(issuer.name, "it issued a certificate, and does not say where it is")
        response = self.network.post(state.certificate, None)
        chains = [self._chain(response)]
        if issuer.chain or issuer.trust or self._problem(chains[0]):
            others = links(response, "alternate")
            chains += [self._chain(self.network.post(url, None)) for url in others]
        chains.sort(key=lambda chain: not leads_to(chain, issuer.chain))
        problems = [self._problem(chain) for chain in chains]
        for chain, problem in zip(chains, problems, strict=True):
            if not problem:
                facts = facts_of(chain)
                self.memory.issued(self.url, facts.fingerprint[_VERSION])
                return Pair(key=self.memory.key, chain=chain, facts=facts)
        if not self.has_requested and not has_key(chains[0], self.memory.key):
            raise _OthersOrder
        raise unlike(issuer.name, one_line(problems[0], 400), self.order.terms.domains)

    def _chain(self, response: requests.Response) -> str:
        if (chain := read_chain(response.content)) is None:
            raise odd(self.order.issuer.name, "what it gives as a certificate is none, or cut off")
        return chain

    def _problem(self, chain: str) -> str:
        domains, trust = self.order.terms.domains, self.order.issuer.trust
        now = time.time()
        return pair_problem(self.memory.key, chain, names=domains, now=now, trust=trust)


def _is_address(domain: str) -> bool:
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    serve(issue, Order)
