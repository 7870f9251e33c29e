"""Overcommit: what may be promised, and that a promise is kept."""
import re

import pytest

BUSYBOX = "/bin/busybox"


def committed(text):
    """Committed_AS in KiB."""
    return int(re.search(r"Committed_AS: +(\d+) kB", text)[1])


HEURISTIC = """one of 96 MiB: ENOMEM
8 of a third of that: 8
MAP_NORESERVE of 96 MiB: ok
read-only, of 96 MiB: ok
made writable, 96 MiB: ENOMEM
fork with 256 MiB: ENOMEM
shared, 96 MiB: ENOMEM
shared with MAP_NORESERVE, 96 MiB: ok
segment of 96 MiB: ENOMEM
SHM_NORESERVE of 96 MiB: ok
brk by 96 MiB: ENOMEM
"""


def test_heuristic_refuses_only_the_obvious(vm):
    """One request larger than RAM and swap together is refused; many that add up to more are not."""
    assert vm(["/tests/promises", "96"], mem="64M").ok().out == HEURISTIC


def test_swap_counts(vm):
    """fork() asks for 256 MiB at once, as neighbours that are alike are one region."""
    assert vm(["/tests/promises", "96"], mem="64M", swap="64M").ok().out.count("ENOMEM") == 1
    assert vm(["/tests/promises", "96"], mem="64M", swap="256M").ok().out.count("ENOMEM") == 0


def test_always_refuses_nothing(vm):
    run = vm(["/tests/promises", "4096"], mem="24M", append="overcommit=always").ok()
    assert "ENOMEM" not in run.out and "of a third of that: 8\n" in run.out


@pytest.mark.parametrize("swap", ["none", "64M"])
def test_strict_keeps_its_promises(vm, swap):
    """Asks until it is refused, touches all it got: nobody is killed, and everything is given back."""
    run = vm(["/tests/promises_kept", "all"], mem="48M", swap=swap, append="overcommit=strict").ok()
    got = int(re.search(r"got (\d+) MiB", run.out)[1])
    limit = (48 // 2 if swap == "none" else 48 // 2 + 64)
    assert limit * 0.6 <= got <= limit
    assert run.out.endswith("refused: ENOMEM\nfork: ENOMEM\nall was touched\nafter giving back: ok\n")
    assert "killed" not in run.log


def test_committed_is_exact(vm):
    """What a process was promised is given back to the last page when it ends, however it changed its mappings."""
    script = "for i in 1 2; do for t in {}; do /tests/$t >/dev/null 2>&1; done; grep Committed /proc/meminfo; done"
    tests = "many_regions mremap_grows_and_moves munmap_makes_holes brk_heap_splits fork_many stack_grows_to_limit"
    run = vm([BUSYBOX, "sh", "-c", script.format(tests)]).ok()
    before, after = (committed(line) for line in run.out.splitlines())
    assert 0 < before == after


def test_the_mode_can_be_changed(vm):
    script = ("cat /proc/sys/vm/overcommit_memory; echo 2 >/proc/sys/vm/overcommit_memory; "
              "cat /proc/sys/vm/overcommit_memory /proc/sys/vm/overcommit_ratio; "
              "for bad in 3 x 11 ''; do echo $bad >/proc/sys/vm/overcommit_memory 2>/dev/null || echo refused; done")
    run = vm([BUSYBOX, "sh", "-c", script]).ok()
    assert run.out == "0\n2\n50\n" + 4 * "refused\n"


def test_promises_outgrown_stay(vm):
    """More was promised than the mode that comes allows: what asks for nothing new is refused nothing."""
    run = vm(["/tests/promises_outgrown", "16", "2"], mem="24M").ok()
    assert run.out == "read-only: 0\nwritable again: 0\nand what is shared: 0\n"


def test_an_unknown_mode_is_refused_in_words(vm):
    run = vm([BUSYBOX, "cat", "/proc/sys/vm/overcommit_memory"], append="overcommit=maybe",
             unchecked=True).ok()
    assert run.out == "0\n"
    assert "there is no overcommit=maybe" in run.log
