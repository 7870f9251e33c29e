"""The machine's screen: F2 goes from the console to the map of frames, the processes and back.  What the pictures show
is what memory holds at that moment, in the report's colours, and a frame that breaks an invariant is red.

Keys are pressed and pictures taken by QEMU's monitor; letters are read by the kernel's own font.
"""
import os
import re
import subprocess
import time
from collections import Counter

import pytest
from conftest import ROOT
from test_glass import Damage, build_folder, vm
from vitrine import kernel, live, memory, report, runs

VM = os.path.join(ROOT, "vm")
PATIENCE = 120  # seconds: only what hangs takes so long
TEXT_MEMORY = 0xb8000
RED = bytes((0xff, 0x20, 0x20))
MAP_TOP, STRIP = 2 * 16, 62
KEYS = ["free", "kernel", "small objects", "page table", "anonymous page", "anonymous, shared", "file page",
        "frame of zeros", "the kernel itself"]
SCRIPT = "x=$(seq 1 900000); mkfifo /tmp/f; (y=$(seq 1 1200000); : ${#x}; echo ready; read z </tmp/f) & read line; " \
         "echo behind the view >/dev/console; echo said; read line </dev/console; echo \"$line\" | od -c; read line"


def report_colours():
    """{name: colour} of the dark report."""
    dark = re.search(r"^@DARK \{(.*?)^\}", report.text("style.css"), re.M | re.S)[1]
    return {name: bytes.fromhex(value) for name, value in re.findall(r"--(\w+): #(\w{6});", dark)}


def glyphs():
    """{rows of a letter as bytes: the letter}, from font.c."""
    with open(os.path.join(ROOT, "kernel/dev/font.c"), encoding="ascii") as font:
        found = re.findall(r"GLYPH\(0x(\w{16}), 0x(\w{16})\)", font.read())
    return {bytes.fromhex(upper + lower): chr(32 + n) for n, (upper, lower) in enumerate(found)}


COLOURS, GLYPHS = report_colours(), glyphs()


class Shot:
    """What the screen shows, as pixels."""

    def __init__(self, path):
        with open(path, "rb") as file:
            assert file.readline() == b"P6\n"
            self.width, self.height = map(int, file.readline().split())
            assert file.readline() == b"255\n"
            self.data = file.read()

    def pixel(self, x, y):
        at = 3 * (y * self.width + x)
        return self.data[at:at + 3]

    def letter(self, row, column):
        """The letter in a cell; a space for one of a single colour."""
        ground = self.pixel(column * 8, row * 16)
        rows = [[self.pixel(column * 8 + x, row * 16 + y) != ground for x in range(8)] for y in range(16)]
        return GLYPHS.get(bytes(sum(bit << 7 - x for x, bit in enumerate(bits)) for bits in rows), "?")

    def row(self, row):
        return "".join(self.letter(row, column) for column in range(self.width // 8)).rstrip()

    def rows(self):
        return [self.row(row) for row in range(self.height // 16)]


class Machine:
    """A run with a screen, started with these words; `program` talks to its program."""

    def __init__(self, built, folder, *words):
        self.env = build_folder(built, folder / "build")
        os.symlink(os.path.join(built, "vitrine.iso"), folder / "build" / "vitrine.iso")
        self.program = subprocess.Popen(  # pylint: disable=consider-using-with
            [VM, "run", "--realtime", "--mem", "24M", "--swap", "64M", "--timeout", "1000", *words], env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.picture = folder / "picture.ppm"

    def wait_for(self, line):
        assert self.program.stdout.readline() == line + "\n"
        self.folder = runs.find(str(self.picture.parent / "build" / "runs" / "latest"))

    def monitor(self, *commands):
        """The answer to the last of these commands, each (name, arguments)."""
        monitor = runs.Monitor(self.folder)  # for a moment: the verbs of ./vm want it, too
        try:
            return [monitor.command(name, **arguments) for name, arguments in commands][-1]
        finally:
            monitor.close()

    def press(self, *keys):
        self.monitor(("send-key", {"keys": [{"type": "qcode", "data": key} for key in keys]}))

    def shot(self):
        self.monitor(("screendump", {"filename": str(self.picture)}))
        return Shot(self.picture)

    def until(self, fits):
        """The first picture that fits."""
        end = time.monotonic() + PATIENCE
        while not fits(shot := self.shot()):
            assert time.monotonic() < end, "\n".join(shot.rows())
            time.sleep(0.1)
        return shot

    def stand(self, look):
        """What look() returns, once it is not None, of the machine while it stands."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.monitor(("stop", {}))
            try:
                found = look()
            finally:
                self.monitor(("cont", {}))
            if found is not None:
                return found
            time.sleep(0.3)
        raise AssertionError("no look at the machine fitted:\n" + "\n".join(self.shot().rows()))

    def close(self):
        self.program.terminate()
        self.program.communicate(timeout=PATIENCE)


@pytest.fixture(name="machine", scope="module")
def fixture_machine(built, tmp_path_factory):
    """Two shells that wait, with more memory than there is; the screen shows the console."""
    machine = Machine(built, tmp_path_factory.mktemp("screen"), "--grub", "--append", "screen=on", "--", "sh", "-c",
                      SCRIPT)
    machine.wait_for("ready")
    yield machine
    machine.close()


def view(machine, title):
    """Presses F2 until the view with that title is shown; what is shown then."""
    for _ in range(3):
        if machine.shot().row(0).startswith(title):
            break
        before = machine.shot().row(0).split(" ")[0]
        machine.press("f2")
        machine.until(lambda s, before=before: s.row(0) and s.row(0).split(" ")[0] != before)
    return machine.until(lambda s: s.row(0).startswith(title) and s.row(s.height // 16 - 1))


def named_counts(text):
    """{name: frames} of the lines below the map."""
    return {name: int(count) for name, count in re.findall(rf"({'|'.join(KEYS)}) (\d+)", text)}


def dots(machine, shot):
    """The colour of each dot of the map."""
    seen = kernel.Kernel(memory.Ram(os.path.join(machine.folder, "ram")), os.path.join(machine.folder, "vitrine.elf"))
    columns, side, number = (seen.variable(f"kernel/view/frame_map.c:{name}") for name in ("columns", "side", "ndots"))
    assert seen.variable("kernel/view/frame_map.c:per_dot") == 1
    middle = (side - 1) // 2
    return [shot.pixel(n % columns * side + middle, MAP_TOP + n // columns * side + middle) for n in range(number)]


def test_f2_goes_round(machine):
    """Console, frames, processes, and the same console again."""
    console = machine.until(lambda s: s.row(0).startswith("Vitrine, started by GRUB"))
    for title in ("Frames ", "Processes ", "Vitrine, started by GRUB"):
        machine.press("f2")
        machine.until(lambda s, title=title: s.row(0).startswith(title))
    assert machine.until(lambda s: s.data == console.data)


def test_the_map_is_that_of_memory(machine):
    """At a stop: the colour of every frame, the counts, the title."""
    view(machine, "Frames ")

    def look():
        shot, held = machine.shot(), vm(machine.env, "mem", "--json")
        shared, outside = held["map"].count("S"), held["map"].count("#")
        owners = {name: held["owners"][f"FRAME_{owner}"] for name, owner in
                  (("free", "FREE"), ("kernel", "KERNEL"), ("small objects", "KMALLOC"), ("page table", "PAGETABLE"),
                   ("anonymous page", "ANON"), ("file page", "OBJECT"), ("frame of zeros", "ZERO"))}
        owners |= {"anonymous page": owners["anonymous page"] - shared, "anonymous, shared": shared,
                   "the kernel itself": outside}
        same = dots(machine, shot) == [COLOURS[live.COLOURS[letter]] for letter in held["map"]]
        return (shot, held, owners) if same and named_counts(" ".join(shot.rows()[-5:-2])) == owners else None

    shot, held, owners = machine.stand(look)
    assert min(owners.values()) > 0
    swap = vm(machine.env, "swap", "--json")["areas"][0]
    assert f"  free {owners['free']}/{held['total']}  swap {swap['used']}/{swap['slots']}  faults " in shot.row(0)
    assert swap["used"] > 100 and shot.row(0).endswith("F2: processes")
    assert shot.rows()[-1] == "every invariant holds" and RED not in dots(machine, shot)


def strip(it, space, cells):
    """The colours of a process's strip, from its regions, private pages and entries."""
    pages, found, before = space.view.pages, [Counter() for _ in range(cells)], 0
    for region in space.regions:
        for page in range(region.start >> 12, region.end >> 12):
            cell = found[(before + page - (region.start >> 12)) * cells // pages]
            entry = space.entries.get(page << 12)
            owner = it.owner((entry & memory.ADDRESS) >> 12) if entry else None
            if page in space.private:
                refs, _, frame = it.anon(space.private[page])
                cell["swap" if not frame else "cow" if refs > 1 else "anon"] += 1
            elif owner == "FRAME_ZERO":
                cell["zero"] += 1
            elif owner:
                cell["object" if owner == "FRAME_OBJECT" else "cow"] += 1
        before += (region.end - region.start) >> 12
    order = ["anon", "cow", "object", "zero", "swap"]
    return [COLOURS[max(order, key=lambda k: (cell[k], -order.index(k))) if cell else "free"] for cell in found]


def test_the_processes_are_those_of_memory(machine):
    """At a stop: each line, and each cell of the strips."""
    view(machine, "Processes ")

    def look():
        shot, listed = machine.shot(), vm(machine.env, "ps", "--json")
        it = Damage(runs.kernel_of(machine.folder), machine.folder).state
        lines = [[p["pid"], p["state"], it.name_of(it.processes[p["pid"]]),
                  *(f"{4 * p[key]}K" for key in ("resident", "swapped", "tables"))] for p in listed]
        shown = [shot.row(row)[:STRIP].split()[:6] for row in range(3, 3 + len(lines))]
        strips = [[shot.pixel(8 * column, 16 * row) for column in range(STRIP, shot.width // 8)]
                  for row in range(3, 3 + len(lines))]
        want = [strip(it, it.space_of(it.processes[p["pid"]]), len(strips[0])) for p in listed]
        same = shown == [list(map(str, line)) for line in lines] and strips == want
        return (listed, strips) if same else None

    listed, strips = machine.stand(look)
    assert [p["command"].split()[0] for p in listed] == ["/sbin/init", "sh", "sh"]
    assert {COLOURS[name] for name in ("anon", "cow", "object", "swap", "free")} <= {c for row in strips for c in row}


def wrong_table(it):
    """A page table that counts one entry too many; init's, which sleeps."""
    number = it.state.space_of(it.state.processes[1]).root >> 12
    return number, "used", it.state.frames[number].used + 1, "page table "


def wrong_owner(it):
    """A page of a program's that claims to be the kernel's."""
    _, _, entry = it.some_entry()
    return (entry & memory.ADDRESS) >> 12, "owner", 1, " maps frame "


@pytest.mark.parametrize("damage", [wrong_table, wrong_owner])
def test_a_broken_frame_is_red(machine, damage):
    """It and no other, with a sentence, for as long as it is broken."""
    view(machine, "Frames ")
    it = Damage(runs.kernel_of(machine.folder), machine.folder)
    number, field, value, sentence = damage(it)
    offset, size = it.field("frame", field), {"used": 2, "owner": 1}[field]
    place = it.state.descriptor(number) + offset
    before = int.from_bytes(it.kernel.read(place, size), "little")
    it.put(place, size, value)
    shot = machine.until(lambda s: " broken: " in s.rows()[-1])
    it.put(place, size, before)
    assert re.match(r"\d+ broken: ", shot.rows()[-1]) and sentence in shot.rows()[-1], shot.rows()[-1]
    assert [n for n, colour in enumerate(dots(machine, shot)) if colour == RED] == [number]
    shot = machine.until(lambda s: s.rows()[-1] == "every invariant holds")
    assert RED not in {shot.data[at:at + 3] for at in range(0, len(shot.data), 3)}


def test_the_console_goes_on_behind_a_view(machine):
    """What is written meanwhile is there afterwards; F2 is not typed, Shift-F2 is."""
    shot = view(machine, "Processes ")
    machine.program.stdin.write("\n")
    machine.program.stdin.flush()
    machine.wait_for("said")
    assert machine.until(lambda s: s.row(0).startswith("Processes ")).row(1) == shot.row(1) == ""
    for keys in ("a",), ("f2",), ("b",), ("shift", "f2"), ("ret",):
        machine.press(*keys)
        time.sleep(0.3)  # QEMU holds a key for a tenth of a second
    assert machine.program.stdout.readline().split()[1:] == ["a", "b", "033", "O", "Q", r"\n"]
    rows = machine.until(lambda s: s.row(0).startswith("Vitrine, started by GRUB")).rows()
    assert "behind the view" in rows


# --- other machines --------------------------------------------------------------------------------------

def text_rows(machine):
    """The rows of VGA's text memory."""
    path = str(machine.picture) + ".text"
    machine.monitor(("pmemsave", {"val": TEXT_MEMORY, "size": 80 * 25 * 2, "filename": path}))
    with open(path, "rb") as file:
        text = file.read()[::2].decode("ascii", "replace")
    return [text[at:at + 80].rstrip() for at in range(0, len(text), 80)]


def test_text_memory(built, tmp_path):
    """Without pixels the frames are letters; screen=frames begins with them, and a panic ends the view."""
    machine = Machine(built, tmp_path, "--append", "screen=frames", "--", "sh", "-c", "echo ready; read line")
    try:
        machine.wait_for("ready")

        def look():
            rows, held = text_rows(machine), vm(machine.env, "mem", "--json")
            named = named_counts(" ".join(rows))
            fits = all(named.get(name) == held["owners"][f"FRAME_{owner}"] for name, owner in
                       (("free", "FREE"), ("page table", "PAGETABLE"), ("file page", "OBJECT")))
            return (rows, held["map"].replace("-", ".")) if fits else None

        rows, frames = machine.stand(look)
        share = int(re.match(r"a letter is (\d+) frames; ", rows[-2])[1])
        groups = [Counter(frames[at:at + share]).most_common() for at in range(0, len(frames), share)]
        clear = [(shown, group[0][0]) for shown, group in zip("".join(row.ljust(80) for row in rows[2:]), groups)
                 if len(group) == 1 or group[0][1] > group[1][1]]
        assert len(clear) > 800 and all(shown == most for shown, most in clear)
        assert rows[0].startswith("Frames ") and rows[-1] == "every invariant holds"
        machine.monitor(("inject-nmi", {}))
        assert machine.program.wait(PATIENCE) == 126
        it = Damage(runs.kernel_of(machine.folder), machine.folder).kernel
        assert not it.variable("kernel/dev/screen.c:screen").view
    finally:
        machine.close()


@pytest.mark.parametrize("name", ["frames", "processes"])
def test_while_memory_is_exhausted(vm, name):  # pylint: disable=redefined-outer-name
    """Two processors, a program larger than the memory, and a view that is drawn all the time."""
    vm(["/tests/more_than_memory", "40"], mem="24M", swap="64M", cpus=2, append=f"screen={name}").ok()
