"""No circles of imports, and the few lines that keep the check, the solvers and the tables of losses apart."""

import ast
from pathlib import Path

import pytest
from import_graph import circles, import_graph, reached, syntax_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rdcsolve"
GRAPH = import_graph(PACKAGE, package="rdcsolve")
WRITTEN_BY_SOLVERS = {f"rdcsolve.certificates.{name}" for name in ("certificate", "dual_point", "law_proof", "proof")}
CHECK = {name for name in GRAPH if name.startswith("rdcsolve.certificates.")} - WRITTEN_BY_SOLVERS
"""The modules that confirm certificates; the records are beside them."""


def test_graph_sees_every_kind_of_import(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "__init__.py").write_text("from top.part.deep import thing\n")
    (tmp_path / "part" / "deep.py").write_text("from .. import plain\nthing = 1\n")
    (tmp_path / "plain.py").write_text("def later():\n    import top.lazy\n")
    (tmp_path / "lazy.py").write_text("import os\nif TYPE_CHECKING:\n    from top.part import thing\n")
    graph = import_graph(tmp_path, package="top")
    assert graph["top.part.deep"] == {"top.plain"}
    assert graph["top.plain"] == {"top.lazy"}
    assert graph["top.lazy"] == {"top.part", "top.part.deep"}
    assert circles(graph) == {frozenset({"top.part", "top.part.deep", "top.plain", "top.lazy"})}


# ---------------------------------------------------------------------------------------------- circles


def test_no_circles_of_imports():
    assert not [sorted(circle) for circle in circles(GRAPH)]


@pytest.mark.parametrize("folder", ["benchmarks", "tests", "examples"])
def test_no_circles_of_scripts(folder):
    assert not [sorted(circle) for circle in circles(import_graph(ROOT / folder))]


# ---------------------------------------------------------------------------------------------- the check


def test_modules_of_the_check_are_found():
    assert {"rdcsolve.certificates.check", "rdcsolve.certificates.floating", "rdcsolve.certificates.ball"} <= CHECK


def test_no_solver_imports_the_check():
    wrong = {name: sorted(imported & CHECK) for name, imported in GRAPH.items() if name.startswith("rdcsolve.solvers.")}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_the_check_imports_no_solver_and_no_pricing():
    behind = {name for module in CHECK for name in reached(GRAPH, module)}
    assert sorted(name for name in behind if name.startswith(("rdcsolve.solvers", "rdcsolve.letters"))) == []


def modules_that_call(method):
    """Return for each module how often it calls a method of that name."""
    calls = {}
    for path in PACKAGE.rglob("*.py"):
        names = [
            node.func.attr
            for node in ast.walk(syntax_of(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        ]
        if method in names:
            name = ".".join(("rdcsolve", *path.relative_to(PACKAGE).with_suffix("").parts))
            calls[name] = names.count(method)
    return {name: count for name, count in calls.items() if not name.startswith("rdcsolve.problems.")}


def test_the_bound_is_written_once_for_solvers_and_once_in_the_check():
    """Every dual bound charges multipliers for their limits, which is the objective's `charged`."""
    calls = modules_that_call("charged")
    inside = [name for name in calls if name in CHECK]
    outside = [name for name in calls if name not in CHECK]
    assert [len(inside), len(outside)] == [1, 1], calls
    assert set(calls.values()) == {1}, calls


# ---------------------------------------------------------------------------------------------- tables

READS_TABLES = ("problems/", "kernels/dense.py")
OTHERS_WITH_A_MATRIX = ("self", "kernel", "exact")  # kernels, and pricing on the line


def reads_of_tables(path):
    """Yield (line, source) for each table of a loss that is read."""
    tree = syntax_of(path)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        is_read = isinstance(node, ast.Attribute) and node.attr == "matrix" and id(node) not in called
        if is_read and ast.unparse(node.value).rpartition(".")[2] not in OTHERS_WITH_A_MATRIX:
            yield node.lineno, ast.unparse(node)


def test_tables_of_losses_are_read_where_they_are_kept():
    """Elsewhere a loss is asked for blocks, since it may have no table."""
    found = {
        str(path.relative_to(PACKAGE)): list(reads_of_tables(path))
        for path in sorted(PACKAGE.rglob("*.py"))
        if not str(path.relative_to(PACKAGE)).startswith(READS_TABLES)
    }
    assert {name: reads for name, reads in found.items() if reads} == {}
