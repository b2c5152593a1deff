"""What is said of a unit whose program's words the journal does not have."""

IN_A_FILE = ("k8s-file", "json-file")
"""Log drivers whose lines Podman has, as long as the container is there."""


def unkept_log(driver: str, file: str = "", *, is_there: bool = False) -> str:
    """Say where they are, or that nobody keeps them; `driver` is `LogDriver=`, `file` its path.

    Empty where they are in the journal, or with a container that `is_there`.
    """
    if not driver or (is_there and driver in IN_A_FILE):
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
