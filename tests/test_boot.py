"""Power-on to a program and back to power-off: both firmwares, little and much memory, orderly ends."""
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

ECHO = ["/bin/busybox", "echo", "behind", "glass"]
MARKER = "behind glass\n"


@pytest.mark.parametrize("door", ["pvh", "grub", "uefi"])
def test_doors(vm, door):
    """Direct, by GRUB under BIOS, by GRUB under UEFI."""
    run = vm(ECHO, door=door, mem="256M").ok()
    assert run.out == MARKER
    assert run.err == ""


@pytest.mark.parametrize("mem", ["24M", "25M", "40M", "64M", "200M", "1G", "3G", "4G", "8G"])
def test_memory_sizes(vm, mem):
    """From 24 MiB to 8 GiB, with the hole below 4 GiB; the kernel must see nearly all of it."""
    run = vm(["/bin/busybox", "cat", "/proc/meminfo"], mem=mem).ok()
    total = int(run.out.split("MemTotal:")[1].split()[0]) * 1024
    size = int(mem[:-1]) << {"M": 20, "G": 30}[mem[-1]]
    assert total <= size
    assert total > size - size // 16 - (12 << 20)


@pytest.mark.parametrize("door, mem", [("grub", "24M"), ("grub", "8G"), ("uefi", "8G")])
def test_memory_sizes_by_firmware(vm, door, mem):
    """The firmware's memory map differs from QEMU's own."""
    assert vm(ECHO, door=door, mem=mem).ok().out == MARKER


def test_much_memory_can_be_used(vm):
    """On a machine of 5 GiB a file of 40 MiB in a tmpfs holds what was written to it."""
    run = vm(["/bin/busybox", "sh", "-c",
              "yes vitrine | head -c 40000000 >/tmp/f && md5sum </tmp/f && rm /tmp/f"], mem="5G").ok()
    assert run.out.split()[0] == hashlib.md5(b"vitrine\n" * 5_000_000).hexdigest()


def test_too_little_memory(vm):
    """8 MiB are not enough, and the kernel says so."""
    run = vm(ECHO, mem="8M", timeout=60, fsck=False)
    assert run.status == 126
    assert "memory" in (run.err + run.log).lower() or "ram" in (run.err + run.log).lower()


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_block_sizes(vm, tmp_path, block):
    """ext2 with blocks of 1, 2 and 4 KiB: a file beyond the double indirect border of each, written and read back."""
    run = vm(["/bin/busybox", "sh", "-c", "seq 1 150000 >/root/n; sync; md5sum </root/n; ls -l /root/n | wc -l; "
              "mkdir -p /root/a/b; for i in 1 2 3; do echo $i >/root/a/b/$i; done; rm -r /root/a/b/2"],
             block=block, get=[("/root/n", tmp_path / "n")]).ok()
    text = "".join(f"{i}\n" for i in range(1, 150001))
    assert run.out.split()[0] == hashlib.md5(text.encode()).hexdigest()
    assert (tmp_path / "n").read_text() == text


def test_every_run_is_the_same(vm):
    """Same input, same seed: the same output and the same log, byte for byte."""
    argv = ["/bin/busybox", "sh", "-c", "for i in 1 2 3; do cat /proc/uptime; ls -l /proc | md5sum; done; "
            "seq 1 10000 | sort -n >/root/x; sync; cat /root/x | md5sum & date +%s; wait; cat /proc/vitrine/faults; "
            "head -c 8 /dev/urandom | od -An -tx1"]
    first, second = (vm(argv, seed=7, append="strace", realtime=False).ok() for _ in range(2))
    assert first.stdout == second.stdout
    assert first.log == second.log


def test_a_busy_host_does_not_change_the_clock(vm):
    """Machines that take the host's processors from each other find one rate of the TSC, to one in five hundred."""
    with ThreadPoolExecutor(8) as pool:
        logs = list(pool.map(lambda _: vm(ECHO, cpus=4, realtime=True).ok().log, range(8)))
    rates = [float(re.search(r"clock: TSC ([0-9.]+) MHz", log)[1]) for log in logs]
    assert max(rates) < 1.002 * min(rates), rates


def test_strace(vm):
    """--append strace writes each system call to the log."""
    run = vm(ECHO, append="strace").ok()
    assert run.out == MARKER
    assert 'write(1, "behind glass\\n", 13)' in run.log
    assert "execve(" in run.log
    assert "exit_group(0" in run.log


def test_unknown_system_call_is_logged_once(vm):
    """ENOSYS, and one line in the log however often it is called."""
    run = vm(["/tests/syscall_edges"]).ok()
    lines = [line for line in run.log.splitlines() if "call 999 " in line]
    assert len(lines) == 1, lines


def test_program_that_powers_off(vm):
    """poweroff -f from inside ends the machine before the program, and ./vm run says so."""
    run = vm(["/bin/busybox", "sh", "-c", "echo before; poweroff -f; echo not reached"])
    assert (run.status, run.out) == (126, "before\n")
    assert "switched itself off" in run.err


def test_written_files_survive(vm, tmp_path):
    """What a program wrote and never synced is on the disk after power-off."""
    vm(["/bin/busybox", "sh", "-c", "for i in $(seq 1 50); do echo file $i >/root/f$i; done; rm /root/f7"],
       get=[("/root/f50", tmp_path / "f50"), ("/root/f1", tmp_path / "f1")]).ok()
    assert (tmp_path / "f50").read_text() == "file 50\n"
    assert (tmp_path / "f1").read_text() == "file 1\n"


def test_time_goes_on(vm):
    """A sleep takes its time on the guest's clock and hardly any on the host's."""
    run = vm(["/bin/busybox", "sh", "-c", "a=$(date +%s); sleep 30; b=$(date +%s); echo $((b - a))"], timeout=120).ok()
    assert run.out.strip() in ("30", "31")


def test_real_time(vm):
    """Without -icount the same machine works as well."""
    assert vm(ECHO, realtime=True).ok().out == MARKER
