"""The kernel that watches its locks (make DEBUG=1, kernel/arch/lockorder.h): it stops at the first wrong order, at a
sleep or a use of user memory with a lock held.  Programs that use many locks run on it, on one processor and on four.
"""
import re
from pathlib import Path

import pytest
from test_guest import SCRIPT, parse

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = """auxv_is_sane bad_pointers code_written_then_run core_is_written_when_allowed cow_many_sharers
device_files descriptors eintr_and_restart exec_keeps_and_drops fadvise_loses_nothing file_locks fork_many
futex_and_clocks futex_calls getdents_large interval_timers kill_semantics links_and_unlink lost_pages
memory_file_systems mkdir_and_rmdir more_than_memory pipes poll_and_select proc_of_others process_vm promises
rename_matrix rename_race sessions shared_file_mapping sysv_shm_life threads_exec threads_races threads_race_on_files
truncate_takes_copies""".split()
# Many end at once: stacks are unmapped by processors that idle, and disks are waited for meanwhile.
ENDS = "for k in 1 2 3; do for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.3 & done; wait; done; echo done"


@pytest.fixture(scope="module", name="debug")
def debug_kernel(debug_built):  # pylint: disable=unused-argument
    """./vm takes the debug kernel where DEBUG=1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBUG", "1")
        yield


@pytest.mark.parametrize("cpus", [1, 4])
def test_programs(vm, debug, cpus):  # pylint: disable=unused-argument
    """They run to their ends, and none complains."""
    words = [f"{name}@{folder}" for name in PROGRAMS for folder in ("/root", "/tmp")]
    run = vm(["/bin/busybox", "sh", "-c", SCRIPT, "sh", *words], cpus=cpus, mem="24M", swap="64M").ok()
    results = parse(run.stdout)
    assert list(results) == words
    assert not [word for word, (_, out, _) in results.items() if "FAILED" in out]


@pytest.mark.parametrize("cpus", [1, 4])
def test_many_end(vm, debug, cpus):  # pylint: disable=unused-argument
    assert vm(["/bin/sh", "-c", ENDS], cpus=cpus).ok().out == "done\n"


def test_a_page_that_cannot_be_read_for_a_moment(vm, debug):  # pylint: disable=unused-argument
    """What the kernel notes of a slot's bytes, to find lost dirty bits, is not what a failed read left in the frame."""
    options = ["--disk-error", "swap:read:16000:3"]
    assert "lost 0, wrong 0" in vm(["/tests/lost_pages", "40"], mem="24M", swap="64M", options=options).ok().out


def test_every_lock_has_its_place():
    """The order in the kernel, that in docs/locking.md, and the names of all locks agree."""
    code = (ROOT / "kernel" / "sched" / "lockorder.c").read_text(encoding="utf-8")
    order = re.findall(r'^    \{"(.+)", (?:true|false)\},$', code, re.M)
    tables = (ROOT / "docs" / "locking.md").read_text(encoding="utf-8").split("## Fields")[0]
    rows = re.findall(r"^\| (`.*?`) \|", tables, re.M)
    assert [name for row in rows for name in re.findall("`(.*?)`", row)] == order
    sources = [*ROOT.glob("kernel/*/*.c"), *ROOT.glob("mm/*.c"), ROOT / "kernel" / "sched" / "waitq.h"]
    made = r'(?:SPINLOCK_INIT\(|MUTEX_INIT\(.*?, |mutex_init\(.*?, )"(.*?)"'
    names = {name for path in sources for name in re.findall(made, path.read_text(encoding="utf-8"))}
    assert names == set(order)
