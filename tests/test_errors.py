"""Disks that fail: QEMU's blkdebug answers chosen requests with EIO, and the right process gets the right answer.

In each test the kernel goes on, and checks itself at the end as after every run.  Whether e2fsck likes a disk that
did not take what was written to it is asked only where it should.
"""
import hashlib
import os
import re
import subprocess

import pytest

BUSYBOX = "/bin/busybox"
FOUND = ("the one who wrote: lost {0}, wrong 0, signals with another address 0, calls that read them 0\n"
         "its child: lost {0}, wrong 0, signals with another address 0, calls that read them 0\n"
         "the child: exit 0\n")


def failing(*rules):
    """The words for ./vm that make a disk fail."""
    return [word for rule in rules for word in ("--disk-error", rule)]


def bad_places(log, kind):
    """The places of the swap disk of which the kernel said that it gave up on them."""
    return {int(sector) for sector in re.findall(rf"vdb: {kind} error at sector (\d+)", log)}


# --- swap ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["private", "shared"])
def test_swap_read(vm, kind):
    """Two bad places are two pages that give SIGBUS, in every process that shares them; no neighbour suffers."""
    run = vm(["/tests/lost_pages", "40", kind], mem="24M", swap="64M",
             options=failing("swap:read:16000", "swap:read:16804")).ok()
    assert run.out == FOUND.format(2)
    assert {16000, 16800} <= bad_places(run.log, "read")


def test_swap_read_fails_for_a_moment(vm):
    """Three failures in a row are one request given up and read again without its neighbours: nobody notices."""
    run = vm(["/tests/lost_pages", "40"], mem="24M", swap="64M", options=failing("swap:read:16000:3")).ok()
    assert run.out == FOUND.format(0)
    assert len(bad_places(run.log, "read")) == 1


def test_swap_read_without_a_handler(vm):
    """Death by SIGBUS is for the one that needs the page; who shares none of it lives on and finds its own."""
    script = ("dd if=/dev/urandom of=/tmp/x bs=1M count=4 2>/dev/null; sum=$(md5sum </tmp/x); "
              "/tests/more_than_memory 40; echo status $?; [ \"$sum\" = \"$(md5sum </tmp/x)\" ] && echo same")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", options=failing("swap:read:24000"))
    lines = run.ok().out.splitlines()
    assert lines[-2:] == ["status 135", "same"], run.out
    assert "the disk failed" in run.log


@pytest.mark.parametrize("kind", ["private", "shared"])
def test_swap_write(vm, kind):
    """A place that cannot be written is used no more, and only that one: all is there, and much is in swap."""
    rules = [f"swap:write:{sector}" for sector in range(800, 48000, 800)]
    script = (f"/tests/lost_pages 40 {kind}; sed -n 's/^pswpout //p' /proc/vmstat; "
              "awk 'NR==2 {print $3}' /proc/swaps")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", options=failing(*rules)).ok()
    *found, _, size = run.out.splitlines(keepends=True)
    assert "".join(found) == FOUND.format(0)
    bad = bad_places(run.log, "write") & set(range(800, 48000, 800))
    assert len(bad) > 20
    assert int(size) == 65536 - 4 - 4 * len(bad)


def test_swap_takes_nothing(vm):
    """Without a single good place it is a machine without swap: what fits is well, what does not ends one process."""
    script = "/tests/lost_pages 4; /tests/more_than_memory 40; echo status $?; /tests/lost_pages 4"
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="4M", append="overcommit=always",
             options=failing("swap:write")).ok()
    assert run.out == FOUND.format(0) + "status 137\n" + FOUND.format(0)
    assert run.log.count("out of memory: ended process") == 1


def test_swap_header(vm):
    """An area whose first page cannot be read is not used, and the machine starts without it."""
    script = "cat /proc/swaps | wc -l; swapon /dev/vdb; echo $?"
    run = vm([BUSYBOX, "sh", "-c", script], swap="64M", options=failing("swap:read:0")).ok()
    assert run.out == "1\n1\n"
    assert re.search(r"swapon: .*(I/O|Input/output) error", run.err)


def test_swapoff(vm):
    """With a page that cannot be brought back the area goes on being used; without that page it can go."""
    script = ("dd if=/dev/zero of=/tmp/x bs=1M count=12 2>/dev/null; /tests/more_than_memory 40 >/dev/null; "
              "swapoff /dev/vdb; echo $?; cat /proc/swaps | wc -l; md5sum </tmp/x >/dev/null; echo $?; "
              "rm /tmp/x; swapoff /dev/vdb; echo $?; cat /proc/swaps | wc -l")
    run = vm([BUSYBOX, "sh", "-c", script], mem="48M", swap="64M", options=failing("swap:read:8000")).ok()
    assert run.out == "1\n2\n1\n0\n1\n"
    assert re.search(r"swapoff: .*(I/O|Input/output) error", run.err)


# --- the root disk ---------------------------------------------------------------------------------------

@pytest.fixture(name="big")
def big_file(tmp_path):
    """A file of 40 pages for --add, longer than what one request carries."""
    path = tmp_path / "big"
    path.write_bytes(b"".join(bytes([n]) * 4096 for n in range(40)))
    return path, "/root/big"


NO_FAULT = "msync: 0\nmsync again: 0\nfsync: 0\nfsync again: 0\nclose: 0\n"
# other programs want memory at the same time, and most of what they have is in swap
BESIDE = "/tests/lost_pages 30 >/tmp/beside & "


def test_read(vm, big):
    """Two bad places are two pages: EIO for read(), SIGBUS for a mapping; their neighbours can be read."""
    script = f"{BESIDE} /tests/broken_file /root/big; wait; cat /tmp/beside"
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", add=[big],
             options=failing("root:read:/root/big@5", "root:read:/root/big@30", "swap:write:8000")).ok()
    pages = "".join(f"page {n}: read() says EIO, the mapping SIGBUS\n" for n in (5, 30))
    assert run.out == pages + NO_FAULT + FOUND.format(0)


def test_write(vm, big, tmp_path):
    """msync and fsync tell of a page that was not written, once; all other pages are on the disk."""
    script = f"{BESIDE} /tests/broken_file /root/big; wait; cat /tmp/beside"
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", add=[big], get=[("/root/big", tmp_path / "after")],
             options=failing("root:write:/root/big@5", "root:write:/root/big@30")).ok()
    told = NO_FAULT.replace("msync: 0", "msync: EIO").replace("fsync: 0", "fsync: EIO")
    assert run.out == told + FOUND.format(0)
    after = (tmp_path / "after").read_bytes()
    kept = [n for n in range(40) if after[n * 4096:n * 4096 + 7] != b"changed"]
    assert kept == [5, 30]


@pytest.mark.parametrize("flush", ["sync", "cat /proc/vitrine/leaks >/dev/null"])
def test_write_by_the_flusher(vm, big, flush):
    """What failed behind the program's back is told by its next fsync, and by that one alone."""
    script = (f"dd if=/dev/zero of=/root/big bs=4k count=8 conv=notrunc 2>/dev/null; echo $?; {flush}; echo $?; "
              "for i in 1 2; do dd if=/dev/null of=/root/big conv=notrunc,fsync 2>/dev/null; echo $?; done")
    run = vm([BUSYBOX, "sh", "-c", script], add=[big], options=failing("root:write:/root/big@5")).ok()
    assert run.out == "0\n0\n1\n0\n"


def test_written_the_second_time(vm, big):
    """A disk that recovers: nothing is told, nothing lost."""
    script = "dd if=/dev/zero of=/root/big bs=4k count=8 conv=notrunc,fsync 2>/dev/null; echo $?; md5sum </root/big"
    run = vm([BUSYBOX, "sh", "-c", script], add=[big], options=failing("root:write:/root/big@5:2")).ok()
    expected = hashlib.md5(bytes(8 * 4096) + big[0].read_bytes()[8 * 4096:]).hexdigest()
    assert run.out == f"0\n{expected}  -\n"


def test_unwritable_pages_do_not_fill_memory(vm, built, tmp_path):
    """20 MiB through 24, an eighth of them to places that take nothing: all processes live on, and fsync tells."""
    from vitrine import image  # pylint: disable=import-outside-toplevel
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (20 << 20))
    image.make_with(os.path.join(built, "root"), [(huge, "/root/huge")], str(tmp_path / "image"))
    runs = re.findall(r"\(\d+-\d+\):(\d+)-(\d+)", image.debugfs(str(tmp_path / "image"), "stat /root/huge")[0])
    rules = [f"root:write:{8 * block}" for first, last in runs for block in range(int(first), int(last) + 1, 8)]
    assert len(rules) > 600
    script = ("dd if=/dev/zero of=/root/huge bs=64k count=320 conv=notrunc 2>/dev/null; echo $?; "
              "dd if=/dev/null of=/root/huge conv=notrunc,fsync 2>/dev/null; echo $?; rm /root/huge; "
              "dd if=/dev/zero of=/root/f bs=4k count=4 conv=fsync 2>/dev/null; cat /root/f | wc -c")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", add=[(huge, "/root/huge")], options=failing(*rules)).ok()
    assert run.out == "0\n1\n16384\n"
    assert "out of memory" not in run.log


def test_exec(vm):
    """A program whose beginning cannot be read is not started; one of which a page fails dies by SIGBUS."""
    script = "/tests/sigpipe; echo $?; /tests/small_files; echo $?; /tests/musl_dynamic; echo $?"
    run = vm([BUSYBOX, "sh", "-c", script],
             options=failing("root:read:/tests/sigpipe", "root:read:/tests/small_files@1",
                             "root:read:/tests/musl_dynamic@1")).ok()
    assert run.out == "126\n135\n135\n"
    assert "Input/output error" in run.err or "I/O error" in run.err


def test_directory(vm, tmp_path):
    """A directory that cannot be read is EIO for whoever goes through it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"f")
    script = ("cat /root/d/f; echo $?; ls /root/d; echo $?; echo x >/root/d/new; echo $?; rm -r /root/d; echo $?; "
              "cd /root; mkdir e && rmdir e; echo $?")
    run = vm([BUSYBOX, "sh", "-c", script], add=[(tmp_path / "d", "/root/d")], options=failing("root:read:/root/d"))
    assert run.ok().out == "1\n1\n1\n1\n0\n"


def test_bitmap_of_blocks_unreadable(vm):
    """Nothing can be allocated, and what is there can be read."""
    script = ("cd /root; echo x >a; echo $?; mkdir d; echo $?; ln -s /etc/passwd s; echo $?; cat s >/dev/null; "
              "echo $?; rm a s; /tests/more_than_memory 30 | tail -n 1")
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", options=failing("root:read:16")).ok()
    assert run.out == "1\n1\n0\n0\nok      the parent too\n"


def metadata_sector(image, what):
    """Where the first group of an image keeps it; of the table of inodes the block with the first free one."""
    told = subprocess.run(["/sbin/dumpe2fs", image], capture_output=True, text=True, check=True).stdout

    def number(words):
        return int(re.findall(words + r"\s*(\d+)", told.partition("Group 1:")[0])[-1])
    table = number("Inode table at") + (number("Free inodes:") - 1) * number("Inode size:") // number("Block size:")
    block = {"descriptors": 1, "blocks": number("Block bitmap at"), "inodes": number("Inode bitmap at"), "table": table}
    return 2 if what == "superblock" else block[what] * 8


@pytest.mark.parametrize("what", ["superblock", "descriptors", "blocks", "inodes", "table"])
def test_metadata_unwritten_for_a_while(vm, built, what):
    """Bitmaps, descriptors, inodes, superblock: what could not be written is written later, and e2fsck is content."""
    sector = metadata_sector(f"{built}/root.img", what)
    script = ("cd /root; for i in 1 2 3 4 5 6; do mkdir d$i; "
              "dd if=/dev/zero of=f$i bs=4k count=30 conv=fsync 2>/dev/null && echo well; done | tail -n 1")
    run = vm([BUSYBOX, "sh", "-c", script], options=failing(f"root:write:{sector}:6")).ok()
    assert run.out == "well\n"
    assert f"vda: write error at sector {sector}" in run.log


def test_flush(vm, big):
    """A disk whose cache cannot be emptied: fsync tells."""
    script = "dd if=/dev/zero of=/root/big bs=4k count=1 conv=notrunc,fsync 2>/dev/null; echo $?; md5sum </root/big"
    run = vm([BUSYBOX, "sh", "-c", script], add=[big], options=failing("root:flush"), fsck=False).ok()
    assert run.out.splitlines()[0] == "1"


def test_no_root_disk(vm):
    """Without a root there is nothing to run: the kernel says so and stops."""
    run = vm([BUSYBOX, "true"], options=failing("root:read:8"))
    assert run.status == 126
    assert "PANIC: no root disk: mounting vda failed with error 5" in run.log


@pytest.mark.parametrize("rule, complaint", [("root:burn", "is not DISK:KIND"), ("swap:read", "without --swap"),
                                             ("root:read:/nowhere", "not found"), ("root:read:/etc/passwd@9", "hole")])
def test_rule_without_sense(vm, rule, complaint):
    """A rule that names no place is refused."""
    run = vm([BUSYBOX, "true"], options=failing(rule))
    assert run.status == 125
    assert complaint in run.err
