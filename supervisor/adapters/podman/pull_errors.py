"""Why an image cannot be pulled: what a person must mend, and what may mend itself."""

import re

from supervisor.core.images.reference import has_registry
from supervisor.model.errors import Failure, Retry, Stalled

# Looked for first: a registry that is down says "unauthorized" and "not found" as well.
_PASSING = re.compile(
    r"toomanyrequests|too many requests|rate limit|no such host|i/o timeout|timed? ?out"
    r"|connection (?:refused|reset)|network is unreachable|no route to host|broken pipe"
    r"|temporar|server misbehaving|unexpected EOF|TLS handshake|deadline exceeded"
    r"|no space left|\bstatus(?: code)?:? 5\d\d|\b50[0-4] (?:Internal|Bad|Service|Gateway)",
    re.IGNORECASE,
)
_FOR_A_PERSON = (
    (
        (
            r"unauthorized|authentication required|denied|invalid username/password"
            r"|no basic auth|status(?: code)?:? 40[13]"
        ),
        "podman login {registry}; or check the image's name: registries hide what they do not have",
    ),
    (
        (
            r"manifest unknown|name unknown|not found|repository .*does not exist"
            r"|status(?: code)?:? 404"
        ),
        "check the image's name and tag",
    ),
    (
        r"no image found in|no child with platform|does not match .*architecture",
        "the image is not made for this machine's processor",
    ),
    (
        r"short-name|parsing reference|invalid reference|must be lowercase",
        "write the image's full name, as in docker.io/library/nginx:1",
    ),
    (
        r"signature|policy|x509|certificate",
        "see man containers-policy.json and man containers-registries.conf",
    ),
)
_WRAPPING = re.compile(
    r"^(?:unable to copy from source \S+: |initializing source \S+: "
    r"|pinging container registry \S+: |reading manifest \S+ in \S+: |(?:Get|Head) \"[^\"]*\": )+"
)


def failure_of(image: str, words: str) -> Failure:
    """Classify what Podman says of a pull; the message ends in the registry's own words."""
    said = _WRAPPING.sub("", words.strip()) or "Podman does not say"
    message = f"cannot pull {image}: {said}"
    if not _PASSING.search(words):
        for pattern, hint in _FOR_A_PERSON:
            if re.search(pattern, words, re.IGNORECASE):
                return Stalled(message, hint=hint.format(registry=registry_of(image)))
    return Retry(message)


def registry_of(image: str) -> str:
    """Return the registry that an image's name begins with, or where short names usually lead."""
    return image.partition("/")[0] if has_registry(image) else "docker.io"
