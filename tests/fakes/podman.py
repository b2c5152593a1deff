"""Podman's REST API on a Unix socket, with stores on disk as Podman keeps them."""

import asyncio
import json
import os
import shutil
import time
import zlib
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

_LONG_AGO = time.time() - 60


class FakePodman:
    """Start it with `serve`; then `asked` lists its requests."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "run" / "podman" / "podman.sock"
        self.runtime = folder / "run"
        self.root = folder / "storage"
        self.images: set[str] = set()
        self.tagged: dict[str, str] = {}
        """Names that were given to an image which had one, each with that."""
        self.used_images: set[str] = set()
        """Ids of those that containers were made of."""
        self.networks: set[str] = {"podman"}
        self.inspected_images: dict[str, dict[str, Any]] = {}
        self.volumes: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.secret_labels: dict[str, dict[str, str]] = {}
        self.secret_data: dict[str, bytes] = {}
        self.replaces = True
        """Whether it can replace a secret over its API."""
        self.containers: list[dict[str, Any]] = []
        self.written: dict[str, bytes] = {}
        """Container to what its log is, as Podman parts it."""
        self.volume_users: dict[str, list[dict[str, Any]]] = {}
        """By volume: the running containers."""
        self.version = "5.4.2"
        self.registries: dict[str, Any] = {}
        """As its info tells of them."""
        self.pull_lines: list[dict[str, Any]] = [{"stream": "…"}, {"images": ["1"], "id": "1"}]
        self.told_lines: list[dict[str, Any]] | None = None
        self.logins: list[Any] = []
        """What came along with each pull; None where nothing did."""
        self.private: dict[str, Any] = {}
        """Images to the login that opens them, as one of `logins`."""
        """What the API that it has in common with Docker answers to a pull; None is 404."""
        self.errors: dict[str, tuple[int, str]] = {}
        """Method and path to an answer that is an error."""
        self.asked: list[str] = []
        self.logger = "file"
        """Where it logs its events: `file`, `journald` or `none`."""
        self.logged: list[dict[str, Any]] = []
        """Events as its API tells them, if it does (`tells`)."""
        self.tells = True
        self.log = self.runtime / "libpod" / "tmp" / "events" / "events.log"
        self._streams: dict[web.StreamResponse, asyncio.Task[Any]] = {}
        self._runner: web.AppRunner | None = None
        for name in ("networks", "volumes", "secrets", "overlay-images", "overlay-containers"):
            (self.root / name).mkdir(parents=True)
        for path in (self.socket.parent, self.log.parent, self.exits):
            path.mkdir(parents=True)
        self.write("db.sql")
        self._write_images()
        self.rest()

    @property
    def exits(self) -> Path:
        return self.runtime / "libpod" / "tmp" / "exits"

    async def serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/v5.0.0/libpod/{path:.*}", self._answer)
        app.router.add_route("POST", "/v1.41/images/create", self._create)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def close(self) -> None:
        await self.hang_up()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def write(self, name: str) -> None:
        """A store's file changes."""
        (self.root / name).write_text(str(time.monotonic_ns()))

    def add_network(self, name: str) -> None:
        self.networks.add(name)
        self.write(f"networks/{name}.json")

    def add_volume(self, name: str) -> None:
        self.volumes.add(name)
        (self.root / "volumes" / name).mkdir()
        self.write("db.sql")

    def add_secret(self, name: str, identity: str) -> None:
        self.secrets[name] = identity
        text = json.dumps({"secrets": {}, "nameToID": self.secrets, "idToName": {}})
        (self.root / "secrets" / "secrets.json").write_text(text)

    def add_image(self, name: str) -> None:
        self.images.add(name)
        self._write_images()

    def remove_image(self, name: str) -> None:
        self.images.discard(name)
        self._write_images()

    def _write_images(self) -> None:
        """In another file, which then takes the place of the index."""
        called: dict[str, list[str]] = {}
        for name, identity in self._ids().items():
            called.setdefault(identity, []).append(name)
        images: list[dict[str, Any]] = [
            {
                "id": identity,
                "names": names,
                "big-data-names": [
                    f"sha256:{identity}",
                    "manifest",
                    *(f"manifest-{name.partition('@')[2]}" for name in names if "@" in name),
                ],
            }
            for identity, names in called.items()
        ]
        images.append({"id": "f" * 64})  # as containers/storage leaves out what is empty
        scratch = self.root / "overlay-images" / ".tmp-images.json1"
        scratch.write_text(json.dumps(images))
        scratch.rename(self.root / "overlay-images" / "images.json")

    def _ids(self) -> dict[str, str]:
        """Names of images, each with the id that comes of the first name that its image had."""
        return {
            name: f"{zlib.crc32(self.tagged.get(name, name).encode()):064x}"
            for name in sorted(self.images)
        }

    def containers_change(self) -> None:
        """One comes or goes: the index of containers is replaced."""
        scratch = self.root / "overlay-containers" / ".tmp-containers.json1"
        scratch.write_text(str(time.monotonic_ns()))
        scratch.rename(self.root / "overlay-containers" / "volatile-containers.json")

    def container_ends(self, container: str) -> None:
        """The process of the container with this id ends; nothing is logged yet."""
        (self.exits / ".scratch").write_text("0")
        (self.exits / ".scratch").rename(self.exits / container)

    async def happens(self, type: str, action: str, name: str, **more: Any) -> None:  # noqa: A002
        """Log an event where it should, and tell those who listen."""
        now = time.time_ns()
        moment = datetime.fromtimestamp(now // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        line = {
            "Name": name,
            "Status": action,
            "Time": f"{moment}.{now % 10**9:09}Z",
            "Type": type,
            "Attributes": None,
        }
        if self.logger == "file":
            with self.log.open("a") as file:
                file.write(json.dumps(line | more) + "\n")
        event = {
            "status": action,
            "Type": type,
            "Action": action,
            "Actor": {"ID": "", "Attributes": {"name": name}},
            "time": now // 10**9,
            "timeNano": now,
        }
        self.logged.append(event)
        for stream in tuple(self._streams):
            await stream.write(json.dumps(event).encode() + b"\n")

    @property
    def listeners(self) -> int:
        """How many follow its events."""
        return len(self._streams)

    async def hang_up(self) -> None:
        """Whoever listens to events is cut off."""
        for task in self._streams.values():
            task.cancel()
        self._streams.clear()

    def rest(self) -> None:
        """Time passes: no file is young any more."""
        for path in (self.root, *self.root.rglob("*")):
            os.utime(path, (_LONG_AGO, _LONG_AGO))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append(f"{request.method} {path}")
        if error := self.errors.get(f"{request.method} {path}"):
            status, message = error
            return web.json_response({"message": message, "response": status}, status=status)
        if path == "images/pull":
            self.asked[-1] += f"?{request.query_string}"
            if not self._opens(request, request.query["reference"]):
                return web.json_response({"error": "authentication required"})
            lines = [json.dumps(line).encode() + b"\n" for line in self.pull_lines]
            return web.Response(body=b"".join(lines))
        if path == "events":
            return await self._tell(request)
        if path == "volumes/create":
            name = (await request.json(loads=json.loads))["Name"]
            self.add_volume(name)
            await self.happens("volume", "create", name)
            return web.json_response({"Name": name}, status=201)
        kind, _, rest = path.partition("/")
        if path == "secrets/create":
            return self._make_secret(request.query, await request.read())
        if request.method == "POST" and kind == "images":
            image, _, action = rest.rpartition("/")
            return self._name_image(image, action, request.query)
        if request.method == "DELETE" and kind == "images":
            return self._remove_image(rest)
        if request.method == "POST":
            return self._update(rest.removesuffix("/update"), await request.json())
        if request.method == "DELETE":
            if kind == "volumes" and rest not in self.volumes:
                return web.json_response({"message": "no such volume"}, status=404)
            self._remove(kind, rest)
            if kind == "volumes":
                await self.happens("volume", "remove", rest)
            return web.json_response([])
        name, _, question = rest.rpartition("/")
        if question == "logs":
            return web.Response(body=self.written.get(name, b""))
        if question == "json" and name:
            found = self._find(kind, name)
            if found and kind == "secrets" and request.query.get("showsecret") == "true":
                content = self.secret_data.get(found["Spec"]["Name"], b"")
                found["SecretData"] = content.decode(errors="replace")
            return web.json_response(found or {"message": "none"}, status=200 if found else 404)
        if kind == "containers" and (asked := request.query.get("filters")):
            volumes = json.loads(asked).get("volume", ())
            users = [one for name in volumes for one in self.volume_users.get(name, ())]
            return web.json_response(users if volumes else self.containers)
        return web.json_response(self._list(kind))

    def _opens(self, request: web.Request, image: str) -> bool:
        config = request.headers.get("X-Registry-Config")
        self.logins.append(json.loads(urlsafe_b64decode(config)) if config else None)
        return image not in self.private or self.private[image] == self.logins[-1]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"POST images/create?{request.query_string}")
        if not self._opens(request, request.query["fromImage"]):
            return web.json_response({"message": "unauthorized"}, status=500)
        if self.told_lines is None:
            return web.json_response({"message": "manifest unknown"}, status=404)
        lines = [json.dumps(line).encode() + b"\n" for line in self.told_lines]
        return web.Response(body=b"".join(lines))

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        """Tell events since a moment, which it includes, and those to come."""
        since = request.query.get("since", "0")
        seconds, _, fraction = since.partition(".")
        begin = int(seconds) * 10**9 + int(fraction.ljust(9, "0") or 0)
        answer = web.StreamResponse()
        await answer.prepare(request)
        for event in self.logged if self.tells else ():
            if event["timeNano"] >= begin:
                await answer.write(json.dumps(event).encode() + b"\n")
        if request.query.get("stream") == "true":
            task = asyncio.current_task()
            assert task
            self._streams[answer] = task
            await asyncio.Event().wait()
        return answer

    def _list(self, kind: str) -> Any:
        match kind:
            case "info":
                return {
                    "host": {"eventLogger": self.logger},
                    "registries": self.registries,
                    "store": {
                        "graphRoot": str(self.root),
                        "imageCopyTmpDir": str(self.root),
                        "runRoot": str(self.runtime / "containers"),
                        "graphDriverName": "overlay",
                        "graphOptions": {"overlay.additionalImageStores": ["/nonexistent"]},
                        "volumePath": str(self.root / "volumes"),
                    },
                }
            case "version":
                return {"Version": self.version}
            case "networks":
                return [{"name": name} for name in self.networks]
            case "volumes":
                return [{"Name": name} for name in self.volumes]
            case "secrets":
                return [self._secret(name) for name in self.secrets]
            case _:
                return self.containers

    def _secret(self, name: str) -> dict[str, Any]:
        spec = {"Name": name, "Labels": self.secret_labels.get(name)}
        return {"ID": self.secrets[name], "Spec": spec}

    def _make_secret(self, query: Any, content: bytes) -> web.Response:
        name = query["name"]
        if name in self.secrets and not (self.replaces and query.get("replace") == "true"):
            return web.json_response({"message": f"{name}: secret name in use"}, status=500)
        self.secret_data[name] = content
        self.secret_labels[name] = json.loads(query["labels"])
        self.add_secret(name, f"{time.monotonic_ns():025x}"[::-1])
        return web.json_response({"ID": self.secrets[name]})

    def _find(self, kind: str, asked: str) -> dict[str, Any] | None:
        """As Podman does: by name, or by the beginning of a volume's name or an id."""
        if kind == "volumes":
            return next(({"Name": n} for n in sorted(self.volumes) if n.startswith(asked)), None)
        if kind == "images":
            ids = self._ids()
            known = self.inspected_images.get(asked)
            identity = asked if asked in ids.values() else ids.get(asked, "")
            return known or ({"Id": identity} if identity else None)
        if kind == "secrets":
            those = (n for n, i in self.secrets.items() if n == asked or i.startswith(asked))
            return next((self._secret(name) for name in those), None)
        if kind == "networks":
            return next(({"name": n} for n in sorted(self.networks) if n.startswith(asked)), None)
        for one in self.containers:
            if asked in one["Names"] or one["Id"].startswith(asked):
                return {"Id": one["Id"], "Name": one["Names"][0], **one.get("Inspected", {})}
        return None

    def _name_image(self, image: str, action: str, query: Any) -> web.Response:
        """Tag or untag."""
        name = f"{query['repo']}:{query['tag']}"
        known = self._find("images", image)
        if known is None:
            return web.json_response({"message": f"{image}: image not known"}, status=404)
        if action == "untag":
            self.remove_image(name)
        else:
            called = (one for one, identity in self._ids().items() if identity == known["Id"])
            self.tagged[name] = next(self.tagged.get(one, one) for one in called)
            self.add_image(name)
        return web.Response(status=201)

    def _remove_image(self, name: str) -> web.Response:
        ids = self._ids()
        if name not in ids:
            return web.json_response({"message": f"{name}: image not known"}, status=404)
        if ids[name] in self.used_images and list(ids.values()).count(ids[name]) == 1:
            return web.json_response({"message": "image is in use by a container"}, status=409)
        self.remove_image(name)
        return web.json_response({"Untagged": [name]})

    def _update(self, name: str, body: dict[str, Any]) -> web.Response:
        """Change a health check; a Podman that is too old says that it has done so, too."""
        for one in self.containers:
            if one["Id"] == name:
                check = one["Inspected"]["Config"]["Healthcheck"]
                check["Interval"] = int(body["health_interval"].removesuffix("ms")) * 1_000_000
                return web.json_response(name, status=201)
        return web.json_response({"message": "none"}, status=404)

    def _remove(self, kind: str, name: str) -> None:
        if kind == "volumes":
            self.volumes.discard(name)
            shutil.rmtree(self.root / "volumes" / name, ignore_errors=True)
        elif kind == "networks":
            self.networks.discard(name)
        elif kind == "secrets":
            self.secrets = {n: i for n, i in self.secrets.items() if i != name}
        else:
            self.containers = [one for one in self.containers if one["Id"] != name]
