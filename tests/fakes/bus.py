"""A message bus with a `systemd --user` behind it, on a Unix socket, without a process of its own.

The real client library talks to it, so what is tested is what goes over the wire: match rules are
obeyed (a signal that no rule asks for is not sent), jobs have paths and ends, the bus can die.
"""

import asyncio
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# ruff: noqa: N802 - methods are named for the messages that they answer
from dbus_fast import Message, MessageFlag, MessageType, Variant
from dbus_fast._private.unmarshaller import Unmarshaller

MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
MANAGER_PATH = "/org/freedesktop/systemd1"
SYSTEMD = "org.freedesktop.systemd1"
_UNSAID = {
    "Result": Variant("s", "success"),
    "NRestarts": Variant("u", 0),
    "ExecMainCode": Variant("i", 0),
    "ExecMainStatus": Variant("i", 0),
    "UnitsLoadTimestampMonotonic": Variant("t", 0),
}
"""Properties of units for which a test says none."""
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"


class BusError(Exception):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Client:
    """One connection: what it is sent is what its rules ask for."""

    def __init__(self, name: str, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.rules: list[str] = []
        self.refs: Counter[str] = Counter()
        self._writer = writer
        self._serial = 0

    def send(self, message: Message) -> None:
        self._serial += 1
        message.serial = self._serial
        self._writer.write(bytes(message._marshall(negotiate_unix_fd=False)))

    def wants(self, signal: Message) -> bool:
        return any(_matches(rule, signal) for rule in self.rules)


class FakeBus:
    """Start it with `serve`; then `units` is what systemd knows, `calls` what it was asked.

    As the real one, systemd signals the changes of a unit only if somebody has a reference on it
    or `subscribed`, and the end of a job if it was asked for or somebody `subscribed`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.units: dict[str, tuple[str, str]] = {}
        """Name to ActiveState and SubState of each loaded unit."""
        self.properties: dict[str, dict[str, Variant]] = {}
        self.results: dict[str, str] = {}
        """What a unit's next jobs end with; `done` if nothing is said, "" if they do not end."""
        self.errors: dict[str, BusError] = {}
        """Member to the error with which it is refused."""
        self.calls: list[tuple[str, list[Any]]] = []
        self.subscribed = False
        """Whether some stranger has asked for the signals of everything."""
        self.early_signals = False
        """Tell of a job's end before the reply that names the job."""
        self.away = False
        """The bus is there, and systemd is not on it."""
        self.before_ping: Callable[[], None] = lambda: None
        """Happens before the question whether systemd is there is answered."""
        self.after_states: Callable[[], None] = lambda: None
        """Happens right after a question for states was answered."""
        self.reload_gate: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        """Of every connection, also of those that have not said yet who they are."""
        self._clients: list[Client] = []
        self._names = 0
        self._jobs = 0

    @property
    def address(self) -> str:
        return f"unix:path={self.path}"

    @property
    def rules(self) -> list[str]:
        return [rule for client in self._clients for rule in client.rules]

    @property
    def refs(self) -> set[str]:
        """Names of the units on which somebody has a reference."""
        counts = sum((client.refs for client in self._clients), Counter())
        return {_unit_name(path) for path in counts}

    async def serve(self) -> None:
        self._server = await asyncio.start_unix_server(self._client, str(self.path))

    def hang_up(self) -> None:
        """Drop every connection; who writes to it now finds it broken."""
        for writer in self._writers:
            writer.transport.abort()

    async def die(self) -> None:
        """Close every connection, and take no new ones."""
        self.path.unlink(missing_ok=True)
        for _ in range(10):  # who is at the door is let in first: asyncio would lose it there
            await asyncio.sleep(0)
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.close()
        self._clients.clear()
        await asyncio.sleep(0.01)

    def leave(self) -> None:
        """Systemd leaves the bus, as it does to execute itself anew."""
        self.away = True
        self._owned(":1.0", "")

    def come(self) -> None:
        """Systemd is on the bus; of what changed since it left, nobody is told."""
        self.away = False
        self._owned("", ":1.0")

    def asked(self, member: str) -> list[list[Any]]:
        return [body for name, body in self.calls if name == member]

    def change(self, unit: str, active: str, sub: str) -> None:
        """A unit's state changes."""
        self.units[unit] = (active, sub)
        self._changed(unit, {"ActiveState": Variant("s", active), "SubState": Variant("s", sub)})

    def touch(self, unit: str) -> None:
        """Something of a unit changes that is not its state."""
        active, sub = self.units[unit]
        state = {"ActiveState": Variant("s", active), "SubState": Variant("s", sub)}
        self._changed(unit, {**state, "Job": Variant("(uo)", [0, "/"])})

    def reload(self, changed: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Systemd reloads its units; what changes meanwhile is not signalled by itself."""
        for member in ("UnitRemoved", "UnitNew"):
            for unit in self.units:
                if self._tracked(unit):
                    body = [unit, unit_path(unit)]
                    self.signal(MANAGER_PATH, MANAGER, member, "so", body)
            if member == "UnitRemoved":
                self.units.update(changed or {})

    def end_job(self, number: int, unit: str, result: str) -> None:
        body = [number, f"{MANAGER_PATH}/job/{number}", unit, result]
        self.signal(MANAGER_PATH, MANAGER, "JobRemoved", "uoss", body)

    def signal(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str,
        body: list[Any],
        *,
        sender: str = SYSTEMD,
    ) -> None:
        for client in self._clients:
            message = Message(
                message_type=MessageType.SIGNAL,
                sender=sender,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
            if client.wants(message):
                client.send(message)

    def _changed(self, unit: str, properties: dict[str, Variant]) -> None:
        if self._tracked(unit) and not self.away:
            self.signal(
                unit_path(unit),
                "org.freedesktop.DBus.Properties",
                "PropertiesChanged",
                "sa{sv}as",
                [UNIT, properties, []],
            )

    def _tracked(self, unit: str) -> bool:
        path = unit_path(unit)
        return self.subscribed or any(client.refs[path] > 0 for client in self._clients)

    def _owned(self, old: str, new: str) -> None:
        self.signal(BUS_PATH, BUS, "NameOwnerChanged", "sss", [SYSTEMD, old, new], sender=BUS)

    # --- the wire

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        while not (line := await reader.readuntil()).startswith(b"BEGIN"):
            writer.write(
                b"OK 0123456789abcdef0123456789abcdef\r\n" if b"AUTH" in line else b"ERROR\r\n"
            )
        self._names += 1
        client = Client(f":1.{self._names}", writer)
        self._clients.append(client)
        try:
            while True:
                head = await reader.readexactly(16)
                body = int.from_bytes(head[4:8], "little")
                fields = int.from_bytes(head[12:16], "little")
                rest = await reader.readexactly(fields + -fields % 8 + body)
                message = Unmarshaller(io.BytesIO(head + rest)).unmarshall()  # type: ignore[arg-type]
                assert message is not None
                message.sender = client.name
                await self._answer(client, message)
        finally:
            if client in self._clients:
                self._clients.remove(client)

    async def _answer(self, client: Client, call: Message) -> None:
        signature, body = "", []
        error: BusError | None = None
        handler: Callable[..., Any] | None = getattr(self, f"_{call.member}", None)
        if call.destination != BUS and call.member != "Ping":
            self.calls.append((str(call.member), call.body))
        try:
            self._refuse(call)
            if handler:
                signature, body = await handler(call)
        except BusError as refused:
            error = refused
        if call.flags is MessageFlag.NO_REPLY_EXPECTED:
            return
        client.send(
            Message(
                message_type=MessageType.ERROR if error else MessageType.METHOD_RETURN,
                sender=SYSTEMD,
                reply_serial=call.serial,
                error_name=f"org.freedesktop.systemd1.{error.name}" if error else None,
                signature="s" if error else signature,
                body=[str(error)] if error else body,
            )
        )
        if call.member == "ListUnitsByNames":
            self.after_states()

    def _refuse(self, call: Message) -> None:
        if call.destination != BUS and self.away:
            raise BusError("ServiceUnknown", "The name is not activatable")
        if call.member in self.errors:
            raise self.errors[str(call.member)]

    def _sender(self, call: Message) -> Client:
        return next(client for client in self._clients if client.name == call.sender)

    async def _Ping(self, _: Message) -> tuple[str, list[Any]]:
        self.before_ping()
        return "", []

    async def _Hello(self, call: Message) -> tuple[str, list[Any]]:
        return "s", [call.sender]

    async def _GetId(self, _: Message) -> tuple[str, list[Any]]:
        return "s", ["0123456789abcdef0123456789abcdef"]

    async def _AddMatch(self, call: Message) -> tuple[str, list[Any]]:
        self._sender(call).rules.append(call.body[0])
        return "", []

    async def _RemoveMatch(self, call: Message) -> tuple[str, list[Any]]:
        self._sender(call).rules.remove(call.body[0])
        return "", []

    async def _Ref(self, call: Message) -> tuple[str, list[Any]]:
        self._sender(call).refs[str(call.path)] += 1
        return "", []

    async def _Unref(self, call: Message) -> tuple[str, list[Any]]:
        refs = self._sender(call).refs
        if not refs[str(call.path)]:
            raise BusError("NotReferenced", "Unit has not been referenced yet.")
        refs[str(call.path)] -= 1
        return "", []

    async def _ListUnitsByNames(self, call: Message) -> tuple[str, list[Any]]:
        rows = []
        for name in call.body[0]:
            active, sub = self.units.get(name, ("inactive", "dead"))
            load = "loaded" if name in self.units else "not-found"
            rows.append([name, "", load, active, sub, "", unit_path(name), 0, "", "/"])
        return "a(ssssssouso)", [rows]

    async def _ListUnitsByPatterns(self, call: Message) -> tuple[str, list[Any]]:
        states, patterns = call.body
        rows = [
            [name, "", "loaded", active, sub, "", unit_path(name), 0, "", "/"]
            for name, (active, sub) in self.units.items()
            if (not states or active in states) and any(fnmatchcase(name, one) for one in patterns)
        ]
        return "a(ssssssouso)", [rows]

    async def _GetAll(self, call: Message) -> tuple[str, list[Any]]:
        return "a{sv}", [self.properties.get(str(call.path), {})]

    async def _Get(self, call: Message) -> tuple[str, list[Any]]:
        return "v", [
            self.properties.get(str(call.path), {}).get(call.body[1], _UNSAID[call.body[1]])
        ]

    async def _job(self, unit: str) -> tuple[str, list[Any]]:
        self._jobs += 1
        number, result = self._jobs, self.results.get(unit, "done")
        if self.early_signals:
            self.end_job(number, unit, result)
        elif result:
            asyncio.get_running_loop().call_later(0.005, self.end_job, number, unit, result)
        return "o", [f"{MANAGER_PATH}/job/{number}"]

    async def _StartUnit(self, call: Message) -> tuple[str, list[Any]]:
        if call.body[0] not in self.units:
            raise BusError("NoSuchUnit", f"Unit {call.body[0]} not found.")
        return await self._job(call.body[0])

    _StopUnit = _RestartUnit = _ReloadUnit = _StartUnit

    async def _StartTransientUnit(self, call: Message) -> tuple[str, list[Any]]:
        return await self._job(call.body[0])

    async def _Reload(self, _: Message) -> tuple[str, list[Any]]:
        if self.reload_gate:
            await self.reload_gate.wait()
        return "", []


def unit_path(name: str) -> str:
    """As systemd escapes it; for names of letters, digits, dots and dashes."""
    return f"{MANAGER_PATH}/unit/" + name.replace("-", "_2d").replace(".", "_2e").replace(
        "@", "_40"
    )


def _unit_name(path: str) -> str:
    """Turn `unit_path` around."""
    escaped = path.rpartition("/")[2]
    return escaped.replace("_2d", "-").replace("_2e", ".").replace("_40", "@")


def _matches(rule: str, signal: Message) -> bool:
    asked = dict(re.findall(r"(\w+)='([^']*)'", rule))
    known = {
        "type": "signal",
        "sender": signal.sender,
        "path": signal.path,
        "interface": signal.interface,
        "member": signal.member,
        **{f"arg{number}": value for number, value in enumerate(signal.body)},
    }
    return all(known.get(key) == value for key, value in asked.items())
