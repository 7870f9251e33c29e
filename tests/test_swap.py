"""Swap: more memory than there is RAM, and every byte where it was."""
import re
import subprocess

import pytest

from test_programs import find, with_libraries

BUSYBOX = "/bin/busybox"
SWAPPED = "[ $(sed -n 's/^pswpout //p' /proc/vmstat) -gt 100 ] && echo swapped"
RIGHT = "ok      all is there after filling\nchildren that saw what they should: 4\nok      the parent too\n"


@pytest.mark.parametrize("kind", ["private", "shared", "sysv"])
@pytest.mark.parametrize("seed", [1, 2])
def test_four_times_the_memory(vm, kind, seed):
    """128 MiB on a machine of 32, shared copy-on-write or truly by five processes."""
    run = vm(["/tests/more_than_memory", "128", kind], mem="32M", swap="256M", seed=seed).ok()
    assert run.out == RIGHT


def on_host(script, folder):
    """What the script says on Linux."""
    return subprocess.run([BUSYBOX, "sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("policy", ["clock", "fifo", "lru", "random", "reuse"])
def test_every_policy(vm, tmp_path, policy):
    """The bytes are the same, whoever chooses what goes."""
    machine = {"mem": "32M", "swap": "256M", "append": f"policy={policy}"}
    assert vm(["/tests/more_than_memory", "128"], **machine).ok().out == RIGHT
    script = "seq 1 300000 | sort -rn | sha256sum; seq 1 2500000 >big; sha256sum <big; sha256sum <big"
    machine["mem"] = "16M"
    run = vm([BUSYBOX, "sh", "-c", f"cd /root; {script}; {SWAPPED}; cat /proc/vitrine/policy"], **machine).ok()
    assert run.out == f"{on_host(script, tmp_path)}swapped\n{policy}\n"


@pytest.mark.parametrize("policy", ["clock", "fifo", "lru", "random", "reuse"])
def test_lua_in_more_than_memory(vm, policy):
    """An interpreter whose collector walks through all it has, again and again."""
    lua = find("lua5.4")
    program = ("local t, sum = {}, 0 for i = 1, 250000 do t[i] = {i, tostring(i)} end for round = 1, 2 do "
               "for i = 1, #t do sum = (sum * 31 + t[i][1] + #t[i][2]) % 1000003 end end print(sum)")
    host = subprocess.run([lua, "-e", program], capture_output=True, text=True, check=True)
    run = vm([BUSYBOX, "sh", "-c", f"{lua} -e '{program}'; {SWAPPED}"], mem="24M", swap="256M",
             add=with_libraries(lua), append=f"policy={policy}").ok()
    assert run.out == host.stdout + "swapped\n"


def test_an_unknown_policy_is_refused_in_words(vm):
    run = vm([BUSYBOX, "cat", "/proc/vitrine/policy"], append="policy=oracle", unchecked=True).ok()
    assert run.out == "clock\n"
    assert 'there is no policy "oracle": clock, fifo, lru, random or reuse' in run.log


@pytest.mark.parametrize("kind", [[], ["sysv"]])
def test_locked_pages_stay(vm, kind):
    """mlock and SHM_LOCK hold their pages while everything else goes to swap and back."""
    run = vm(["/tests/locked_pages_stay", "32", *kind], mem="24M", swap="64M").ok()
    assert run.out.splitlines()[1:] == ["wrong bytes: 0, waits for the disk: 0", "wrong bytes elsewhere: 0"]


def test_truly_parallel_clock(vm):
    """The same by the host's clock, where the disk answers when it likes."""
    run = vm(["/tests/more_than_memory", "64"], mem="24M", swap="128M", realtime=True).ok()
    assert run.out == RIGHT


def test_reads_grow_where_they_are_in_order(vm):
    """Who goes through memory in turn waits once for many pages; who jumps about reads only what is wanted."""
    said = {}
    for pattern in ("loop", "chance"):
        run = vm([BUSYBOX, "sh", "-c", f"patterns {pattern} 26; grep pswpin /proc/vmstat"], mem="24M",
                 swap="128M").ok()
        said[pattern] = int(re.search(r"(\d+) waits", run.out)[1]), int(re.search(r"pswpin (\d+)", run.out)[1])
    waits, pages = said["loop"]
    assert pages > 20000 and 20 * waits < pages, said
    waits, pages = said["chance"]
    assert waits > 5000 and pages < 1.05 * waits, said


def test_a_clean_page_is_written_once(vm):
    """What comes back unchanged keeps its slot: reading all of it again writes next to nothing."""
    script = ("out() { sed -n 's/^pswpout //p' /proc/vmstat; }; "
              "dd if=/dev/urandom of=/tmp/x bs=1M count=10 2>/dev/null; "
              "/tests/more_than_memory 24 >/dev/null; sum=$(md5sum </tmp/x); before=$(out); "
              "for i in 1 2 3; do cat /bin/busybox /tests/* >/dev/null; "
              "[ \"$sum\" = \"$(md5sum </tmp/x)\" ] || echo wrong; done; "
              "echo written $(($(out) - before))")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M").ok()
    assert int(run.out.split()[1]) < 400, run.out  # of 7680 pages that were read


def test_areas_by_priority(vm):
    """The area with the higher priority is filled first; one that leaves gives its pages to the others."""
    script = ("areas() { awk 'NR > 1 {print $1, $5}' /proc/swaps | sort; }; areas; swapoff /dev/vdb; swapoff /dev/vdc; "
              "/tests/swapon_refuses /dev/vdb 5; /tests/swapon_refuses /dev/vdc 7; areas; "
              "dd if=/dev/urandom of=/tmp/x bs=1M count=8 2>/dev/null; sum=$(md5sum </tmp/x); "
              "/tests/more_than_memory 28 | tail -1; "
              "used() { awk -v d=/dev/$1 '$1 == d {print $4}' /proc/swaps; }; "
              "[ $(used vdc) -gt 1000 ] && [ $(used vdb) -lt $(used vdc) ] && echo the higher first; "
              "swapoff /dev/vdc; echo $?; "
              "[ \"$sum\" = \"$(md5sum </tmp/x)\" ] && echo same")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="48M", options=["--swap", "32M", "--swap", "8M"]).ok()
    assert run.out.splitlines() == ["/dev/vdb -2", "/dev/vdc -3", "/dev/vdd -4", "/dev/vdb 5", "/dev/vdc 7",
                                    "/dev/vdd -4", "ok      the parent too", "the higher first", "0", "same"]


def test_swapoff_brings_back(vm):
    """swapon, swapoff and their refusals, with pages of tmpfs out there."""
    script = ("cat /proc/swaps | wc -l; dd if=/dev/urandom of=/tmp/x bs=1M count=12 2>/dev/null; "
              "sum=$(md5sum </tmp/x); "
              "/tests/more_than_memory 40 | tail -1; "
              "awk 'NR==2 {print ($4 > 4000) ? \"used\" : \"unused\"}' /proc/swaps; "
              "swapon /dev/vdb 2>/dev/null || echo busy; swapoff /dev/vdb; echo $?; cat /proc/swaps | wc -l; "
              "[ \"$sum\" = \"$(md5sum </tmp/x)\" ] && echo same; swapoff /dev/vdb 2>/dev/null || echo not in use; "
              "swapon /dev/vdb; echo $?; swapoff /dev/vdb; dd if=/dev/zero of=/dev/vdb bs=4k count=1 2>/dev/null; "
              "swapon /dev/vdb 2>/dev/null || echo refused; swapon /dev/null 2>/dev/null || echo no disk")
    run = vm([BUSYBOX, "sh", "-c", script], mem="48M", swap="64M").ok()
    assert run.out.splitlines() == ["2", "ok      the parent too", "used", "busy", "0", "1", "same", "not in use", "0",
                                    "refused", "no disk"]
    assert "vdb is not used: it has no swap signature" in run.log


def test_changed_pages_leave_though_swap_is_full(vm):
    """All slots are taken, and what comes back and is changed can only leave to the slot that it had: nobody ends."""
    run = vm(["/tests/stale_slots_serve", "30"], mem="24M", swap="16M", append="overcommit=always").ok()
    assert run.out == "wrong: 0\n"


def test_swap_full(vm):
    """When RAM and swap are full, one process ends with one line, and the shell goes on."""
    run = vm([BUSYBOX, "sh", "-c", "/tests/more_than_memory 64; echo status $?; echo the shell goes on"],
             mem="24M", swap="16M", append="overcommit=always")
    assert run.out.splitlines()[-2:] == ["status 137", "the shell goes on"], run.out
    assert run.log.count("out of memory: ended process") == 1
