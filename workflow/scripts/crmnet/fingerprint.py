"""Finds the files of the package that a script imports, and computes a fingerprint of their code.

Snakemake notices that a job's parameters have changed, but not that a module that its script
imports has changed. So every job has this fingerprint as a parameter. The fingerprint leaves out
whatever does not change results: comments, docstrings, type hints of functions, messages, and the
module that writes messages. Needs the standard library only.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent
# Functions from this module write messages, as `warnings` does.
LOGS = "crmnet.logs"
# Stands for the text of an exception or of a message.
MUTED = "..."


def reached(file: Path, package: Path = PACKAGE) -> set[Path]:
    """Returns a script or module, and all files of the package that it imports, directly or not.

    Args:
        file: a Python file.
        package: the package's folder; its name is the package's name.

    Raises:
        ImportError: an import names a module that the package does not have.
    """
    todo, found = [Path(file)], set()
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _imported(path, package)
    return found


@functools.cache
def fingerprint(file: Path, package: Path = PACKAGE) -> str:
    """Returns a hash of the code of a script or module and of all files of the package it imports.

    An R script with the same name, such as `gadem.R` beside `gadem.py`, is included too, without
    the lines that begin with `#`.

    Raises:
        ImportError: an import names a module that the package does not have.
        SyntaxError: a file is not Python; the error names the file and the line.
    """
    # These names do not depend on the folder of the project.
    lines = sorted(
        f"{path.relative_to(package) if path.is_relative_to(package) else path.name} {_hash(path)}"
        for path in reached(file, package)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


@functools.cache
def _hash(path: Path) -> str:
    tree = _tree(path)
    digest = hashlib.sha256(repr(_code(tree.body, _speakers(tree))).encode())
    beside = path.with_suffix(".R")
    if beside.is_file():
        lines = beside.read_bytes().splitlines()
        digest.update(b"\n".join(line for line in lines if not line.lstrip().startswith(b"#")))
    return digest.hexdigest()


@functools.cache
def _imported(path: Path, package: Path) -> list[Path]:
    """Returns the files of the package that a file imports directly, anywhere in its code."""
    files = []
    for node in imports(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ImportError(f"{path}, line {node.lineno}: import modules by their full names")
        for name, attributes in modules(node):
            parts = name.split(".")
            if parts[0] != package.name or name == LOGS:
                continue
            folder = package.joinpath(*parts[1:])
            module = folder.with_suffix(".py") if len(parts) > 1 else folder
            if not (folder.is_dir() or module.is_file()):
                raise ImportError(
                    f"{path}, line {node.lineno}: there is no module {name}; correct the import"
                )
            # Python runs the __init__.py of every folder on the way.
            files += [package.joinpath(*parts[1:n], "__init__.py") for n in range(1, len(parts))]
            files += [folder / "__init__.py", module]
            for attribute in attributes:
                if f"{name}.{attribute}" != LOGS:
                    files += [folder / f"{attribute}.py", folder / attribute / "__init__.py"]
    return [file for file in dict.fromkeys(files) if file.is_file()]


@functools.cache
def imports(
    tree: ast.Module, functions: bool = True, hints: bool = True
) -> list[ast.Import | ast.ImportFrom]:
    """Returns the imports of a file, anywhere in its code. An import is a statement, so only the
    blocks of statements are searched, which takes a tenth of the time.

    Args:
        functions: whether to search functions, too.
        hints: whether to search what is for type hints alone (`if TYPE_CHECKING`), too.
    """
    todo, found = [tree], []
    while todo:
        node = todo.pop()
        if not functions and isinstance(node, ast.FunctionDef):
            continue
        if not hints and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo += getattr(node, block, [])
    return found


def modules(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Yields the names of the modules that a statement imports, and the names from each."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, []) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module, [alias.name for alias in node.names]


def _speakers(tree: ast.Module) -> set[str]:
    """Returns the names in a file that stand for functions or modules that write messages."""
    names = {"warnings"}
    package, module = LOGS.split(".")
    for node in imports(tree):
        if isinstance(node, ast.ImportFrom) and node.module == LOGS:
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == package:
            names |= {alias.asname or module for alias in node.names if alias.name == module}
    return names


def _speaks(node: ast.AST, speakers: set[str]) -> bool:
    """Tells whether a node is a call that writes a message."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    if not isinstance(function, ast.Name):
        return False
    to = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "file"]
    return function.id in speakers or (function.id == "print" and to == ["sys.stderr"])


def _silent(node: ast.AST, speakers: set[str]) -> bool:
    """Tells whether a statement changes no result: a docstring or another text by itself, a
    message, or an import from `LOGS`."""
    if isinstance(node, ast.Expr):
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return text or _speaks(node.value, speakers)
    return isinstance(node, ast.ImportFrom) and node.module == LOGS


def _code(node: object, speakers: set[str], muted: bool = False) -> object:
    """Returns a syntax tree as nested tuples, the same in all versions of Python, without the parts
    that change no result."""
    if isinstance(node, list):
        return [_code(each, speakers, muted) for each in node if not _silent(each, speakers)]
    if not isinstance(node, ast.AST):
        return node
    text = isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)
    if muted and text:
        return MUTED
    muted = muted or isinstance(node, ast.Raise) or _speaks(node, speakers)
    # Versions of Python differ in their empty fields and in the fields that they add.
    fields = [
        (name, _code(value, speakers, muted))
        for name, value in ast.iter_fields(node)
        if value is not None
        and value != []
        and name not in ("ctx", "returns")
        and not (name == "annotation" and isinstance(node, ast.arg))
    ]
    return (type(node).__name__, *fields)
