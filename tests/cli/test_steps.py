from typing import get_args

from supervisor.cli.show.steps import WORDS
from supervisor.core.plan.step_text import BOOKKEEPING
from supervisor.model.plan import Step


def test_every_step_has_words_or_is_bookkeeping() -> None:
    assert {*WORDS, *BOOKKEEPING} == set(get_args(Step))
