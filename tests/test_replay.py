"""vm lastwrite, vm rewind: a run done again tells who stored where, and has the memory of any moment."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SET_MODE = ["sh", "-c", "echo 1 > /proc/sys/vm/overcommit_memory; echo 2 > /proc/sys/vm/overcommit_memory"]


@pytest.fixture
def command(built, tmp_path):
    """command(*words) -> what ./vm says, in a build folder of this test's own."""
    build = tmp_path / "build"
    build.mkdir()
    for name in ("vitrine.elf", "vitrine.nm", "vitrine.iso", "root.img", "root", "user", "types"):
        (build / name).symlink_to(Path(built) / name)
    env = dict(os.environ, VITRINE_NO_BUILD="1", VITRINE_BUILD=str(build))

    def run(*words, status=0):
        done = subprocess.run([ROOT / "vm", *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr
    return run


def stores(said):
    """[(instruction, function)] of what lastwrite says."""
    return [(int(n), name) for n, name in re.findall(r"^ *(\d+) +\d+ +\d+ +0x\w+  (\w+), ", said, re.M)]


def mode_now(command):
    """The variable in the memory of the latest run, read by gdb from what that run left."""
    return re.search(r"\$1 = (\w+)", command("gdb", "--", "-nx", "-batch", "-ex", "print 'mm/commit.c'::mode"))[1]


def test_the_writer_and_the_moment(command):
    """Both stores are found, and the memory of each moment holds what had been stored by then."""
    command("run", "--", *SET_MODE)
    said = command("lastwrite", "mm/commit.c:mode", "--size", "4")
    found = stores(said)
    assert [name for _, name in found] == ["commit_set_mode"] * 2, said
    for moment, value in ((found[0][0] - 1000, "COMMIT_HEURISTIC"), (found[1][0] - 1000, "COMMIT_ALWAYS"),
                          (found[1][0] + 1000, "COMMIT_STRICT")):
        command("rewind", str(moment))
        assert mode_now(command) == value, moment


def test_it_repeats(command):
    """A run that is done again twice tells the same instructions, also through another name of the place."""
    command("run", "--", *SET_MODE)
    first = command("lastwrite", "mm/commit.c:mode")
    at = re.search(r"physical (0x\w+)", first)[1]
    assert stores(command("lastwrite", at)) == stores(first)


def test_of_a_process(command):
    """An address of a process, of which nobody but the program itself knows the physical one."""
    command("run", "--timeout", "20", "--", "sh", "-c", "read nothing < /dev/zero & kill -STOP $$", status=124)
    pid = re.search(r"^ +(\d+) .* sh -c", command("ps"), re.M)[1]
    stack = re.search(r"-(\w+) +rw-p .*\[stack\]", command("maps", pid))[1]
    said = command("lastwrite", "--pid", pid, f"{int(stack, 16) - 8:x}")
    assert re.search(r"physical 0x\w+, frame \d+: \d+ stores? in \d+ instructions", said)


REFUSALS = [
    (["--realtime", "--", "true"], ["lastwrite", "fault_total"], "only a run without --realtime repeats exactly"),
    (["--", "true"], ["lastwrite", "nosuch"], "nosuch is neither a hexadecimal address nor a variable of the kernel"),
    (["--", "true"], ["lastwrite", "ffffffffff000000"], "is not mapped"),
    (["--", "true"], ["lastwrite", "--pid", "77", "400000"], "there is no process 77"),
    (["--", "true"], ["rewind", "-1"], "try: ./vm"),
    (["--", "true"], ["rewind", "99999999999"], "the run has no more than"),
]


@pytest.mark.parametrize("run, words, message", REFUSALS, ids=lambda value: " ".join(value) if value else "")
def test_refusals(command, run, words, message):
    command("run", *run)
    assert message in command(*words, status=125)
