import msgspec
import pytest

from supervisor.core.status.in_words import apps_in_words
from supervisor.core.status.incidents import incidents
from supervisor.core.status.overview import Line, Overview, overview
from supervisor.kit.texts import local_time

NOW = 1_000_000.0
APP = {"name": "web", "source": "home", "state": "ready"}


def test_a_certificate_and_an_update_in_the_words_of_the_command_line() -> None:
    certificate = {
        "name": "web",
        "state": "failing",
        "error": "nobody answers",
        "expires": NOW + 3 * 86_400,
        "hint": "open port 80",
        "at_once": "podvisor certs renew web --now",
    }
    update = {
        "image": "docker.io/library/nginx:1.28",
        "version": {"runs": f"docker.io/library/nginx@sha256:{'a' * 64}", "tag": "1.28"},
        "why": "it is too new (cooldown)",
        "early": True,
    }
    status = {"apps": [{**APP, "certificates": [certificate], "updates": [update]}]}
    wrong = [msgspec.to_builtins(one) for one in incidents(status, NOW).values()]
    seen = overview({**status, "incidents": wrong}, NOW)
    assert seen.troubles == (
        Line(
            app="web",
            text=f"certificate web: nobody answers; it expires {local_time(NOW + 3 * 86_400)}",
            hint="open port 80",
            command="podvisor certs renew web --now",
        ),
    )
    assert seen.waiting == (
        Line(
            app="web",
            text="nginx 1.28 (aaaaaaaaaaaa) waits: it is too new (cooldown)",
            command="podvisor update web --now",
        ),
    )


def test_an_update_that_failed_is_wrong_and_does_not_wait_besides() -> None:
    update = {
        "image": "docker.io/library/nginx:1.28",
        "version": {"runs": f"docker.io/library/nginx@sha256:{'a' * 64}", "tag": "1.28"},
        "why": "web.service failed",
        "failed": True,
    }
    status = {"apps": [{**APP, "updates": [update]}]}
    wrong = [msgspec.to_builtins(one) for one in incidents(status, NOW).values()]
    seen = overview({**status, "incidents": wrong}, NOW)
    assert [line.command for line in seen.troubles] == ["podvisor retry web"]
    assert seen.waiting == ()


def test_who_has_nothing_to_say_is_left_out() -> None:
    assert overview({"apps": [APP]}, NOW) == Overview()


def test_of_what_a_person_ordered_stands_what_ends_it() -> None:
    scale = {"unit": "web@.service", "replicas": 3, "instead_of": 2, "at": NOW}
    held = {"revision": "aaa", "instead_of": "bbb"}
    app = {**APP, "scales": [scale], "held": held, "suspension": {"at": NOW}}
    lines = overview({"apps": [app]}, NOW).waiting
    assert [line.command.split()[1] for line in lines] == ["resume", "scale", "resume"]
    words = ("held", "scaled", "suspended")
    assert all(word in line.text for line, word in zip(lines, words, strict=True))


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["ready"], "1 app ready"),
        (["suspended", "suspended"], "2 apps: 2 suspended"),
        (["ready", "failing", "ready"], "3 apps: 1 failing, 2 ready"),
    ],
)
def test_how_many_apps_there_are_is_said_by_their_states(states: list[str], said: str) -> None:
    assert apps_in_words([{"name": "web", "state": state} for state in states]) == said
