"""docs/book prints what this tree prints; and what tools/docs-check accepts, refuses and writes."""
import importlib.machinery
import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "docs" / "book" / "src"
PAGES = sorted(path.name for path in BOOK.glob("*.md") if path.name != "SUMMARY.md")
LONG = {"09-reclaim.md"}  # make docs-check has it


def docs_check(*words):
    return subprocess.run([ROOT / "tools" / "docs-check", *words], capture_output=True, text=True, check=False,
                          cwd=ROOT, env=dict(os.environ, VITRINE_NO_BUILD="1"), timeout=1200)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in LONG])
def test_a_page_is_right(page, built):  # pylint: disable=unused-argument
    done = docs_check(BOOK / page)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_book_is_whole():
    """Every page is in the list of contents, names files that exist, and has questions and things to try."""
    assert sorted(re.findall(r"\]\((\S+)\)", (BOOK / "SUMMARY.md").read_text(encoding="utf-8"))) == PAGES
    chapters = [page for page in PAGES if page != "README.md"]
    assert len(chapters) == 12
    for page in chapters:
        text = (BOOK / page).read_text(encoding="utf-8")
        assert re.search(r"^# \d+\. .*\n\n- \*\*Read beside it:\*\* `mm/\w+\.[ch]`", text), page
        assert re.search(r"^## Questions\n\n1\. .*^## Try\n\n- ", text, re.M | re.S), page
        for file in re.findall(r"`((?:mm|kernel|user|tools)/[\w/.]*\w\.\w+)`", text):
            assert (ROOT / file).exists(), f"{page}: there is no {file}"
        for link in re.findall(r"\]\((\S+)\)", text):
            assert (BOOK / link).exists(), f"{page}: there is no {link}"


# kind of block: what the page says, what the run says
SAME = {
    "as it is": (None, "a  1\n\nb 0x10", "a 1\nb   0x10"),
    "places are others": (None, "frame 7 at 0x7000, again frame 7", "frame 9 at 0x9000, again frame 9"),
    "lines are left out": (None, "a\n...\nd", "a\nb\nc\nd"),
    "none is left out": (None, "...\na", "a"),
    "about as many": ("about", "1,000 pages", "1099 pages"),
    "a table of frames": ("frames", "parent 721 3\nchild 721 3", "parent 690 3\nchild 690 3"),
}
OTHER = {
    "another number": (None, "faults 4", "faults 5"),
    "another word": (None, "zero 1", "new 1"),
    "one place was two": (None, "0x7000 0x8000", "0x9000 0x9000"),
    "two places were one": (None, "frame 7, frame 7", "frame 8, frame 9"),
    "a line more": (None, "a", "a\nb"),
    "a line less": (None, "a\nb", "a"),
    "the line after those left out": (None, "a\n...\nd", "a\nb\nc"),
    "far more": ("about", "1,000 pages", "1101 pages"),
    "a count beside frames": ("frames", "parent 721 3", "parent 690 4"),
}


@pytest.fixture(scope="module")
def tool(built):  # pylint: disable=unused-argument
    """tools/docs-check as a module."""
    loader = importlib.machinery.SourceFileLoader("docs_check", str(ROOT / "tools" / "docs-check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("what", [*SAME, *OTHER])
def test_what_agrees(what, tool):
    kind, printed, got = {**SAME, **OTHER}[what]
    assert tool.agree(printed.split("\n"), got.split("\n"), kind, tool.Names()) == (what in SAME)


def test_a_difference_is_shown_and_written(tmp_path, built):  # pylint: disable=unused-argument
    """All of it, or, where lines are left out, the numbers of those that are there; the rest of the page stays."""
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n```console\n$ seq 2\n1\n3\n```\n\n```console\n$ seq -f 'line %g' 4 9\n...\nline 11\n"
                    "...\n```\n\n$ not a command\n", encoding="utf-8")
    done = docs_check(page)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not as printed" in done.stdout and "\n-3\n+2\n" in done.stdout and "UPDATE=1" in done.stdout
    docs_check("--update", page)
    assert docs_check(page).returncode == 0
    assert page.read_text(encoding="utf-8") == (
        "Before.\n\n```console\n$ seq 2\n1\n2\n```\n\n```console\n$ seq -f 'line %g' 4 9\n...\nline 4\n...\n```\n\n"
        "$ not a command\n")


def test_places_in_commands(tmp_path, built):  # pylint: disable=unused-argument
    """A later command asks for the place that the run has, not for the page's; the update writes it, too."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo at 0x$((4000 + 96))f\nat 0x1234f\n$ echo again 1234f000 0x1234f frame 3\n"
                    "again 1234f000 0x1234f frame 3\n```\n", encoding="utf-8")
    assert docs_check(page).returncode == 0
    page.write_text(page.read_text(encoding="utf-8") + "```console\n$ echo new\n```\n", encoding="utf-8")
    docs_check("--update", page)
    assert "$ echo again 1234f000 0x4096f frame 3\nagain 1234f000 0x4096f" in page.read_text(encoding="utf-8")
