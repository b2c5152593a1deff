"""Pull requests: what Git hosts' APIs are sent, and answer."""

from urllib.parse import quote

from supervisor.core.githost.api import Api, Request, address
from supervisor.core.githost.hosts.registry import APIS
from supervisor.model.git_url import GitUrl
from supervisor.model.pull_request import Proposal, PullRequest, PullState

_LONGEST_URL = 500


def finding(api: Api, *, head: str, to: str) -> Request:
    """Ask for those that are open from a branch to another; there may be others in the answer."""
    owner = api.repository.split("/", maxsplit=1)[0]
    parts = {"owner": owner, "head": head, "to": to}
    query = APIS[api.kind].pulls.query.format_map({k: quote(v, safe="") for k, v in parts.items()})
    return Request(method="GET", url=f"{_all(api)}?{query}")


def looking(api: Api, number: int) -> Request:
    """Ask how one stands."""
    return Request(method="GET", url=f"{_all(api)}/{number}")


def opening(api: Api, proposal: Proposal) -> Request:
    """Ask for one to be opened."""
    words = APIS[api.kind].pulls
    branches = {words.head: proposal.head, words.to: proposal.to}
    return Request(method="POST", url=_all(api), body=branches | _texts(api, proposal))


def editing(api: Api, number: int, proposal: Proposal) -> Request:
    """Ask for its title and text to be these."""
    method = APIS[api.kind].pulls.edit
    return Request(method=method, url=f"{_all(api)}/{number}", body=_texts(api, proposal))


def closing(api: Api, number: int) -> Request:
    """Ask for one to be closed."""
    words = APIS[api.kind].pulls
    return Request(method=words.edit, url=f"{_all(api)}/{number}", body=dict([words.closing]))


def read(api: Api, content: bytes) -> tuple[PullRequest, ...]:
    """Read what is answered to any of these.

    Raises ValueError or RecursionError if it cannot be one.
    """
    return APIS[api.kind].pulls.read(content)


def found(pulls: tuple[PullRequest, ...], *, head: str, to: str) -> PullRequest | None:
    """Return the one that is open between these branches of the repository itself."""
    wanted = (PullState.OPEN, head, to)
    return next((one for one in pulls if (one.state, one.head, one.to) == wanted), None)


def name_of(api: Api, number: int) -> str:
    """Return what people call one at this Git host: `merge request !5`."""
    return APIS[api.kind].pulls.name.format(number=number)


def shown_url(api: Api, url: str) -> str:
    """Return the page's URL if it is fit to be shown; empty if it leads to another host."""
    place = GitUrl(url)
    hosts = {api.git_host, GitUrl(api.base).host} - {""}
    is_ours = place.over_http and place.host in hosts and not place.user and place.password is None
    is_plain = url.isascii() and url.isprintable() and len(url) <= _LONGEST_URL
    return url if is_ours and is_plain else ""


def right_of(kind: str) -> str:
    """Return what a token must be allowed to do for all that."""
    return APIS[kind].pulls.right


def _all(api: Api) -> str:
    return address(api, APIS[api.kind].pulls.url)


def _texts(api: Api, proposal: Proposal) -> dict[str, str]:
    return {"title": proposal.title, APIS[api.kind].pulls.body: proposal.body}
