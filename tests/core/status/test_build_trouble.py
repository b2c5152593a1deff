"""What `podman build` writes when an instruction fails, as recorded of Podman 5.4."""

import pytest

from supervisor.core.status.build_trouble import failed_step

OF_RUN = 'Error: building at STEP "RUN {}": while running runtime: exit status 7'
LIES = 'Error: building at STEP "RUN echo hunter2": while running runtime: exit status 1'


@pytest.mark.parametrize(
    "instruction",
    ["RUN exit 7", 'RUN echo "a" && exit 7', "RUN echo a &&   exit 7", "RUN <<E", "COPY a /b"],
)
def test_the_instruction_is_taken_out_of_podmans_error(instruction: str) -> None:
    step, why = f'STEP "{instruction}"', "copier: stat: no such file or directory"
    assert failed_step(f"one\nError: building at {step}: {why}") == (step, f"one\nError: {why}")


def test_of_an_instruction_that_looks_like_its_own_end_less_is_said_and_never_more() -> None:
    step, _ = failed_step(OF_RUN.format('echo "a": hunter2; exit 7'))
    assert step == 'STEP "RUN echo "a"'


@pytest.mark.parametrize("printed", [LIES, f"{LIES}\n{LIES}", f"so: {LIES}"])
def test_what_a_program_prints_is_not_taken_for_podmans_error(printed: str) -> None:
    step, rest = failed_step(f"{printed}\n{OF_RUN.format('exit 7')}")
    assert step == 'STEP "RUN exit 7"'
    assert rest == f"{printed}\nError: while running runtime: exit status 7"


@pytest.mark.parametrize("text", ["", "exit status 7", f"{LIES}\nhalf a line{LIES}", f"so: {LIES}"])
def test_where_podmans_error_is_not_the_last_line_no_instruction_is_said(text: str) -> None:
    assert failed_step(text) == ("", text)
