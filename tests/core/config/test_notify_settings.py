"""`[notify.NAME]`: what is taken, and what is refused with line and hint."""

import pytest

from supervisor.core.config.reader import read_settings, secret_refs
from supervisor.model.notify_settings import NEEDED

URL = "url = 'file:~/phone'"


def settings_text(*lines, name="phone"):
    return "\n".join([f"[notify.{name}]", *lines])


def test_a_url_is_enough():
    reading = read_settings(settings_text(URL))
    assert not reading.findings
    phone = reading.settings.notify["phone"]
    assert (phone.events, phone.after, phone.apps) == (NEEDED, 30, ())
    assert secret_refs(reading.settings) == {("notify", "phone", "url"): "file:~/phone"}


@pytest.mark.parametrize(
    "line",
    [
        "events = ['deployed', 'recovered']",
        "apps = ['web', 'db-*']",
        "after = '0s'",
        "digest = '1h'",
        "digest = '08:00'",
        "digest = '8:00,20:00'",
        "digest = 'Mon..Fri 08:00'",
        "quiet = '22:00..07:00'",
        "quiet = 'Sat,Sun'",
        "digest = ''",
    ],
)
def test_what_is_taken(line):
    assert not read_settings(settings_text(URL, line)).findings


@pytest.mark.parametrize(
    ("line", "says", "hint"),
    [
        ("url = 'ntfy://hunter2'", "cannot read “url”: write file:/PATH", ""),
        ("events = ['problme']", "notifiers tell of nothing that is called “problme”", "problem"),
        ("events = []", "notifier “phone” tells of nothing", "such as events"),
        ("events = 'problem'", "“events” must be a list of texts", "such as events"),
        ("apps = ['']", "no app is called “”", "db-*"),
        ("after = '-1s'", "cannot read “after”", ""),
        ("digest = 'noon'", "“noon” is no digest", "08:00"),
        ("digest = '0s'", "“0s” is no digest", "08:00"),
        ("digest = '25:00'", "there is no 25:00", ""),
        ("digest = 'Moon 08:00'", "“Moon” is no day of the week", ""),
        ("digest = ' : '", "is no digest", ""),
        ("quiet = 'night'", "“night” is no day of the week", ""),
        ("quiet = 'always'", "“always” never ends", "22:00..07:00"),
        ("quiet = '00:00..24:00'", "never ends", "22:00..07:00"),
        ("when = 'now'", "there is no setting “when”", ""),
    ],
)
def test_what_is_refused_is_said_with_its_line(line, says, hint):
    lines = [line] if line.startswith("url") else [URL, line]
    reading = read_settings(settings_text(*lines))
    assert reading.settings is None
    (finding,) = reading.findings
    assert says in finding.message
    assert hint in finding.hint
    assert finding.line == 1 + len(lines)
    assert "hunter2" not in str(finding)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[notify]\nurl = 'file:/x'", "“url” stands outside a notifier"),
        ("notify = 5", "“notify” is not a section"),
        ("[notify.phone]", "notifier “phone” says no “url”"),
        ("[notify.'a b']\n" + URL, "cannot call a notifier “a b”"),
        ("[notify]\nphone = 5", "“notify.phone” is not a section"),
        ("[notifyy.phone]\n" + URL, "there is no section [notifyy]"),
        ("quiet = 'Sat'", "“quiet” stands outside its section"),
    ],
)
def test_what_has_no_shape(text, says):
    reading = read_settings(text)
    assert reading.settings is None
    assert any(says in one.message for one in reading.findings), reading.findings
