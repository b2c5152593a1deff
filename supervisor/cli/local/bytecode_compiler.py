"""Compiles what the daemon loads to bytecode that takes little memory. For a process that ends.

Left out is what is only read by people and by type checkers: docstrings and assertions
(PYTHONOPTIMIZE=2), the columns of what failed (-X no_debug_ranges) and annotations of functions,
each of which Python 3.14 makes a function of. Tracebacks keep their lines.
"""

import ast
from collections.abc import Iterable
from compileall import compile_dir
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from types import CodeType


def compile_all(module: str, *others: str) -> None:
    """Compile all that is in the first one's package, and what these import.

    A daemon imports some of that when it is needed, and would compile it itself.
    """
    SourceFileLoader.source_to_code = _small_code  # type: ignore[method-assign, assignment]
    package = find_spec(module.partition(".")[0])
    for folder in (package and package.submodule_search_locations) or ():
        compile_dir(folder, force=True, quiet=2)  # some were compiled before, for this process
    for name in (module, *others):
        import_module(name)


def _small_code(_: SourceFileLoader, data: bytes, path: str, *, _optimize: int = -1) -> CodeType:
    """Return what Python's own loader would of a file's content, without what is left out.

    Annotations of classes stay: they say what a Struct or a dataclass has.
    """
    tree = ast.parse(data, path)
    _leave_out_annotations(tree.body)
    code: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)
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
