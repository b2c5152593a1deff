"""What has certificates issued and installed, wired; loaded where an app asks for one."""

import msgspec


class Certificates(msgspec.Struct, kw_only=True):
    """Stands for the controller until somebody asks for what it does."""

    def follow(self) -> None:
        """Name the certificates of which something changed."""

    async def reconcile(self, _: str) -> list[str]:
        """Bring one on."""
        return []
