"""Nothing is left: who takes too much is told so or ended, with one line in the log, and all others go on.

user/hog.c takes what it can of one thing; what else is in memory must still be right afterwards, and the machine's own
check at the end finds nothing wrong and nothing leaked.
"""
import re

import pytest

BUSYBOX = "/bin/busybox"
# What each kind of hog must say, and whether it must be killed; "bus": it dies by SIGBUS.
ANSWERS = {"memory": "killed", "shared": "killed", "shm": "bus", "tmpfs": "write: ENOSPC", "tables": "killed",
           "reading": "killed", "regions": "mmap: ENOMEM", "processes": "fork: (EAGAIN|ENOMEM)",
           "bomb": "the bomb is no more|fork: (EAGAIN|ENOMEM)", "pipes": "pipe: ENFILE", "files": "open: ENFILE",
           "names": "mkdir: ENOSPC", "stack": "killed"}
KEEP = "dd if=/dev/urandom of=/tmp/x bs=64k count=16 2>/dev/null; sum=$(md5sum </tmp/x); "
KEPT = "[ \"$sum\" = \"$(md5sum </tmp/x)\" ] && echo the shell goes on"
MACHINES = [("16M", None, 2), ("24M", None, 1), ("24M", "32M", 3), ("32M", "8M", 4)]


def judge(kind, count, said):
    """Are these the lines that so many hogs of the kind had to write?  How many were killed."""
    answer = ANSWERS[kind]
    killed = int(re.fullmatch(rf"killed: (\d+) of {count}", said[-1])[1])
    if answer in ("killed", "mmap: ENOMEM"):  # the one or the other, as the others leave it something
        assert killed + said.count("mmap: ENOMEM") == count and (killed > 0) >= (answer == "killed"), (kind, said)
        return killed
    words = [] if answer == "bus" else [answer] * count
    assert killed == 0 and len(said) == len(words) + 1, (kind, said)
    assert all(re.fullmatch(word, line) for word, line in zip(words, said)), (kind, said)
    return 0


@pytest.mark.parametrize("mem, swap, count", MACHINES)
def test_hogs(vm, mem, swap, count):
    """One kind after the other, several of a kind at once."""
    script = f"{KEEP} for kind in {' '.join(ANSWERS)}; do echo == $kind; hog $kind {count}; done; echo ==; {KEPT}"
    run = vm([BUSYBOX, "sh", "-c", script], mem=mem, swap=swap, timeout=900).ok()
    *parts, end = run.out.split("==")[1:]
    assert end == "\nthe shell goes on\n", run.out
    killed = 0
    for kind, part in zip(ANSWERS, parts):
        name, *said = part.strip().splitlines()
        assert name == kind
        killed += judge(kind, count, said)
    ended = re.findall(r"out of memory: ended process \d+ \((\S+)\)", run.log)
    assert ended == ["hog"] * killed


@pytest.mark.parametrize("mem, swap", [("24M", None), ("24M", "32M")])
@pytest.mark.parametrize("realtime", [False, True])
def test_all_at_once(vm, mem, swap, realtime):
    """At the same time: each may be the one that goes, but it is one of them, and it ends.

    The crowds of processes come last: while they last, fork refuses the shell too.  What is left of them in the end,
    because the one that was to clear them away had to go, the shell ends.
    """
    crowds = ["processes", "bomb"]
    kinds = " ".join(sorted(ANSWERS.keys() - set(crowds)))
    script = (f"{KEEP} for kind in {kinds}; do hog $kind 2 >/dev/null & done; "
              f"(for kind in {' '.join(crowds)}; do hog $kind 2; done) >/dev/null 2>&1 & wait; kill -9 -1; {KEPT}")
    run = vm([BUSYBOX, "sh", "-c", script], mem=mem, swap=swap, realtime=realtime, timeout=900).ok()
    assert run.out == "the shell goes on\n"
    assert set(re.findall(r"out of memory: ended process \d+ \((\S+)\)", run.log)) == {"hog"}


@pytest.mark.parametrize("seed", [2, 3])
def test_who_must_go_waits(vm, tmp_path, seed):
    """The largest process waits for a directory whose holder waits for memory: then another one goes as well."""
    for name in range(4 * 500):
        path = tmp_path / "walk" / str(name % 4) / f"{name:0200}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run = vm([BUSYBOX, "sh", "-c", "for i in 1 2 3; do hog directories; done"], mem="16M", seed=seed,
             add=[(tmp_path / "walk", "/walk")], timeout=600).ok()
    assert run.out == "killed: 1 of 1\n" * 3
    ended = re.findall(r"out of memory: ended process \d+ \((\S+)\)", run.log)
    assert set(ended) == {"hog"} and len(ended) >= 6
