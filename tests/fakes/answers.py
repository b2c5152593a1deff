"""Answers of helpers (`kit.helper`) without a process of their own, which takes half a second each.

Not where it is the process that is proven: that it ends, is bound in memory, and keeps secrets.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest

from supervisor.kit.helper import HelperError


def answer_here(
    patch: pytest.MonkeyPatch, asker: ModuleType, *functions: Callable[[Any], object]
) -> None:
    """Have each of these, which a helper gives to `serve`, answer what `asker` asks its module.

    Questions and answers are written and read as on the way to a process and back; what raises is
    a HelperError, and so is a module that has none of them.
    """
    known = {one.__module__: one for one in functions}

    async def ask(module: str, question: msgspec.Struct, answer: type[Any], **_: object) -> Any:
        try:
            function = known[module]
            (asked,) = inspect.signature(function, eval_str=True).parameters.values()
            written = msgspec.msgpack.encode(question)
            told = function(msgspec.msgpack.decode(written, type=asked.annotation))
            return msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=answer)
        except Exception as error:
            raise HelperError(f"{type(error).__name__}: {error}") from error

    patch.setattr(asker, "ask", ask)
