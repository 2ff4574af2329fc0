"""One direction of imports, one home for each third-party package, and sizes that stay readable."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mapper"

LABELS = 20
"""Characters that the names of the groups take, in the package's docstring."""


def order() -> list[str]:
    """The modules in the order in which the package's docstring lists them."""
    doc = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text("utf-8")), clean=False) or ""
    lists = [line[LABELS:] for line in doc.partition("each imports only those before it")[2].splitlines()[1:]]
    return [name for listed in lists for name in re.findall(r"\w+", listed)]


ORDER = order()

HOMES = {
    "yaml": {"document", "syntax_errors", "placing"},
    "jinja2": {"tokens", "syntax", "building", "calling", "lowering", "habits"},
    "cerberus": {"schema"},
    "httpcore": {"connecting"},
    "httpx": {"connecting", "transport"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
    "click": {"cli"},
    "rich": {"cli"},
    "re2": {"filters"},
    "phonenumbers": {"filters", "cleaning"},
}
"""The only modules that may import a package."""


def part(path: Path) -> str:
    """The top-level module or package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(path: Path) -> list[tuple[str, int]]:
    """Modules that a file imports: ours as ``mapper.x``, others by their first name."""
    depth = len(path.relative_to(PACKAGE).parts)
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(((node.module or "").split(".")[0], node.lineno))
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found += [(f"mapper.{name}", node.lineno) for name in names]
    return found


def test_every_module_has_its_place_in_the_order() -> None:
    missing = {part(path) for path in files()} - set(ORDER)
    assert not missing, f"say where these stand in ORDER: {sorted(missing)}"
    assert not [name for name in ORDER if not ((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file())]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_those_before_it(path: Path) -> None:
    mine = ORDER.index(part(path))
    for name, line in imports(path):
        if name.startswith("mapper.") and name != "mapper.__version__":
            other = name.removeprefix("mapper.")
            if other in ORDER:
                assert ORDER.index(other) < mine, f"{path.name}:{line} imports {other}, which comes later"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_package_has_one_home(path: Path) -> None:
    for name, line in imports(path):
        assert part(path) in HOMES.get(name, {part(path)}), f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{path.name}:{node.lineno} {node.name} has {length} lines"


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["httpcore", "httpx", "click", "rich", "starlette", "uvicorn", "re2", "phonenumbers", "facebook_business"]
    code = f"import sys, mapper; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
