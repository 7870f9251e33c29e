"""Host-side unit tests: each tests/unit/test_*.c is compiled together with the kernel sources that it includes, under
the address and undefined-behaviour sanitizers, and run.

A file that needs more than the defaults says so in a line `/* flags: ... */`.
"""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "tests" / "unit").glob("test_*.c"))
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-missing-prototypes", "-fno-builtin",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-I."]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_unit(source, tmp_path):
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "no C compiler"
    program = tmp_path / source.stem
    more = re.search(r"/\* flags: (.*?) \*/", source.read_text())
    command = [compiler, *FLAGS, *(more[1].split() if more else []), str(source), "-o", str(program)]
    subprocess.run(command, cwd=ROOT, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("ok\n")
