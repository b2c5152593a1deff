"""What `podvisor doctor` sees in what the daemon, its settings and its service say."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from supervisor.core.status.examination import Answer, Check, error, info, ok, unknown, warning
from supervisor.core.status.in_words import (
    as_it_stands,
    certificate_in_words,
    next_of,
    own_problems,
    unknown_in_words,
)
from supervisor.kit.texts import count
from supervisor.model.doctor import Group
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode
from supervisor.model.settings import Settings

_SERVICE = "podvisor.service"
_SILENT = "no daemon answers"
_OF_SOURCES = (
    IncidentCode.SOURCE_UNREADABLE,
    IncidentCode.SOURCE_REFUSED,
    IncidentCode.WEBHOOKS_FAILING,
)
_NO_SECRET = ("missing", "taken")
_SHOWN = 4


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of podvisor itself; answers of the daemon are plain JSON."""

    version: str
    """Of the command line."""
    installed_at: float
    """When it was installed, seconds since the epoch."""
    now: float
    service_file: str = ""
    """Of podvisor's service, if there is one."""
    page_socket: bool = False
    """Whether there is a unit that listens for the page."""
    page_state: str = ""
    """systemd's word for that unit; empty if it cannot be asked."""
    config: str = ""
    settings: Settings | None = None
    findings: tuple[Finding, ...] = ()
    """In the settings."""
    unread: tuple[Finding, ...] = ()
    """Secrets that the settings name, and that cannot be read."""
    silence: str = ""
    """Why no daemon answers, and what to do."""
    status: dict[str, Any] | None = None
    images: dict[str, Any] | None = None
    secrets: dict[str, Any] | None = None
    certificates: dict[str, Any] | None = None
    notify: dict[str, Any] | None = None


def _service(told: Told) -> Answer:
    if told.service_file:
        return ok(f"podvisor is a service: {told.service_file}")
    return error("podvisor is not a service of this user yet", "", "podvisor setup")


def _settings(told: Told) -> Iterator[Answer]:
    for one in told.findings:
        yield (error if one.fatal else warning)(
            str(msgspec.structs.replace(one, hint="", command="")), one.hint
        )
    if told.settings is None and not told.findings:
        yield warning(f"there are no settings: {told.config} is not there", "", "podvisor init")
    elif told.settings is not None and not told.settings.sources:
        yield warning(f"{told.config} names no source, so nothing is deployed")
    elif not told.findings:
        yield ok(f"{told.config} is in order")


def _setting_secrets(told: Told) -> Iterator[Answer]:
    for one in told.unread:
        yield error(one.message, one.hint)
    if told.settings is not None and not told.unread:
        yield ok("the secrets that the settings name in files can be read")


def _notifiers(told: Told) -> Iterator[Answer]:
    if told.settings is None or not told.settings.notify:
        return
    if told.notify is None:
        yield unknown(_SILENT)
        return
    failing = _failing_notifiers(told)
    for one in failing:
        text = f"notifier {one['name']} cannot tell anybody: {one['failure']}"
        yield error(text, one.get("hint", ""), f"podvisor notify test {one['name']}")
    if not failing:
        yield ok(f"{count(len(told.settings.notify), 'notifier')}, none fails")


def _failing_notifiers(told: Told) -> list[dict[str, Any]]:
    if told.settings is None or not told.settings.notify or told.notify is None:
        return []
    return [one for one in told.notify.get("notifiers", ()) if one.get("failure")]


def _missing_secrets(told: Told) -> list[dict[str, Any]]:
    known = told.secrets.get("secrets", ()) if told.secrets else ()
    return [one for one in known if one["state"] in _NO_SECRET]


def _ailing_certificates(told: Told) -> list[dict[str, Any]]:
    known = told.certificates.get("certificates", ()) if told.certificates else ()
    return [one for one in known if one["state"] in ("expired", "failing") or one.get("error")]


def _daemon(told: Told) -> Answer | None:
    if told.status is not None:
        return ok(f"podvisor {told.status.get('version', '')} runs")
    if not told.service_file:
        return None
    return error("the daemon does not answer", told.silence)


def _daemon_version(told: Told) -> Answer | None:
    if told.status is None:
        return None
    restart = f"systemctl --user restart --no-block {_SERVICE}"
    version = told.status.get("version", "")
    if version != told.version:
        return warning(
            f"podvisor {version} runs, and {told.version} is installed", "", restart, fixable=True
        )
    if told.status.get("started_at", 0.0) < told.installed_at:
        return warning(
            "podvisor was installed anew since the daemon was started", "", restart, fixable=True
        )
    return ok("what runs is what is installed")


def _itself(told: Told) -> Iterator[Answer]:
    if told.status is None:
        yield unknown(_SILENT)
        return
    others = _told_by_others(told) | {
        _what(one) for one in told.status.get("incidents", ()) if one.get("app") or _of_sources(one)
    }
    problems = [one for one in own_problems(told.status) if not _is_told(one, told, others)]
    known = others | {_what(one) for one in own_problems(told.status)}
    wrong = _incidents(told.status, lambda one: not one.get("app") and _what(one) not in known)
    yield from wrong
    for one in problems:
        yield (error if one.get("fatal", True) else warning)(one["message"], one.get("hint", ""))
    for one in told.status.get("watches", ()):
        if one.get("hint"):
            yield warning(f"{one['what']}: {one['reason']}", one["hint"])
    if not problems and not wrong:
        yield ok("podvisor complains of nothing of its own")


def _apps(told: Told) -> Iterator[Answer]:
    if told.status is None:
        yield unknown(_SILENT)
        return
    others = _told_by_others(told)
    yield from _incidents(
        told.status,
        lambda one: bool(one.get("app")) and not _of_sources(one) and _what(one) not in others,
    )
    if not any(one.get("app") for one in told.status.get("incidents", ())):
        yield ok(f"nothing is wrong with {count(len(told.status.get('apps', ())), 'app')}")


def _sources(told: Told) -> Iterator[Answer]:
    if told.status is None:
        yield unknown(_SILENT)
        return
    wrong = _incidents(told.status, _of_sources)
    yield from wrong
    if not wrong:
        yield ok(f"{count(len(told.status.get('sources', ())), 'source')} can be read")


def _what(one: dict[str, Any]) -> tuple[str, str]:
    """Return what kind of thing is wrong and with what, of an incident or of a problem."""
    if code := one.get("code"):
        return code, one.get("subject", "")
    return IncidentCode.SUPERVISOR_FAILING, one["message"]


def _of_sources(one: dict[str, Any]) -> bool:
    return one["code"] in _OF_SOURCES


def _told_by_others(told: Told) -> set[tuple[str, str]]:
    """Return what checks of one kind of thing tell, as `_what` does: it is told there alone."""
    names = {
        IncidentCode.NOTIFIER_FAILING: _failing_notifiers(told),
        IncidentCode.SECRET_MISSING: _missing_secrets(told),
        IncidentCode.CERTIFICATE_FAILING: _ailing_certificates(told),
    }
    return {(str(code), one["name"]) for code, some in names.items() for one in some}


def _is_told(problem: dict[str, Any], told: Told, others: set[tuple[str, str]]) -> bool:
    """Whether another check tells a problem of podvisor's own."""
    if problem.get("code") == IncidentCode.HOST_UNFIT:
        return True  # the machine is looked at anew
    said = {one.message for one in (*told.findings, *told.unread)}
    return _what(problem) in others or problem["message"] in said


def _incidents(status: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> list[Answer]:
    found = []
    for one in status.get("incidents", ()):
        if wanted(one):
            hint, command = next_of(one)
            said = as_it_stands(one)
            text = f"{one['app']}: {said}" if one.get("app") else said
            answer = warning if one.get("meanwhile") else error
            found.append(answer(text, hint, *filter(None, [command])))
    return found


def _secrets(told: Told) -> Iterator[Answer]:
    if told.secrets is None:
        yield unknown(_SILENT)
        return
    known = told.secrets.get("secrets", ())
    missing = _missing_secrets(told)
    incidents = told.status.get("incidents", ()) if told.status else ()
    hints = {_what(one): one.get("hint", "") for one in incidents}
    for one in missing:
        hint = hints.get((IncidentCode.SECRET_MISSING, one["name"]), "")
        users = ", ".join(one.get("units", ()))
        text = f"secret {one['name']} is {one['state']}" + (f"; {users} needs it" if users else "")
        yield error(text, hint, "podvisor secret list")
    if not missing:
        yield ok(f"{count(len(known), 'secret')}, none is missing")


def _certificates(told: Told) -> Iterator[Answer]:
    if told.certificates is None:
        yield unknown(_SILENT)
        return
    known = told.certificates.get("certificates", ())
    ailing = _ailing_certificates(told)
    for one in ailing:
        words = certificate_in_words(one, told.now)
        say = error if one["state"] == "expired" else warning
        test = f"podvisor certs test {one['name']}"
        yield say(f"certificate {one['name']}: {words}", one.get("hint", ""), test)
    if not ailing:
        yield ok(f"{count(len(known), 'certificate')}, all are well")


def _registries(told: Told) -> Iterator[Answer]:
    if told.status is None:
        yield unknown(_SILENT)
        return
    silent = told.status.get("unknown_images", ())
    for one in silent:
        yield warning(unknown_in_words(one, told.now), "", "podvisor images")
    if not silent:
        yield ok("every registry that is asked answers")


def _image_policies(told: Told) -> Answer:
    if told.images is None:
        return unknown(_SILENT)
    names = {
        one["image"]
        for one in told.images.get("images", ())
        if not (one.get("known") or one.get("pinned") or _stays(one["image"]))
    }
    if not names:
        return ok("every image is followed, or stays where it is by its digest")
    first = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return info(
        f"{count(len(names), 'image')} without a policy: {first}{more}",
        "ImagePolicy= or AutoUpdate= in the unit follows newer versions",
    )


def _stays(image: str) -> bool:
    """Whether an image never changes but by a person: by its digest, or as it was built here."""
    return "@sha256:" in image or image.startswith("localhost/")


def _page(told: Told) -> Answer | None:
    if told.settings is None or not (told.settings.web.listen or told.page_socket):
        return None
    if told.settings.web.listen and not told.page_socket:
        return error("[web] says where the page listens, and nobody does", "", "podvisor setup")
    if not told.settings.web.listen:
        return warning(
            "somebody listens for a page that [web] does not ask for", "", "podvisor setup"
        )
    if told.page_state not in ("active", ""):
        return error(
            f"nobody listens for the page: podvisor-web.socket is {told.page_state}",
            "the address may be taken, or root's (a port below 1024)",
            "systemctl --user status podvisor-web.socket",
        )
    return ok(f"the page is at {told.settings.web.listen}")


CHECKS: tuple[Check[Told], ...] = (
    Check("service", Group.PODVISOR, "systemd keeps it running, and starts it at boot", _service),
    Check("settings", Group.PODVISOR, "where they are refused, they count for nothing", _settings),
    Check(
        "setting-secrets",
        Group.PODVISOR,
        "private sources are not read, webhooks are refused, nobody is told",
        _setting_secrets,
    ),
    Check("notifiers", Group.PODVISOR, "nobody is told of what goes wrong", _notifiers),
    Check(
        "daemon",
        Group.PODVISOR,
        "what is deployed runs on, but no change is taken up and nothing is repaired",
        _daemon,
    ),
    Check(
        "daemon-version",
        Group.PODVISOR,
        "it runs code that is not there any more, and lacks what was mended since",
        _daemon_version,
    ),
    Check("supervisor", Group.PODVISOR, "podvisor itself says that it lacks something", _itself),
    Check("page", Group.PODVISOR, "what [web] asks for is done by podvisor setup", _page),
    Check("apps", Group.APPS, "they are not as their source says", _apps),
    Check("sources", Group.APPS, "their changes are not seen; what runs goes on", _sources),
    Check("secrets", Group.APPS, "what uses them does not start", _secrets),
    Check(
        "certificates", Group.APPS, "browsers and clients refuse what has expired", _certificates
    ),
    Check("registries", Group.APPS, "newer versions of their images are not seen", _registries),
    Check(
        "image-policies",
        Group.APPS,
        "they stay as they were first pulled, with every hole that was found since",
        _image_policies,
    ),
)
