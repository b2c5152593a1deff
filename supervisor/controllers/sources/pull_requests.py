"""Propose what was written back to a branch of podvisor's own. Keys `pull-request:SOURCE`.

A key of its own, so that a Git host that is slow or down keeps no push waiting. Of each source the
last pull request is in the ledger: one is opened, and kept up to date until it is merged or closed.
"""

import os

import msgspec
from msgspec.structs import replace

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger, PullRequests, Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.githost.api import Api, api_of
from supervisor.core.githost.pull_request_api import name_of, shown_url
from supervisor.core.githost.pull_request_steps import PullStep, next_step
from supervisor.core.images.writeback import proposal
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.pull_request import (
    Proposal,
    ProposalStatus,
    ProposedPull,
    PullRequest,
    PullState,
)
from supervisor.model.settings import SourceSettings
from supervisor.model.writeback import PushedBranch

_AGAIN_SECONDS = 3_600.0
"""How often one that is open is looked at: Git tells of a merge, but of nothing else."""
_WORDS = {
    PullState.OPEN: "was opened again",
    PullState.MERGED: "was merged",
    PullState.CLOSED: "was closed without a merge: none is opened until there is something newer",
}


class PullRequestController(msgspec.Struct, frozen=True, kw_only=True):
    """Compares what was pushed with what the Git host was told of it."""

    host: PullRequests
    secrets: Secrets
    ledger: Ledger
    queue: WorkQueue
    settings: CurrentSettings
    board: StatusBoard

    async def reconcile(self, name: str) -> None:
        """Open it, or bring it up to date. Raises what reading the token and asking raise."""
        settings = self.settings.now.sources.get(name)
        pushed = self.ledger.get(PushedBranch, name)
        if not settings or not pushed or not _is_asked_for(settings, pushed):
            self._remember(name, None)
            return
        api = _api(settings)
        if api is None:
            self._remember(name, None)
            if pushed.changes:
                self.board.proposals[name] = ProposalStatus(name=f"branch {pushed.branch}")
            return
        wanted = _wanted(pushed, name)
        last = self._last(name, api, wanted)
        self._remember(name, last)
        if wanted is None and (last is None or last.state is not PullState.OPEN):
            return
        token = await self.secrets.read(settings.status_token)
        seen = await self._seen(api, last, wanted, token)
        last = self._take_note(name, api, last, seen)
        await self._carry_out(name, api, token, wanted=wanted, last=last, seen=seen)
        if (kept := self.ledger.get(ProposedPull, name)) and kept.state is PullState.OPEN:
            self.queue.add_by_rhythm(Kind.PULL_REQUEST.key(name), _AGAIN_SECONDS)

    def _last(self, name: str, api: Api, wanted: Proposal | None) -> ProposedPull | None:
        """Return the one that counts: another repository, or other branches, have another one."""
        last = self.ledger.get(ProposedPull, name)
        if last is None or last.target != _target(api):
            return None
        is_other = wanted and (last.told.head, last.told.to) != (wanted.head, wanted.to)
        return None if is_other else last

    async def _seen(
        self, api: Api, last: ProposedPull | None, wanted: Proposal | None, token: bytes
    ) -> PullRequest | None:
        """Look how it stands; if it is gone, or none is known, whether another one is open.

        Of a repository that the token may not see, a number is answered as one that is gone; to
        look for one fails. So that is done also where nothing is wanted of another one.
        """
        if last and (seen := await self.host.look(api, last.number, token=token)):
            return seen
        told = wanted or (last.told if last else None)
        if told is None:
            return None
        other = await self.host.find(api, head=told.head, to=told.to, token=token)
        return other if wanted else None

    def _take_note(
        self, name: str, api: Api, last: ProposedPull | None, seen: PullRequest | None
    ) -> ProposedPull | None:
        """Remember how it stands, and tell of it if that is new."""
        if last is None or (seen and seen.number != last.number):
            return last
        state = seen.state if seen else PullState.CLOSED
        if state is not last.state:
            self._log(name, last.url, f"{last.name} {_WORDS[state]}")
        last = replace(last, state=state, url=shown_url(api, seen.url) if seen else last.url)
        self._remember(name, last)
        return last

    async def _carry_out(
        self,
        name: str,
        api: Api,
        token: bytes,
        *,
        wanted: Proposal | None,
        last: ProposedPull | None,
        seen: PullRequest | None,
    ) -> None:
        step = next_step(wanted, last, seen)
        if step is PullStep.OPEN and wanted:
            opened = await self.host.open(api, wanted, token=token)
            self._told(name, api, opened, wanted, "was opened")
        elif step is PullStep.EDIT and wanted and seen:
            await self.host.edit(api, seen.number, wanted, token=token)
            self._told(name, api, seen, wanted, "was brought up to date")
        elif step is PullStep.CLOSE and last:
            await self.host.close(api, last.number, token=token)
            self._log(name, last.url, f"{last.name} was closed: {last.told.to} says all that")
            self._remember(name, None)
        elif wanted is None:
            self._remember(name, None)

    def _told(self, name: str, api: Api, one: PullRequest, told: Proposal, what: str) -> None:
        proposed = ProposedPull(
            target=_target(api),
            number=one.number,
            name=name_of(api, one.number),
            url=shown_url(api, one.url),
            state=PullState.OPEN,
            told=told,
        )
        self._remember(name, proposed)
        self._log(name, proposed.url, f"{proposed.name} {what}: {told.title}")

    def _remember(self, name: str, last: ProposedPull | None) -> None:
        if last is None:
            self.ledger.drop(ProposedPull, name)
        elif last != self.ledger.get(ProposedPull, name):
            self.ledger.put(last, name)
        if last is None or last.state is PullState.MERGED:
            self.board.proposals.pop(name, None)
        else:
            shown = ProposalStatus(name=last.name, url=last.url, state=last.state)
            self.board.proposals[name] = shown

    def _log(self, source: str, url: str, why: str) -> None:
        self.ledger.log(EventKind.PULL_REQUEST, source=source, subject=url, reason=why)


def _is_asked_for(settings: SourceSettings, pushed: PushedBranch) -> bool:
    """Whether what was pushed is what the settings still have pushed."""
    return settings.writeback and settings.writeback_branch == pushed.branch


def _api(settings: SourceSettings) -> Api | None:
    """Return where pull requests are to be opened; None if the settings ask for none."""
    if not (settings.status and settings.writeback_pull_request):
        return None
    return api_of(settings.status, git=settings.git, url=settings.status_url)


def _target(api: Api) -> str:
    return f"{api.base} {api.repository}"


def _wanted(pushed: PushedBranch, name: str) -> Proposal | None:
    """Return what is to be proposed of what was pushed; None if nothing of it is left to say."""
    if not pushed.changes:
        return None
    if not pushed.onto:
        raise Stalled(
            f"cannot open a pull request from {pushed.branch} of source {name}: its server does"
            " not tell which branch is its default",
            hint="name the branch in `ref`",
        )
    return proposal(pushed, host=os.uname().nodename)
