"""At which instruction an image could not be built, from what Podman wrote last.

podman-build(1): `Error: building at STEP "RUN echo "a"; exit 7": while running runtime: exit status
7`, the instruction as it is, in one line. What a RUN printed stands before it, and may look alike.
"""

import re

_AT_STEP = re.compile(r'^Error: building at (STEP ".*?"): (?=.*\Z)', re.MULTILINE)


def failed_step(text: str) -> tuple[str, str]:
    """Return the instruction that failed (empty if it is not said), and the text without it."""
    found = _AT_STEP.search(text)
    if found is None:
        return "", text
    return found[1], f"{text[: found.start()]}Error: {text[found.end() :]}"
