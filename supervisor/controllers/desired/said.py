"""What is said of apps while desired state is worked out."""

import msgspec

from supervisor.model.errors import Failure, Finding


class Said(msgspec.Struct):
    """By the names of apps."""

    refused: dict[str, tuple[Finding, ...]] = {}
    warnings: dict[str, tuple[Finding, ...]] = {}
    failures: dict[str, Failure] = {}

    @property
    def out(self) -> set[str]:
        """Those that cannot be made what is asked of them now."""
        return {*self.refused, *self.failures}

    def refuse(self, *several: dict[str, tuple[Finding, ...]]) -> None:
        """Refuse apps, for all that was found."""
        for some in several:
            for name, found in some.items():
                self.refused[name] = (*self.refused.get(name, ()), *found)

    def warn(self, *several: dict[str, tuple[Finding, ...]]) -> None:
        """Add warnings."""
        for some in several:
            for name, found in some.items():
                self.warnings[name] = (*self.warnings.get(name, ()), *found)
