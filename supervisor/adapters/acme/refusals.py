"""Why there is no certificate, in plain words, with what can be done about it.

What issuers say is a foreign text: it is quoted in one line, and cut.
"""

import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence

import msgspec

from supervisor.adapters.acme.replies import IssuerError, Meta, Problem
from supervisor.kit.texts import minute, one_line
from supervisor.model.acme import AcmeIssuer, FailureKind, Order, OrderRefusal
from supervisor.model.certificate import Challenge

_QUOTED = 400
"""An issuer's text begins with what it did, and says what came of it at the end."""
_MANY = 3
_ANY = ("", "0.0.0.0", "::")  # noqa: S104  # not listened at: it is what the settings may say
_PLACE = "/.well-known/acme-challenge/"
_NOT_YET_VALID, _EXPIRED = 9, 10
_CLOCK = "look at this machine's clock (timedatectl): it says {}"
_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = range(500, 600)
_NOT_FOUND = 404
_DEPTH = 10
_KINDS = {
    "rateLimited": FailureKind.LIMITED,
    "badNonce": FailureKind.PASSING,
    "serverInternal": FailureKind.PASSING,
    "accountDoesNotExist": FailureKind.PASSING,
    "orderNotReady": FailureKind.PASSING,
    "": FailureKind.PASSING,
    "caa": FailureKind.VALIDATION,
    "connection": FailureKind.VALIDATION,
    "dns": FailureKind.VALIDATION,
    "incorrectResponse": FailureKind.VALIDATION,
    "tls": FailureKind.VALIDATION,
}
"""Of types that mean something else than that a person is needed."""
_WHY = {
    "accountDoesNotExist": "the issuer does not know this machine's account any more",
    "badCSR": "the issuer does not take this key, or these names together",
    "badNonce": "the issuer refuses each request as an old one",
    "externalAccountRequired": "the issuer wants an account with it to be named",
    "invalidContact": "the issuer does not take the e-mail address",
    "invalidProfile": "the issuer does not take the profile",
    "rateLimited": "the issuer's limits are used up",
    "rejectedIdentifier": "the issuer has no certificates for it",
    "serverInternal": "the issuer has trouble of its own",
    "unsupportedContact": "the issuer does not take the e-mail address",
    "unsupportedIdentifier": "the issuer has no certificates for names of this kind",
    "userActionRequired": "the issuer's terms have changed, and somebody has to agree",
}
_HINTS = {
    "badCSR": "try another KeyType=, or fewer names",
    "invalidContact": "set another `email` in [certificates] of the settings",
    "invalidProfile": "set another Profile=, or none",
    "rejectedIdentifier": "look for a typing error in Domain=; issuers also refuse names that are"
    " not public, and some that are well known",
    "unsupportedContact": "set another `email` in [certificates] of the settings",
    "unsupportedIdentifier": "name another Issuer=, or a Profile= that has them",
}


class Refused(Exception):  # as `model.acme` calls it
    """There is no certificate."""

    def __init__(self, refusal: OrderRefusal, *, has_ended: bool = False) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.has_ended = has_ended
        """Whether the order is of no use any more."""


def refused(
    kind: FailureKind,
    message: str,
    hint: str = "",
    *,
    retry_after: float = 0.0,
    has_ended: bool = False,
) -> Refused:
    """Say why there is none."""
    refusal = OrderRefusal(kind=kind, message=message, hint=hint, retry_after=retry_after)
    return Refused(refusal, has_ended=has_ended)


def odd(issuer: str, what: str) -> Refused:
    """Say that the issuer does not keep to RFC 8555."""
    return refused(FailureKind.PASSING, f"the issuer {issuer} answers oddly: {what}")


def too_long(issuer: str, about: str, *, retry_after: float) -> Refused:
    """Say that it has not ended yet; the order stays, and goes on with the next try."""
    message = f"the issuer {issuer} is not done yet with {about}"
    return refused(FailureKind.PASSING, message, retry_after=retry_after)


def unreachable(
    issuer: str, error: BaseException | str, *, url: str = "", proxy: str = ""
) -> Refused:
    """Say that nobody answers, and why; `proxy` is HOST:PORT of one by which it was asked."""
    why, hint = error if isinstance(error, str) else "", ""
    if isinstance(error, BaseException):
        error = _root(error)
        why = _system_words(error)
        is_of_clock = getattr(error, "verify_code", 0) in {_NOT_YET_VALID, _EXPIRED}
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its own certificate is not trusted: {error.verify_message}"
            hint = "if it has an authority of its own, name its PEM as the issuer's `authority`"
        if is_of_clock:
            hint = _CLOCK.format(minute(time.time()))
    at = f" ({one_line(url)})" if url else ""
    if proxy:
        at += f" by the proxy {one_line(proxy)}"
        hint = hint or (
            "the proxy comes from podvisor's environment: see https_proxy and no_proxy in"
            " systemctl --user show-environment"
        )
    return refused(
        FailureKind.PASSING, f"cannot reach the issuer {issuer}{at}: {one_line(why, _QUOTED)}", hint
    )


def no_directory(issuer: str, url: str, found: Refused) -> Refused:
    """Say that what is at the URL of the settings may be no issuer's directory."""
    hint = f"see whether `directory` of [certificates.issuers.{issuer}] is right: {one_line(url)}"
    return refused(found.refusal.kind, found.refusal.message, hint)


def moved(issuer: str, url: str) -> Refused:
    """Say that the directory is elsewhere now: whom to trust is for a person to say."""
    found = unreachable(issuer, f"its directory is said to be at {one_line(url)} now")
    hint = f"if that is right, set it as `directory` of [certificates.issuers.{issuer}]"
    return refused(found.refusal.kind, found.refusal.message, hint)


def wrong_clock(issuer: str, ahead: float) -> Refused:
    """Say that this machine's clock cannot be right, or the issuer's is not."""
    days = abs(ahead) / 86_400
    side = "ahead of" if ahead > 0 else "behind"
    message = f"this machine's clock is {days:.0f} days {side} the clock of the issuer {issuer}"
    return refused(FailureKind.PASSING, message, _CLOCK.format(minute(time.time())))


def unlike(issuer: str, problem: str, domains: Sequence[str]) -> Refused:
    """Say that what was issued cannot be used."""
    message = f"what the issuer {issuer} issued for {names(domains)} cannot be used: {problem}"
    hint = ""
    if "here it is" in problem:
        hint = _CLOCK.format(minute(time.time()))
    elif "its chain leads to" in problem:
        hint = "the issuer's `trust` in the settings names the roots that it has to lead to"
    # What comes with time, or can be mended here, mends that certificate, too.
    is_early = "valid only from" in problem
    kind = FailureKind.PASSING if is_early else FailureKind.REFUSED
    return refused(
        kind, message, hint, has_ended=not is_early and "its chain leads to" not in problem
    )


def of_error(error: IssuerError, order: Order, *, doing: str, account: str = "") -> Refused:
    """Say why the issuer refused a request; `account` is the path of the key that made it."""
    problem = _telling(error.problem)
    word = problem.word
    kind = _KINDS.get(word, FailureKind.REFUSED)
    if error.status == _TOO_MANY_REQUESTS:
        word, kind = "rateLimited", FailureKind.LIMITED
    elif error.status in _SERVER_ERRORS or error.status == _NOT_FOUND:
        # An issuer of many servers may not know yet what it said a moment ago.
        kind = FailureKind.PASSING
    about = _about(problem, order)
    said = f"HTTP {error.status}" if not error.problem.type else _said(problem)
    why = _WHY.get(word, "")
    message = f"cannot {doing} for {about} by {order.issuer.name}: "
    message += f"{why} ({said})" if why and said else why or said or f"HTTP {error.status}"
    hint = _HINTS.get(word, "")
    table = f"[certificates.issuers.{order.issuer.name}]"
    match word:
        case "externalAccountRequired":
            hint = f"set eab_key_id and eab_key in {table} of the settings"
        case "userActionRequired":
            hint = f"read, and agree at: {one_line(problem.instance)}" if problem.instance else ""
        case "unauthorized" if account:
            hint = f"if the account was closed, move {account} away: another one is made then"
        case _:
            pass
    return refused(
        kind,
        message,
        hint,
        retry_after=error.retry_after or 0.0,
        has_ended=kind in {FailureKind.REFUSED, FailureKind.VALIDATION},
    )


def of_binding(found: Refused, issuer: AcmeIssuer) -> Refused:
    """Say of a refused account that its external binding may be the reason."""
    refusal = found.refusal
    if refusal.kind is not FailureKind.REFUSED or refusal.hint:
        return found
    hint = (
        f"many issuers give out an eab_key for one account and some days: have it give out another"
        f" for [certificates.issuers.{issuer.name}] of the settings, or put the account's key back"
    )
    return refused(refusal.kind, refusal.message, hint, retry_after=refusal.retry_after)


def is_passing(error: IssuerError) -> bool:
    """Whether the same may be had later, of an issuer that is asked too often or has trouble."""
    kind = _KINDS.get(error.problem.word, FailureKind.REFUSED)
    if not error.problem.word:
        kind = FailureKind.REFUSED
    passing = kind in {FailureKind.PASSING, FailureKind.LIMITED}
    return passing or error.status == _TOO_MANY_REQUESTS or error.status in _SERVER_ERRORS


def of_challenge(problem: Problem, order: Order, domain: str, meta: Meta) -> Refused:
    """Say why the issuer could not see that a name is ours."""
    problem = _telling(problem)
    bare = domain.removeprefix("*.")
    word = problem.word
    kind = FailureKind.VALIDATION
    if word in {"rateLimited", "rejectedIdentifier", "serverInternal"}:
        kind = _KINDS.get(word, FailureKind.REFUSED)
    said = _said(problem) or "it does not say why"
    message = f"{order.issuer.name} could not verify {domain} by {order.challenge}: {said}"
    hint = _HINTS.get(word, "")
    if word == "caa":
        hint = caa_hint(bare, meta)
    elif not hint:
        hint = challenge_hint(word, order, bare)
    if seen := _seen_in_dns(word, order, domain, meta):
        hint = f"{hint}; seen from here, {seen}"
    return refused(kind, message, hint, has_ended=True)


def unproven(failed: Mapping[str, Refused]) -> Refused:
    """Say why the first of some names could not be proven, and which others could not."""
    (_, first), *others = failed.items()
    if not others:
        return first
    message = f"{first.refusal.message}; nor could it verify {names([name for name, _ in others])}"
    refusal = msgspec.structs.replace(first.refusal, message=message)
    return Refused(refusal, has_ended=first.has_ended)


def _seen_in_dns(word: str, order: Order, domain: str, meta: Meta) -> str:
    """Say what DNS says of a name that could not be proven, where that may be the reason."""
    # It loads a library that no other failure needs.
    from supervisor.adapters.acme import dns_look  # noqa: PLC0415

    if word == "caa":
        return dns_look.caa_problem(
            domain, meta.caa_identities, order.resolvers, challenge=order.challenge
        )
    if order.challenge.is_of_dns or word not in {"connection", "dns", "unauthorized"}:
        return ""
    return dns_look.where(domain, order.resolvers)


def of_order(problem: Problem | None, order: Order) -> Refused:
    """Say why an order came to nothing that had been proven."""
    if problem is None:
        return refused(
            FailureKind.PASSING,
            f"{order.issuer.name} gave up the order for {names(order.terms.domains)},"
            " and does not say why",
            has_ended=True,
        )
    found = of_error(IssuerError(problem, 0, None), order, doing="have a certificate issued")
    return Refused(found.refusal, has_ended=True)


def names(domains: Sequence[str]) -> str:
    """Say which names, the first of many."""
    first = ", ".join(domains[:_MANY])
    return first if len(domains) <= _MANY else f"{first} and {len(domains) - _MANY} more"


def caa_hint(domain: str, meta: Meta) -> str:
    """Say what has to stand in DNS for the issuer to be allowed."""
    identity = next(iter(meta.caa_identities), "the issuer's name")
    return (
        f"a CAA record of {domain}, or of a domain above it, forbids it:"
        f' add one with 0 issue "{one_line(identity)}"'
    )


def challenge_hint(word: str, order: Order, domain: str) -> str:
    """Say what a person can do where an issuer saw something else than it should."""
    if order.challenge is Challenge.DNS_PERSIST:
        return f"dig TXT _validation-persist.{domain} must show the record, from everywhere"
    if order.challenge is Challenge.DNS:
        return (
            f"dig TXT _acme-challenge.{domain} must show, from everywhere, what was put there"
            " while the order was open"
        )
    is_http = order.challenge is Challenge.HTTP
    port = 80 if is_http else 443
    webroot = order.webroot if is_http else ""
    if word == "dns":
        return f"{domain} needs an A or AAAA record that leads to this machine, from everywhere"
    if word == "connection":
        place = f"the web server here that shows {webroot}" if webroot else _listener(order)
        return (
            f"port {port} of {domain} must lead to {place}: look at its address in"
            " DNS (A, and AAAA if there is one), the router's forwarding and the firewall"
        )
    hint = f"somebody else answers at port {port} of {domain}: see where its A and AAAA records"
    hint += " lead"
    if webroot:
        return f"{hint}, or have its web server show {_PLACE} from {webroot}"
    if is_http:
        return f"{hint}, or have {_PLACE} handed on to {_listener(order)}"
    return f"{hint}, and that TLS reaches {_listener(order)} as it is"


def _listener(order: Order) -> str:
    """Say where podvisor waits for the issuer, as somebody sees it who is to lead there."""
    host, _, port = order.listen.rpartition(":")
    is_any = host.strip("[]") in _ANY
    return f"port {port} of this machine" if is_any else f"{order.listen} on this machine"


def _telling(problem: Problem) -> Problem:
    """Return the one of several problems that says what it is."""
    for _ in range(_DEPTH):
        if not problem.subproblems or (problem.identifier and problem.word != "compound"):
            break
        problem = problem.subproblems[0]
    return problem


def _about(problem: Problem, order: Order) -> str:
    of = problem.identifier.value if problem.identifier else ""
    known = of in {one.removeprefix("*.") for one in order.terms.domains}
    return of if known else names(order.terms.domains)


def _said(problem: Problem) -> str:
    return one_line(problem.detail.strip().rstrip("."), _QUOTED) or problem.word


def _root(error: BaseException) -> BaseException:
    """Return what lies at the bottom of what requests and urllib3 made of it."""
    for _ in range(_DEPTH):
        below = [getattr(error, "reason", None), *error.args[:2], error.__cause__]
        found = next((one for one in below if isinstance(one, BaseException)), None)
        if found is None:
            break
        error = found
    return error


def _system_words(error: BaseException) -> str:
    number = getattr(error, "errno", None) or 0
    if isinstance(error, socket.gaierror):
        return error.strerror or "its name is not known"
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "it does not answer"
    if number > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(number)
    return str(error) or type(error).__name__
