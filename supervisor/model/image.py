"""Versions of images: how a unit asks for them, what is known of them, and which one runs.

`ImageRule` is what a unit's files say, `ImageQuestion` what has to be known for it (one for all
units that ask the same), `ImageKnowledge` the answer as it is kept in the ledger, and `Pin` the
version that was chosen for a release of an app.
"""

import enum

import msgspec

PIN_DROP_IN = "zz-podvisor-image.conf"
"""Name of the drop-in that has a unit run the version that was chosen."""


class PolicyKind(enum.StrEnum):
    """`[X-Podvisor] ImagePolicy=`: which version is the newest."""

    DIGEST = "digest"
    """Whatever the tag that the unit names stands for."""
    SEMVER = "semver"
    """The highest version within a range."""
    REGEX = "regex"
    """The highest, by a group of a regular expression, of the tags that it matches."""
    NEWEST = "newest"
    """The highest of all tags, read as versions, or as numbers and words where they are none."""


class TagOrder(enum.StrEnum):
    """By which tags that are no versions are put in order."""

    NUMERIC = "numeric"
    ALPHABETICAL = "alphabetical"


class ImagePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, order=True):
    """How the newest version is told from a registry's tags."""

    kind: PolicyKind = PolicyKind.DIGEST
    pattern: str = ""
    """For semver the range (`^1.4`), for regex the regular expression."""
    group: str = ""
    """Group of `pattern` or `filter` that tags are compared by; empty is the whole tag."""
    order: TagOrder = TagOrder.NUMERIC
    filter: str = ""
    """`ImageFilter=`: a regular expression that the whole tag has to match; empty is any."""
    prereleases: bool = False
    """Whether `2.0.0-rc.1` counts."""


class UpdateMode(enum.StrEnum):
    """`[X-Podvisor] Update=`: what is done about a newer version."""

    AUTO = "auto"
    """It is pulled and run."""
    DOWNLOAD = "download"
    """It is pulled; a person says when it is run."""
    NOTIFY = "notify"
    """It is shown."""
    OFF = "off"
    """Nothing is asked."""


class ImageQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, order=True):
    """What has to be known: one for all units that ask the same."""

    image: str
    """Whole name with its tag: `docker.io/library/nginx:1.27`."""
    policy: ImagePolicy = ImagePolicy()
    is_local: bool = False
    """Whether this host's own image of that name is what counts (`AutoUpdate=local`)."""
    authfile: str = ""
    """Absolute path of the credentials to ask with; empty is as Podman has it."""

    @property
    def names_tag(self) -> bool:
        """Whether the version is what the tag stands for, and no other tag counts."""
        return self.is_local or self.policy.kind is PolicyKind.DIGEST

    @property
    def key(self) -> str:
        """Return a text that no other question has, in one line.

        Where the policy chooses among all tags, that which the unit names has no part in it: what
        is known, ordered and pinned stays when the file comes to name another one.
        """
        policy = self.policy
        if self.names_tag:
            words = [self.image, "local" if self.is_local else policy.kind.value]
        else:
            repository = self.image.rpartition(":")[0]
            words = [repository, policy.kind.value]
            words += [policy.pattern, policy.group, policy.order.value, policy.filter]
            words += ["pre"] if policy.prereleases else []
        return " ".join([*words, *([self.authfile] if self.authfile else [])])


class ImageRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the file of a unit says of the versions of its image; None is "not said"."""

    question: ImageQuestion
    path: str
    """Of the unit file whose Image= it is, relative to the app's root."""
    line: int = 0
    update: UpdateMode | None = None
    cooldown: float | None = None
    """Seconds that a version must have been known for."""
    window: str | None = None
    """When it may be run, as systemd.time(7) writes calendar events; empty is always."""
    keep: int | None = None
    """How many versions that were good stay on this host."""


class UpdateTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for the image of a unit, when all has been asked that may say it."""

    update: UpdateMode
    cooldown: float
    window: str
    keep: int


class TagDigest(msgspec.Struct, frozen=True, kw_only=True):
    """What a tag stands for now."""

    digest: str
    """`sha256:…` of the index, or of the manifest where there is none."""
    pushed_at: float = 0.0
    """When it was pushed, seconds since the epoch, where the registry tells; else 0."""
    is_index: bool = False
    """Whether it is known to name an index, which has a manifest for each platform."""


class ImageAhead(msgspec.Struct, frozen=True, kw_only=True):
    """An image to be pulled although nothing waits for it."""

    image: str
    authfile: str = ""
    """As of `ImageQuestion`."""


class ImageVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an image."""

    runs: str
    """What `Image=` has to say to run this very version: `NAME@sha256:…`, or an image's id."""
    tag: str = ""
    """By which it was found."""
    seen_at: float = 0.0
    """When this host saw it first, seconds since the epoch."""
    pushed_at: float = 0.0
    """When the registry says that it was pushed; 0 if it does not."""

    def __str__(self) -> str:
        return self.in_words()

    def in_words(self, *, digits: int = 12) -> str:
        """Say which it is: `1.27 (3f2a91c0d4e5)`, its tag and how its digest or id begins."""
        digest = self.runs.rpartition("@")[2].rpartition(":")[2][:digits]
        return f"{self.tag} ({digest})" if self.tag else digest


class ImageKnowledge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the answer to a question; kept in the ledger under the question's key."""

    question: ImageQuestion
    newest: ImageVersion | None = None
    """By the policy; None until somebody told."""
    asked_at: float = 0.0
    """When the registry was asked last, seconds since the epoch."""
    answered_at: float = 0.0
    """When it answered last."""
    problem: str = ""
    """Why it did not the last time, or why nothing fits the policy; empty if all is well."""
    hint: str = ""
    failures: int = 0
    """How often in a row it did not answer."""
    told_at: float = 0.0
    """When a webhook named the image last, and there was a newer version."""


class Pin(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """The version of an image that a release of an app runs, laid over a unit's file."""

    path: str
    """Of the file that names the image, relative to the app's root."""
    question: str
    """Key of the question that it answers."""
    runs: str
    """As of `ImageVersion`."""
    tag: str = ""

    @property
    def drop_in(self) -> str:
        """Path of the file that says so; the last of its folder, so that it counts."""
        return f"{self.path}.d/{PIN_DROP_IN}"

    @property
    def text(self) -> str:
        """What that file holds."""
        section = self.path.rpartition(".")[2].capitalize()
        tag = f"# {self.tag}\n" if self.tag else ""
        head = "# Written by podvisor: the version of the image.\n"
        # Podman refuses to pull what is named by its id.
        pull = "" if "@" in self.runs or section != "Container" else "Pull=missing\n"
        # It pulls whenever it starts: without its registry, what is here has to do.
        here = f"[Service]\nSuccessExitStatus=125\nExecStartPost=podman image exists {self.runs}\n"
        more = here if section == "Image" else ""
        return f"{head}{tag}[{section}]\nImage={self.runs}\n{pull}{more}"


class ImageOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person said of an image of an app; kept in the ledger."""

    app: str
    question: str
    """Key."""
    pinned: ImageVersion | None = None
    """`podvisor pin`: this version, whatever is newer."""
    now: str = ""
    """`podvisor update --now`: the version (`runs`) that needs not wait for anything."""
    at: float
    reason: str = ""
    by: str = ""
    """Who ordered it, as of `Event`."""

    @property
    def key(self) -> str:
        """Return the key under which the ledger keeps it."""
        return order_key(self.app, self.question)


def order_key(app: str, question: str) -> str:
    """Return the key of what was ordered of an image of an app: there is one order for each."""
    return f"{app} {question}"


class HeldUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version that is not run, and why; for people."""

    app: str
    question: str
    """Key."""
    image: str
    version: ImageVersion
    why: str
    until: float = 0.0
    """When it goes by itself, seconds since the epoch; 0 if that takes something else."""
    early: bool = False
    """Nothing but time or a person's word keeps it: `podvisor update --now` runs it."""
    failed: bool = False
    """It failed its gate here, as `why` says; `podvisor retry` has it tried again."""


class ImageKey(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signature an image has to bear: `[X-Podvisor] VerifyImage=`."""

    path: str
    """Of the file that holds the public key, relative to the app's root."""
    der: bytes
    """The key, as a SubjectPublicKeyInfo."""
    fingerprint: str
    """SHA-256 of `der`, in hex."""

    def __str__(self) -> str:
        return f"{self.path} (sha256:{self.fingerprint[:12]})"


class SignatureDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What Podman asks of an image before it takes it from a registry."""

    place: str
    """Where that is written, for people: the file, and the entry in it."""
    keys: frozenset[str] = frozenset()
    """Fingerprints of the keys of which each has to have signed it."""


class VerifiedImage(msgspec.Struct, frozen=True, kw_only=True):
    """By whose signatures Podman took an image; kept in the ledger under its whole name."""

    keys: tuple[str, ...]
    """Fingerprints."""


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in Podman's store."""

    id: str
    names: tuple[str, ...] = ()
    """Whole ones: `docker.io/library/nginx:1.27`, `docker.io/library/nginx@sha256:…`."""
    digests: tuple[str, ...] = ()
    """Of its manifests, and of the indexes that it was pulled by: `sha256:…`."""
    digest: str = ""
    """That of its own manifest, where the store tells."""


class PullProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pull is; of the layers that it has begun with."""

    layers: int = 0
    layers_here: int = 0
    bytes: int = 0
    """That were fetched, packed."""
    total: int = 0
    """To be fetched; 0 while that is not known."""


class StoreRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What is free, in bytes, where a pull puts what it fetches."""

    layers: str
    """Folder that layers are unpacked below."""
    layers_free: int
    downloads: str
    """Folder that they lie in before, packed."""
    downloads_free: int
    is_one: bool
    """Whether both are of one file system."""
