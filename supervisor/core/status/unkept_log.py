"""What is said of a unit whose program's words the journal does not have."""

IN_A_FILE = ("k8s-file", "json-file")
"""Log drivers whose lines Podman has, as long as the container is there."""


def unkept_log(driver: str, file: str = "") -> str:
    """Say where they are, or that nobody keeps them; `driver` is `LogDriver=`, `file` its path."""
    if not driver:
        return ""
    if driver == "none":
        return "LogDriver=none: nobody keeps what it writes"
    if file:
        return f"LogDriver={driver}: what it writes is in {file}"
    if driver in IN_A_FILE:
        return f"LogDriver={driver}: what it wrote went with its container (the journal keeps it)"
    if driver.startswith("passthrough"):
        return f"LogDriver={driver}: what another user (User=) writes is not in your journal"
    return f"LogDriver={driver}: what it writes is not in the journal"
