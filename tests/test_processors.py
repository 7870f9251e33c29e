"""Several processors: they come up, they take turns as the seed says, and a run repeats."""
import pytest

BUSYBOX = "/bin/busybox"
# Threads that meet at locks, and then what the kernel counted: switches, ticks, faults, flushes.
COUNTED = "/tests/threads_cond >/dev/null; cat /proc/stat /proc/vmstat"


@pytest.mark.parametrize("cpus, realtime", [(1, False), (2, False), (4, True), (8, False)])
def test_all_come_up(vm, cpus, realtime):
    """As many as there are, each with its line in every list."""
    run = vm([BUSYBOX, "sh", "-c", "grep -c ^processor /proc/cpuinfo; grep -c ^cpu[0-9] /proc/stat; nproc"], cpus=cpus,
             realtime=realtime).ok()
    assert run.out.split() == [str(cpus)] * 3


def test_runs_repeat(vm):
    """With one seed not even a counter differs; with another the threads meet differently."""
    first, again, other = (vm([BUSYBOX, "sh", "-c", COUNTED], cpus=4, seed=seed, realtime=False).ok().out
                           for seed in (1, 1, 2))
    assert "nr_tlb_remote_flush" in first
    assert first == again
    assert first != other


def test_runs_with_disks_repeat(vm):
    """Whether the host's disk answers early or late: what is swapped, forked, read and written, to the last counter."""
    script = "soak 7 6; cat /proc/stat /proc/vmstat /proc/uptime"
    runs = {vm([BUSYBOX, "sh", "-c", script], cpus=4, mem="48M", swap="256M", seed=7, realtime=False).ok().out
            for _ in range(4)}
    assert "pswpout" in min(runs) and len(runs) == 1


def test_work_is_shared(vm):
    """Four that only compute are on four processors, and none has more than twice of another's."""
    script = ("count() { i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; }; "
              "for k in 1 2 3 4; do count & done; wait; grep '^cpu[0-9]' /proc/stat")
    run = vm([BUSYBOX, "sh", "-c", script], cpus=4, realtime=False).ok()
    ticks = [int(line.split()[1]) for line in run.out.splitlines()]
    assert len(ticks) == 4 and min(ticks) > 0 and max(ticks) <= 2 * min(ticks) + 2, ticks


def test_flushes_are_asked_of_users_only(vm):
    """One thread, whatever it unmaps, sends no message: the other processors idle or are elsewhere."""
    script = ("read_it() { grep -w nr_tlb_remote_flush /proc/vmstat | cut -d' ' -f2; }; "
              "a=$(read_it); /tests/munmap_makes_holes >/dev/null || echo failed; b=$(read_it); echo $((b - a))")
    assert int(vm([BUSYBOX, "sh", "-c", script], cpus=4, realtime=False).ok().out) == 0


def test_limits_leave_locks(vm):
    """A process that executes itself while another sets its limits keeps its record locks; it takes two processors."""
    vm(["/tests/limits_leave_locks"], cpus=2, realtime=False).ok()
