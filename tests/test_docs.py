"""Every example in the documentation runs, every link leads somewhere, and generated parts are up to date."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import mapper
from mapper.authoring.specs import TEST_RULES, run_tests
from mapper.cli.main import VERBS, group
from mapper.compiler.mapping import EVENT_RULES, RULES, TABLE_RULES
from mapper.destinations.cleaning import CODES
from mapper.destinations.cleaning.options import OPTIONS
from mapper.documents.schema import CODES as SCHEMA_CODES
from mapper.documents.schema import describe
from mapper.language.expression import CODES as EXPRESSION_CODES

from .conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KNOWN = {
    "yaml mapping",
    "yaml expressions",
    "yaml destination",
    "yaml",
    "console",
    "python",
    "text",
    "json",
    "jsonc",
    "",
}
OTHERS = {"yaml expressions", "yaml destination"}
"""Blocks that the tests of their own subject run."""


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    info: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        inside: list[str] | None = None
        start, info, file = 0, "", ""
        for number, line in enumerate(lines, 1):
            if inside is None and line.startswith("```"):
                info, _, file = line[3:].partition(" file=")
                inside, start = [], number + 1
            elif inside is not None and line.startswith("```"):
                yield Block(page, start, info.strip(), file.strip(), "\n".join(inside) + "\n")
                inside = None
            elif inside is not None:
                inside.append(line)


BLOCKS = list(blocks())


def kind(info: str) -> list[Any]:
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.info == info]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped mappings, in which examples run."""
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", [pytest.param(block, id=str(block)) for block in BLOCKS])
def test_a_block_is_of_a_known_kind(block: Block) -> None:
    assert block.info in KNOWN
    if block.info == "yaml":
        pages = ("operating.md", "mapping-files.md", "0002-samples-are-replayed.md")
        assert block.file or block.page.name in pages, "say what runs it"
        assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", kind("yaml mapping"))
def test_a_mapping_compiles_and_its_tests_pass(block: Block, workshop: Path) -> None:
    path = workshop / "example.yaml"
    path.write_text(block.text, encoding="utf-8")
    program = mapper.load(path)
    assert [str(warning) for warning in program.warnings if "M15" not in warning.code] == []
    assert [outcome.differences for outcome in run_tests(program) if not outcome.passed] == []


@pytest.mark.parametrize("block", kind("python"))
def test_python_runs(block: Block, workshop: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block.text], cwd=workshop, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def matches(expected: str, actual: str) -> bool:
    """Whether a line is as expected; ``…`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), actual) is not None


def console(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page with the output that the page shows."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCKS:
        if block.page == page and block.info == "console":
            for line in block.text.splitlines():
                if line.startswith("$ "):
                    found.append((line[2:], []))
                elif found:
                    found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if console(p)], ids=lambda page: page.name)
def test_commands_print_what_the_page_shows(page: Path, workshop: Path) -> None:
    for block in BLOCKS:
        if block.page == page and block.file:
            (workshop / block.file).write_text(block.text, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, expected in console(page):
        done = subprocess.run(
            ["bash", "-c", command], cwd=workshop, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path, "NO_COLOR": "1"}, check=False,
        )  # fmt: skip
        printed = [line.rstrip() for line in done.stdout.splitlines()]
        if "…" in expected:  # a line of its own: some lines are left out here
            cut = expected.index("…")
            assert all(map(matches, expected[:cut], printed[:cut]))
            rest = expected[cut + 1 :]
            assert all(map(matches, rest, printed[len(printed) - len(rest) :])), done.stdout
        else:
            assert len(printed) == len(expected), done.stdout
            assert all(map(matches, expected, printed)), done.stdout


def test_every_recipe_has_a_test() -> None:
    recipes = [block for block in BLOCKS if block.page.name == "recipes.md" and block.info == "yaml mapping"]
    assert len(recipes) > 15
    assert [str(block) for block in recipes if "\ntests:\n" not in block.text] == []


def anchors(page: Path) -> set[str]:
    """The anchors that headings give, as most sites make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("https://", "http://", "mailto:")):
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]} - {"README.md"}
    assert sorted(page for page in pages if f"({page})" not in index) == []


def keys() -> str:
    """The tables of every key, from the rules that check files."""
    parts: list[str] = []
    tables = [
        ("At the top", RULES),
        ("In an event", EVENT_RULES),
        ("In a table", TABLE_RULES),
        ("In a test", TEST_RULES),
    ]
    for title, rules in tables:
        parts.append(f"### {title}\n\n| key | takes | meaning |\n| --- | --- | --- |")
        parts += [f"| `{key.path}` | {key.takes} | {key.about} |" for key in describe(rules)]
        parts.append("")
    parts.append("### Beside a value\n\n| option | takes | meaning |\n| --- | --- | --- |")
    parts += [f"| `{name}` | {option.takes} | {option.about} |" for name, option in OPTIONS.items()]
    parts.append("| `if` | an expression | The value is sent only if this is true. |\n")
    return "\n".join(parts)


def test_the_page_of_keys_is_up_to_date() -> None:
    page = ROOT / "docs" / "mapping-files.md"
    text = page.read_text(encoding="utf-8")
    head, mark, generated = text.partition("<!-- generated -->\n")
    if os.environ.get("MAPPER_WRITE_DOCS"):
        page.write_text(f"{head}{mark}\n{keys()}", encoding="utf-8")
        generated = f"\n{keys()}"
    assert generated == f"\n{keys()}", "run the tests with MAPPER_WRITE_DOCS=1"


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, each with its whole name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for inner in command.list_commands(context):
        found = command.get_command(context, inner)
        assert found is not None
        yield from commands(found, f"{name} {inner}")


def spelt(argument: click.Argument) -> str:
    name = (argument.metavar or argument.name or "").upper() + ("..." if argument.nargs < 0 else "")
    return name if argument.required else f"[{name}]"


def options() -> str:
    """What each command does and the options that it takes, from the command itself."""
    parts: list[str] = []
    for name, command in commands(group, "mapper"):
        context = click.Context(command)
        taken = [f" {spelt(one)}" for one in command.params if isinstance(one, click.Argument)]
        said = [" ".join(part.split()) for part in (command.help or "").split("\n\n") if not part.startswith("\b")]
        parts.append(f"### {name}\n\n`{name}{''.join(taken)}`\n\n{said[0]}\n")
        rows = []
        for option in command.params:
            record = option.get_help_record(context) if isinstance(option, click.Option) else None
            if record is not None:
                written, about = (text.replace("|", "\\|") for text in (record[0], option.help or ""))
                about += " Required." if option.required else ""
                about += f" By default {option.default}." if option.show_default else ""
                rows.append(f"| `{written}` | {about} |")
        if rows:
            parts.append("\n".join(["| option | meaning |", "| --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def test_the_page_of_the_command_has_every_option() -> None:
    page = ROOT / "docs" / "command.md"
    head, mark, generated = page.read_text(encoding="utf-8").partition("<!-- generated -->\n")
    if os.environ.get("MAPPER_WRITE_DOCS"):
        page.write_text(f"{head}{mark}\n{options()}", encoding="utf-8")
        generated = f"\n{options()}"
    assert generated == f"\n{options()}", "run the tests with MAPPER_WRITE_DOCS=1"
    for name, about in VERBS.items():
        line = f"mapper {name}".ljust(22) + about[0].lower() + about[1:].removesuffix(".")
        assert f"\n{line}\n" in head


def test_the_readme_gives_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    send = "mapper send mappings/storefront.yaml mappings/samples/storefront.jsonl --to sandbox"
    for command in (f"pip install '.[sandbox]' && {send}", "pip install -e '.[dev]' && pytest"):
        assert f"\n{command}\n" in text


def test_the_readme_shows_what_becomes_of_its_record(workshop: Path) -> None:
    record, mapping, event = [block.text for block in BLOCKS if block.page == ROOT / "README.md"][:3]
    (workshop / "shop.yaml").write_text(mapping, encoding="utf-8")
    (made,) = mapper.load("shop.yaml").map(json.loads(record), 1772366400).events
    shown = re.sub(r'"([0-9a-f]{8})[0-9a-f]{56}"', r'"\1…"', made.encoded.decode())
    assert json.loads(shown) == json.loads(event)


def test_the_readme_shows_the_counts_that_come_out(workshop: Path) -> None:
    command = [sys.executable, "-m", "mapper", "send", "mappings/storefront.yaml", "mappings/samples/storefront.jsonl"]
    done = subprocess.run([*command, "--to", "sandbox"], cwd=workshop, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    shown = next(block for block in BLOCKS if block.page == ROOT / "README.md" and block.info == "text").text
    printed = done.stderr.splitlines()
    for line in shown.splitlines():
        if line.strip() != "…":
            assert any(matches(line, other) for other in printed), line


CALLS = """
Problem problem _problem fault _stop _stopped refuse refuse_at Refused Refusal RecordError DeliveryError UnusableError
refused Fails warn _refuse
""".split()  # noqa: SIM905
CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+|missing|syntax|tab|tag|limit|loop|braces")


def raised_codes() -> Iterator[str]:
    """Every code that stands in a call that makes an error."""
    for path in (ROOT / "mapper").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                values = [getattr(argument, "value", None) for argument in node.args[:4] if called in CALLS]
                yield from (value for value in values if isinstance(value, str) and CODE.fullmatch(value))


def test_every_code_has_its_line_in_the_docs() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    codes = {*raised_codes(), *CODES, *EXPRESSION_CODES, *SCHEMA_CODES}
    assert len(codes) > 100
    assert sorted(code for code in codes if f"| `{code}` |" not in text) == []


def test_what_keeps_a_promise_is_there() -> None:
    """The tests that docs/security.md names."""
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 30
    missing = [
        f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / "tests" / file).read_text("utf-8")
    ]
    assert missing == []
