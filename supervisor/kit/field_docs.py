"""What the source says of classes and their fields: for references, and files made of them."""

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

ClassDocs = dict[str, tuple[str, dict[str, str]]]
"""Of each class, by its name, its docstring and those of its fields."""


def class_docs(module: ModuleType) -> ClassDocs:
    """Return those of a module, read from its source."""
    return {
        node.name: (ast.get_docstring(node) or "", dict(_field_docs(node)))
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }


def _field_docs(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(node.body, node.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
