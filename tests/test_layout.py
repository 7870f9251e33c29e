"""Where things lie: programs in their address spaces, and the kernel's areas, by seed, by chance and by option.

The draw itself is measured by tests/unit/test_aslr.c; here are real launches and real boots.  The kernel's places are
read from the guest's RAM by way of the symbol vitrine_layout, as a debugging tool on the host would do it.
"""
import pathlib
import re
import shutil
import struct
import subprocess
import uuid

import pytest

PROGRAM = "/tests/layouts_are_drawn"
KERNEL_HALF = 0xffff800000000000
AREAS = ("image", "direct", "kvmap", "frames")
LOWEST = {"image": 0xffffffff80000000, "direct": KERNEL_HALF, "kvmap": 0xffffc00000000000, "frames": 0xffffe00000000000}


def places(run):
    """The places that the program printed, by name."""
    return dict(line.rsplit(" ", 1) for line in run.ok().out.splitlines())


def without(found, *names):
    """The places but for these."""
    return {name: value for name, value in found.items() if name not in names}


def test_two_thousand_launches(vm):
    """In bounds, all different, fair in each bit, and no place tells anything about another."""
    run = vm([PROGRAM, "measure"], timeout=1800).ok()
    assert run.out.count("ok ") == 31, run.out


def test_a_seed_decides_the_layout(vm):
    first, again, other = (places(vm([PROGRAM, "show"], seed=seed)) for seed in (5, 5, 6))
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_randomness_can_be_switched_off(vm):
    """By the kernel's option and by personality(): the places that gdb users know, whatever the seed."""
    found = [places(vm([PROGRAM, word], seed=seed, append=append))
             for word, seed, append in (("show", 5, "aslr=off"), ("show", 6, "aslr=off"), ("fixed", 7, ""))]
    assert len({place["AT_RANDOM"] for place in found}) == 3
    assert without(found[0], "AT_RANDOM") == without(found[1], "AT_RANDOM")
    pointer = "pointer in its page"  # of the third: it has other arguments, so other strings lie above it
    assert without(found[1], "AT_RANDOM", pointer) == without(found[2], "AT_RANDOM", pointer)
    assert found[0]["program"] == "555555554000" and found[0]["stack"] == "7ffffffff000"


def test_without_a_seed_every_boot_differs(vm):
    """The host's entropy device is asked, and no place of one boot is found again in the next."""
    runs = [vm([PROGRAM, "show"], seed=None, realtime=True) for _ in range(2)]
    assert all("virtio-rng: mixed in" in run.log for run in runs), runs[0].log
    assert not set(places(runs[0]).values()) & set(places(runs[1]).values())


def test_a_seeded_run_asks_no_device(vm):
    """A device that is there changes nothing when a seed decides."""
    found = [places(vm([PROGRAM, "show"], append=append, realtime=True, seed=seed))
             for append, seed in (("", 5), ("seed=5", None))]
    assert found[0] == found[1]


class Ram:
    """The memory of a guest that has ended, and the kernel's symbols."""

    def __init__(self, vm, built, **options):
        tag = uuid.uuid4().hex
        options["append"] = f"{options.get('append', '')} tag={tag}"
        vm(["/bin/busybox", "true"], options=("--keep",), **options).ok()
        folder = next(path.parent for path in pathlib.Path(built, "runs").glob("[0-9]*/fw-cmdline")
                      if tag.encode() in path.read_bytes())
        self.bytes = (folder / "ram").read_bytes()
        shutil.rmtree(folder)
        lines = pathlib.Path(built, "vitrine.nm").read_text(encoding="ascii").splitlines()
        self.symbols = {name: int(value, 16) for value, _, name in map(str.split, lines)}
        at = self.symbols["vitrine_layout"] - LOWEST["image"]
        self.layout = dict(zip(AREAS, struct.unpack_from("<4Q", self.bytes, at)))

    def word(self, physical):
        return struct.unpack_from("<Q", self.bytes, physical)[0]

    def walk(self, virtual):
        """The physical address behind a kernel address, by the guest's own tables; None: not mapped."""
        entry = self.word(self.symbols["kernel_root"] - LOWEST["image"])
        for shift in (39, 30, 21, 12):
            entry = self.word((entry & 0xffffffffff000) + (virtual >> shift & 511) * 8)
            if not entry & 1:
                return None
            if shift == 12 or entry & 0x80:
                size = 1 << shift
                return (entry & 0xffffffffff000 & -size) + virtual % size
        raise AssertionError


@pytest.fixture
def ram(vm, built):
    """ram(**options) -> Ram of a guest that ran with these options."""
    return lambda **options: Ram(vm, built, **options)


def test_kernel_places_follow_the_seed(ram):
    first, again, other = (ram(seed=seed).layout for seed in (5, 5, 6))
    assert first == again
    for area in ("direct", "kvmap", "frames"):
        assert first[area] != other[area] and LOWEST[area] not in (first[area], other[area]), area
    assert first["image"] == other["image"] == LOWEST["image"]


@pytest.mark.parametrize("append", ["", "kaslr=off"])
def test_kernel_places_are_what_the_tables_say(ram, append):
    """What a tool on the host finds at vitrine_layout is where things are, and nothing is left at the old places."""
    memory = ram(seed=9, append=append, mem="48M")
    layout = memory.layout
    assert layout == LOWEST or not append
    for physical in (0, 0x100000, 0x1234567):
        assert memory.walk(layout["direct"] + physical) == physical
    kmain = memory.symbols["kmain"]
    assert memory.walk(kmain) == kmain - layout["image"]
    assert memory.walk(layout["kvmap"]) is None  # the first guard page
    assert memory.walk(layout["kvmap"] + 4096) is not None
    assert memory.walk(layout["frames"] + 40 * 0x1000) is not None
    if not append:
        assert not any(memory.walk(LOWEST[area] + offset) for area in ("direct", "kvmap", "frames")
                       for offset in range(0, 1 << 24, 4096))


def test_a_panic_speaks_with_either(vm):
    """Backtraces name functions wherever the stacks are."""
    for append in ("root=vdz", "root=vdz kaslr=off"):
        run = vm(["/bin/busybox", "true"], append=append)
        assert run.status == 126
        assert "no root disk" in run.log and "kmain_thread+0x" in run.log, run.log


def test_kernel_places_do_not_show(vm):
    """A machine whose kernel lies elsewhere looks the same from inside, to the last byte of /proc."""
    script = ("for f in $(find /proc -type f ! -path '*/pagemap' | sort); do "
              "case $f in */stat|*/meminfo|*/vmstat|*/uptime|*/kpage*|*/cmdline|*/vitrine/*|*/loadavg|*/interrupts) ;; "
              "*) echo \"== $f\"; cat $f 2>/dev/null;; esac; done; find / -xdev | sort | xargs stat -c '%i %n'; "
              "ls -lR /proc/self/fd | sed 's/..:..//'; /tests/kernel_addresses_stay_inside maps")
    runs = [vm(["/bin/busybox", "sh", "-c", script], seed=3, append=append).ok()
            for append in ("kaslr=off", "kaslr=yes")]
    lines = [run.out.replace("kaslr=yes", "kaslr=off").splitlines() for run in runs]
    assert len(lines[0]) > 300 and any("/dev/zero" in line for line in lines[0])
    assert [pair for pair in zip(*lines) if pair[0] != pair[1]] == []
    assert not re.search("ffff[89a-f][0-9a-f]{11}", runs[1].log, re.IGNORECASE), runs[1].log


# What Linux 6.1 of Debian was measured at in the same QEMU (docs/aslr.md), in bits.
LINUX = {
    "Anonymous mapping randomization test": 28,
    "Heap randomization test (ET_EXEC)": 28,
    "Heap randomization test (PIE)": 28,
    "Main executable randomization (ET_EXEC)": 28,
    "Main executable randomization (PIE)": 28,
    "Shared library randomization test": 28,
    "Stack randomization test (SEGMEXEC)": 30,
    "Stack randomization test (PAGEEXEC)": 30,
    "Arg/env randomization test (SEGMEXEC)": 22,
    "Arg/env randomization test (PAGEEXEC)": 22,
    "Offset to library randomisation (ET_EXEC)": 28,
    "Offset to library randomisation (ET_DYN)": 28,
    "Randomization under memory exhaustion @~0": 29,
    "Randomization under memory exhaustion @0": 28,
}


@pytest.mark.soak
def test_paxtest(vm):
    """Debian's paxtest runs, and each figure is at least Linux's."""
    folder, script = "/usr/lib/paxtest", "/usr/bin/paxtest"
    words = subprocess.run(f"ldd {folder}/*", shell=True, capture_output=True, check=False, text=True).stdout.split()
    libraries = {word for word in words if word.startswith("/lib")}
    run = vm(["/bin/busybox", "sh", script, "blackhat", "/tmp/log"], mem="128M", timeout=7200,
             add=[(path, path) for path in (folder, script, *sorted(libraries))])
    run.ok()
    lines = re.findall(r"^(.*?)\s*: (\d+) (?:quality )?bits", run.out, re.MULTILINE)
    found = {name: int(bits) for name, bits in lines}
    assert found.keys() >= LINUX.keys(), run.out
    assert all(found[name] >= bits for name, bits in LINUX.items()), run.out
    assert sum(found[name] > bits for name, bits in LINUX.items()) > len(LINUX) / 2, run.out
    assert run.out.count(": Killed") >= 7, run.out  # what was not asked to be executable is not
