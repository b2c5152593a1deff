"""Signed requests to an issuer, by certbot's library, with what that lacks.

The issuer is not trusted: what it says is bounded, and read by msgspec; unknown things in it are
passed over.
"""

import email.utils
import ssl
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from acme import jws
from acme.client import ClientNetwork
from josepy import errors, jwa
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import decode_b64jose
from josepy.jwk import JWK, JWKRSA
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, parse_header_links, select_proxy

from supervisor import __version__
from supervisor.adapters.acme.refusals import (
    Refused,
    is_passing,
    moved,
    no_directory,
    odd,
    too_long,
    unreachable,
)
from supervisor.adapters.acme.replies import Directory, IssuerError, Problem, Reply, read
from supervisor.kit.texts import one_line
from supervisor.model.acme import AcmeIssuer

_BAD_NONCES = 40
"""Pebble refuses many on purpose. A nonce is no one's fault, so all of these are one request."""
_AT_ONCE = 5
_NONCE_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 45.0
_LARGEST_ANSWER = 1 << 20
_MANY_LINKS = 8
_LONGEST_PAUSE = 86_400.0
_GOOD = range(200, 300)
_ALGORITHMS = {
    "secp256r1": jwa.ES256,
    "secp384r1": jwa.ES384,
    "secp521r1": jwa.ES512,
}


class Fields(JSONDeSerializable):
    """The payload of a request, as JSON has it."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def to_partial_json(self) -> dict[str, Any]:
        return self.fields

    @classmethod
    def from_json(cls, jobj: Any) -> "Fields":
        return cls(**jobj)


class Network(ClientNetwork):
    """An issuer, asked with one key. Raises Refused or IssuerError."""

    def __init__(self, issuer: AcmeIssuer, key: JWK, *, deadline: float) -> None:
        super().__init__(key, alg=_algorithm(key), user_agent=f"podvisor/{__version__}")
        self.issuer = issuer
        self.signer = key
        self.kid = ""
        """URL of the account; empty, and requests bear the key itself."""
        self.ahead = 0.0
        """By how many seconds this machine's clock is ahead of the issuer's."""
        self._deadline = deadline
        self._new_nonce = ""
        self._is_open = _scheme(issuer.directory) == "http"
        # As Let's Encrypt's and other clients' requests go: through the proxy that the machine has,
        # but never with a login from ~/.netrc.
        self.session.auth = _as_it_is
        self.session.mount("https://", _Trusting(_context(issuer)))

    def use(self, key: JWK) -> None:
        """Ask with another key from now on."""
        self.signer = self.key = key
        self.alg, self.kid = _algorithm(key), ""

    @property
    def left(self) -> float:
        """Seconds until nobody waits any more."""
        return self._deadline - time.monotonic()

    def open(self) -> Directory:
        """Read the issuer's directory."""
        response = self._send_request("GET", self.issuer.directory)
        if response.is_redirect:
            raise moved(self.issuer.name, urljoin(response.url, response.headers["Location"]))
        try:
            self._check(response)
            directory = self._read(response, Directory)
        except IssuerError as error:
            if is_passing(error):
                raise
            odd_one = odd(self.issuer.name, f"its directory is HTTP {error.status}")
            raise no_directory(self.issuer.name, self.issuer.directory, odd_one) from error
        except Refused as error:
            raise no_directory(self.issuer.name, self.issuer.directory, error) from error
        if (date := _moment(response.headers.get("Date", ""))) is not None:
            self.ahead = time.time() - date
        self._new_nonce = directory.new_nonce
        return directory

    def ask(self, url: str, reply: type[Reply]) -> tuple[Reply, requests.Response]:
        """Read a resource (POST-as-GET), and give the head of the answer with it."""
        response = self.post(url, None)
        return self._read(response, reply), response

    def tell(self, url: str, payload: Any, reply: type[Reply]) -> tuple[Reply, requests.Response]:
        """Send something, and read what becomes of it."""
        response = self.post(url, payload)
        return self._read(response, reply), response

    def post(self, url: str, payload: Any) -> requests.Response:
        """Send a signed request, with as many nonces as it takes; no payload is POST-as-GET."""
        refused = IssuerError(Problem(), 0, None)
        for number in range(_BAD_NONCES):
            if number >= _AT_ONCE:
                time.sleep(_NONCE_PAUSE_SECONDS)
            data = self._wrap_in_jws(payload, self._get_nonce(url, self._new_nonce), url)
            headers = {"Content-Type": self.JOSE_CONTENT_TYPE}
            response = self._send_request("POST", url, data=data, headers=headers)
            self._keep_nonce(response)
            try:
                self._check(response)
            except IssuerError as error:
                if error.problem.word != "badNonce":
                    raise
                refused = error
            else:
                return response
        raise refused

    def pause(self, response: requests.Response, seconds: float, *, about: str) -> None:
        """Wait for as long as the issuer asks, or else for some seconds."""
        asked = retry_after(response)
        seconds = seconds if asked is None else max(asked, 0.1)
        if seconds >= self.left:
            raise too_long(self.issuer.name, about, retry_after=seconds)
        time.sleep(seconds)

    def _wrap_in_jws(self, obj: Any, nonce: Any, url: str) -> str:
        payload = b"" if obj is None else obj.json_dumps().encode()
        signed = jws.JWS.sign(
            payload, self.key, self.alg, nonce=nonce, url=url, kid=self.kid or None
        )
        return str(signed.json_dumps())

    def _get_nonce(self, url: str, new_nonce_url: str) -> Any:
        if not self._nonces:
            response = self._send_request("HEAD", new_nonce_url or url)
            self._check(response)
            self._keep_nonce(response)
            if not self._nonces:
                raise odd(self.issuer.name, "it gives no nonce")
        return self._nonces.pop()

    def _keep_nonce(self, response: requests.Response) -> None:
        """Refused requests bring one too."""
        try:
            decoded = decode_b64jose(response.headers.get(self.REPLAY_NONCE_HEADER, ""))
        except errors.DeserializationError:
            return
        # The library's own set of them.
        if decoded:
            self._nonces.add(decoded)  # type: ignore[arg-type]

    def _check(self, response: requests.Response) -> None:
        if response.status_code in _GOOD:
            return
        try:
            problem = read(response.content, Problem)
        except (ValueError, RecursionError):
            problem = Problem()
        raise IssuerError(problem, response.status_code, retry_after(response))

    def _read(self, response: requests.Response, reply: type[Reply]) -> Reply:
        try:
            return read(response.content, reply)
        except (ValueError, RecursionError) as error:
            path = urlsplit(response.url).path
            raise odd(self.issuer.name, f"{one_line(path)}: {one_line(str(error))}") from error

    def _send_request(self, method: str, url: str, *_: Any, **kwargs: Any) -> requests.Response:
        """Ask once, and read all of the answer, if it is not too much."""
        name = self.issuer.name
        scheme = _scheme(url)
        if scheme != "https" and not (scheme == "http" and self._is_open):
            raise odd(name, f"it names {one_line(url)}, which is no URL to trust")
        if self.left <= 0:
            raise unreachable(name, "it takes too long")
        headers = {"User-Agent": self.user_agent, **kwargs.pop("headers", {})}
        try:
            response = self.session.request(
                method,
                url,
                headers=headers,
                timeout=min(_ANSWER_SECONDS, self.left),
                stream=True,
                allow_redirects=False,
                **kwargs,
            )
            with response:
                body = bytearray()
                for chunk in response.iter_content(64 << 10):
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise odd(name, "it says more than anybody is ready to hear")
        except (requests.RequestException, OSError, ValueError) as error:
            raise unreachable(name, error, url=url, proxy=_proxy_to(url)) from error
        response._content = bytes(body)  # noqa: SLF001  # so does requests itself
        return response


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds that the issuer asks to wait, bounded; None if it does not."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_PAUSE)
    moment = _moment(text)
    return None if moment is None else min(max(moment - time.time(), 0.0), _LONGEST_PAUSE)


def links(response: requests.Response, relation: str) -> list[str]:
    """Return the URLs of a relation, of which there may be several."""
    found = parse_header_links(response.headers.get("Link", ""))
    urls = [one["url"] for one in found if one.get("rel") == relation and one.get("url")]
    return urls[:_MANY_LINKS]


class _Trusting(HTTPAdapter):
    """Trusts whom its context trusts, and not the list that comes with requests."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave it to the context."""


def _context(issuer: AcmeIssuer) -> ssl.SSLContext:
    if not issuer.authority:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cadata=issuer.authority)
    except (ssl.SSLError, ValueError) as error:
        why = "what is set as its `authority` is no certificate in PEM"
        raise unreachable(issuer.name, why) from error
    # An authority made by hand seldom has all that RFC 5280 asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _algorithm(key: JWK) -> jwa.JWASignature:
    return jwa.RS256 if isinstance(key, JWKRSA) else _ALGORITHMS[key.key.curve.name]


def _proxy_to(url: str) -> str:
    """Return HOST:PORT of the proxy by which a URL is asked; empty without one."""
    try:
        proxy = select_proxy(url, get_environ_proxies(url)) or ""
        return urlsplit(proxy).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
