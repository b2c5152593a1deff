"""Which failure counts of what a task group met."""

import pytest

from supervisor.adapters.git.errors import TooLarge
from supervisor.controllers.isolate import failure_of
from supervisor.model.errors import Failure, Retry, Stalled


@pytest.mark.parametrize("stalled", [Stalled("a wrong name"), TooLarge("fetch it", 1)])
def test_what_is_tried_again_counts_before_what_needs_a_person(stalled: Stalled) -> None:
    assert failure_of(stalled, doing="x") is stalled
    retried = Retry("no network")
    met = ExceptionGroup("both", [stalled, ExceptionGroup("more", [retried])])
    assert failure_of(met, doing="x") is retried


@pytest.mark.parametrize("defect", [KeyError("a"), Failure("neither of the two")])
def test_anything_else_is_a_defect_that_is_tried_again(
    defect: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failure = failure_of(ExceptionGroup("both", [Stalled("a wrong name"), defect]), doing="work")
    assert isinstance(failure, Retry)
    assert str(failure) == f"internal error: {defect!r}"
    assert "work failed" in caplog.text
