"""Which module imports which, wherever the import stands: in a function, or under TYPE_CHECKING."""

import ast
import functools
from pathlib import Path


@functools.cache
def syntax_of(path):
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text(), str(path))


def import_graph(folder, *, package=""):
    """Return the modules below a folder by dotted name, each with the modules of the same folder that it imports.

    A name imported from a package counts as an import of the package, and of the module that the package has it from.
    `package` is the dotted name of the folder itself; without one, its modules are scripts that import one another by
    their plain names.
    """
    files = {_dotted(path, folder, package): path for path in sorted(Path(folder).rglob("*.py"))}
    named = {name: list(_imported(path, name)) for name, path in files.items()}
    origin = {
        f"{name}.{target.rpartition('.')[2]}": target
        for name, path in files.items()
        if path.name == "__init__.py"
        for target in named[name]
    }
    graph = {}
    for name, targets in named.items():
        targets = {*targets, *(origin[target] for target in targets if target in origin)}
        graph[name] = {module for target in targets if (module := _module(target, files))} - {name}
    return graph


def reached(graph, start):
    """Return all that a module imports, directly or by way of others."""
    seen, waiting = set(), [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def circles(graph):
    """Return the groups of modules each of which reaches all others of its group and itself."""
    within = {name: reached(graph, name) for name in graph}
    return {
        frozenset(other for other in within[name] if name in within[other]) for name in graph if name in within[name]
    }


def _dotted(path, folder, package):
    parts = path.relative_to(folder).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join((package, *parts) if package else parts)


def _imported(path, name):
    """Yield the dotted names that a module imports, relative ones resolved."""
    here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(syntax_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _module(target, files):
    """Return the longest beginning of a dotted name that is a module here, or an empty string."""
    while target and target not in files:
        target = target.rpartition(".")[0]
    return target
