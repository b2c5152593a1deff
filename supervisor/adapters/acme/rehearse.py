"""Try what an order would come to, without any effect: a helper, which `issuer` asks.

First everything is looked at that can be seen from here; then the whole order is made at a staging
issuer, if there is one, and what that issues is thrown away. The issuer that the certificate is of
is asked for its directory and the account only: no account is made there, no order is placed.
"""

import contextlib
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from josepy.jwk import JWK
from msgspec.structs import replace

from supervisor.adapters.acme import dns_look, persist
from supervisor.adapters.acme.accounts import Closed, account_key, found, may_have_one
from supervisor.adapters.acme.network import Network
from supervisor.adapters.acme.offers import opened
from supervisor.adapters.acme.places import DNS_NOTES, account_path
from supervisor.adapters.acme.proofs import Proof, digest_of, shown
from supervisor.adapters.acme.refusals import Refused, caa_hint, challenge_hint, names, of_error
from supervisor.adapters.acme.replies import IssuerError, Meta
from supervisor.adapters.acme.self_look import Seen, look
from supervisor.adapters.acme.staging_order import StagingOrder
from supervisor.core.x509.keys import key_pem, new_key
from supervisor.kit.addresses import is_own, others_see, own_addresses
from supervisor.kit.helper import serve
from supervisor.kit.texts import one_line
from supervisor.model.acme import AcmeIssuer
from supervisor.model.certificate import Challenge, KeyType
from supervisor.model.rehearsal import (
    Check,
    CheckState,
    PersistRecord,
    Rehearsal,
    Rehearsed,
)

_AT_ONCE = 8
_CHALLENGE = "_acme-challenge."


def rehearse(asked: Rehearsal) -> Rehearsed:
    """Look at all of it, and say what is wrong."""
    return _Rehearsal(asked).run()


class _Rehearsal:
    """One certificate."""

    def __init__(self, asked: Rehearsal) -> None:
        self.order, self.staging = asked.order, asked.staging
        self.checks: list[Check] = []
        self.records: tuple[PersistRecord, ...] = ()
        self.bare = tuple(
            dict.fromkeys(one.removeprefix("*.") for one in asked.order.terms.domains)
        )
        """Names as they are proven."""
        self.account = ""
        """URL of the account at the issuer."""

    def run(self) -> Rehearsed:
        meta = self._issuer(self.order.issuer)
        is_other = self.staging is not None and self.staging != self.order.issuer
        is_there = self._issuer(self.staging) is not None if is_other and self.staging else True
        if not self._dns_answers():
            self._order(can_be_tried=False)
            return Rehearsed(checks=tuple(self.checks))
        for domain in self.order.terms.domains:
            self._caa(domain, meta or Meta())
        match self.order.challenge:
            case Challenge.DNS:
                can_be_shown = self._records()
                with contextlib.suppress(OSError):  # where something is remembered
                    Path(self.order.folder).rmdir()
            case Challenge.DNS_PERSIST:
                can_be_shown = self._persisting(meta)
            case _:
                can_be_shown = self._answers()
        is_issued = self._order(can_be_tried=can_be_shown and is_there)
        return Rehearsed(checks=tuple(self.checks), records=self.records, is_issued=is_issued)

    def _say(self, what: str, about: str, message: str, hint: str = "", **more: Any) -> None:
        message, hint = one_line(message, 800), one_line(hint, 800)
        self.checks.append(Check(what=what, about=about, message=message, hint=hint, **more))

    def _wrong(self, what: str, about: str, refused: Refused) -> None:
        refusal = refused.refusal
        self._say(what, about, refusal.message, refusal.hint, state=CheckState.WRONG)

    # --- issuers

    def _issuer(self, issuer: AcmeIssuer) -> Meta | None:
        """Look whether one answers, has what is asked for, and knows us; None if not."""
        order = replace(self.order, issuer=issuer)
        try:
            path = account_path(Path(order.accounts), issuer.directory)
            key = account_key(path)[0] if path.exists() else _any_key()
            network = Network(issuer, key, deadline=time.monotonic() + order.timeout_seconds)
            directory = opened(network, order)
            account = ""
            with contextlib.suppress(Closed):  # another one is made in its place
                if path.exists() and found(network, directory, order, path):
                    account = network.kid
            if not account:
                may_have_one(directory, issuer)
        except Refused as error:
            self._wrong("issuer", issuer.name, error)
            return None
        except IssuerError as error:
            self._wrong("issuer", issuer.name, of_error(error, order, doing="ask"))
            return None
        if issuer == self.order.issuer:
            self.account = account
        of = "knows this machine's account" if account else "makes an account with the first order"
        self._say("issuer", issuer.name, f"it answers, and {of}")
        return directory.meta

    # --- what DNS says of whom

    def _dns_answers(self) -> bool:
        """Look whether it does at all: else nothing more is asked there, name by name."""
        one = dns_look.addresses(self.bare[0], self.order.resolvers)
        if one.is_known or one.found:
            return True
        hint = "see whether `resolvers` of [certificates] is right, and this machine's network up"
        message = "nothing can be looked up: no DNS server answers"
        self._say("dns", self.bare[0], message, hint, state=CheckState.WRONG)
        return False

    def _caa(self, domain: str, meta: Meta) -> None:
        order = self.order
        problem = dns_look.caa_problem(
            domain, meta.caa_identities, order.resolvers, challenge=order.challenge
        )
        if problem:
            hint = caa_hint(domain.removeprefix("*."), meta)
            if dns_look.UNANSWERED in problem:
                hint = "its servers have to answer questions for CAA, if only that there is none"
            self._say("caa", domain, problem, hint, state=CheckState.WRONG)
        elif meta.caa_identities:
            who = " or ".join(one_line(one, 60) for one in meta.caa_identities[:3])
            self._say("caa", domain, f"DNS lets {who} issue for it")
        elif said := dns_look.caa_issuers(domain, order.resolvers):
            message = f"{said}; {order.issuer.name} does not say by which name it goes there"
            self._say("caa", domain, message, "see whether that is it", state=CheckState.UNSURE)

    # --- http-01 and tls-alpn-01

    def _answers(self) -> bool:
        """Show what an issuer would look for, and look at it at every address of every name."""
        proofs = {one: _proof(one) for one in self.bare}
        places = {one: self._addresses(one) for one in self.bare}
        try:
            with shown([*proofs.values()], self.order, timeout_seconds=self.order.timeout_seconds):
                what = self.order.webroot or self.order.listen
                self._say("port", what, f"{self.order.challenge} can be answered there")
                self._look(proofs, places)
        except Refused as error:
            self._wrong("port", self.order.webroot or self.order.listen, error)
            return False
        return True

    def _addresses(self, domain: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return where a name leads, and which of this are this machine's."""
        one = dns_look.addresses(domain, self.order.resolvers)
        own = own_addresses()
        mine = tuple(address for address in one.found if is_own(address, own))
        leads = f"it leads to {', '.join(one.found)}"
        if not one.found:
            hint = challenge_hint("dns", self.order, domain)
            message = "it has no address" if one.is_known else "its address cannot be looked up"
            self._say("dns", domain, message, hint, state=CheckState.WRONG)
        elif set(mine) == set(one.found):
            self._say("dns", domain, f"{leads}: this machine")
        else:
            others = [address for address in one.found if address not in mine]
            is_part = f"; {', '.join(others)} is not this machine's" if mine else ""
            has = ", ".join(others_see(own)) or "no other address than of itself"
            hint = "right if that is your router, or a proxy, which hands it on; else correct"
            hint += " the AAAA record: issuers ask by IPv6 first" if _is_of_6(others) else " it"
            message = f"{leads}{is_part}, and this machine has {has}"
            self._say("dns", domain, message, hint, state=CheckState.UNSURE)
        return one.found, mine

    def _look(
        self, proofs: dict[str, Proof], places: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    ) -> None:
        """Look at every address of every name, several at a time: some do not answer."""
        ways = [
            (proofs[domain], address, own)
            for domain, (addresses, own) in places.items()
            for address in addresses
        ]
        challenge = self.order.challenge
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            seen = pool.map(lambda way: look(way[0], way[1], challenge), ways)
            for way, one in zip(ways, seen, strict=True):
                self._answer(*way, one)

    def _answer(self, proof: Proof, address: str, mine: tuple[str, ...], seen: Seen) -> None:
        about = proof.domain if proof.domain == address else f"{proof.domain} at {address}"
        if not seen.said:
            self._say("answer", about, "it shows what the issuer looks for")
            return
        if not seen.word:
            self._say("answer", about, seen.said, state=CheckState.UNSURE)
            return
        hint = challenge_hint(seen.word, self.order, proof.domain)
        is_beyond = seen.word == "connection" and address not in mine
        if is_beyond:
            # Not every router lets those within see what it hands on.
            hint = f"from here, which may be only the router's way; {hint}"
        state = CheckState.UNSURE if is_beyond else CheckState.WRONG
        self._say("answer", about, seen.said, hint, state=state)

    # --- dns-01

    def _records(self) -> bool:
        """Put a record for each name there, see it at every server, and take it away."""
        from supervisor.adapters.acme import dns  # noqa: PLC0415  # as of the other challenges

        order, is_well = self.order, True
        for domain in self.bare:
            record, value = f"{_CHALLENGE}{domain}", digest_of(_proof(domain).authorization)
            try:
                said = dns.place_of(record, zones=order.zones, resolvers=order.resolvers)
            except dns.DnsError as error:
                self._say("zone", domain, str(error), error.hint, state=CheckState.WRONG)
                is_well = False
                continue
            self._say("zone", domain, f"its record belongs {said}")
            try:
                with dns.published(
                    [(record, value)],
                    zones=order.zones,
                    resolvers=order.resolvers,
                    timeout_seconds=order.timeout_seconds,
                    notes=Path(order.folder) / DNS_NOTES,
                ) as left:
                    pass
                others = dns.left_over(
                    record, zones=order.zones, resolvers=order.resolvers, but=value
                )
            except dns.DnsError as error:
                self._say("record", domain, str(error), error.hint, state=CheckState.WRONG)
                is_well = False
                continue
            self._record(domain, record, left=left, others=others)
        return is_well

    def _record(self, domain: str, record: str, *, left: list[str], others: list[str]) -> None:
        seen = "every server of the zone showed it"
        if left:
            hint = "take it away by hand; podvisor tries again with the next order"
            self._say("record", domain, f"{seen}; {left[0]}", hint, state=CheckState.UNSURE)
        elif others:
            message = f"{seen}, and it was taken away; {record} holds others: {', '.join(others)}"
            hint = "left by another program, or by hand: take them away if nobody is at work"
            self._say("record", domain, message, hint, state=CheckState.UNSURE)
        else:
            self._say("record", domain, f"{seen}, and it was taken away")

    # --- dns-persist-01

    def _persisting(self, meta: Meta | None) -> bool:
        if meta is None:
            return False
        if not self.account:
            message = "the record names the account, which is made with the first order"
            hint = "the order says then what to write, and goes on when it stands there"
            self._say("record", names(self.bare), message, hint=hint, state=CheckState.UNTRIED)
            return False
        if not meta.caa_identities:
            message = f"{self.order.issuer.name} does not say what it is called in DNS"
            self._say("record", names(self.bare), message, state=CheckState.UNTRIED)
            return False
        self.records = tuple(
            persist.record_of(
                domain,
                issuers=meta.caa_identities,
                account=self.account,
                resolvers=self.order.resolvers,
            )
            for domain in self.order.terms.domains
        )
        for domain, one in zip(self.order.terms.domains, self.records, strict=True):
            if one.problem:
                hint = persist.hint_of(one)
                self._say("record", domain, one.problem, hint, state=CheckState.WRONG)
            else:
                self._say("record", domain, f"{one.name} names this account")
        # That at the staging issuer is another account, and would need records of its own.
        return self.staging == self.order.issuer and not any(one.problem for one in self.records)

    # --- the order

    def _order(self, *, can_be_tried: bool) -> bool:
        if self.staging is None:
            message = f"{self.order.issuer.name} has no staging issuer: no order was tried"
            table = f"[certificates.issuers.{self.order.issuer.name}]"
            hint = f"name one as `staging` in {table} of the settings, or by --issuer"
            self._say("order", self.order.issuer.name, message, hint, state=CheckState.UNTRIED)
            return False
        name = self.staging.name
        if not can_be_tried:
            message = "no order was tried: it could not come to anything"
            if self.order.challenge is Challenge.DNS_PERSIST:
                message = "no order was tried: its account is another one, for which no record is"
            self._say("order", name, message, state=CheckState.UNTRIED)
            return False
        tried = StagingOrder(replace(self.order, issuer=self.staging, replaces="", key=""))
        try:
            pair = tried.run()
        except Refused as error:
            self._wrong("order", name, error)
            return False
        except IssuerError as error:
            self._wrong("order", name, of_error(error, tried.order, doing="order a certificate"))
            return False
        finally:
            tried.withdraw()
        said = f"it issued one for {names(pair.facts.names)}, which was thrown away"
        self._say("order", name, said)
        return True


def _any_key() -> JWK:
    """Return one for requests that are not signed."""
    return JWK.load(key_pem(new_key(KeyType.ECDSA_P256)).encode())


def _proof(domain: str) -> Proof:
    token = secrets.token_urlsafe(24)
    return Proof(domain, token, f"{token}.{secrets.token_urlsafe(32)}")


def _is_of_6(addresses: Iterable[str]) -> bool:
    return any(":" in one for one in addresses)


def _end(*_: object) -> None:
    """Take away what is shown, and end."""
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    serve(rehearse, Rehearsal)
