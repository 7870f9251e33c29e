"""The tour: thirteen chapters that say what is true, on Vitrine with and without swap, and on Linux."""
import os
import re
import subprocess
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "user" / "tour").glob("[0-9][0-9]_*.c"))
CHAPTERS = 13
PATIENCE = 120
MACHINES = {"64M": {"mem": "64M"}, "24M": {"mem": "24M", "swap": "64M"}}
PROMPT = re.compile(rb"vitrine\x1b\[0m:\x1b\[1;34m[^\x1b]*\x1b\[0m# ")


def cut(text):
    """The chapters of `tour all`, by number; the two lines over each are checked and left out."""
    parts = re.split(r"^ ?(\d+)  \S.* read ((?:mm|kernel)/\S+)\n-{78}\n", text, flags=re.MULTILINE)
    assert parts[0] == "", parts[0]
    assert [int(n) for n in parts[1::3]] == list(range(1, CHAPTERS + 1))
    for file in parts[2::3]:
        assert (ROOT / file).exists(), f"{file}: nothing to read there"
    return dict(zip(range(1, CHAPTERS + 1), parts[3::3]))


@pytest.fixture(scope="module", params=[*MACHINES, "linux"])
def tour(request, vm_session, built):
    """(system, its chapters)."""
    if request.param == "linux":
        run = subprocess.run([f"{built}/user/tour/tour", "all"], capture_output=True, text=True, check=False,
                             stdin=subprocess.DEVNULL, timeout=PATIENCE)
        assert run.returncode == 0, run.stdout + run.stderr
        return "linux", cut(run.stdout)
    return request.param, cut(vm_session(["tour", "all"], **MACHINES[request.param]).ok().out)


def rows(text, pattern):
    """The groups of every line that fits."""
    found = re.findall(pattern, text, re.MULTILINE)
    assert found, text
    return found


def numbers(text, start):
    """The numbers of the line that begins so."""
    found = re.search(rf"^ *{start}(.*)$", text, re.MULTILINE)
    assert found, text
    return [int(word) for word in found[1].split() if re.fullmatch(r"-?\d+", word)]


def test_a_chapter_is_short():
    assert len(SOURCES) == CHAPTERS
    for path in SOURCES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 80, path


def test_a_chapter_is_a_screen(tour):
    """80 columns by 25 lines, with its heading and the question behind it."""
    for number, text in tour[1].items():
        lines = text.rstrip("\n").split("\n")
        assert len(lines) + 2 <= 22, f"chapter {number}"
        assert max(map(len, lines)) <= 79, f"chapter {number}: {max(lines, key=len)}"
        assert text.isascii(), f"chapter {number}"


def test_one_address(tour):
    before, child, parent = rows(tour[1][1], r"^ +(?:before|the) .* +(\d+) +(0x\w+) +(\d+) +(\d+|-)$")
    assert before[1] == child[1] == parent[1]
    assert (before[2], child[2], parent[2]) == ("1000", "2000", "1000")
    assert before[0] == parent[0] != child[0]
    assert before[3] == parent[3] and (child[3] != parent[3] or child[3] == "-")


def test_before(tour):
    text = tour[1][2]
    assert rows(text, r"^    load ones, run it 3 times +(\d+) +(\d+) +(\d+)$") == [("1", "2", "3")] * 2
    assert rows(text, r"^    load hundreds, run it twice +(\d+) +(\d+)$") == [("100", "200")] * 2
    assert rows(text, r"4 expected +(\d+)$") == ["300", "4"]


def test_pages_and_frames(tour):
    system, chapters = tour
    pages = rows(chapters[3], r"^    0x(\w+)-0x(\w+) +(\d+|-) +(0x\w+|0)$")
    assert len(pages) == 6
    assert all(int(end, 16) - int(start, 16) == 4096 for start, end, _, _ in pages)
    if system != "linux":
        assert len({frame for _, _, frame, _ in pages}) == 6
        assert all(int(place, 16) == int(frame) * 4096 for _, _, frame, place in pages)
    one, two = rows(chapters[3], r"^    (0x\w+)   frame (\d+|-)$")
    assert one[0] != two[0] and one[1] == two[1]


def test_walk(tour):
    system, chapters = tour
    text = chapters[4]
    address = int(rows(text, r"at address (0x\w+)")[0], 16)
    *parts, offset = (int(n) for n in rows(text, r"^ +(\d+ +\d+ +\d+ +\d+ +\d+)$")[0].split())
    assert sum(part << shift for part, shift in zip(parts, (39, 30, 21, 12))) + offset == address
    if system == "linux":
        return
    place = int(rows(text, r"first table is: (0x\w+)\.")[0], 16)
    levels = rows(text, r"^ +([1-4]) +(0x\w+) +(\d+) +(0x\w{16}) +(0x\w+)   (.*)$")
    assert [int(row[0]) for row in levels] == [4, 3, 2, 1]
    for (_, table, index, entry, leads_to, allows), part in zip(levels, parts):
        assert int(table, 16) == place and int(index) == part
        place = int(leads_to, 16)
        assert int(entry, 16) & 0x000ffffffffff000 == place and int(entry, 16) & 7 == 7
        assert allows.startswith("user write")
    assert levels[3][5] == "user write AD"
    assert f"the number is at {place + offset:#x} in RAM" in text


def test_tlb(tour):
    system, chapters = tour
    text = chapters[5]
    if system == "linux":
        assert "This kernel does not count" in text or numbers(text, "make one read-only")[0] >= 0
        return
    assert numbers(text, "map 64 pages") == [0, 0]
    assert numbers(text, "store to each of them") == [0, 0]
    assert numbers(text, "make one read-only") == [1, 0]
    assert numbers(text, "make it writable, store") == [0, 0]
    assert numbers(text, "unmap 10 pages") == [10, 0]
    assert numbers(text, "fork")[1] >= 1


def test_faults(tour):
    system, chapters = tour
    kinds = {what.strip(): {name: int(after) - int(before) for name, before, after in
                            re.findall(r"(\w+) (\d+) -> (\d+)", counts)}
             for what, counts in rows(chapters[6], r"^    (\w.{36})(.*)$")}
    want = {"read a new page": {"zero": 1}, "store to it": {"new": 1}, "read a page of a file": {"read": 1},
            "read it at another address": {"file": 1}, "store to it, mapped as private": {"cow_copies": 1},
            "store 50 pages below the stack": {"new": 1, "stack": 1}, "after fork, the child reads": {"entry": 1},
            "the child stores": {"cow_copies": 1}, "when it has ended, the parent stores": {"cow_reuses": 1},
            "store to address 0: SIGSEGV": {"refused": 1}}
    if system != "linux":
        assert kinds == want
    else:
        assert list(kinds) == list(want)
        assert kinds["read a new page"] == kinds["store to it"] == kinds["the child stores"] == {"minor": 1}


def test_demand(tour):
    text = tour[1][7]
    assert numbers(text, r"after mmap") == [16384, 0, 0]
    assert numbers(text, r"after a store to 10 pages") == [16384, 10, 10]
    assert numbers(text, r"after a store to 100, 10 of them old") == [16384, 100, 90]
    assert numbers(text, r"after madvise: I need them no more") == [16384, 0, 0]
    assert numbers(text, r"after a store to 1 page") == [16384, 1, 1]


def test_stack(tour):
    text = tour[1][8]
    table = [[int(n) for n in row] for row in rows(text, r"^ +(\d+) +(\d+) +(\d+) +(\d+)$")]
    assert [row[0] for row in table] == [10, 20, 20, 40]
    for calls, _, after, _ in table:
        assert after >= calls * 16
    assert table[2][1] == table[2][2] and table[2][3] == 0  # what has grown needs not grow again
    assert 160 <= table[1][2] - table[1][1] <= 176 and table[1][3] >= 10
    (call, sig), = rows(text, r"^In call (\d+) it is ended by signal (\d+)")
    assert int(sig) == 11 and 1024 // 16 - 4 <= int(call) <= 1024 // 16


def test_copy_on_write(tour):
    text = tour[1][9]
    assert numbers(text, "parent, before")[:3] == [1024, 0, 0]
    assert numbers(text, "child, after fork")[:3] == [1024, 1024, 0]
    assert numbers(text, "child, after its stores")[:3] == [1024, 1021, 3]
    assert numbers(text, "parent, when the child has ended")[:3] == [1024, 0, 0]
    assert numbers(text, "parent, after a store to each")[0:3:2] == [1024, 1024]
    child, parent = (numbers(text, start)[3:] for start in ("child, after its stores", "parent, before"))
    if parent:  # frames are told
        assert child[0] != parent[0] and child[1] == parent[1]


def test_swap(tour):
    system, chapters = tour
    text = chapters[10]
    (right, of), = rows(text, r"^(\d+) of (\d+) pages hold what was stored")
    assert right == of and int(of) >= 1024
    written, read = numbers(text, "when all were written"), numbers(text, "when all were read again")
    assert written[0] + written[1] == int(of)
    if system == "24M":
        assert int(of) * 4 > 20 << 10
        assert written[1] > 500 and written[2] >= written[1]  # as many as there are too many
        assert read[3] - written[3] >= written[1] and read[4] - written[4] > 50
        assert "Nothing had to go" not in text
    elif system == "64M":
        assert written[1:4] == [0, 0, 0] and "Nothing had to go" in text


def test_segv(tour):
    text = tour[1][11]
    table = rows(text, r"^    (\w.{24}) (SIG\w+) +(0x\w+|0|\(nil\)) +(\w.*)$")
    assert [(sig, why) for _, sig, _, why in table] == [
        ("SIGSEGV", "nothing is there"), ("SIGSEGV", "nothing is there"), ("SIGSEGV", "it is not for that"),
        ("SIGSEGV", "nothing is there"), ("SIGBUS", "the file ends before")]
    assert table[3][2] == "0xffffffff80000000"
    assert "ended by signal 11 (Segmentation fault" in text
    if tour[0] != "linux":
        assert "(Segmentation fault, core dumped)" in text and "./vm core" in text


def test_core_is_on_the_disk(vm):
    """Where ./vm core looks for it when the machine is off."""
    run = vm(["/bin/busybox", "sh", "-c", "tour 11 >/dev/null; ls /var/tmp"]).ok()
    assert re.fullmatch(r"core\.\d+\n", run.out)
    assert "core dumped to /var/tmp/core." in run.log


def test_walls(tour):
    system, chapters = tour
    text = chapters[12]
    (wrote, sig), = rows(text, r"it wrote (\d+) bytes, also over its own secret; then signal (\d+)$")
    assert int(wrote) >= 16 and int(sig) == 11
    assert "the neighbour's secret is still \"swordfish\"" in text
    starts = rows(text, r"^ +(0x\w+) +(0x\w+) +(0x\w+) +(0x\w+)$")
    assert len(starts) == 4
    if system != "linux":  # Linux may have been told not to
        assert all(len(set(column)) == 4 for column in zip(*starts))


@pytest.mark.parametrize("cpus", [1, 2])
def test_two_processors(vm, cpus):
    """Only a processor that runs the process is asked, once for each page."""
    text = vm(["tour", "13"], cpus=cpus, realtime=False).ok().out
    assert f"Processors here: {cpus}." in text
    assert numbers(text, "is not there") == [0] and numbers(text, "sleeps there") == [0]
    (asked,) = numbers(text, "runs, on the other processor if there is one")
    assert asked == 0 if cpus == 1 else 6 <= asked <= 8  # not while it does something else


def test_one_chapter_and_mistakes(vm):
    script = "tour 9 | head -1; for n in 0 14 -1 x '1 2'; do tour $n 2>&1; echo $?; done"
    run = vm(["/bin/busybox", "sh", "-c", script]).ok()
    first, *rest = run.out.splitlines()
    assert first.startswith(" 9  Copy on write")
    assert rest == ["usage: tour [all | 1-13]", "2"] * 5


def test_without_rights(vm):
    """Who is not root is told all but the frames."""
    script = "for n in $(seq 13); do su -s /bin/sh nobody -c \"tour $n\" || echo chapter $n failed; done"
    run = vm(["/bin/busybox", "sh", "-c", script]).ok()
    chapters = cut(run.out)
    assert "failed" not in run.out
    assert rows(chapters[1], r"^ +(?:before|the) .* (\S+)$") == ["-"] * 3
    assert rows(chapters[3], r"frame (\S+)$") == ["-"] * 2
    assert "by root" in chapters[4] and "CR3" not in chapters[4]
    assert numbers(chapters[9], "child, after its stores") == [1024, 1021, 3]


def test_looking_under_pressure(vm):
    """Every frame and the pages of a process are looked at while they move to swap and back."""
    script = ("/tests/more_than_memory 40 >/tmp/out & looks=0; while kill -0 $! 2>/dev/null; do "
              "cat /proc/kpagecount /proc/kpageflags >/dev/null || echo bad; "
              "dd if=/proc/$!/pagemap of=/dev/null bs=64k skip=1 count=4 2>/dev/null; "
              "dd if=/proc/$!/walk of=/dev/null bs=40k count=4 2>/dev/null; looks=$((looks + 1)); done; "
              "wait; tail -1 /tmp/out; [ $looks -gt 3 ] && echo looked; timeout 1 cat /proc/self/pagemap | wc -c")
    run = vm(["/bin/busybox", "sh", "-c", script], mem="24M", swap="64M").ok()
    *lines, size = run.out.splitlines()
    assert lines == ["ok      the parent too", "looked"]
    assert int(size) > 1 << 20 and int(size) % 8 == 0


@pytest.fixture
def shell(built):  # pylint: disable=unused-argument
    """A booted machine at its prompt."""
    child = pexpect.spawn(str(ROOT / "vm"), ["boot", "--pvh"], timeout=PATIENCE, dimensions=(25, 80),
                          env=dict(os.environ, VITRINE_NO_BUILD="1", TERM="linux"))
    child.expect("tour .*thirteen short chapters")  # the greeting suggests it
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def test_a_guided_walk(shell):
    """Enter goes on, a number jumps, m shows the list, q leaves."""
    shell.sendline("tour")
    shell.expect("T H E   T O U R")
    shell.expect("12  Walls")
    shell.expect(r"Enter: 1 One address, two values .* q: leave > ")
    shell.sendline("")
    shell.expect(r" 1  One address, two values")
    shell.expect(r"the parent .* 1000 ")
    shell.expect("Enter: 2 Before virtual memory .* > ")
    shell.sendline("9")
    shell.expect("child, after its stores +1024 +1021 +3 ")
    shell.expect("Enter: 10 .* > ")
    shell.sendline("99")
    shell.expect("Enter: 10 .* > ")
    shell.sendline("m")
    shell.expect("T H E   T O U R")
    shell.expect("Enter: 10 .* > ")
    shell.sendline("13")
    shell.expect("is not there +0")
    shell.expect("That was all. .* > ")
    shell.sendline("q")
    shell.expect(PROMPT)
