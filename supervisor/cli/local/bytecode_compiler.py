"""Compiles what the daemon loads to bytecode that takes little memory. For a process that ends.

Left out is what is only read by people and by type checkers: docstrings and assertions
(PYTHONOPTIMIZE=2), the columns of what failed (-X no_debug_ranges) and annotations of functions.
Tracebacks keep their lines.
"""

import ast
import sys
from collections.abc import Iterable
from compileall import compile_dir
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from types import CodeType

_AS_FUNCTIONS = sys.version_info >= (3, 14)
"""Whether Python makes a function of annotations, which it calls when they are asked for."""


def compile_all(module: str, *others: str) -> None:
    """Compile all that is in the first one's package, and what these import.

    A daemon imports some of that when it is needed, and would compile it itself.
    """
    package = find_spec(module.partition(".")[0])
    folders = tuple((package and package.submodule_search_locations) or ())

    def small_code(_: SourceFileLoader, data: bytes, path: str, *, _optimize: int = -1) -> CodeType:
        return _small_code(data, path, _optimize, own=path.startswith(folders))

    SourceFileLoader.source_to_code = small_code  # type: ignore[method-assign, assignment]
    for folder in folders:
        compile_dir(folder, force=True, quiet=2)  # some were compiled before, for this process
    for name in (module, *others):
        import_module(name)


def _small_code(data: bytes, path: str, optimize: int, *, own: bool) -> CodeType:
    """Return what Python's own loader would of a file's content, without what is left out.

    Annotations of classes stay: they say what a Struct or a dataclass has.
    """
    tree = ast.parse(data, path)
    _leave_out_annotations(tree.body)
    if own and _AS_FUNCTIONS:
        _annotate_at_once(tree)
    code: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=optimize)
    return code


def _leave_out_annotations(statements: Iterable[ast.AST]) -> None:
    """Of the functions that are defined there, and within; expressions are passed by for speed."""
    for one in statements:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            one.returns = None
            for argument in ast.iter_child_nodes(one.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            _leave_out_annotations(getattr(one, part, ()))


def _annotate_at_once(module: ast.Module) -> None:
    """Have classes annotated when they are made, as Pythons before 3.14 do, and not by a function.

    For modules that run there, too: no name is used before it is known.
    """
    for one in ast.walk(module):
        if isinstance(one, ast.ClassDef):
            annotating = _Annotating()
            annotating.generic_visit(one)
            if annotating.has_any:
                one.body[:0] = ast.parse("__annotations__ = {}").body
                ast.fix_missing_locations(one)


class _Annotating(ast.NodeTransformer):
    """Makes annotations statements like others, in a class, but not in what is defined in it."""

    def __init__(self) -> None:
        self.has_any = False

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if not (node.simple and isinstance(node.target, ast.Name)):
            return [node]
        self.has_any = True
        key, annotations = ast.Constant(node.target.id), ast.Name("__annotations__", ast.Load())
        field = ast.Subscript(annotations, key, ast.Store())
        assigned = [ast.Assign([node.target], node.value)] if node.value else []
        annotated = ast.Assign([field], node.annotation)
        return [ast.copy_location(each, node) for each in (*assigned, annotated)]

    def visit_FunctionDef(self, node: ast.AST) -> ast.AST:
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef  # noqa: N815
