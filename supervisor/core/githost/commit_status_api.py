"""The status of a commit: what Git hosts' APIs are sent, and answer."""

from supervisor.core.githost.api import Api, Request, address, plain
from supervisor.core.githost.hosts.registry import APIS
from supervisor.model.commit_status import CommitState, CommitStatus

_LONGEST = 140
"""Characters of a description; GitHub takes no more."""
_LONGEST_CONTEXT = 100


def request(api: Api, status: CommitStatus, *, context: str) -> Request:
    """Ask for a commit's status to be set."""
    words = APIS[api.kind].status
    body = {
        "state": words.failure if status.state is CommitState.FAILURE else status.state.value,
        words.context: plain(context, _LONGEST_CONTEXT),
        "description": plain(status.description, _LONGEST),
    }
    url = address(api, words.url, revision=status.revision)
    return Request(method="POST", url=url, body=body)


def is_said_already(kind: str, answer: str) -> bool:
    """Whether a refusal only means that the commit has that state already."""
    repeated = APIS[kind].status.repeated
    return bool(repeated) and repeated in answer.lower()
