"""Every program of user/tests/ runs on Linux and on Vitrine, and the two transcripts must agree.

The same binary runs in an empty directory on both sides; standard output, standard error and exit status are compared.
Where Linux itself is no measure, tests/guest/NAME.expected holds what the guest must print.  Marks near the top of a
program say what it asks for:

    /* needs: 64M */     not on the machine of 24 MiB        /* needs: root */    Linux must be run as root
    /* also: tmpfs */    once more with its directory on tmpfs

To save boots, a dozen programs share one machine.  If that machine dies, hangs or ends with a failed check, its
programs run again one by one, so that a failure is put down to the program that made it.
"""
import difflib
import fcntl
import json
import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BATCH = 12
SECONDS = 300

# Runs NAME@DIRECTORY for each argument; a header line and the two outputs follow when it has ended.
SCRIPT = r"""
for word in "$@"; do
    name=${word%%@*} dir=${word#*@}/t-${word%%@*}
    rm -rf "$dir"; mkdir -p "$dir"; cd "$dir"
    "/tests/$name" </dev/null >/tmp/out 2>/tmp/err
    status=$?
    cd /; rm -rf "$dir"
    echo "=== $word $status $(($(wc -c </tmp/out))) $(($(wc -c </tmp/err)))"
    cat /tmp/out /tmp/err
    rm -f /tmp/out /tmp/err
done
"""


def marks(path):
    """The words of the `needs:` and `also:` comment lines."""
    found = re.findall(r"^/\* (?:needs|also): (.*) \*/$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {word for line in found for word in line.split()}


def cases():
    """(program, memory, directory) of every test, as pytest parameters."""
    for path in sorted((ROOT / "user" / "tests").glob("*.c")):
        wants, name = marks(path), path.stem
        yield pytest.param(name, "64M", "/root", id=f"{name}-64M")
        if not wants & {"32M", "64M"}:
            yield pytest.param(name, "24M", "/root", id=f"{name}-24M")
        if "tmpfs" in wants:
            yield pytest.param(name, "64M", "/tmp", id=f"{name}-tmpfs")


def parse(output):
    """The results in a batch's output: {word: [status, stdout, stderr]}; a torn last one is left out."""
    results = {}
    while (header := re.match(rb"=== (\S+) (\d+) (\d+) (\d+)\n", output)) is not None:
        word, status, out, err = header[1].decode(), *(int(header[i]) for i in (2, 3, 4))
        output = output[header.end():]
        if len(output) < out + err:
            break
        results[word] = [status, output[:out].decode("latin-1"), output[out:out + err].decode("latin-1")]
        output = output[out + err:]
    return results


def run_words(vm, words, mem):
    """Run these in one machine; (results, Result of the machine)."""
    run = vm(["/bin/busybox", "sh", "-c", SCRIPT, "sh", *words], mem=mem, timeout=SECONDS)
    return parse(run.stdout), run


def report(run):
    """What a machine that did not end well had to say."""
    return f"the machine ended with status {run.status}\n{run.err[-3000:]}\n--- log\n{run.log[-5000:]}"


def run_batch(vm, words, mem):
    """Results of all words: [status, stdout, stderr], or a string that says how the machine failed."""
    results, todo = {}, list(words)
    while todo:
        got, run = run_words(vm, todo, mem)
        finished = all(word in got for word in todo)
        if run.status == 0 and finished:
            return results | got
        if len(todo) == 1:
            return results | {todo[0]: report(run)}
        if finished:  # a check failed at the end; whose doing was it?
            return results | blame(vm, todo, mem, got, report(run))
        for word in todo:
            if word in got:
                results[word] = got[word]
        dead = next(word for word in todo if word not in got)
        results |= run_batch(vm, [dead], mem)
        todo = todo[todo.index(dead) + 1:]
    return results


def blame(vm, words, mem, together, message):
    """Run each word in a machine of its own; if none fails there, the last gets the blame for all."""
    results = {word: run_batch(vm, [word], mem)[word] for word in words}
    if not any(isinstance(result, str) for result in results.values()):
        return together | {words[-1]: f"one by one they pass, together ({' '.join(words)}) not: {message}"}
    return results


@pytest.fixture(scope="session")
def guest(request, vm_session, tmp_path_factory):
    """guest(name, mem, directory) -> the result in the guest; a dozen selected tests are run at once."""
    batches = {}
    for item in request.session.items:
        if item.function is test_guest:
            name, mem, directory = (item.callspec.params[key] for key in ("name", "mem", "directory"))
            batches.setdefault(mem, []).append(f"{name}@{directory}")
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent  # all workers of a session see this one

    def result(name, mem, directory):
        words = batches[mem]
        start = words.index(f"{name}@{directory}") // BATCH * BATCH
        kept = shared / f"guest-{mem}-{start}.json"
        with open(kept.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                results = run_batch(vm_session, words[start:start + BATCH], mem)
                kept.write_text(json.dumps(results), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))[f"{name}@{directory}"]

    return result


def set_limits():
    """The limits that the guest gives its first program."""
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)  # whoever started us may ignore some: nohup does


def on_linux(name, folder):
    """The same three things from the host's kernel; one at a time, for it counts queued signals by user."""
    binary = ROOT / "build" / "user" / "tests" / name
    with open(ROOT / "build" / ".linux", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([binary], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=SECONDS, preexec_fn=set_limits, env={"PATH": "/bin:/usr/bin", "HOME": "/root"})
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return [status, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]


def expected(name, folder):
    """What the guest must answer."""
    file = ROOT / "tests" / "guest" / f"{name}.expected"
    if file.exists():
        return [0, file.read_text(encoding="latin-1"), ""]
    if "root" in marks(ROOT / "user" / "tests" / f"{name}.c") and os.geteuid() != 0:
        pytest.skip("Linux must be run as root to compare")
    return on_linux(name, folder)


def difference(want, got):
    """A diff of two transcripts, Linux's lines with -, Vitrine's with +."""
    lines = difflib.unified_diff(want.splitlines(), got.splitlines(), "linux", "vitrine", lineterm="", n=2)
    return "\n".join(lines)


@pytest.mark.parametrize("name, mem, directory", cases())
def test_guest(guest, tmp_path, name, mem, directory):
    """One program, one size of machine."""
    got = guest(name, mem, directory)
    assert not isinstance(got, str), got
    want = expected(name, tmp_path)
    assert got[1] == want[1], "standard output differs\n" + difference(want[1], got[1])
    assert got[2] == want[2], "standard error differs\n" + difference(want[2], got[2])
    assert got[0] == want[0], "the exit status differs"


def test_linux_holds_every_claim(built, tmp_path):
    """No program may print FAILED on Linux: a claim that Linux does not keep is a wrong claim."""
    wrong = []
    for path in sorted((ROOT / "user" / "tests").glob("*.c")):
        if (ROOT / "tests" / "guest" / f"{path.stem}.expected").exists():
            continue
        if "root" in marks(path) and os.geteuid() != 0:
            continue
        folder = tmp_path / path.stem
        folder.mkdir()
        wrong += [f"{path.stem}: {line}" for line in on_linux(path.stem, folder)[1].splitlines()
                  if line.startswith(("FAILED", "GAVE UP"))]
    assert not wrong, "\n".join(wrong)
