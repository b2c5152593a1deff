"""What podvisor does not know it does not print: no value of a file is in what is found in it.

A secret stands wherever a value can; Podman's generator quotes it in each way that it knows.
"""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.files.redact import without_value, without_values
from supervisor.core.files.secret_files import read_secret_files
from supervisor.core.render.generator_errors import read_refusals, report_missing, report_twice
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from supervisor.model.plan import BuildImage, Plan
from tests.core.candidates import from_texts

PLACE = Place(stage="/run/stage/1-1", live="/home/pi/live", home="/home/pi")

secret = st.text("abXYZ019.+/!$@-_", min_size=6, max_size=12).map(lambda text: f"Hunter2{text}")

UNIT_LINES = (
    "Environment=TOKEN={0}",
    'Environment="TOKEN=a {0}"',
    "Enviroment=TOKEN={0}",
    "Exec=serve --token={0}",
    "Exec=serve ../x --token={0}",
    "PodmanArgs=--env T={0} -v ../x:/y",
    "HealthCmd=curl -H {0}",
    "Label=a={0}",
    "Nonsense={0}",
    "{0}",
    "TOKEN:{0}",
    "[{0}",
    "[Servce]\nEnvironment=A={0}",
    "[Service]\nEnvironment=A={0}",
    "[X-Podvisor]\nProbe=http://user:{0}@localhost/",
    "[X-Podvisor]\nProbe=tcp://localhost/?{0}",
)
QUOTES = (
    'error loading "{stage}/app/web.container", file contains line 3: “{line}” which is not a pair',
    "converting \"web.container\": invalid value '{value}'",
    'converting "web.container": parsing "{value}": invalid syntax',
    'converting "web.container": cannot parse {value}: bare quote',
    "Warning: web.container specifies {value} which is odd",
)
SECRET_FILES = (
    "{0}",
    '{{"data": "{0}"}}',
    "[db]\npassword={0}",
    "[Secret]\nSource={0}",
    "[Secret]\nSource=age:{0}",
    "[Secret]\nGenerate={0}",
    "[Secret]\nGenerate=8\nPrune={0}",
    "[Secret]\nGenerate=8\n{0}",
    "[Secret]\nGenerate=8\nSource=\nName={0},",
)
YAML = ("a: '{0}", "a: *{0}", "a: !x!{0} b", "%{0}", "spec: [{0}", "a: {0}: {0}: -", "\t{0}: %@")


def reading_of(texts: dict[str, str]) -> Reading:
    return Reading(AppFiles(*from_texts("app", texts)))


@given(
    word=secret,
    line=st.sampled_from(UNIT_LINES),
    quote=st.sampled_from(QUOTES),
    suffix=st.sampled_from(("container", "service", "timer")),
    drop_in=st.booleans(),
)
def test_values_of_units(word: str, line: str, quote: str, suffix: str, *, drop_in: bool) -> None:
    whole = f"[Container]\nImage=localhost/x:1\n{line.format(word)}\n"
    files = {"web.container": whole, f"web.{suffix}": whole}
    if drop_in:
        files = {"web.container": "[Container]\n", f"web.{suffix}.d/1.conf": whole}
    reading = reading_of(files)
    value = line.format(word).partition("=")[2]
    said = quote.format(stage=PLACE.stage, line=line.format(word), value=value or word)
    read_plain_units(reading, PLACE)
    source = f"[Unit]\nSourcePath={PLACE.stage}/app/web.container\n"
    made = f"[X-Container]\n{whole}{source}[Service]\nExecStart=podman run {value}\n"
    read_units(f"---web.service---\n{made}", {"app": reading}, PLACE)
    read_refusals(f"quadlet-generator[1]: {said}\n", {"app": reading}, PLACE.stage)
    report_missing(reading)
    report_twice(reading)
    assert word not in str(reading.findings)
    assert any("web.container" in finding.path for finding in reading.findings)


@given(word=secret, text=st.sampled_from(SECRET_FILES))
def test_files_called_secret(word: str, text: str) -> None:
    _, findings = read_secret_files(reading_of({"db.secret": text.format(word)}).files)
    assert findings
    assert word not in str(findings)


@given(word=secret, text=st.sampled_from(YAML))
def test_kubernetes_yaml(word: str, text: str) -> None:
    files = {"k.kube": "[Kube]\nYaml=k.yaml\n", "k.yaml": text.format(word)}
    reading = reading_of(files)
    source = f"[Unit]\nSourcePath={PLACE.stage}/app/k.kube\n"
    read_units(f"---k.service---\n[X-Kube]\nYaml=k.yaml\n{source}", {"app": reading}, PLACE)
    assert word not in str(reading.findings)


@given(word=secret)
def test_what_systemd_says(word: str) -> None:
    for line in (f"Environment=A={word}", f"ExecStart=/bin/x {word}", word, f"Restrat={word}"):
        said = f"Failed to parse {line.partition('=')[2] or line}"
        assert word not in without_value(said, line)
    assert without_value("Failed to parse Restart=alwyas", "Restart=alwyas").endswith("alwyas")


@given(word=secret, option=st.sampled_from(("--env", "--build-arg", "--creds", "--new")))
def test_commands(word: str, option: str) -> None:
    for options in ((option, f"A={word}"), (f"{option}=A={word}",), (option, word)):
        command = ("podman", "build", "--tag", "x:1", *options, ".")
        about = {"app": "a", "reason": "", "unit": "a-build.service", "path": "a.build"}
        step = BuildImage(**about, command=command, folder="/")
        (shown,) = without_values(Plan(steps=(step,))).steps
        assert word not in str(shown)
        assert {"podman", "build", "--tag", "x:1", "."} <= set(shown.command)
