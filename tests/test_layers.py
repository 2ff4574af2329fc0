"""One direction of imports, one home for each third-party package, and sizes that stay readable."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mapper"

LABELS = 20
"""Characters that the names of the groups take, in the package's docstring."""


def groups() -> dict[str, list[str]]:
    """The modules of each folder, in the order in which the package's docstring lists them."""
    doc = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text("utf-8")), clean=False) or ""
    found: dict[str, list[str]] = {}
    folder = ""
    for line in doc.partition("each imports only those before it")[2].splitlines()[1:]:
        folder = line[:LABELS].strip() or folder
        found.setdefault(folder, []).extend(re.findall(r"\w+", line[LABELS:]))
    return {folder: names for folder, names in found.items() if names}


def order() -> list[str]:
    """All modules in that order; what lies in no folder comes first, but for what is for everyone."""
    listed = groups()
    outside = listed.pop(".")
    inside = [name for names in listed.values() for name in names]
    first = outside.index("sandbox")
    return [*outside[:first], *inside, *outside[first:]]


FOLDERS = groups().keys() - {"."}
ORDER = order()

HOMES = {
    "yaml": {"document", "syntax_errors", "placing"},
    "jinja2": {"tokens", "syntax", "building", "calling", "lowering", "habits"},
    "cerberus": {"schema"},
    "httpcore": {"connecting", "reaching"},
    "certifi": {"reaching"},
    "httpx": {"connecting", "reaching", "transport"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
    "click": {"cli"},
    "rich": {"cli"},
    "re2": {"filters"},
    "phonenumbers": {"filters", "cleaning"},
}
"""The only modules that may import a package."""


def part(path: Path) -> str:
    """The module that a file is, or the package of its own that it belongs to (``filters``, ``cli``)."""
    return _inner(path.relative_to(PACKAGE).parts).removesuffix(".py")


def _inner(parts: Sequence[str]) -> str:
    """The first name that is no folder of modules."""
    return parts[1] if len(parts) > 1 and parts[0] in FOLDERS else parts[0]


def files() -> list[Path]:
    own = {PACKAGE / "__init__.py", *(PACKAGE / folder / "__init__.py" for folder in FOLDERS)}
    return sorted(path for path in PACKAGE.rglob("*.py") if path not in own)


def imports(path: Path) -> list[tuple[str, int]]:
    """Modules that a file imports: ours as ``mapper.x``, others by their first name."""
    inside = path.relative_to(PACKAGE).parts[:-1]
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(((node.module or "").split(".")[0], node.lineno))
        elif isinstance(node, ast.ImportFrom):
            start = (*inside[: len(inside) - node.level + 1], *(node.module or "").split("."))
            where = tuple(name for name in start if name)
            ways = [where] if where and where[-1] not in FOLDERS else [(*where, alias.name) for alias in node.names]
            found += [(f"mapper.{_inner(way)}", node.lineno) for way in ways]
    return [one for one in found if one[0] != f"mapper.{part(path)}"]


def test_every_module_has_its_place_in_the_order() -> None:
    missing = {part(path) for path in files()} - set(ORDER)
    assert not missing, f"say where these stand in ORDER: {sorted(missing)}"
    for folder, names in groups().items():
        for name in names:
            there = PACKAGE / folder / name
            assert there.is_dir() or there.with_suffix(".py").is_file(), f"{folder}/{name} is not there"


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


def test_programs_within_texts_import_what_there_is() -> None:
    """Programs that tests start stand in them as text, which no import statement checks."""
    root = PACKAGE.parent
    texts = {path: path.read_text("utf-8") for path in (*(root / "tests").rglob("*.py"), *PACKAGE.rglob("*.py"))}
    named = {(path, name) for path, text in texts.items() for name in re.findall(r"\bfrom (mapper[\w.]*) import", text)}
    lost = [(path.name, name) for path, name in sorted(named) if importlib.util.find_spec(name) is None]
    assert lost == []


ENGINE = ("documents", "compiler", "events", "records", "delivery", "authoring")
PLATFORM = re.compile(r"\b(?:Meta|Facebook|pixel|fbclid|Events Manager)\b|graph\.|action_source|(?:user|custom)_data")
"""What is only true of one platform. It stands in that platform's file, ``mapper/destinations/meta.yaml``."""


def said(tree: ast.Module) -> Iterator[ast.Constant]:
    """The texts of a module that are not about the module."""
    about = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in about:
            yield node


def test_the_engine_knows_no_platform() -> None:
    """But for examples in what it says of itself."""
    found = []
    for folder in ENGINE:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            for text in said(ast.parse(path.read_text("utf-8"))):
                if PLATFORM.search(text.value) and "such as" not in text.value:
                    found.append((path.stem, text.value))
    assert found == [("mapping", "user_data.em")], "an example in the editor's schema"
