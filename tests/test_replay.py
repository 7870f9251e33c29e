"""vm lastwrite, vm rewind: a run done again tells who stored where, and has the memory of any moment."""
import json
import re
import subprocess

import pytest
from test_glass import ROOT, build_folder
from vitrine import machine, replay

SET_MODE = ["sh", "-c", "echo 1 > /proc/sys/vm/overcommit_memory; echo 2 > /proc/sys/vm/overcommit_memory"]


@pytest.fixture
def command(built, tmp_path):
    """command(*words) -> what ./vm says, in a build folder of this test's own."""
    env = build_folder(built, tmp_path / "build")

    def run(*words, status=0, stdin=""):
        done = subprocess.run([ROOT / "vm", *words], env=env, cwd=tmp_path, input=stdin, capture_output=True, text=True,
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


def test_what_a_run_gave_is_left_alone(command, tmp_path):
    """Done again, it neither writes its log and files once more nor says anything."""
    command("run", "--log", "log", "--get", "/etc/passwd:copy", "--", "sh", "-c", "echo said >&2")
    log = (tmp_path / "log").read_bytes()
    (tmp_path / "copy").write_text("mine")
    assert "said" not in command("lastwrite", "mm/commit.c:mode")
    assert log and (tmp_path / "log").read_bytes() == log and (tmp_path / "copy").read_text() == "mine"


def test_a_run_that_does_not_repeat(command):
    """It had input, which is not there any more: the answer comes with a warning, and without one otherwise."""
    command("run", "--", "sh", "-c", "read x; seq 1 $x", stdin="1000\n")
    command("run", "--", "true")
    assert "did not repeat" in command("--run", "1", "lastwrite", "mm/commit.c:mode")
    assert "did not repeat" not in command("--run", "2", "lastwrite", "mm/commit.c:mode")


def test_it_may_take_longer(command, tmp_path):
    """The time limit of a run that came to an end in time is not one for doing it again."""
    command("run", "--timeout", "100", "--", "true")
    note = tmp_path / "build" / "runs" / "latest" / "arguments"
    note.write_text(note.read_text().replace('"100"', '"0.2"'))
    assert "0 stores" in command("lastwrite", "mm/commit.c:mode")


def test_a_folder_that_is_gone(command, tmp_path):
    command("run", "--", "true")
    note = tmp_path / "build" / "runs" / "latest" / "arguments"
    note.write_text(json.dumps(dict(json.loads(note.read_text()), cwd="/nowhere")))
    assert "was started, /nowhere: No such file" in command("lastwrite", "fault_total", status=125)


def test_a_plugin_that_cannot_be_made(tmp_path, monkeypatch):
    """No compiler, or one that complains."""
    monkeypatch.setattr(machine, "BUILD", str(tmp_path))
    (tmp_path / "bad.c").write_text("int f(void) { return nothing; }\n")
    for compiler, says in (("no-such-cc", "no-such-cc is not installed"), ("gcc", "bad.c could not be compiled:")):
        monkeypatch.setenv("CC", compiler)
        with pytest.raises(machine.HostError, match=says):
            replay.plugin(str(tmp_path / "bad.c"))
    assert [path.name for path in tmp_path.iterdir()] == ["bad.c"]


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
