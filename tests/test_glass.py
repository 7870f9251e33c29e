"""Looking into a machine from outside: what ./vm ps, maps, walk, frame, mem, swap, faults and check say is what the
guest's own /proc says at a stop; damage that is planted in a copy of the memory is found.

tests/guest/family.c is the guest: it forks, copies and swaps, prints what /proc tells, waits for a line, prints it
again.  What is the same both times was so when the host looked; what is not (the printing takes memory itself) must
lie in between, or is the guest's own business.
"""
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vitrine import check, machine, memory, runs, state

ROOT = Path(__file__).resolve().parent.parent
MIB = 16
FAMILY = ["--mem", "24M", "--swap", "64M", "--timeout", "600"]
PRESENT, SWAPPED, ALONE, NUMBER = 1 << 63, 1 << 62, 1 << 56, (1 << 55) - 1


def build_folder(built, folder):
    """A build folder of its own, so that the latest run is this test's and no other."""
    folder.mkdir()
    for name in ("vitrine.elf", "vitrine.nm", "root.img", "types", "user"):
        os.makedirs(os.path.join(built, "types"), exist_ok=True)
        (folder / name).symlink_to(os.path.join(built, name))
    subprocess.run(["cp", "-a", os.path.join(built, "root"), folder / "root"], check=True)  # --add makes links to it
    return dict(os.environ, VITRINE_NO_BUILD="1", VITRINE_BUILD=str(folder))


def vm(env, *words, status=0):
    """A verb's output, with the time that it took; numbers and structures if it was asked for --json."""
    begin = time.monotonic()
    done = subprocess.run([ROOT / "vm", *map(str, words)], env=env, capture_output=True, text=True, check=False,
                          timeout=120)
    print(f"vm {' '.join(map(str, words))}: {time.monotonic() - begin:.2f} s")
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr


class Dump:
    """What the guest printed in one turn: a dict of path to text."""

    def __init__(self, text):
        parts = re.split(r"^=== (.*)\n", text, flags=re.M)
        self.files = dict(zip(parts[1::2], parts[2::2]))

    def pids(self):
        return [int(path.split("/")[2]) for path in self.files if path.endswith("/maps")]

    def fields(self, path):
        """{name: number} of a file of lines such as "MemFree:  12 kB" or "minor 7"."""
        return {m[1]: int(m[2]) for m in re.finditer(r"^([\w()]+):?\s+(\d+)", self.files[path], re.M)}

    def regions(self, pid):
        """[(start, end, rights, offset, name, {field of smaps: KiB})]"""
        found = []
        for line in self.files[f"/proc/{pid}/smaps"].splitlines():
            if m := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+ *(.*)", line):
                found.append((int(m[1], 16), int(m[2], 16), m[3], int(m[4], 16), m[5], {}))
            else:
                name, value = line.split()[:2]
                found[-1][5][name[:-1]] = int(value)
        return found

    def pages(self, pid):
        """{address: word of pagemap}"""
        lines = self.files[f"/proc/{pid}/pagemap"].splitlines()
        return {int(address, 16): int(word, 16) for address, word in map(str.split, lines)}


class Family:
    """The run: what the guest says before and after, and the environment in which ./vm finds it."""

    def __init__(self, env, process):
        self.env, self.process, self.after = env, process, None
        self.before = self.read()
        self.folder = runs.find(os.path.join(env["VITRINE_BUILD"], "runs", "latest"))
        self.seen = {}

    def read(self):
        text = ""
        for line in self.process.stdout:
            if line == "=== ready\n":
                return Dump(text)
            text += line
        raise AssertionError(f"the guest ended early: {text[-2000:]}\n{self.process.stderr.read()}")

    def look(self, *words):
        """A verb's data, as it was while the guest waited."""
        return self.seen[words]


@pytest.fixture(scope="module")
def family(built, tmp_path_factory):
    """A guest that ran, waited while every verb looked at it, and printed its state once more."""
    folder = tmp_path_factory.mktemp("glass")
    program = folder / "family"
    subprocess.run(["musl-gcc", "-O1", "-Wall", "-Werror", "-static", ROOT / "tests" / "guest" / "family.c", "-o",
                    program], check=True)
    env = build_folder(built, folder / "build")
    with subprocess.Popen([ROOT / "vm", "run", *FAMILY, "--keep", "--add", f"{program}:/bin/family", "--", "family",
                           str(MIB)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        it = Family(env, process)
        verbs = [("ps",), ("mem",), ("swap",), ("faults",), ("check",), ("last",)]
        verbs += [("maps", pid) for pid in it.before.pids()]
        for words in verbs:
            it.seen[words] = vm(env, *words, "--json")
            vm(env, *words)
        it.seen.update(chosen_pages(it))
        with runs.look(it.folder, "a test") as looked:
            it.entries = page_tables(looked, it.folder)
            shutil.copytree(it.folder, folder / "copy", ignore=lambda _, names: [n for n in names if "sock" in n])
        it.copy = folder / "copy"
        process.stdin.write("\n")
        process.stdin.flush()
        it.after = it.read()
        assert process.wait(120) == 0, process.stderr.read()
        yield it


def page_tables(looked, folder):
    """{pid: {address: (frame, or None; slot's word in pagemap; alone)}} of all pages that are anywhere."""
    now, found = state.State(looked, folder), {}
    zero = now.number(looked.variable("frame_zero").address)
    for pid, process in now.processes.items():
        space = now.space_of(process)
        found[pid] = {}
        for region in space.regions:
            for va, entry, anon in space.pages_of(region):
                refs, slot, frame = now.anon(anon) if anon else (0, 0, 0)
                number = (entry & memory.ADDRESS) >> 12 if entry else now.number(frame) if frame else None
                alone = refs == 1 if anon else number is not None and len(now.mappings.get(number, ())) == 1
                found[pid][va] = number, slot >> 28 | (slot & (1 << 28) - 1) << 5, alone and number != zero
    return found


def chosen_pages(it):
    """What `walk` and `frame` say of a page of each kind."""
    found, pid = {}, it.before.pids()[1]
    start, size = map(lambda word: int(word, 0), next(f for f in it.before.files if f.startswith("family")).split()[1:])
    pages = {va: word for va, word in it.before.pages(pid).items() if start <= va < start + size}
    kinds = {"swapped": lambda w: w & SWAPPED, "shared": lambda w: w & PRESENT and not w & ALONE}
    for kind, fits in kinds.items():
        va = next(va for va, word in pages.items() if fits(word))
        found[kind] = pid, va, pages[va]
        found["walk", kind] = vm(it.env, "walk", pid, hex(va), "--json")
        print(vm(it.env, "walk", pid, hex(va)))
    number = found["shared"][2] & NUMBER
    found["frame"] = vm(it.env, "frame", number, "--json")
    print(vm(it.env, "frame", hex(number << 12)))
    return found


def agreed(one, two, keys=None):
    """The keys whose values are the same both times; there must be some."""
    same = [key for key in (keys or one) if one[key] == two.get(key)]
    assert same, (one, two)
    return same


# --- the verbs -------------------------------------------------------------------------------------------

def test_ps(family):
    """Processes, their parents, sizes, commands."""
    found = {p["pid"]: p for p in family.look("ps")}
    parent, *children = family.before.pids()
    assert set(family.before.pids()) | {1} == set(found)
    for pid in family.before.pids():
        size, resident = map(int, family.before.files[f"/proc/{pid}/statm"].split()[:2])
        if pid != parent:  # which needs memory to print what it finds
            assert (found[pid]["size"], found[pid]["resident"]) == (size, resident)
            assert found[pid]["parent"] == parent
            assert found[pid]["state"] == "S" and found[pid]["threads"] == 1
            assert found[pid]["command"] == f"family {MIB}"
    assert len(children) == 3


def test_maps(family):
    """Regions with what is in memory, in swap, and shared, as maps and smaps have them."""
    compared = 0
    for pid in family.before.pids():
        found = {region["start"]: region for region in family.look("maps", pid)}
        before, after = family.before.regions(pid), family.after.regions(pid)
        assert pid == family.before.pids()[0] or [r[:5] for r in before] == [r[:5] for r in after]
        assert len(found) == len(after)
        for one in before:
            ours = found.get(one[0])
            if one in after:
                assert (ours["start"], ours["end"], ours["rights"], ours["offset"] * 4096, ours["name"]) == one[:5]
                compared += 1
                assert ours["resident"] * 4 == one[5]["Rss"], (pid, one)
                assert ours["swapped"] * 4 == one[5]["Swap"], (pid, one)
                assert ours["shared"] * 4 == one[5]["Shared_Clean"] + one[5]["Shared_Dirty"], (pid, one)
    assert compared > 20
    children = [family.look("maps", pid) for pid in family.before.pids()[1:]]
    big = [max(regions, key=lambda r: r["size"]) for regions in children]
    assert all(region["cow"] == MIB * 256 * 7 // 8 for region in big)


def test_every_page(family):
    """Each page is in the frame or the slot that pagemap names, and shared or not."""
    compared = 0
    for pid in family.before.pids()[1:]:
        before, after = family.before.pages(pid), family.after.pages(pid)
        for va in set(before) | set(after):
            word = before.get(va)
            if word is None or word != after.get(va):
                continue
            number, slot, alone = family.entries[pid][va]
            compared += 1
            if word & PRESENT:
                assert number == word & NUMBER and alone == bool(word & ALONE), (pid, hex(va), hex(word))
            else:
                assert number is None and slot == word & NUMBER, (pid, hex(va), hex(word))
    assert compared > 3 * MIB * 256 - 500


def test_walk(family):
    """The four levels, where the page is, and what an access comes to."""
    pid, va, word = family.seen["swapped"]
    found = family.seen["walk", "swapped"]
    assert [level["index"] for level in found["levels"]] == [
        memory.pt_index(va, level) for level in range(4, 4 - len(found["levels"]), -1)]
    assert found["levels"][-1]["bits"] == ["not present"]
    assert f"page {(word & NUMBER) >> 5} of vdb" in found["where"] and "is read from" in found["read"]
    assert "SIGSEGV" in found["fetch"]
    pid, va, word = family.seen["shared"]
    found = family.seen["walk", "shared"]
    assert f"frame {word & NUMBER}" in found["where"], pid
    assert "copy-on-write" in found["write"]


def test_frame(family):
    """Who maps a frame: those whose pagemap names it, as far as their tables have an entry at the moment."""
    found, number = family.seen["frame"], family.seen["shared"][2] & NUMBER
    assert found["owner"] == "FRAME_ANON" and found["frame"] == number
    users = {(f"{pid} family", va) for pid in family.before.pids() for va, w in family.before.pages(pid).items()
             if w & PRESENT and w & NUMBER == number}
    assert found["references"] == len(users) > 1
    assert {(m["by"], m["address"]) for m in found["mapped"]} <= users
    assert not any(m["writable"] for m in found["mapped"])


def test_mem(family):
    """Frames by owner, as /proc/vitrine/frames and meminfo count them."""
    found = {name.replace("FRAME_", "").lower(): count for name, count in family.look("mem")["owners"].items()}
    one, two = (dump.fields("/proc/vitrine/frames") for dump in (family.before, family.after))
    assert found.keys() | {"total"} == one.keys() and family.look("mem")["total"] == one["total"]
    for owner, count in found.items():
        spread = abs(one[owner] - two[owner]) + 32  # pages that printing itself takes, and gives back
        assert min(one[owner], two[owner]) - spread <= count <= max(one[owner], two[owner]) + spread, owner
    for owner in agreed(one, two, ["anon", "object", "pagetable", "zero"]):
        assert found[owner] == one[owner]
    meminfo = family.before.fields("/proc/meminfo")
    assert meminfo["MemTotal"] == 4 * family.look("mem")["total"]
    assert meminfo["AnonPages"] == 4 * one["anon"]
    drawn = family.look("mem")["map"]
    assert drawn.count("A") + drawn.count("S") == found["anon"] and drawn.count("t") == found["pagetable"]


def test_swap(family):
    """Areas as /proc/swaps has them; each process's slots as its pagemap counts them."""
    area, = family.look("swap")["areas"]
    assert family.before.files["/proc/swaps"] == family.after.files["/proc/swaps"]
    name, _, size, used, priority = family.before.files["/proc/swaps"].splitlines()[1].split()
    assert (f"/dev/{area['name']}", 4 * area["slots"], 4 * area["used"], area["priority"]) == (
        name, int(size), int(used), int(priority))
    assert area["used"] == sum(area["map"].count(letter) for letter in "sSc")
    out = {user["by"]: user["out"] for user in family.look("swap")["users"]}
    for pid in family.before.pids():
        words = family.before.pages(pid)
        if words == family.after.pages(pid):
            assert out.get(f"{pid} family", 0) == sum(bool(word & SWAPPED) for word in words.values())


def test_faults(family):
    """By kind and process, as /proc/PID/faults and /proc/vitrine/faults count them."""
    found = {p["pid"]: p for p in family.look("faults")["processes"]}
    for pid in family.before.pids()[1:]:
        told = family.before.fields(f"/proc/{pid}/faults")
        assert told == family.after.fields(f"/proc/{pid}/faults")
        ours = {key: value for key, value in found[pid].items() if key not in ("pid", "name")}
        assert ours == {key: told[key] for key in ours} and ours["swap"] + ours["cow_copies"] > 100
    one, two = (dump.fields("/proc/vitrine/faults") for dump in (family.before, family.after))
    total = family.look("faults")["total"]
    assert all(one[key] <= total[key] <= two[key] for key in total)


def test_check_and_last(family):
    """Nothing is broken while it runs, and the run is known to be going on."""
    found = family.look("check")
    assert found["violations"] == 0, found["found"]
    assert found["compared"] > 1000 and found["entries"] > 1000 and not found["disturbed"]
    assert family.look("last")["running"] is True


def test_afterwards(family):
    """The run is over: how it ended, and its memory as it was then."""
    assert "exit status 0" in vm(family.env, "last")
    assert vm(family.env, "check", "--json")["violations"] == 0
    assert [p["pid"] for p in vm(family.env, "--run", family.folder, "ps", "--json")] == [1]
    assert "there is no process 77" in vm(family.env, "maps", 77, status=125)
    assert "0xffff80101000 is no address" in vm(family.env, "walk", "kernel", "ffff80101000", status=125)


# --- planted damage --------------------------------------------------------------------------------------

class Damage:
    """The memory in a run's folder, which can be written to."""

    def __init__(self, looked, folder):
        self.kernel, self.state, self.folder = looked, state.State(looked, folder), folder

    def put(self, address, size, value):
        """Write a number at an address of the kernel's."""
        self.put_physical(self.kernel.physical(address), size, value)

    def put_physical(self, pa, size, value):
        with open(os.path.join(self.folder, "ram"), "r+b") as file:
            file.seek(self.kernel.ram.offset(pa))
            file.write(value.to_bytes(size, "little"))

    def field(self, name, field):
        return self.kernel.fields(name)[field][0]

    def anon_where(self, fits):
        return next((a, self.state.anon(a)) for a in self.state.anon_names if fits(self.state.anon(a)))

    def entry_of(self, space, va):
        """The physical address of the last-level entry for an address."""
        way = memory.walk(self.kernel.ram, space.root, va)
        return (way[2][2] & memory.ADDRESS) + 8 * way[3][1]

    def free_frame(self):
        return next(n for n in self.state.frames if self.state.owner(n) == state.FREE)

    def some_entry(self, fits=lambda entry: True):
        return next((s, va, e) for s in self.state.spaces for va, e in s.entries.items()
                    if fits(e) and self.state.owner((e & memory.ADDRESS) >> 12) == state.ANON)


def wrong_refs(it):
    anon, (refs, _, _) = it.anon_where(lambda a: a.refs > 1)
    it.put(anon + it.field("anon", "refs"), 4, refs + 1)
    return f"refs is {refs + 1}, {refs} tables name it"


def mapped_and_free(it):
    space, va, entry = it.some_entry()
    number = it.free_frame()
    it.put_physical(it.entry_of(space, va), 8, entry & ~memory.ADDRESS | number << 12)
    return f"frame {number} is free, and mapped"


def slot_twice(it):
    anon, _ = it.anon_where(lambda a: a.slot and not a.frame)
    _, (_, slot, _) = it.anon_where(lambda a: a.slot and a.frame)
    it.put(anon + it.field("anon", "slot"), 4, slot)
    return f"{it.state.slot_name(slot)} belongs to 2 anons"


def slot_lost(it):
    area = it.kernel.variable("mm/swap.c:areas")[0]
    word = int.from_bytes(it.kernel.read(area.bits + 8 * (area.pages // 64 - 1), 8), "little")
    it.put(area.bits + 8 * (area.pages // 64 - 1), 8, word | 1)
    return f"vdb: {area.used + 1} slots are marked used, {area.used} counted"


def link_elsewhere(it):
    space, va, entry = it.some_entry()
    number = (entry & memory.ADDRESS) >> 12
    it.put(it.state.frames[number].maps + it.field("rmap", "va"), 8, va + (1 << 30))
    return f"the reverse map of frame {number} has"


def shared_and_writable(it):
    space, va, entry = it.some_entry(lambda e: not e & memory.WRITE)
    while it.state.anon(it.state.frames[(entry & memory.ADDRESS) >> 12].anon).refs < 2:
        space, va, entry = it.some_entry(lambda e, last=entry: not e & memory.WRITE and e > last)
    it.put_physical(it.entry_of(space, va), 8, entry | memory.WRITE)
    return f"{va:#x} is private and writable"


def dirty_bit_lost(it):
    number = next(n for n, f in it.state.frames.items() if it.state.owner(n) == state.ANON and f.anon and not f.dirty
                  and it.state.anon(f.anon).slot)
    it.put_physical((number << 12) + 100, 1, it.kernel.ram.read((number << 12) + 100, 1)[0] ^ 1)
    return f"frame {number} is clean, and differs from"


def frame_lost(it):
    head = it.kernel.variable("free_list")
    first = it.kernel.reader("list", "next")(head.address).next
    second = it.kernel.reader("list", "next")(first).next
    it.put(head.address, 8, second)
    it.put(second + 8, 8, head.address)
    return f"frame {it.state.number(first)} is free, but not on the free list"


def freed_twice(it):
    head = it.kernel.variable("free_list").address
    last = it.kernel.reader("list", "prev")(head).prev
    it.put(last, 8, it.kernel.reader("list", "next")(head).next)
    return "is on it already"


def regions_overlap(it):
    space = it.state.spaces[-1]
    first, second = space.regions[:2]
    it.put(first.view.at("end"), 8, second.end)
    return "is not sorted, disjoint and aligned"


def frame_miscounted(it):
    address = it.kernel.address("mm/frame.c:free_count")
    it.put(address, 8, it.kernel.variable("mm/frame.c:free_count") + 1)
    return "frames are free, free_count is"


def table_miscounted(it):
    table, _ = it.state.spaces[-1].tables[-1]
    it.put(it.state.descriptor(table >> 12) + it.field("frame", "used"), 2, 0)
    return "entries, 0 counted"


def wild_pointer(it):
    anon, _ = it.anon_where(lambda a: a.frame)
    number = it.state.number(it.state.anon(anon).frame)
    it.put(it.state.descriptor(number) + it.field("frame", "maps"), 8, 0x1234)
    return "a pointer on the way is bad"


@pytest.mark.parametrize("plant", [wrong_refs, mapped_and_free, slot_twice, slot_lost, link_elsewhere, frame_lost,
                                   shared_and_writable, dirty_bit_lost, freed_twice, regions_overlap,
                                   frame_miscounted, table_miscounted, wild_pointer], ids=lambda plant: plant.__name__)
def test_check_finds(family, tmp_path, plant):
    """One mistake in an otherwise good memory: check says which, and its status is 1."""
    for name in ("ram", "vitrine.elf", "swap.img"):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", family.copy / name, tmp_path / name], check=True)
    assert vm(family.env, "--run", tmp_path, "check", "--json")["violations"] == 0
    sentence = plant(Damage(runs.kernel_of(tmp_path), tmp_path))
    found = vm(family.env, "--run", tmp_path, "check", status=1)
    assert sentence in found, found


# --- holding a machine still, and which run --------------------------------------------------------------

@pytest.fixture
def waiting(built, tmp_path):
    """A machine whose program waits for input; yields the environment and the run's folder."""
    env = build_folder(built, tmp_path / "build")
    with subprocess.Popen([ROOT / "vm", "run", "--mem", "24M", "--", "sh", "-c", "echo up; read x"], env=env,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        yield env, runs.find(str(tmp_path / "build" / "runs" / "latest"))
        process.stdin.close()
        assert process.wait(120) == 1  # of `read` at the end of its input


def is_running(folder):
    monitor = runs.Monitor(folder)
    try:
        return monitor.command("query-status")["running"]
    finally:
        monitor.close()


def test_a_machine_goes_on(waiting):
    """Also after a mistake, and after a tool that was killed while it had the machine stopped."""
    env, folder = waiting
    vm(env, "ps")
    assert is_running(folder)
    vm(env, "maps", 77, status=125)
    assert is_running(folder)
    code = f"import os, sys; sys.path.insert(0, {str(ROOT / 'tools')!r})\nfrom vitrine import runs\n" \
           f"with runs.stopped({folder!r}, 'a tool'):\n    os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not is_running(folder)
    vm(env, "ps")
    assert is_running(folder)
    code = f"import os, sys; sys.path.insert(0, {str(ROOT / 'tools')!r})\nfrom vitrine import runs\n" \
           f"with runs.stopped({folder!r}, 'a tool') as pause:\n" \
           "    pause.monitor._socket.sendall(b'{\"execute\": \"query-version\"}')\n    raise KeyboardInterrupt"
    assert b"KeyboardInterrupt" in subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).stderr
    assert is_running(folder)


def test_a_monitor_that_falls_silent(waiting):
    """QEMU answers no more while it is held still: that is said, and the next tool sets it going."""
    env, folder = waiting
    with pytest.raises(machine.HostError, match="does not answer any more"), runs.stopped(folder) as pause:
        pause.monitor._socket.shutdown(socket.SHUT_RDWR)  # pylint: disable=protected-access
        pause.monitor.command("query-status")
    assert not is_running(folder)
    vm(env, "ps")
    assert is_running(folder)


def test_a_machine_that_gdb_has_let_run(waiting):
    """It is not touched, for gdb would be told of a stop that it did not ask for."""
    env, folder = waiting
    with subprocess.Popen([ROOT / "vm", "gdb", "--", "-nx", "-batch", "-ex", "python print('here', flush=True)",
                           "-ex", "continue"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as debugger:
        while not is_running(folder):
            time.sleep(0.1)
        assert debugger.stdout.readline()
        while "here" not in debugger.stdout.readline():
            pass
        while not is_running(folder):
            time.sleep(0.1)
        assert "gdb has let this machine run" in vm(env, "ps", status=125)
        assert debugger.poll() is None and is_running(folder)
        debugger.send_signal(signal.SIGINT)
        rest = debugger.communicate(timeout=120)[0]
        assert rest.count("received signal SIGINT") == 1, rest
    vm(env, "ps")
    assert is_running(folder)


def test_each_answers_within_a_second(built, tmp_path):
    """Of processor time, for other tests may run; while three processes fork and swap.

    On a busy host the look may find no moment without a lock held, and then check may find what is half done.
    """
    env = build_folder(built, tmp_path / "build")
    churn = "echo up; for n in 1 2 3; do (while true; do /tests/more_than_memory 9; done) & done; wait"
    with subprocess.Popen([ROOT / "vm", "run", *FAMILY, "--", "sh", "-c", churn], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        while not any(p["swapped"] for p in vm(env, "ps", "--json")):
            assert process.poll() is None
        for words in ("ps", "maps 4", "walk 4 401000", "frame 1500", "mem", "swap", "faults", "check", "last"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([ROOT / "vm", *words.split()], env=env, capture_output=True, text=True, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert done.stdout and (not done.returncode or "held all the time" in done.stderr), done
            assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1, words
        process.terminate()


def test_output_that_nobody_reads(waiting):
    """A reader that has seen enough (head) ends a verb quietly."""
    env, _ = waiting
    for words in (["mem"], ["live"], ["trace"]):
        with subprocess.Popen([ROOT / "vm", *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            process.stdout.close()
            assert (process.wait(120), process.stderr.read()) == (141, ""), words


def test_one_at_a_time(waiting):
    """Who comes while another tool has the machine stopped waits, and is told for whom in the end."""
    env, folder = waiting
    with open(os.path.join(folder, "stopped"), "w", encoding="utf-8") as note:
        note.write("vm sleep (process 1)\n")
        note.flush()
        fcntl.flock(note, fcntl.LOCK_EX)
        assert "vm sleep (process 1) has the machine stopped" in vm(env, "ps", status=125)
        note.truncate(0)
    vm(env, "ps")


def test_which_memory_is_kept(built, tmp_path):
    """The newest two that ended well, and what --keep says; the verbs say so where there is none."""
    env = build_folder(built, tmp_path / "build")
    for number in range(4):
        keep = ["--keep"] * (number == 0)
        subprocess.run([ROOT / "vm", "run", "--mem", "24M", *keep, "--", "true"], env=env, check=True)
    kept = sorted(p.parent.name[:3] for p in (tmp_path / "build" / "runs").glob("*-*/ram"))
    assert kept == ["001", "003", "004"] and len(kept) == 1 + machine.KEPT_RAMS
    assert "has no memory to look at" in vm(env, "--run", 2, "ps", status=125)
    assert "not kept" in vm(env, "--run", 2, "last")
    assert vm(env, "--run", 1, "check", "--json")["violations"] == 0


def test_refusals(built, tmp_path):
    """Each mistake on the command line is answered with what is wrong."""
    env = build_folder(built, tmp_path / "build")
    for words, answer in [(["ps"], "there is no run yet"), (["--run", "12", "ps"], "no such run"),
                          (["maps"], "PID"), (["maps", "x"], "not the number of a process"),
                          (["walk", "1", "zz"], "not an address"), (["frame", "ffff"], "not a frame's number"),
                          (["--run", "12", "run", "--", "true"], "does not look at another run"),
                          (["ps", "--", "x"], "takes no program")]:
        assert answer in vm(env, *words, status=125), words


def test_another_kernel(built, tmp_path):
    """A memory that another kernel has left is not misread."""
    shutil.copyfile(os.path.join(built, "vitrine.elf"), tmp_path / "vitrine.elf")
    with open(tmp_path / "ram", "wb") as ram:
        ram.truncate(24 << 20)
    env = dict(os.environ, VITRINE_NO_BUILD="1")
    assert "does not hold this kernel" in vm(env, "--run", tmp_path, "ps", status=125)


def test_without_pyelftools(built, monkeypatch):
    """The only package beyond the standard library; what is missing is said."""
    from vitrine import dwarf  # pylint: disable=import-outside-toplevel
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    with pytest.raises(machine.HostError, match="python3-pyelftools is not installed"):
        dwarf.parse(os.path.join(built, "vitrine.elf"))


def test_types_are_the_compilers(built):
    """A few structures, found by DWARF, against what their headers assert."""
    from vitrine import dwarf  # pylint: disable=import-outside-toplevel
    found = dwarf.parse(os.path.join(built, "vitrine.elf"))
    assert [found["structs"][name]["size"] for name in ("frame", "anon", "rmap", "radix")] == [40, 16, 24, 32]
    fields = found["structs"]["frame"]["fields"]
    assert fields["anon"][0] == fields["object"][0] == 16 and fields["dirty"][2:] == [1, 1]
    assert found["structs"]["dentry"]["fields"]["parent"][1] == ["ptr", ["struct", "dentry"]]
    assert found["variables"]["mm/swap.c:areas"][1][:2] == ["array", 4]
    assert struct.calcsize("<QQ") == found["structs"]["list"]["size"] and check.SHOWN > 20
