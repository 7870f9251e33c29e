"""Programs from Debian that nobody built for Vitrine: dynamic ones with the GNU C library, and musl's."""
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def find(name):
    """Where the host has the program."""
    for folder in ("/usr/bin", "/bin"):
        path = Path(folder, name)
        if path.exists():
            return path
    pytest.skip(f"{name} is not installed")
    return None


def with_libraries(path):
    """(host, guest) pairs of a program, its loader and all its libraries."""
    text = subprocess.run(["ldd", path], capture_output=True, check=True, text=True).stdout
    names = re.findall(r"(?:=> |^\s*)(/\S+) \(0x", text, re.MULTILINE)
    assert names, text
    return [(Path(name).resolve(), name) for name in [str(path), *names]]


def on_linux(argv):
    """(status, stdout, stderr) of the same command on the host."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
                          env={"HOME": "/root", "PATH": "/usr/bin:/bin"})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("mem", ["64M", "24M"])
def test_lua(vm, mem):
    """Debian's lua5.4, with libc, libm, libdl and readline as its loader finds them."""
    lua = find("lua5.4")
    script = HERE / "guest" / "try.lua"
    status, out, err = on_linux([lua, script])
    run = vm([str(lua), "/root/try.lua"], mem=mem, add=[*with_libraries(lua), (script, "/root/try.lua")])
    assert run.out == out.decode(), run.err + run.log[-3000:]
    assert (run.status, run.err) == (status, err.decode())


DASH = """
for i in 1 2 3; do echo "line $i" | cat; done
x=$(echo inner; exit 4); echo "$x $?"
cat <<END
here $((6 * 7))
END
(kill -TERM $$) ; echo not reached
"""


def test_dash(vm):
    """Debian's dash: fork by clone, pipes, command substitution, death by signal."""
    dash = find("dash")
    argv = [str(dash), "-c", DASH]
    run = vm(argv, add=with_libraries(dash))
    status, out, err = on_linux(argv)
    assert run.out == out.decode(), run.err + run.log[-3000:]
    assert run.err == err.decode()
    assert run.status == (status if status >= 0 else 128 - status)


@pytest.mark.parametrize("name", ["exit_codes", "musl_static_pie", "musl_dynamic"])
def test_musl(vm, name):
    """musl programs: static, static-PIE and dynamic."""
    binary = ROOT / "build" / "user" / "tests" / name
    status, out, err = on_linux([binary])
    run = vm([f"/tests/{name}"])
    assert (run.status, run.out, run.err) == (status, out.decode(), err.decode())


def test_missing_library(vm):
    """A dynamic program without its loader is ENOENT for the shell, and nothing worse."""
    dash = find("dash")
    run = vm(["/bin/busybox", "sh", "-c", "/root/dash -c true; echo status $?"], add=[(dash.resolve(), "/root/dash")])
    assert run.ok().out == "status 127\n"


def test_missing_program(vm):
    """What is not there cannot be run."""
    run = vm(["/bin/nobody"])
    assert run.status == 127, run.err


def test_not_a_program(vm, tmp_path):
    """What is no program cannot be run either."""
    (tmp_path / "data").write_bytes(b"\x01\x02\x03")
    (tmp_path / "data").chmod(0o755)
    assert vm(["/root/data"], add=[(tmp_path / "data", "/root/data")]).status == 126
