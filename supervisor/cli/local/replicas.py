"""Which apps have replicas: systemd starts none of these, at a boot neither."""

from pathlib import Path

from supervisor.core.files.unitfile import parse


def apps_with_replicas(folder: str) -> list[str]:
    """Return the apps below podvisor's folder of which a file says `Replicas=`, in order."""
    found = set()
    for path in Path(folder).glob("*/**/*@.*"):
        for file in (path, *path.glob("*.conf")):
            if _says_replicas(file):
                found.add(path.relative_to(folder).parts[0])
    return sorted(found)


def _says_replicas(path: Path) -> bool:
    try:
        text = path.read_text(errors="replace")
    except OSError:  # a folder of drop-ins, or one that is gone
        return False
    return any((one.section, one.key) == ("X-Podvisor", "Replicas") for one in parse(text).entries)
