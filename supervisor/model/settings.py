"""Settings: nested by concern, each field saying its effect. Defaults live here and nowhere else.

The file is `~/.config/podvisor/config.toml`; durations are written `90s`, `5m`, `1h30m`, `7d`,
sizes `512K`, `16M`, `1G`; where a secret is, `file:~/.config/podvisor/token`.
"""

from typing import Annotated

import msgspec

from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.git_url import GitUrl
from supervisor.model.image import UpdateMode
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.setting_rule import PATH, PATH_HINT, Rule
from supervisor.model.setting_types import Bytes, Globs, Seconds, SecretRef
from supervisor.model.web_settings import WebSettings

_CREDENTIAL = r"credential:[A-Za-z0-9][A-Za-z0-9._-]*"
_NO_REVISIONS = "a folder is watched, and has no revisions of its own"
_MAY_BE_ZERO = Rule(may_be_zero=True)
_WINDOW = Rule(example="Sat,Sun 02:00..05:00", format="calendar")


def _with_status(example: str) -> Rule:
    hint = "say what the Git host is: status = one of {hosts}"
    return Rule(example=example, over="git", needs="status", needs_hint=hint)


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[sources.NAME]`: where apps come from. Exactly one of `git`, `oci` and `folder`."""

    git: Annotated[GitUrl, Rule(example="https://example.org/me/apps.git", format="git")] = GitUrl()
    """URL of a Git repository: https://, ssh:// (or user@host:path), file://."""
    oci: Annotated[str, Rule(example="registry.example.org/me/apps:main", format="artifact")] = ""
    """An artifact in a registry, by its tag, as `oras push` and `flux push artifact` make them."""
    folder: Annotated[str, Rule(example="~/apps", format="folder")] = ""
    """Absolute path of a folder (or one that begins with `~/`)."""
    ref: Annotated[
        str,
        Rule(
            example="main",
            pattern=r"(?!-)[^ ]*",
            refusal="cannot follow {}",
            hint="a branch, a tag or a commit",
            idle=_NO_REVISIONS,
            idle_oci="its tag stands in “oci”",
        ),
    ] = ""
    """Branch, tag or commit to follow; empty is the repository's default branch."""
    poll: Annotated[Seconds, Rule(may_be_zero=True, idle=_NO_REVISIONS)] = Seconds(300)
    """How often the Git repository, or the registry, is asked for something new; 0s is never."""
    apps: Annotated[Globs, Rule(example="apps/*", may_be_empty=False, format="glob")] = Globs()
    """Globs of the apps' folders, such as `apps/*` (`.` is the source itself), or of unit files,
    `quadlets/*.container`: each is an app, with what it refers to; `units` is every unit file.
    Empty finds them."""
    ignore: Annotated[Globs, Rule(may_be_empty=False, format="glob")] = Globs()
    """Globs of files and folders that are left out, as in .gitignore: `archive`, `apps/x/image`."""
    select: Annotated[tuple[str, ...], Rule(example=("web", "db-*"))] = ()
    """Globs of app names; if any are given, only these apps are deployed."""
    exclude: Annotated[tuple[str, ...], Rule(example=("old-*",))] = ()
    """Globs of app names that are not deployed."""
    overlay: Annotated[str, Rule(example="hosts/%H", format="overlay")] = ""
    """Folder of the source whose files are laid over the apps', `hosts/%H`: %H host, %u user."""
    user: Annotated[
        str,
        Rule(
            example="me",
            pattern="[^:]*",
            refusal="{} cannot be a user",
            over="https",
            needs="password",
            needs_hint='say where it is: password = "file:~/.config/podvisor/git-token"',
        ),
    ] = ""
    """For https: the user that `password` is of; empty is the URL's, or `git`."""
    password: Annotated[
        SecretRef, Rule(example="file:~/.config/podvisor/git-token", over="https")
    ] = SecretRef("")
    """For https: where the password or token is."""
    ssh_key: Annotated[
        str,
        Rule(
            example="~/.ssh/podvisor",
            pattern=f"{PATH}|{_CREDENTIAL}",
            refusal="“ssh_key” names no file",
            hint=f"{PATH_HINT}; or credential:",
            over="ssh",
        ),
    ] = ""
    """For ssh: the deploy key, a file of your own or `credential:NAME`; empty is as ssh has it."""
    known_hosts: Annotated[
        str, Rule(example="~/.config/podvisor/known_hosts", format="known-hosts", over="ssh")
    ] = ""
    """For ssh: a file of the server's keys, or its lines; then no other key is accepted."""
    verify: Annotated[
        str,
        Rule(
            example="ssh",
            pattern="ssh|gpg|cosign",
            refusal="cannot verify by {}",
            hint="ssh or gpg; cosign for an artifact",
            over="signed",
            needs="allowed_signers",
            needs_hint='say whose: allowed_signers = "~/.config/podvisor/allowed_signers"',
        ),
    ] = ""
    """`ssh` or `gpg`, for an artifact `cosign`: only revisions that `allowed_signers` signed are
    deployed."""
    allowed_signers: Annotated[
        str,
        Rule(
            example="~/.config/podvisor/allowed_signers",
            pattern=PATH,
            refusal="“allowed_signers” names no file of this machine",
            hint=f"{PATH_HINT}; it must not come from the repository itself",
            over="signed",
            needs="verify",
            needs_hint='say how: verify = "ssh" or "gpg", for an artifact "cosign"',
        ),
    ] = ""
    """For ssh a file as in ssh-keygen(1), ALLOWED SIGNERS; for gpg one of armoured public keys, for
    cosign of its public keys (ECDSA)."""
    status: Annotated[
        str,
        Rule(
            example="forgejo",
            format="status-host",
            over="git",
            needs="status_token",
            needs_hint='say where it is: status_token = "file:~/.config/podvisor/status-token"',
        ),
    ] = ""
    """`github`, `gitea`, `forgejo` or `gitlab`: tell the Git host how each revision fares."""
    status_token: Annotated[SecretRef, _with_status("file:~/.config/podvisor/status-token")] = (
        SecretRef("")
    )
    """Where the Git host's token is, for that and for pull requests."""
    status_url: Annotated[str, _with_status("https://git.example.org/api/v1")] = ""
    """Base of the Git host's API, where it is not where `git` lets one expect it."""
    status_context: Annotated[str, _with_status("podvisor/pi")] = ""
    """What the status is called at the Git host; empty is `podvisor/HOSTNAME`."""
    writeback: bool = False
    """Whether the tag that a policy chose (`ImagePolicy=`) is committed to `ref`, a branch, when it
    has passed its gate here."""
    writeback_branch: Annotated[
        str,
        Rule(
            example="podvisor-updates",
            pattern=r"[A-Za-z0-9][A-Za-z0-9_/-]*(?:\.[A-Za-z0-9_/-]+)*",
            refusal="{} cannot be a branch of podvisor's own",
            hint="letters, digits, and - _ / between them, such as podvisor-updates",
            over="git",
        ),
    ] = ""
    """A branch of podvisor's own, one for each host, that is pushed instead, for you to merge."""
    writeback_pull_request: bool = True
    """Whether a pull request is opened for it, where `status` says what the Git host is."""
    writeback_author: Annotated[
        str,
        Rule(
            example="podvisor <podvisor@pi.example.org>",
            pattern=r"[^<>\n]*[^<>\s] <[^<>\s]+>",
            refusal="{} is no author",
            hint='write it as git does: writeback_author = "NAME <ADDRESS>"',
            over="git",
        ),
    ] = ""
    """Who those commits are by; empty is `podvisor <podvisor@HOSTNAME>`."""
    writeback_key: Annotated[
        str,
        Rule(
            example="~/.config/podvisor/signing-key",
            pattern=f"{PATH}|{_CREDENTIAL}",
            refusal="“writeback_key” names no file",
            hint=f"{PATH_HINT}; or credential:",
            over="git",
        ),
    ] = ""
    """What they are signed with: a file with an SSH key, or with an armoured OpenPGP key, neither
    with a passphrase, or `credential:NAME`; empty is not at all."""
    writeback_password: Annotated[
        SecretRef, Rule(example="file:~/.config/podvisor/git-push-token", over="https")
    ] = SecretRef("")
    """For https: where the password or token is to push with, if it is not `password`."""
    writeback_ssh_key: Annotated[
        str,
        Rule(
            example="~/.ssh/podvisor-push",
            pattern=f"{PATH}|{_CREDENTIAL}",
            refusal="“writeback_ssh_key” names no file",
            hint=f"{PATH_HINT}; or credential:",
            over="ssh",
        ),
    ] = ""
    """For ssh: the key to push with, if it is not `ssh_key`."""
    webhook: Annotated[
        str,
        Rule(
            example="github",
            format="webhook-host",
            idle="a folder is watched, and needs nobody to tell",
            idle_oci="name its registry below [webhooks.registries]",
        ),
    ] = ""
    """Whose webhooks tell of pushes: `github`, `forgejo`, `gitea`, `gitlab`, `bitbucket`, `generic`
    or `github-actions` (OIDC tokens of a workflow, without a secret)."""
    webhook_secret: SecretRef = SecretRef("")
    """Where the secret is that the webhooks are signed with."""
    webhook_repository: Annotated[str, Rule(example="me/home")] = ""
    """For `github-actions`: OWNER/NAME of the repository whose workflows may tell."""
    webhook_audience: Annotated[str, Rule(example="podvisor-home")] = ""
    """For `github-actions`: the audience that the workflow asks its token for."""

    @property
    def place(self) -> tuple[str, str]:
        """Where it is, and what is followed there."""
        return self.git or self.oci or self.folder, self.ref

    @property
    def shown(self) -> str:
        """Where it is, as it may be shown."""
        return self.git.shown or self.oci or self.folder


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[limits]`: what a source may hold before it is refused, and how full the disk may be."""

    file_size: Bytes = Bytes(16 << 20)
    """Largest single file."""
    app_size: Bytes = Bytes(64 << 20)
    """All files of one app together."""
    app_files: int = 5_000
    """Files in one app."""
    fetch_size: Bytes = Bytes(256 << 20)
    """What one fetch may bring: as Git packs it, or of an artifact."""
    fetch_timeout: Seconds = Seconds(300)
    """A fetch, of Git or of an artifact, that takes longer is ended and tried again later."""
    free_space: Annotated[Bytes, _MAY_BE_ZERO] = Bytes(1 << 30)
    """With less free, for images or for podvisor itself, the disk is nearly full; 0 is never."""


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[ledger]`: how long the event log is kept; whichever limit comes first."""

    keep_age: Seconds = Seconds(90 * 86_400)
    """Older entries are removed."""
    keep_size: Bytes = Bytes(32 << 20)
    """The oldest entries are removed when the ledger is larger."""


class RepairSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[repair]`: how what broke is brought back."""

    resync: Annotated[Seconds, _MAY_BE_ZERO] = Seconds(3_600)
    """The backstop: every app is looked at this often, even if nothing was noticed. 0s is never."""
    pull_timeout: Seconds = Seconds(1_800)
    """An image pull that takes longer is ended and tried again later."""
    start_timeout: Seconds = Seconds(300)
    """How long a pass waits for a start job; systemd goes on with it by itself."""
    job_timeout: Seconds = Seconds(1_800)
    """A job before a deploy (Run=before-deploy) that takes longer is stopped, and has failed."""


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rollout]`: when a new revision of an app counts, and what follows when it fails."""

    settle: Annotated[Seconds, _MAY_BE_ZERO] = Seconds(10)
    """How long everything must have stayed up, and well, before a revision counts."""
    gate_timeout: Seconds = Seconds(600)
    """A revision that is not well after so long has failed."""
    rollback: bool = True
    """Whether an app goes back to its last good revision when a new one fails."""
    history: int = 10
    """How many revisions of each app are remembered, to go back to."""


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: how often containers that are well are asked how they are."""

    idle_interval: Annotated[Seconds, _MAY_BE_ZERO] = Seconds(0)
    """How often Podman runs the health check of a container that is well; 0s is as declared."""
    idle_after: Seconds = Seconds(300)
    """How long it must have been well before; three checks at least."""
    idle_interval_by_app: dict[str, Seconds] = {}
    """Another idle_interval for some apps: { web = "10m", db = "0s" }. A unit's own beats it."""


class SecretSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secrets]`: how the apps' encrypted secrets are opened."""

    identity: SecretRef = SecretRef("file:~/.config/podvisor/age.key")
    """This host's age key; `podvisor secret init` makes it. An SSH key without passphrase works."""


class RegistryWebhookSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One `[webhooks.registries.NAME]`: a registry that tells of pushed images."""

    sender: Annotated[str, Rule(example="ghcr", format="webhook-sender")] = ""
    """Who sends: `distribution`, `ghcr`, `docker-hub`, `harbor`, `quay`, `forgejo`, `gitea`, `zot`
    or `generic`."""
    secret: Annotated[SecretRef, Rule(example="file:~/.config/podvisor/webhook-ghcr")] = SecretRef(
        ""
    )
    """Where the secret is that the sender signs with or sends along; who can do neither is given a
    path that follows from it."""
    registry: Annotated[str, Rule(example="registry.example.org:5000", format="registry")] = ""
    """HOST or HOST:PORT by which its images are pulled; empty is as the sender says."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[webhooks]`: where Git hosts and registries can tell of pushes."""

    listen: Annotated[str, Rule(example="127.0.0.1:9078", format="listen")] = ""
    """ADDRESS:PORT to listen on, such as `127.0.0.1:9078` or `[::]:9078`; empty is not at all."""
    public_url: Annotated[str, Rule(example="https://hooks.example.org", format="url")] = ""
    """How others reach it: `https://hooks.example.org`. For `podvisor webhook show`."""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Rule(example=("127.0.0.1", "10.0.0.0/8"), may_be_empty=False, format="network"),
    ] = ("127.0.0.1", "::1")
    """Addresses and networks of reverse proxies, whose word on the sender's address counts."""
    body_size: Bytes = Bytes(2 << 20)
    """Largest body that is read."""
    refusals_per_minute: int = 30
    """An address that was refused more often is not listened to for a while."""
    oidc_issuer: Annotated[
        str, Rule(example="https://git.example.org/token", may_be_empty=False, format="issuer")
    ] = "https://token.actions.githubusercontent.com"
    """Whose tokens `github-actions` takes; another one for GitHub Enterprise."""
    registries: dict[str, RegistryWebhookSettings] = {}
    """Registries that tell of pushed images, each by a name of your own."""


class ImageUpdateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[images.by_app.NAME]` or `[images.by_image."GLOB"]`: what is another there."""

    update: Annotated[UpdateMode | None, Rule(example="notify")] = None
    """What is done about a newer version; what is not said here is as in the next glob that fits,
    `by_app` or `[images]`."""
    cooldown: Annotated[Seconds | None, Rule(example="3d", may_be_zero=True)] = None
    """How long a version must have been known before it is run."""
    window: Annotated[str | None, _WINDOW] = None
    """When newer versions may be run; empty is always."""
    keep: Annotated[int | None, Rule(example=5)] = None
    """How many versions of an image that were good stay on this host."""


class ImageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[images]`: how units that ask for it (AutoUpdate=, ImagePolicy=) get newer images."""

    interval: Annotated[Seconds, _MAY_BE_ZERO] = Seconds(3_600)
    """How often registries are asked for newer versions; less than a day becomes twelve times as
    long, a day at most, for an image that webhooks tell of. 0s is only when somebody says so."""
    update: UpdateMode = UpdateMode.AUTO
    """`auto` runs a newer version, `download` only pulls it, `notify` shows it, `off` asks not."""
    cooldown: Annotated[Seconds, _MAY_BE_ZERO] = Seconds(0)
    """How long a version must have been known before it is run."""
    window: Annotated[str, _WINDOW] = ""
    """When newer versions may be run: `Sat,Sun 02:00..05:00`, days as in systemd.time(7); empty is
    always."""
    keep: int = 3
    """How many versions of an image that were good stay on this host."""
    by_app: dict[str, ImageUpdateSettings] = {}
    """Other settings for some apps."""
    by_image: dict[str, ImageUpdateSettings] = {}
    """Others for some images, by globs of their names: of those that fit, the first that says
    something of a setting counts for it. They beat `by_app`; a unit's own word beats both."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    sources: dict[str, SourceSettings] = {}
    limits: LimitSettings = LimitSettings()
    ledger: LedgerSettings = LedgerSettings()
    repair: RepairSettings = RepairSettings()
    rollout: RolloutSettings = RolloutSettings()
    health: HealthSettings = HealthSettings()
    secrets: SecretSettings = SecretSettings()
    webhooks: WebhookSettings = WebhookSettings()
    images: ImageSettings = ImageSettings()
    certificates: CertificateSettings = CertificateSettings()
    web: WebSettings = WebSettings()
    notify: dict[str, NotifySettings] = {}
