"""Values of the model's types, with something in every field."""

from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

T = TypeVar("T")
_DEEPEST = 6


def example(kind: type[T]) -> T:
    """Return one; it is what `msgspec` accepts for the type."""
    return cast("T", _value(inspect.type_info(kind), 0))


def _value(kind: inspect.Type, depth: int) -> Any:
    match kind:
        case inspect.StructType():
            return _struct(kind, depth)
        case inspect.UnionType(types=types):
            return _value(
                next(one for one in types if not isinstance(one, inspect.NoneType)), depth
            )
        case inspect.EnumType(cls=cls):
            return next(iter(cls))
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return (_value(item, depth),)
        case inspect.TupleType(item_types=items):
            return tuple(_value(one, depth) for one in items)
        case inspect.FrozenSetType(item_type=item) | inspect.SetType(item_type=item):
            return frozenset((_value(item, depth),))
        case inspect.DictType(key_type=key, value_type=value):
            return {_value(key, depth): _value(value, depth)}
        case inspect.StrType() | inspect.AnyType():
            return "web"
        case inspect.BytesType():
            return b"web"
        case inspect.BoolType():
            return True
        case inspect.IntType(ge=least):
            return least or 1
        case inspect.FloatType(ge=least):
            return least or 1.5
        case inspect.NoneType():
            return None
    raise TypeError(f"no example of {kind}")


def _struct(kind: inspect.StructType, depth: int) -> msgspec.Struct:
    fields = {
        field.name: _value(field.type, depth + 1)
        for field in kind.fields
        if field.required or depth < _DEEPEST
    }
    return kind.cls(**fields)
