"""Logging in with the token, and out again."""

from urllib.parse import urlsplit

from aiohttp import web

from supervisor.web.access import Access, end_session, is_name, set_session
from supervisor.web.forms import check_proof, form
from supervisor.web.guard import is_https
from supervisor.web.pages import Pages
from supervisor.web.visitor import VISITOR

_FAILED = 401


class LoginViews:
    """What answers each route."""

    def __init__(self, access: Access, pages: Pages) -> None:
        self._access = access
        self._pages = pages

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form."""
        return self._page(_here(request.query.get("next", "")))

    async def log_in(self, request: web.Request) -> web.Response:
        """Take the form: with the token, a session."""
        given = await form(request, ("token", "name", "next"))
        back, name = _here(given.get("next", "")), given.get("name", "").strip()
        if not is_name(name):
            return self._page(back, problem="That is too long for a name, or holds odd characters.")
        cookie = self._access.log_in(request, given.get("token", "").strip(), name)
        if cookie is None:
            return self._page(back, name=name, problem="That is not the token.", status=_FAILED)
        response = web.Response(status=303, headers={"Location": back})
        set_session(response, cookie, is_secure=is_https(request))
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session."""
        check_proof(await form(request, ()))
        self._access.log_out(VISITOR.get())
        response = web.Response(status=303, headers={"Location": "/"})
        end_session(response)
        return response

    def _page(
        self, back: str, *, name: str = "", problem: str = "", status: int = 200
    ) -> web.Response:
        return self._pages.answer(
            "login.html", status=status, back=back, name=name, problem=problem
        )


def _here(path: str) -> str:
    """Return a path of the page's own; `/` for anything else."""
    parts = urlsplit(path)
    is_own = path.startswith("/") and not (parts.scheme or parts.netloc or "\\" in path)
    return path if is_own and path.isprintable() and not path.startswith("//") else "/"
