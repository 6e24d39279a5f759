"""The help in README.md is generated, and the generator does what it says."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("readme_help", Path(__file__).with_name("readme_help.py"))
readme_help = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme_help)


def test_every_command_stands_in_the_block():
    block = readme_help.help_block()
    for command in (
        "sealdraw demo",
        "sealdraw game check FILE",
        "sealdraw verify receipt FILE",
        "sealdraw keys rotate",
    ):
        assert command in block


def test_only_what_lies_between_the_markers_is_replaced():
    text = f"before\n{readme_help.BEGIN}\nan-outdated-line\n{readme_help.END}\nafter\n"
    done = readme_help.with_help(text)
    assert done.startswith("before\n")
    assert done.endswith("\nafter\n")
    assert "an-outdated-line" not in done
    assert readme_help.with_help(done) == done


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="README"):
        readme_help.with_help("nothing here")


def test_a_page_that_is_not_current_fails_the_check_and_is_mended_by_writing(tmp_path, monkeypatch, capsys):
    page = tmp_path / "README.md"
    page.write_text(f"{readme_help.BEGIN}\n{readme_help.END}\n")
    monkeypatch.setattr(readme_help, "README", page)
    assert readme_help.main(["--check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert readme_help.main([]) == 0
    assert readme_help.main(["--check"]) == 0
