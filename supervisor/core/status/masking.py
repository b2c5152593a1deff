"""A program's words without the values of its secrets, in the forms in which they are printed."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from supervisor.core.files.kube import KubeError, values_of_secrets
from supervisor.core.files.redact import HIDDEN

_SHORTEST = 4
"""Bytes: what is shorter stands in any sentence."""


def masked(words: str, values: Iterable[bytes]) -> str:
    """Return the words with "…" for each value: whole, a line of it, in base64, or as in a URL.

    Where words may have been cut, at their ends and at a "…", so much of a value as is left of it
    goes too. What the program made of a value otherwise is not known.
    """
    forms = {form for value in values for form in _forms(value)}
    long = sorted((one for one in forms if len(one.encode()) >= _SHORTEST), key=len, reverse=True)
    for form in long:
        words = words.replace(form, HIDDEN)
    for form in long:
        if form[-_SHORTEST:] in words or form[:_SHORTEST] in words:
            words = _without_rest(words, form)
    return words


def _without_rest(words: str, form: str) -> str:
    """Hide the end of a value after what may be a cut, and the beginning of one before it."""
    parts = words.split(HIDDEN)
    for at in range(len(parts)):
        longest = range(min(len(form), len(parts[at])), _SHORTEST - 1, -1)
        if rest := next((n for n in longest if parts[at].startswith(form[-n:])), 0):
            parts[at] = (HIDDEN if at == 0 else "") + parts[at][rest:]
        if begun := next((n for n in longest if parts[at].endswith(form[:n])), 0):
            parts[at] = parts[at][:-begun] + (HIDDEN if at == len(parts) - 1 else "")
    return HIDDEN.join(parts)


def _forms(value: bytes) -> Iterator[str]:
    text = value.decode(errors="replace").strip()
    yield b64encode(value).decode()
    yield b64encode(text.encode()).decode()
    for one in (text, *_of_kube(text)):
        yield one
        yield " ".join(one.split())  # so are several lines shown as one
        yield quote(one, safe="")
        yield from (line.strip() for line in one.splitlines())


def _of_kube(text: str) -> tuple[str, ...]:
    """Values of a secret that is itself a Kubernetes Secret: what its containers are given."""
    if "Secret" not in text:
        return ()
    try:
        return values_of_secrets(text)
    except KubeError:
        return ()
