"""The deliberate public surface of the package, and what it may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anchor

PACKAGE = Path(anchor.__file__).parent
ALLOWED = {"anchor", "cryptography", *sys.stdlib_module_names}


def test_the_public_names_are_sorted_and_all_of_them_resolve():
    assert anchor.__all__ == sorted(anchor.__all__)
    assert set(anchor.__all__) == set(anchor._HOME_OF)
    for name in anchor.__all__:
        value = getattr(anchor, name)
        assert value.__module__ == f"anchor.{anchor._HOME_OF[name]}"
        assert value.__doc__


def test_a_type_checker_sees_the_same_names_as_the_running_program():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = next(node for node in tree.body if isinstance(node, ast.If)).body
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == {name: f"anchor.{home}" for name, home in anchor._HOME_OF.items()}


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'Witness2'"):
        assert anchor.Witness2


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_a_module_needs_only_the_standard_library_and_cryptography(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= ALLOWED


def test_a_parser_loads_neither_an_http_client_nor_cryptography():
    program = "import sys, anchor.canonical; print({'http.client', 'cryptography'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
