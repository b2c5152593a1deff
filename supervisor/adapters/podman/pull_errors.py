"""Why an image cannot be pulled: what a person must mend, and what may mend itself."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from supervisor.adapters.podman.signature_policy import signature_rule
from supervisor.core.files.unitfile import Refused
from supervisor.core.images.mirrors import fetched_as
from supervisor.core.images.reference import has_registry, name_and_tag, parse_reference
from supervisor.core.images.trust import OWN_FILE
from supervisor.kit.texts import one_line
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.podman import PullLogins, RegistryRule

_MOST_READ = 4_000
"""Characters that are looked through: a registry's own words may be among them, and long."""
_MOST_SAID = 1_000
_FULL = re.compile(r"no space left|disk quota exceeded", re.IGNORECASE)
_AMID = re.compile(r"(?:storing|copying|reading|writing) blob", re.IGNORECASE)
_BROKE_OFF = re.compile(
    r"unexpected EOF|connection reset by peer|broken pipe|i/o timeout"
    r"|network is unreachable|no route to host|context deadline exceeded",
    re.IGNORECASE,
)
# Looked for first: a registry that is down says "unauthorized" and "not found" as well.
_PASSING = re.compile(
    r"toomanyrequests|too many requests|rate limit|no such host|i/o timeout|timed? ?out"
    r"|connection (?:refused|reset)|network is unreachable|no route to host|broken pipe"
    r"|temporar|server misbehaving|unexpected EOF|TLS handshake|deadline exceeded"
    r"|\bstatus(?: code)?:? 5\d\d|\b50[0-4] (?:Internal|Bad|Service|Gateway)",
    re.IGNORECASE,
)
_FOR_A_PERSON = (
    (
        (
            r"unauthorized|authentication required|denied|invalid username/password"
            r"|no basic auth|status(?: code)?:? 40[13]"
        ),
        "{login}; or check the image's name: registries hide what they do not have",
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
        "{right_name}",
    ),
    (
        r"HTTP response to HTTPS client",
        (
            "the registry speaks no TLS: give it a certificate, or say in registries.conf that "
            "{registry} is insecure (man containers-registries.conf)"
        ),
    ),
    (r"invalid policy in", "mend that file (man containers-policy.json)"),
    (
        r"x509|certificate",
        (
            "put the registry's CA into ~/.config/containers/certs.d/{registry}/ca.crt "
            "(man containers-certs.d)"
        ),
    ),
)
_ARTIFACT = re.compile(r"operation on artifact with type \"?([\w./+-]+)")
_LIST_IN_LIST = "received a manifest list instead of a manifest for a single image"
_LEAVE_OUT = "name another tag, or have ImageFilter= leave this one out"
_GONE = re.compile(r"manifest unknown|status(?: code)?:? 404", re.IGNORECASE)
_WRAPPING = re.compile(
    r"^(?:unable to copy from source \S+: |initializing source \S+: "
    r"|pinging container registry \S+: |reading manifest \S+ in \S+: "
    r"|choosing an image from manifest list \S+: |(?:Get|Head) \"[^\"]*\": )+"
)
_REJECTED = "Source image rejected: "
_OF_A_LIST = "from manifest list: "
_NO_SIGNATURE = "no signature exists"


def lacks_signature(words: str) -> bool:
    """Whether Podman found no signature of an image that somebody has to have signed."""
    return _REJECTED in words and _NO_SIGNATURE in words


def failure_of(
    image: str,
    words: str,
    *,
    policies: Sequence[Path] = (),
    authfile: str = "",
    logins: PullLogins | None = None,
    rules: Sequence[RegistryRule] = (),
) -> Failure:
    """Classify what Podman says of a pull; the message ends in its own words, or says them plainly.

    It is in one line and bounded, however much a registry says.

    `policies` are the places of policy.json, the first that there is counts; `logins` were in
    `authfile`, by which it was pulled; `rules` say by which names it is fetched.
    """
    if len(words) > _MOST_READ:
        words = f"{words[: _MOST_READ // 2]} … {words[-_MOST_READ // 2 :]}"
    said = " ".join(_WRAPPING.sub("", words.strip()).split())
    said = one_line(said, _MOST_SAID) or "Podman does not say"
    message = f"cannot pull {image}: {said}"
    if _REJECTED in said:
        before, _, rejected = said.partition(_REJECTED)
        is_list = _OF_A_LIST in before
        return _refused_by_policy(image, rejected, policies, rules, is_list=is_list)
    if _FULL.search(words):
        return Retry(f"cannot pull {image}: the disk filled up in the middle of it: {said}")
    if (amid := _AMID.search(words)) and (why := _BROKE_OFF.search(words, amid.end())):
        return Retry(f"cannot pull {image}: the network broke off in the middle: {why[0]}")
    if _PASSING.search(words):
        return Retry(message)
    if "@sha256:" in image and _GONE.search(words):
        return Stalled(
            f"cannot pull {image}: its registry does not have it any more ({said})",
            hint="push it again, or have another version run",
        )
    if instead := _no_image(words):
        return Stalled(f"cannot pull {image}: {instead}", hint=_LEAVE_OUT)
    registry = registry_of(image)
    login = f"podman login {f'--authfile {authfile} ' if authfile else ''}{registry}"
    for pattern, hint in _FOR_A_PERSON:
        if re.search(pattern, words, re.IGNORECASE):
            if logins and not logins.has_login and "{login}" in hint:
                message = f"cannot pull {image}: {authfile} has no login for {registry}: {said}"
            right = _right_name(image)
            filled = hint.format(registry=registry, login=login, right_name=right)
            return Stalled(message, hint=filled)
    return Retry(message)


def _no_image(words: str) -> str:
    """Say what stands under its name, where that is nothing that runs; empty where it may be."""
    if artifact := _ARTIFACT.search(words):
        return f"it is no image, but an artifact of the type {artifact[1]}"
    if _LIST_IN_LIST in words:
        return "it is a list of lists of images, which Podman cannot read"
    return ""


def _right_name(image: str) -> str:
    """Say how a name is written that Podman does not take."""
    repository, _ = name_and_tag(image)
    if repository == repository.lower():
        return "write the image's full name, as in docker.io/library/nginx:1"
    return f"write it in small letters: {repository.lower()}{image[len(repository) :]}"


def _refused_by_policy(
    image: str,
    said: str,
    policies: Sequence[Path],
    rules: Sequence[RegistryRule],
    *,
    is_list: bool,
) -> Failure:
    """Say who should have signed an image that policy.json refuses, and which entry asks for it.

    Of a list, Podman looks for the signature of the one manifest that it takes of it.
    """
    rule = signature_rule(image, policies)
    place = rule.place if rule else "Podman's policy.json"
    signers = f" {rule.signers}" if rule and rule.signers else ""
    asked = f"cannot pull {image}: {place} asks for a signature{signers}"
    hint = "man containers-policy.json"
    if _NO_SIGNATURE in said:
        # Images are signed once they are pushed: it may be about to come.
        why = f"{asked}, and it has none that Podman finds"
        sign = "have it signed (cosign 3:"
        if is_list:
            why = f"{asked}, and what its list has for this platform has none that Podman finds"
            sign = (
                "have each image of the list signed"
                " (cosign sign --recursive, skopeo copy --all; cosign 3 also:"
            )
        hint = f"{sign} --new-bundle-format=false --use-signing-config=false)"
        if not _is_told(image, policies, rules):
            hint += (
                "; Podman finds that where registries.d says "
                f"use-sigstore-attachments: true for {_beside(image, rules)}"
            )
        return Retry(why, hint=hint)
    if "is rejected by policy" in said:
        why = f"cannot pull {image}: {place} lets nobody pull it"
    elif found := re.search(r"open (\S+): (.+)", said):
        why = f"{asked}, and that key cannot be read: {found[1]}: {found[2]}"
        hint = f"put the publisher's public key there, or name another ({hint})"
    elif "parsing public key" in said or "PEM" in said:
        why = f"{asked}, and that is no public key: {said}"
    elif "identity" in said:
        why = f"{asked}: {said}"
        if rule and rule.is_exact:
            hint = (
                "matchExact does not count for an image by digest: write "
                '"signedIdentity": {"type": "matchRepoDigestOrExact"} '
                f"({hint})"
            )
        elif repository := _repository(image):
            hint = (
                f"have it signed under the name {repository} (skopeo copy --sign-identity, cosign "
                f"sign --sign-container-identity), or have the policy take that one ({hint})"
            )
    else:
        why = f"{asked}, and somebody else signed it: {said}"
    return Stalled(why, hint=hint)


def _is_told(image: str, policies: Sequence[Path], rules: Sequence[RegistryRule]) -> bool:
    """Whether `podvisor trust` wrote to registries.d that signatures lie beside this image."""
    repository = _repository(image)
    for policy in policies if repository else ():
        with suppress(OSError):
            lines = (policy.parent / "registries.d" / OWN_FILE).read_text().splitlines()
            names = fetched_as(repository, rules)
            return all(f"  {json.dumps(name)}:" in lines for name in names)
    return False


def _beside(image: str, rules: Sequence[RegistryRule]) -> str:
    """Name what registries.d has to say it of: of a mirror, Podman takes its own name."""
    repository = _repository(image)
    if not repository:
        return registry_of(image)
    names = fetched_as(repository, rules)
    where = " and ".join(names)
    if names == (repository,):
        return where
    return f"{where}, as what it fetches from a mirror has its signatures with the mirror"


def _repository(image: str) -> str:
    """Return `HOST/NAME` of an image; empty for a short name, which may be of any registry."""
    try:
        reference = parse_reference(image)
    except Refused:
        return ""
    return reference.repository if reference.host else ""


def registry_of(image: str) -> str:
    """Return the registry that an image's name begins with, or where short names usually lead."""
    return image.partition("/")[0] if has_registry(image) else "docker.io"
