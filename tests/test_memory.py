"""What memory costs, what a bad access does, and what happens when there is no more: by the guest's own count."""
import hashlib
import re

import pytest

BUSYBOX = "/bin/busybox"


def number(pattern, text):
    """The number that a line of the output gives."""
    found = re.search(pattern, text)
    assert found, text
    return int(found[1])


def test_bss_costs_what_is_touched(vm):
    """512 MiB of BSS, ten pages touched: ten frames, and page tables for ten places."""
    run = vm(["/tests/bss_is_demand_paged", "measure"]).ok()
    assert 10 <= number(r"resident (-?\d+) pages", run.out) <= 12
    # ten pages in ten different 2 MiB areas: ten tables, one or two above them, and the records of ten pages
    assert 40 <= number(r"used (-?\d+) KiB", run.out) <= 40 + 48 + 16


def test_fork_copies_only_what_is_written(vm):
    """A process of 32 MiB forks on a machine of 64; a hundred written pages are a hundred frames."""
    run = vm(["/tests/fork_of_a_big_process", "measure"], mem="64M").ok()
    # the child's page tables come with its faults; fork itself copies the table of private pages
    assert number(r"fork used (-?\d+) KiB", run.out) < 1024
    used = number(r"used (-?\d+) KiB\nok", run.out)
    # 100 pages in 17 areas of 2 MiB: 400 KiB, page tables, and the records of new pages
    assert 400 <= used <= 400 + 200


def test_text_is_shared(vm):
    """A second process of the same program costs far less than the program's size."""
    script = ("free_kib() { while read -r name value _; do [ $name = MemFree: ] && echo $value; done "
              "</proc/meminfo; }; "
              "sleep 1000 & sleep 1000 & sleep 1; before=$(free_kib); "
              "sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & sleep 1; after=$(free_kib); "
              "echo used $((before - after)) KiB; kill $(jobs -p); wait")
    run = vm([BUSYBOX, "sh", "-c", script]).ok()
    assert number(r"used (-?\d+) KiB", run.out) < 4 * 200


def test_bad_programs_die_alone(vm):
    """A hundred programs that do what they must not; each dies alone, by a signal, and the shell goes on."""
    script = ("i=0; while [ $i -lt 65 ]; do /tests/bad_accesses $i; echo a $i $?; i=$((i + 1)); done; "
              "i=0; while [ $i -lt 47 ]; do /tests/privileged_instructions $i; echo p $i $?; i=$((i + 1)); done; "
              "echo the shell goes on")
    run = vm([BUSYBOX, "sh", "-c", script])
    lines = run.out.splitlines()
    assert lines[-1] == "the shell goes on", run.out[-500:] + run.log[-2000:]
    assert run.status == 0, run.err
    died = [line for line in lines[:-1] if int(line.split()[2]) in {128 + n for n in (4, 5, 7, 8, 11)}]
    assert len(died) == 65 + 47, sorted(set(lines) - set(died))


def test_bad_access_is_explained(vm):
    """One line of the log says which address, what kind, and what is near."""
    run = vm(["/tests/bad_accesses", "26"])  # a store to 0xdead000000000000
    assert run.status == 139
    assert any("bad_accesses" in line for line in run.log.splitlines()), run.log[-2000:]
    run = vm(["/tests/bad_accesses", "36"])  # a store to the kernel half
    assert run.status == 139
    lines = [line for line in run.log.splitlines() if "bad_accesses" in line and "ffff800000000000" in line]
    assert len(lines) == 1, run.log[-2000:]
    assert "write" in lines[0]


@pytest.mark.parametrize("mem", ["24M", "64M"])
def test_out_of_memory(vm, mem):
    """A program that wants more than there is dies or is told so; the shell goes on."""
    script = ("dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; [ $? != 0 ] && echo refused; "
              "seq 1 1000 | tail -n 1; dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; "
              "[ $? != 0 ] && echo refused again")
    run = vm([BUSYBOX, "sh", "-c", script], mem=mem).ok()
    assert run.out == "refused\n1000\nrefused again\n"


def test_full_tmpfs(vm):
    """A tmpfs that grows past memory is refused, and what it held comes back."""
    script = ("dd if=/dev/zero of=/tmp/f bs=64k count=4000 2>/dev/null; [ $? != 0 ] && echo refused; rm /tmp/f; "
              "dd if=/dev/zero of=/tmp/f bs=64k count=100 2>/dev/null && echo room again; rm /tmp/f")
    assert vm([BUSYBOX, "sh", "-c", script]).ok().out == "refused\nroom again\n"


def test_full_disk(vm):
    """ENOSPC, and a clean file system afterwards (checked by the fixture)."""
    script = ("dd if=/dev/zero of=/root/f bs=64k count=40000 2>/tmp/e; [ $? != 0 ] && "
              "grep -o 'No space left on device' /tmp/e; rm /root/f; sync; "
              "dd if=/dev/zero of=/root/f bs=64k count=100 2>/dev/null && echo room again")
    run = vm([BUSYBOX, "sh", "-c", script], mem="256M").ok()
    assert run.out == "No space left on device\nroom again\n"


def test_large_files_go_through_little_memory(vm):
    """40 MiB written to the disk and read back on a machine of 24: the page cache gives way."""
    script = ("dd if=/dev/zero bs=64k count=640 2>/dev/null | tr '\\0' v >/root/big; md5sum </root/big; "
              "wc -c </root/big; rm /root/big")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M").ok()
    assert run.out.split() == [hashlib.md5(b"v" * (640 << 16)).hexdigest(), "-", str(640 << 16)]
