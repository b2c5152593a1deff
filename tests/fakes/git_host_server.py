"""A Git host's API for pull requests, in the shapes that GitHub, Gitea and GitLab document.

https://docs.github.com/rest/pulls/pulls, https://docs.gitlab.com/api/merge_requests, and
/api/swagger of a Gitea or Forgejo. It needs nothing but Python, and can also be run:

    python3 git_host_server.py KIND PORT OWNER/NAME TOKEN
"""

import contextlib
import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

REPOSITORY, FORK = 7, 8
_Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""
_MERGED_AT = "2026-01-02T03:04:05Z"


class GitHostServer:
    """Serves one repository from the start; `close` it in the end."""

    def __init__(
        self,
        kind: str,
        *,
        port: int = 0,
        repository: str = "me/home",
        token: str = "",
        page: str = "",
    ) -> None:
        self.kind, self.repository, self.token = kind, repository, token
        self.pulls: list[dict[str, Any]] = []
        """Each with number, head, to, title, body, state (open, closed, merged), and repo."""
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        """Method, path and body of each request."""
        self.refusal: _Answer | None = None
        """Status, headers and body of what everything is answered with."""
        self.may_write = True
        self.is_hidden = False
        """Whether the repository is there for others only."""
        self._answering = threading.Event()
        self._answering.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                server._answering.wait()
                status, headers, content = server.answer(
                    self.command, self.path, dict(self.headers), body
                )
                with contextlib.suppress(ConnectionError):  # whoever asked did not wait
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

            do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - what the server looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.page = page or self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def base(self) -> str:
        path = {"github": "/api/v3", "gitlab": "/api/v4"}.get(self.kind, "/api/v1")
        return self.url + path

    @property
    def _all(self) -> str:
        if self.kind == "gitlab":
            return f"/api/v4/projects/{quote(self.repository, safe='')}/merge_requests"
        return urlsplit(self.base).path + f"/repos/{self.repository}/pulls"

    def add(
        self,
        head: str,
        to: str = "main",
        *,
        title: str = "t",
        body: str = "b",
        state: str = "open",
        repo: int = REPOSITORY,
    ) -> dict[str, Any]:
        one: dict[str, Any] = {
            "number": len(self.pulls) + 1,
            "head": head,
            "to": to,
            "title": title,
        }
        self.pulls.append(one | {"body": body, "state": state, "repo": repo})
        return self.pulls[-1]

    def hang(self) -> None:
        """Take requests, and answer none."""
        self._answering.clear()

    def close(self) -> None:
        """Answer nobody any more."""
        self._answering.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]
    ) -> _Answer:
        self.asked.append((method, path, body))
        if path.endswith("/merge"):  # its page's button
            self.pulls[int(path.split("/")[-2]) - 1]["state"] = "merged"
            return _json(200, {})
        if self.refusal:
            return self.refusal
        header = "PRIVATE-TOKEN" if self.kind == "gitlab" else "Authorization"
        prefix = {"github": "Bearer ", "gitlab": ""}.get(self.kind, "token ")
        if headers.get(header) != prefix + self.token:
            return _json(401, {"message": "401 Unauthorized"})
        if method != "GET" and not self.may_write:
            return _json(403, {"message": "Resource not accessible by personal access token"})
        parts = urlsplit(path)
        if self.is_hidden:
            return _json(404, {"message": "Not Found"})
        if "/statuses/" in parts.path:
            return _json(201, {})
        if parts.path == self._all:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self._list(query) if method == "GET" else self._open(body)
        number = parts.path.removeprefix(f"{self._all}/")
        for one in self.pulls:
            if str(one["number"]) == number:
                return self._edit(one, method, body)
        return _json(404, {"message": "Not Found"})

    def _list(self, query: Mapping[str, str]) -> _Answer:
        owner = self.repository.partition("/")[0]
        head, to = {
            "github": (query.get("head", "").removeprefix(f"{owner}:"), query.get("base")),
            "gitlab": (query.get("source_branch"), query.get("target_branch")),
        }.get(self.kind, (None, query.get("base_branch")))
        assert query["state"] == ("opened" if self.kind == "gitlab" else "open")
        found = [
            self._shape(one)
            for one in self.pulls
            if one["state"] == "open" and one["to"] == to and head in (None, one["head"])
        ]
        return _json(200, found)

    def _open(self, body: Mapping[str, str]) -> _Answer:
        head, to, text = (
            ("source_branch", "target_branch", "description")
            if self.kind == "gitlab"
            else ("head", "base", "body")
        )
        for one in self.pulls:
            if (one["head"], one["to"], one["state"]) == (body[head], body[to], "open"):
                return self._twice(one)
        one = self.add(body[head], body[to], title=body["title"], body=body[text])
        return _json(201, self._shape(one))

    def _twice(self, one: Mapping[str, Any]) -> _Answer:
        if self.kind == "github":
            words = f"A pull request already exists for me:{one['head']}."
            error = {"resource": "PullRequest", "code": "custom", "message": words}
            return _json(422, {"message": "Validation Failed", "errors": [error]})
        if self.kind == "gitlab":
            words = "Another open merge request already exists for this source branch:"
            return _json(409, {"message": [f"{words} !{one['number']}"]})
        words = f"pull request already exists for these targets [id: 1, issue_id: {one['number']}]"
        return _json(409, {"message": words, "url": f"{self.page}/api/swagger"})

    def _edit(self, one: dict[str, Any], method: str, body: Mapping[str, str]) -> _Answer:
        if method != "GET":
            assert method == ("PUT" if self.kind == "gitlab" else "PATCH")
            one["title"] = body.get("title", one["title"])
            text = "description" if self.kind == "gitlab" else "body"
            one["body"] = body.get(text, one["body"])
            if body.get("state") == "closed" or body.get("state_event") == "close":
                one["state"] = "closed"
        return _json(200 if method == "GET" or self.kind != "gitea" else 201, self._shape(one))

    def _shape(self, one: Mapping[str, Any]) -> dict[str, Any]:
        person = {"id": 1, "login": "podvisor", "username": "podvisor"}
        if self.kind == "gitlab":
            return {
                "id": 1000 + one["number"],
                "iid": one["number"],
                "project_id": REPOSITORY,
                "title": one["title"],
                "description": one["body"],
                "state": "opened" if one["state"] == "open" else one["state"],
                "merged_at": _MERGED_AT if one["state"] == "merged" else None,
                "source_branch": one["head"],
                "target_branch": one["to"],
                "author": person,
                "source_project_id": one["repo"],
                "target_project_id": REPOSITORY,
                "web_url": f"{self.page}/{self.repository}/-/merge_requests/{one['number']}",
            }
        place = "pull" if self.kind == "github" else "pulls"
        return {
            "id": 1000 + one["number"],
            "number": one["number"],
            "user": person,
            "title": one["title"],
            "body": one["body"],
            "state": "open" if one["state"] == "open" else "closed",
            "merged_at": _MERGED_AT if one["state"] == "merged" else None,
            "html_url": f"{self.page}/{self.repository}/{place}/{one['number']}",
            "head": self._branch(one["head"], one["repo"]),
            "base": self._branch(one["to"], REPOSITORY),
        }

    def _branch(self, name: str, repo: int) -> dict[str, Any]:
        whole = {"id": repo, "full_name": self.repository, "private": False}
        return {"label": name, "ref": name, "sha": "12" * 20, "repo": whole}


def _json(status: int, content: object) -> _Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


if __name__ == "__main__":
    kind, port, repository, token = sys.argv[1:]
    page = f"http://localhost:{port}"
    GitHostServer(kind, port=int(port), repository=repository, token=token, page=page)
