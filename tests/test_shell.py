"""The shell and its tools: the same command lines on Linux and on Vitrine, the same output.

Both sides use Debian's busybox, with its applets first in PATH.
"""
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUSYBOX = "/bin/busybox"

PIPELINES = {
    "sum": "seq 1 100000 | sort -rn | sha256sum",
    "words": "yes 'a b c' | head -n 5000 | tr ' ' '\\n' | sort | uniq -c",
    "cascade": "seq 1 3000 | cat | cat | cat | cat | cat | cat | md5sum",
    "early_end": "yes | head -n 3",
    "status": "exit 42",
    "signal": "kill -TERM $$",
    "missing": "no-such-command",
    "both_streams": "echo out; echo err >&2; exit 3",
    "subshells": "for i in 1 2 3 4 5 6 7 8 9; do (echo $i | sed 's/$/./'); done",
    "arithmetic": "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i",
    "large_pipe": "dd if=/dev/zero bs=64k count=64 2>/dev/null | wc -c",
    "binary": "printf '\\000\\001\\377\\r\\n\\n'",
}


@pytest.fixture(scope="module")
def applets(tmp_path_factory):
    """A directory with a link for each applet of the host's busybox."""
    folder = tmp_path_factory.mktemp("applets")
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, check=True, text=True).stdout.split():
        (folder / name).symlink_to(BUSYBOX)
    return folder


def on_linux(applets, folder, argv, stdin=b""):
    """(status as a shell counts it, stdout, stderr) of the host."""
    env = {"PATH": f"{applets}:/bin", "HOME": "/root"}
    done = subprocess.run(argv, cwd=folder, env=env, input=stdin, capture_output=True, check=False, timeout=120)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", PIPELINES)
def test_pipeline(vm, applets, tmp_path, name):
    """One command line: output byte for byte, and the status."""
    argv = [BUSYBOX, "sh", "-c", PIPELINES[name]]
    status, out, err = on_linux(applets, tmp_path, argv)
    run = vm(argv)
    assert run.stdout == out
    assert run.stderr == err
    assert run.status == status


@pytest.mark.parametrize("mem", ["64M", "24M"])
@pytest.mark.parametrize("where", ["/root/work", "/tmp/work"], ids=["disk", "tmpfs"])
def test_everyday_script(vm, applets, tmp_path, mem, where):
    """Pipes, redirection, here-documents, find, tar, gzip, awk, sed, job control."""
    script = HERE / "guest" / "everyday.sh"
    work = tmp_path / "work"
    work.mkdir()
    # PATH is the applets' on both sides; messages of the shell itself go to standard error, which may differ in wording
    status, out, _ = on_linux(applets, work, [BUSYBOX, "sh", str(script)])
    run = vm([BUSYBOX, "sh", "-c", f"mkdir -p {where}; cd {where}; exec /bin/busybox sh /root/everyday.sh"],
             mem=mem, add=[(script, "/root/everyday.sh")])
    assert run.out == out.decode(), run.err + run.log[-3000:]
    assert run.status == status


def test_standard_input(vm):
    """Bytes that go in come out, all 256 of them and many."""
    data = bytes(range(256)) * 1000 + b"no newline at the end"
    assert vm([BUSYBOX, "cat"], stdin=data).ok().stdout == data


def test_standard_input_is_a_script(vm):
    """A shell that reads its commands from standard input."""
    run = vm([BUSYBOX, "sh"], stdin=b"echo one\nfor i in 1 2; do\n echo $i\ndone\nexit 9\n")
    assert (run.status, run.out) == (9, "one\n1\n2\n")


def test_no_standard_input(vm):
    """End of file at once."""
    assert vm([BUSYBOX, "wc", "-c"]).ok().out.strip() == "0"


def test_files_go_in_and_out(vm, tmp_path):
    """--add before, --get after: what the guest writes to its disk is what the host reads."""
    source = tmp_path / "in.bin"
    source.write_bytes(os.urandom(3_000_000))
    vm([BUSYBOX, "sh", "-c", "cp /root/in.bin /root/out.bin && chmod 600 /root/out.bin"],
       add=[(source, "/root/in.bin")], get=[("/root/out.bin", tmp_path / "out.bin")]).ok()
    assert (tmp_path / "out.bin").read_bytes() == source.read_bytes()


def test_environment(vm):
    """--env reaches the program, and what every program expects is there."""
    run = vm([BUSYBOX, "env"], env={"COLOUR": "glass blue"}).ok()
    assert "COLOUR=glass blue" in run.out.splitlines()
    assert {"PATH", "HOME", "TERM"} <= {line.split("=")[0] for line in run.out.splitlines()}


@pytest.mark.parametrize("command, needle", [
    ("ps", "sh"), ("free", "Mem:"), ("uptime", "load average"), ("mount", "ext2"), ("df", "/"), ("top -b -n 1", "Mem:"),
    ("cat /proc/$$/maps", "[stack]"), ("uname -a", "x86_64"), ("id", "uid=0"), ("cat /proc/self/status", "VmRSS"),
    ("cat /proc/loadavg", "."), ("readlink /proc/self/exe", "busybox"), ("ls -l /proc/self/fd", "0 ->"),
    ("tr '\\0' ' ' </proc/self/cmdline", "tr"), ("date +%Y", "20"), ("hostname", ""), ("cat /proc/self/stat", "cat"),
])
def test_system_tools(vm, command, needle):
    """The tools that look at the system find what they read."""
    run = vm([BUSYBOX, "sh", "-c", command]).ok()
    assert needle in run.out, run.out
