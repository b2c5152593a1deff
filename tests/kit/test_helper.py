"""Questions to a process that ends: the answer, or why there is none."""

import pytest

from supervisor.adapters.files.unshared import Change
from supervisor.adapters.secrets import age
from supervisor.kit.helper import HelperError, ask

pytestmark = pytest.mark.anyio

ANSWERS = list[bytes | age.Refused]
CLEAR = b"hunter2-" * 1000


@pytest.fixture(scope="module")
def sealed() -> age.Sealed:
    secret, recipient = age.new_identity()
    return age.Sealed(secret.encode(), (age.encrypt(CLEAR, [recipient]), b"nonsense"))


async def test_question_and_answer_keep_their_types(sealed: age.Sealed) -> None:
    opened, refused = await ask(age.__name__, sealed, ANSWERS, timeout_seconds=30)
    assert opened == CLEAR
    assert isinstance(refused, age.Refused)


async def test_nothing_of_the_question_is_in_arguments_or_environment(sealed: age.Sealed) -> None:
    show = ("sh", "-c", 'env >&2; echo "$@" | tr "\\n" " " >&2; exit 3')
    with pytest.raises(HelperError, match=rf"-P -m {age.__name__}$") as caught:
        await ask(age.__name__, sealed, ANSWERS, timeout_seconds=30, through=show)
    assert "AGE-SECRET-KEY" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"through": ("/nonexistent/program",)}, "No such file"),
        ({"through": ("sh", "-c", "sleep 60"), "timeout_seconds": 0.1}, "did not end within 0.1 s"),
        ({"answer_limit": 100}, "wrote more than 100 bytes"),
        ({"module": "supervisor.kit.nowhere"}, "No module named supervisor.kit.nowhere"),
        ({"answer": list[str]}, "Expected `str`"),
        ({"question": Change(root="/")}, "missing required field `identities`"),
        ({"through": ("true",)}, "truncated"),
        ({"through": ("false",)}, "it said nothing"),
    ],
)
async def test_no_answer(sealed: age.Sealed, given, why: str) -> None:
    usual = {
        "module": age.__name__,
        "question": sealed,
        "answer": ANSWERS,
        "timeout_seconds": 30,
    }
    with pytest.raises(HelperError, match=why) as caught:
        await ask(**usual | given)
    assert "hunter2" not in str(caught.value)
