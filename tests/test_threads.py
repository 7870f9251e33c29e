"""Programs with threads, not as test_guest.py runs them: built with the host's compiler against the GNU C library,
whose threads ask for other calls than musl's; and musl's in little memory with several seeds.
"""
import os
import subprocess
from pathlib import Path

import pytest
from test_guest import difference, marks, on_linux
from test_programs import with_libraries

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for path in sorted((ROOT / "user" / "tests").glob("*.c"))
           if '#include "threads.h"' in path.read_text(encoding="utf-8")]
LINKS = {
    "dynamic": ["-Wl,--no-as-needed", "-lgcc_s"],  # pthread_cancel loads it by itself, which ldd cannot see
    "static": ["-static"],
}
# Runs each program in a directory of its own and tells the outputs apart.
SCRIPT = r"""
for path in "$@"; do
    mkdir -p /root/here; cd /root/here
    "$path" </dev/null >/tmp/out 2>&1
    status=$?
    cd /; rm -rf /root/here
    echo "=== $path $status"; cat /tmp/out
done
"""


def build(link, folder):
    """Every program that makes threads, by the host's gcc."""
    programs = []
    for source in SOURCES:
        if "root" in marks(source) and os.geteuid() != 0:
            continue
        programs.append(folder / source.stem)
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-s", "-pthread", "-Wall", "-Wextra", source, "-o", programs[-1],
                        *LINKS[link]], check=True)
    return programs


def transcript(program, folder):
    """What Linux prints, headed as SCRIPT does."""
    folder.mkdir()
    status, out, err = on_linux(program, folder)  # an absolute path stays what it is
    return f"=== /glibc/{program.name} {status}\n{out}{err}"


@pytest.mark.parametrize("link, cpus", [("dynamic", 1), ("static", 1), ("dynamic", 4), ("static", 2)])
def test_glibc(vm, tmp_path, link, cpus):
    """One machine for all; the same transcripts as on Linux."""
    (tmp_path / "bin").mkdir()
    programs = build(link, tmp_path / "bin")
    add = [(program, f"/glibc/{program.name}") for program in programs]
    if link == "dynamic":
        add += with_libraries(programs[0])[1:]
    run = vm(["/bin/busybox", "sh", "-c", SCRIPT, "sh", *(guest for _, guest in add[:len(programs)])], mem="64M",
             swap="64M", cpus=cpus, add=add, timeout=600).ok()
    wanted = "".join(transcript(program, tmp_path / f"in-{program.name}") for program in programs)
    wrong = [line for line in wanted.splitlines() if line.startswith(("FAILED", "GAVE UP"))]
    assert not wrong, f"on Linux: {wrong}"
    assert run.out == wanted, difference(wanted, run.out) + run.err + run.log[-3000:]


@pytest.mark.parametrize("seed, cpus", [(2, 1), (3, 1), (4, 2), (5, 2), (6, 4), (7, 4)])
def test_races(vm, tmp_path, seed, cpus):
    """Threads that pull memory away from each other, in 24 MiB; the seed chooses the order on both sides."""
    names = ["threads_races", "threads_one_page", "threads_signals", "threads_exec", "threads_fork", "threads_end",
             "threads_limits", "fork_and_group_signals"]
    commands = " && ".join(f"/tests/{name} {seed if name == 'threads_races' else ''}" for name in names)
    run = vm(["/bin/busybox", "sh", "-c", f"cd /root && {commands}"], mem="24M", swap="64M", seed=seed, cpus=cpus).ok()
    wanted = ""
    for name in names:
        (tmp_path / name).mkdir()
        wanted += on_linux(name, tmp_path / name)[1]
    assert run.out == wanted, difference(wanted, run.out)


def test_cut_and_read_at_once(vm):
    """Truly at once, as a reader's disk must be at work while the file is cut off and grows again."""
    run = vm(["/tests/threads_cut_and_read"], mem="24M", cpus=4, realtime=True).ok()
    assert run.out == "pages with old bytes: 0\n"
