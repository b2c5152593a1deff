"""What `podvisor webhook show` tells: for each Git host its form, field by field."""

from supervisor.cli.daemon import places
from supervisor.core.githost.client_address import parse_listen
from supervisor.kit.texts import format_size
from supervisor.model.settings import Settings
from supervisor.model.webhook import PREFIX, Scheme

_WHERE = {
    Scheme.GITHUB: "Enter this at GitHub, in the repository's Settings → Webhooks → Add webhook",
    Scheme.FORGEJO: "Enter this at Forgejo, in the repository's Settings → Webhooks → Add webhook",
    Scheme.GITEA: "Enter this at Gitea, in the repository's Settings → Webhooks → Add webhook",
    Scheme.GITLAB: "Enter this at GitLab, in the project's Settings → Webhooks → Add new webhook",
    Scheme.BITBUCKET: "Enter this at Bitbucket, in Repository settings → Webhooks → Add webhook",
    Scheme.GENERIC: "Send this when something was pushed",
    Scheme.ACTIONS: "Commit this as .github/workflows/podvisor.yml",
}
_HEADER = {
    Scheme.GITHUB: "X-Hub-Signature-256",
    Scheme.FORGEJO: "X-Forgejo-Signature",
    Scheme.GITEA: "X-Gitea-Signature",
    Scheme.GITLAB: "X-Gitlab-Token; webhook-signature, if the secret begins with whsec_",
    Scheme.BITBUCKET: "X-Hub-Signature",
    Scheme.GENERIC: "X-Signature: sha256= and the hex HMAC-SHA256 of the body",
    Scheme.ACTIONS: "Authorization: Bearer, a token for the audience",
}
_WORKFLOW = """\
on: push
permissions:
  id-token: write
jobs:
  tell-podvisor:
    runs-on: ubuntu-latest
    steps:
      - run: |
          token=$(curl -fsS -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience={audience}" | jq -r .value)
          curl -fsS -X POST -H "Authorization: Bearer $token" {url}"""
_CURL = """\
body='{{"ref": "refs/heads/main", "after": "'$(git rev-parse HEAD)'"}}'
hex=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -fsS -H "X-Signature: sha256=$hex" -d "$body" {url}"""
_SIGNING = (
    "Newer GitLabs can sign: generate a signing token there, and put it, whsec_ and all, "
    "where the secret is. With a secret token they send the secret itself: use https."
)


class Form:
    """What is shown for one source."""

    def __init__(
        self, where: str, fields: dict[str, str], text: tuple[str, ...], notes: tuple[str, ...]
    ) -> None:
        self.where = where
        self.fields = fields
        self.text = text
        """To be copied as it stands."""
        self.notes = notes

    def with_secret(self, secret: str) -> "Form":
        """Return the same with the secret itself."""
        return Form(self.where, {**self.fields, "Secret": secret}, self.text, self.notes)

    def as_json(self) -> dict[str, object]:
        """Return all of it as plain JSON."""
        return {
            "where": self.where,
            "fields": self.fields,
            "text": list(self.text),
            "notes": list(self.notes),
        }


def form_for(name: str, settings: Settings) -> Form:
    """Return what is to be entered for a source that takes webhooks."""
    source = settings.sources[name]
    scheme = Scheme(source.webhook)
    base = settings.webhooks.public_url.rstrip("/") or _own_url(settings.webhooks.listen)
    url = f"{base}{PREFIX}{name}"
    place = source.webhook_secret
    secret = f"what is in {places.shown(place.place)}" if place.kind == "file" else f"{place}"
    fields = {"Payload URL": url, "Content type": "application/json", "Secret": secret}
    text: tuple[str, ...] = ()
    match scheme:
        case Scheme.GITHUB:
            fields |= {"Events": "Just the push event", "SSL verification": "enabled"}
        case Scheme.FORGEJO | Scheme.GITEA:
            fields = {
                "Target URL": url,
                "HTTP method": "POST",
                "POST content type": "application/json",
            }
            fields |= {"Secret": secret, "Trigger on": "Push events"}
        case Scheme.GITLAB:
            fields = {"URL": url, "Secret token": secret, "Trigger": "Push events"}
            fields |= {"SSL verification": "enabled"}
        case Scheme.BITBUCKET:
            fields = {"URL": url, "Secret": secret, "Triggers": "Repository push"}
        case Scheme.GENERIC:
            fields = {"URL": url, "Method": "POST", "Secret": secret}
            text = (_CURL.format(url=url),)
        case Scheme.ACTIONS:
            fields = {"URL": url, "Repository": source.webhook_repository}
            fields |= {"Audience": source.webhook_audience}
            text = (_WORKFLOW.format(url=url, audience=source.webhook_audience),)
    fields["Path"] = PREFIX + name
    fields["Checked by"] = _HEADER[scheme]
    fields["Largest body"] = format_size(settings.webhooks.body_size)
    return Form(_WHERE[scheme], fields, text, tuple(_notes(scheme, settings)))


def _notes(scheme: Scheme, settings: Settings) -> list[str]:
    notes = []
    listen = settings.webhooks.listen
    if not listen:
        notes.append('Nothing listens yet: listen = "127.0.0.1:9078", below [webhooks].')
    elif parse_listen(listen)[0] in {"127.0.0.1", "::1"}:
        notes.append(
            f"Only this machine reaches {listen}: a Git host elsewhere needs a reverse proxy "
            f"before it: {places.docs('how-to/get-told-of-pushes.md')}"
        )
    if not settings.webhooks.public_url:
        notes.append("How others reach it is not known: public_url, below [webhooks], says so.")
    if scheme is Scheme.GITLAB:
        notes.append(_SIGNING)
    return notes


def _own_url(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    if host in {"", "0.0.0.0", "[::]"}:  # noqa: S104  # not to bind
        host = "THIS-HOST"
    return f"http://{host}:{port or '9078'}"
