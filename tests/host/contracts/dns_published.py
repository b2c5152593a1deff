"""Publishes records on a real host; run inside as a user, with what to publish in its argument.

Prints a line when they stand, or why they do not; takes them away once `until`, a FIFO, is written.
"""
# A plain program, without pytest's help:
# ruff: noqa: T201

import json
import sys
from pathlib import Path

import msgspec

from supervisor.adapters.acme.dns import DnsError, published
from supervisor.model.acme import ZoneAccess


class Asked(msgspec.Struct):
    records: list[tuple[str, str]]
    zones: list[ZoneAccess]
    resolvers: list[str]
    until: str
    timeout_seconds: float = 100.0


def main() -> None:
    asked = msgspec.json.decode(sys.argv[1], type=Asked)
    try:
        with published(
            asked.records,
            zones=asked.zones,
            resolvers=asked.resolvers,
            timeout_seconds=asked.timeout_seconds,
        ) as left:
            print(json.dumps({"standing": True}), flush=True)
            Path(asked.until).read_text()
    except DnsError as error:
        print(json.dumps({"error": str(error), "hint": error.hint, "kind": error.kind}))
    else:
        print(json.dumps({"left": left}))


main()
