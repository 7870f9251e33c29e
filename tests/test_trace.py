"""The trace: what a program did is in it, once each, and adds up to what the kernel itself counted."""
import csv
import functools
import glob
import io
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT
from vitrine import export, machine, perfetto, runs, trace

GUEST = Path(__file__).resolve().parent / "guest" / "traced.c"
SCHEMA = trace.Schema()
OWNERS = {"anon": "nr_anon_pages", "object": "nr_file_pages", "pagetable": "nr_page_table_pages"}
PAGE = 4096
KERNEL_HALF = 1 << 63


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """tests/guest/traced.c, compiled."""
    program = tmp_path_factory.mktemp("traced") / "traced"
    subprocess.run([f"{ROOT}/tools/ucc", GUEST, program, f"{program}.d"], cwd=ROOT, check=True)
    return program


@pytest.fixture(scope="module")
def recorded(built, traced):  # pylint: disable=unused-argument
    """run(arguments, cpus, mem, swap, trace) -> (output, folder): the folders stay until the tests are over."""
    folders = []

    @functools.cache
    def run(*arguments, cpus=1, mem="64M", swap="none", size="4M"):
        command = [f"{ROOT}/vm", "run", "--keep", "--cpus", cpus, "--mem", mem, "--swap", swap, "--trace", size,
                   "--add", f"{traced}:/traced", "--", *arguments]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, VITRINE_NO_BUILD="1")) as process:
            out = process.communicate()[0]
        folders.extend(glob.glob(f"{machine.RUNS}/*-{process.pid:x}"))
        assert process.returncode == 0, out
        return out, folders[-1]
    yield run
    for folder in folders:
        shutil.rmtree(folder)


def read(folder):
    with runs.look(folder) as kernel:
        return trace.read(kernel)


def parse(out):
    """({word: number} of what the program says, [{name: count} of each time it looked])."""
    first, *parts = out.split("counts ")
    said, counts = {}, []
    for line in first.splitlines():
        said[line.split()[0]] = int(line.split()[1])
    for part in parts:
        lines = [line.split() for line in part.splitlines()[1:]]
        counts.append({words[0]: int(words[1]) for words in lines if "_" in words[0] or words[0].startswith("psw")})
        said.update({words[0]: int(words[1], 16 if words[0] in ("area", "marks") else 10) for words in lines
                     if words[0] not in counts[-1]})
    return said, counts


def place(recording, said, number):
    """Where in the events the program set a mark."""
    return next(n for n, e in enumerate(recording.events) if e.kind == "protect" and
                e.fields["start"] == said["marks"] and e.fields["pages"] == number)


def tally(events):
    """What /proc/vmstat would say after these events."""
    kinds, found = SCHEMA.flags["fault"], Counter()
    for event in events:
        fields = event.fields
        if event.kind == "fault":
            found.update(f"fault_{name}" for bit, name in enumerate(kinds) if fields["kinds"] >> bit & 1)
        elif event.kind == "tlb_flush" and fields["start"] < KERNEL_HALF:
            found["nr_tlb_local_flush_one"] += fields["pages"]
            found["nr_tlb_local_flush_all"] += not fields["pages"]
        elif event.kind == "shootdown":
            found["nr_tlb_remote_flush"] += 1
            found["nr_tlb_remote_flush_received"] += fields["asked"]
        elif event.kind in ("swap_out", "swap_in"):
            found["psw" + {"out": "pout", "in": "pin"}[event.kind[5:]]] += 1
        elif event.kind in ("frame_alloc", "frame_free"):
            sign = 1 if event.kind == "frame_free" else -1
            found["nr_free_pages"] += sign * fields["pages"]
            owner = SCHEMA.choices["owner"][fields["owner"]]
            found[OWNERS.get(owner, owner)] -= sign * fields["pages"]
    return found


def check_counts(recording, said, counts):
    """Between each two looks, the kernel's own counts grew by what the trace tells."""
    exact = 0
    for n in range(len(counts) - 1):
        begin, begun, end, ended = (place(recording, said, number) for number in range(2 * n + 1, 2 * n + 5))
        least, most = tally(recording.events[begun:end]), tally(recording.events[begin:ended])
        names = [name for name in counts[0] if name.startswith(("fault_", "nr_tlb", "psw", "nr_free", "nr_anon",
                                                                "nr_file", "nr_page_table"))]
        assert len(names) == 20
        for name in names:
            grown = counts[n + 1][name] - counts[n][name]
            low, high = sorted((least[name], most[name]))
            assert low <= grown <= high, (name, n, grown, low, high)
            exact += low == high
    assert exact >= 15 * (len(counts) - 1)  # the rest is what went on in the background


def of(recording, tid, kind, **fields):
    """The events of one thread and kind with these fields."""
    return [e for e in recording.events if e.kind == kind and e.tid == tid and
            all(e.fields[name] == value for name, value in fields.items())]


def faults(recording, tid, kind, low, pages):
    """How many faults of a kind a thread had in a range."""
    bit = recording.schema.flags["fault"].index(kind)
    return sum(low <= e.fields["address"] < low + pages * PAGE for e in of(recording, tid, "fault")
               if e.fields["kinds"] >> bit & 1)


@pytest.mark.parametrize("cpus", [1, 2])
def test_known_things(recorded, cpus):
    out, folder = recorded("/traced", cpus=cpus)
    recording = read(folder)
    said, counts = parse(out)
    me, child, area = said["pid"], said["child"], said["area"]
    assert not recording.lost and len(recording.rings) == cpus
    check_counts(recording, said, counts)
    assert faults(recording, me, "zero", area, 10) == 10
    assert faults(recording, me, "new", area, 30) == 25
    assert faults(recording, child, "cow_copies", area, 64) == 8
    assert faults(recording, me, "cow_reuses", area + 10 * PAGE, 20) == 20
    assert faults(recording, me, "refused", area, 64) == 1
    assert sum(area <= e.fields["address"] < area + 64 * PAGE for e in of(recording, child, "cow_copy")) == 8
    assert len(of(recording, me, "unmap", start=area + 40 * PAGE, pages=5)) == 1
    assert len(of(recording, me, "protect", start=area + 50 * PAGE, pages=7)) == 2
    assert len(of(recording, me, "signal", signal=10, receiver=me)) == 3
    assert len(of(recording, me, "signal", signal=11, receiver=me, address=area + 52 * PAGE)) == 1
    forks = [e.fields["makes"] for e in of(recording, me, "fork")]
    assert forks == [0, 2, 1], "fork, vfork, a thread"
    assert len(of(recording, me, "fork", child=child, pid=child, makes=0)) == 1
    assert [e.fields["status"] >> 8 for e in of(recording, child, "exit", who=1, pid=child)] == [3]
    assert [e.fields["step"] for e in of(recording, said["executed"], "exec", name="busybox")] == [0, 1]
    shot = [e for e in of(recording, me, "shootdown") if e.fields["pages"] == 2]
    assert len(shot) >= 5 if cpus == 2 else not shot
    assert recording.name(me) == f"traced {me}" and recording.names[-2] == "pager"


@pytest.mark.parametrize("cpus", [1, 2])
def test_swap(recorded, cpus):
    out, folder = recorded("/traced", 30, cpus=cpus, mem="32M", swap="64M")
    recording = read(folder)
    said, counts = parse(out)
    assert counts[2]["pswpout"] > 1000
    check_counts(recording, said, counts)
    steps = [e.fields["step"] for e in recording.events if e.kind == "reclaim"]
    assert steps == [0, 1] * (len(steps) // 2)


def test_frames_add_up(recorded):
    """Whoever replays allocations and frees knows the owner of each frame, and how many are free."""
    _, folder = recorded("/traced")
    with runs.look(folder) as kernel:
        recording = trace.read(kernel)
        free = kernel.variable("mm/frame.c:free_count")
    owners = {}
    for event in recording.events:
        fields = event.fields
        if event.kind == "frame_alloc":
            assert owners.setdefault(fields["frame"], None) is None, event
            owners.update({fields["frame"] + n: fields["owner"] for n in range(fields["pages"])})
        elif event.kind == "frame_free" and fields["frame"] in owners:
            assert owners[fields["frame"]] == fields["owner"], event
            owners[fields["frame"]] = None
    times = recording.free_over_time()
    assert times[-1][1] == free and times == sorted(times, key=lambda step: step[0])


def test_small_ring_keeps_the_last(recorded):
    """The ring wraps: what is left is the end of what a large one holds, and the rest is counted as lost."""
    _, folder = recorded("/traced", size="4K")
    recording = read(folder)
    (ring,) = recording.rings
    assert ring.capacity == len(recording.events) == 128
    assert recording.lost == ring.written - 128 > 1000
    assert [e.time for e in recording.events] == sorted(e.time for e in recording.events)
    assert recording.complete_since == recording.events[0].time


def test_off(recorded):
    """No ring, no record; ./vm trace says so."""
    _, folder = recorded("/traced", size="off")
    with runs.look(folder) as kernel:
        state = kernel.variable("vitrine_trace")
        assert all(ring.records is None and ring.next == 0 for ring in state.rings)
        assert not kernel.variable("trace_on") and trace.read(kernel).events == []
    done = vm_trace(folder)
    assert done.returncode == 125 and "recorded nothing" in done.stderr


def damaged(folder, copy, number):
    """A copy of a run in which the fifth record of the ring is of another kind."""
    with runs.look(folder) as kernel:
        records = kernel.variable("vitrine_trace").rings[0].records.address
        at = kernel.ram.offset(kernel.physical(records)) + 4 * trace.RECORD.size + 8
    copy.mkdir()
    for name in ("ram", "vitrine.elf"):
        shutil.copyfile(f"{folder}/{name}", copy / name)
    with open(copy / "ram", "r+b") as ram:
        ram.seek(at)
        ram.write(number.to_bytes(2, "little"))
    return copy


def test_an_unfinished_record_is_left_out(recorded, tmp_path):
    _, folder = recorded("/traced", size="4K")
    torn = read(damaged(folder, tmp_path / "torn", 0))
    assert len(torn.events) == 127 and {e.time for e in torn.events} < {e.time for e in read(folder).events}


def test_an_unknown_kind_is_told(recorded, tmp_path):
    _, folder = recorded("/traced", size="4K")
    done = vm_trace(damaged(folder, tmp_path / "strange", 999))
    assert done.returncode == 125 and "kind 999, which kernel/trace/events.toml does not know" in done.stderr


def test_without_events():
    """Nothing happened: each form is empty, and whole."""
    empty, table = trace.Trace(SCHEMA, [trace.Ring(0, 128, 0)], [], 10**9, 0, 0), io.StringIO()
    export.write_csv(empty, table)
    assert table.getvalue().startswith("time_ns,cpu,tid,thread,event,") and table.getvalue().count("\n") == 1
    assert export.tail(empty, 40) == "" and export.summary(empty) == "all 0 events"
    assert [number for number, _ in fields_of(perfetto.Writer(empty).file())] == [1, 1, 1]  # CPUs, memory, CPU 0


@pytest.mark.parametrize("option", ["-o", "--csv", "--perfetto"])
def test_a_file_that_cannot_be_written_is_told(recorded, option):
    _, folder = recorded("/traced")
    done = vm_trace(folder, option, "/no/such/folder/file")
    assert done.returncode == 125 and "/no/such/folder/file: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_cost(recorded):
    """Instructions of one record: under QEMU's icount the guest's clock counts them."""
    took = {size: recorded("/traced", "pace", size=size)[0].split() for size in ("off", "64K")}
    calls = int(took["off"][3])
    cost = (int(took["64K"][0]) - int(took["off"][0])) / calls
    print(f"{cost:.1f} instructions a record")
    assert 10 < cost < 60


def vm_trace(*words):
    return subprocess.run([f"{ROOT}/vm", "trace", *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("option, says", [
    ("trace=much", '"much" is not a size of at least 4K'),
    ("trace=", '"" is not a size'),
    ("trace=100", '"100" is not a size'),
    ("trace=4096X", '"4096X" is not a size'),
    ("trace=6K", "trace: 4 KiB for each CPU"),
    ("trace=1M", "trace: 1024 KiB for each CPU"),
    ("trace=1024M", "would be more than a quarter of memory"),
])
def test_option(vm, option, says):
    run = vm(["/bin/busybox", "true"], append=option).ok()
    assert says in run.log, run.log


@pytest.mark.parametrize("words, says", [
    (["run", "--trace", "3", "--", "x"], "'3' is not a size"),
    (["run", "--trace", "never", "--", "x"], "'never' is not a size"),
    (["trace", "--tail", "0"], "'0' is not a number above 0"),
    (["trace", "999999"], "no such run"),
    (["trace", "--", "x"], "takes no program"),
    (["trace", "--colour"], "try: ./vm trace --help"),
])
def test_mistakes(words, says):
    done = subprocess.run([f"{ROOT}/vm", *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 125 and says in done.stderr, done.stderr


def test_while_it_runs(built):  # pylint: disable=unused-argument
    """The machine goes on; what was recorded first is there."""
    command = [f"{ROOT}/vm", "run", "--keep", "--realtime", "--trace", "1M", "--", "/bin/busybox", "sh", "-c",
               "echo up; cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, VITRINE_NO_BUILD="1")) as process:
        try:
            assert process.stdout.readline() == "up\n"
            (folder,) = glob.glob(f"{machine.RUNS}/*-{process.pid:x}")
            done = vm_trace(folder, "--tail", "1000000")
            rest = process.communicate("still there\n", timeout=120)[0]
        finally:
            process.kill()
    shutil.rmtree(folder)
    assert done.returncode == 0 and "executes busybox: done" in done.stdout, done.stderr
    assert process.returncode == 0 and rest == "still there\n"


def test_as_text(recorded):
    _, folder = recorded("/traced")
    done = vm_trace(folder, "--tail", "3")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3 and "CPU 0" in done.stdout
    everything = vm_trace(folder, "--tail", "1000000").stdout
    for sentence in ("executes traced: done", "sends SIGUSR1 to traced", "unmaps 5 pages at 0x",
                     "makes a sharing process: thread", "(write, user): new; frame "):
        assert sentence in everything, sentence


def test_as_table(recorded, tmp_path):
    out, folder = recorded("/traced")
    done = vm_trace(folder, "--csv", str(tmp_path / "events.csv"))
    assert done.returncode == 0 and done.stdout == ""
    recording, rows = read(folder), list(csv.DictReader((tmp_path / "events.csv").open(encoding="utf-8")))
    assert len(rows) == len(recording.events)
    assert [(int(r["time_ns"]), r["event"]) for r in rows] == [(e.time, e.kind) for e in recording.events]
    area = parse(out)[0]["area"]
    (row,) = [r for r in rows if r["event"] == "unmap" and r["start"] == hex(area + 40 * PAGE)]
    assert row["pages"] == "5" and row["thread"].startswith("traced ") and row["frame"] == ""
    assert export.tail(recording, 2).count("\n") == 2


# --- Perfetto: what is written is decoded again, by code that knows nothing of the writer -----------------

def fields_of(data):
    """[(number, value)] of a message in the encoding of Protocol Buffers: ints, and bytes of what has a length."""
    stream, found = io.BytesIO(data), []

    def number():
        value = shift = 0
        while True:
            byte = stream.read(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while stream.tell() < len(data):
        key = number()
        assert key & 7 in (0, 2), f"wire type {key & 7}"
        found.append((key >> 3, number() if key & 7 == 0 else stream.read(number())))
    return found


def test_for_perfetto(recorded, tmp_path):
    _, folder = recorded("/traced", cpus=2)
    done = vm_trace(folder, "--perfetto", str(tmp_path / "trace.pftrace"))
    assert done.returncode == 0, done.stderr
    recording, tracks, open_slices = read(folder), {}, Counter()
    names, last, begun, values = Counter(), 0, 0, []
    for number, packet in fields_of((tmp_path / "trace.pftrace").read_bytes()):
        assert number == 1
        packet = dict(fields_of(packet))
        if 60 in packet:  # TrackDescriptor
            track = dict(fields_of(packet[60]))
            assert track[1] not in tracks
            tracks[track[1]] = track
            continue
        assert packet[8] >= last
        last = packet[8]
        event = dict(fields_of(packet[11]))  # TrackEvent
        assert event[11] in tracks
        if event[9] == 1:
            begun += 1
            open_slices[event[11]] += 1
        elif event[9] == 2:
            open_slices[event[11]] -= 1
            assert open_slices[event[11]] >= 0
        elif event[9] == 4:
            values.append((packet[8], event[30] // PAGE))
        names[event.get(23, b"").decode()] += 1
    kinds = Counter(e.kind for e in recording.events)
    assert names["page fault"] == kinds["fault"] and names["frame_alloc"] == kinds["frame_alloc"]
    assert values == recording.free_over_time()
    assert begun == kinds["fault"] + sum(e.kind == "switch" and e.fields["next"] != 0 for e in recording.events)
    assert {b"CPU 0", b"CPU 1", b"free memory", b"pager"} <= {track[2] for track in tracks.values()}
    assert perfetto.varint(300) == b"\xac\x02"
