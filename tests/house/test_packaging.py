"""What is shipped: everything that the tree holds, one version, addresses and links that agree."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOT_SHIPPED = {".gitignore", ".github", ".pre-commit-config.yaml", ".readthedocs.yaml"}  # of the repository alone
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_the_sources_that_are_shipped_hold_what_the_tree_holds():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    tops = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    shipped = set(PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    assert tops - NOT_SHIPPED - {"pyproject.toml"} == shipped


def test_every_file_says_the_same_version():
    version = PYPROJECT["project"]["version"]
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    recipe = re.search(r'set version = "(.+?)"', (ROOT / "packaging" / "conda" / "meta.yaml").read_text())
    assert citation is not None
    assert recipe is not None
    assert {citation[1], recipe[1], json.loads((ROOT / "codemeta.json").read_text())["version"]} == {version}


def test_every_file_names_the_same_addresses():
    urls = PYPROJECT["project"]["urls"]
    meta = json.loads((ROOT / "codemeta.json").read_text())
    assert (meta["codeRepository"], meta["issueTracker"], meta["softwareHelp"]) == (
        urls["Source"],
        urls["Issues"],
        urls["Documentation"],
    )
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
    assert f"home: {urls['Source']}\n" in recipe
    assert f"doc_url: {urls['Documentation']}\n" in recipe
    (replaced,) = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    assert replaced["replacement"].startswith(f"]({urls['Source']}/blob/main/")


def test_links_of_the_readme_lead_somewhere_and_are_absolute_on_pypi():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    inside = [link for link in LINK.findall(text) if not link.startswith("http")]
    assert inside
    assert not [link for link in inside if not (ROOT / link.partition("#")[0]).exists()]
    (replaced,) = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    shown = re.sub(replaced["pattern"], replaced["replacement"], text)
    assert all(link.startswith("https://") for link in LINK.findall(shown))


def test_the_recipe_asks_for_what_the_project_asks_for():
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
    run = recipe.partition("  run:\n")[2].partition("\ntest:")[0]
    asked = dict(re.findall(r"- ([\w-]+) >=([\d.]+)", run))
    extras = PYPROJECT["project"]["optional-dependencies"]
    parts = re.fullmatch(r"rdcsolve\[(.+)\]", extras["standard"][0])
    assert parts is not None
    needed = [*PYPROJECT["project"]["dependencies"], *(one for part in parts[1].split(",") for one in extras[part])]
    bounds = {name.lower(): bound for name, bound in (one.split(">=") for one in needed)}
    bounds["matplotlib-base"] = bounds.pop("matplotlib")
    assert asked == {**bounds, "python": PYPROJECT["project"]["requires-python"].removeprefix(">=")}


def test_pythons_of_the_workflow_are_those_declared():
    workflow = ROOT / ".github" / "workflows" / "tests.yml"
    if not workflow.exists():
        pytest.skip("not a clone")
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", workflow.read_text(), re.MULTILINE)
    assert re.findall(r"3\.\d+", matrix) == declared
