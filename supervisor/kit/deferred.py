"""Stands for an object that is made, with the module it is from, when it is first needed."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

_T = TypeVar("_T")


def deferred(make: Callable[[], _T]) -> _T:
    """Return what passes every method on to the object that `make` returns; it is asked once."""
    return cast("_T", _Deferred(make))


class _Deferred:
    def __init__(self, make: Callable[[], object]) -> None:
        self.__make = make
        self.__made: object = None

    def __getattr__(self, name: str) -> Any:  # whatever it has
        if self.__made is None:
            self.__made = self.__make()
        return getattr(self.__made, name)
