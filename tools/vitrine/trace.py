"""The trace of a run: the records that the kernel wrote into its rings, as events with named fields.

    with runs.look(folder) as kernel:
        trace = read(kernel)
    for event in trace.events: event.time, event.cpu, event.tid, event.kind, event.fields["address"], ...

What a record holds is said by kernel/trace/events.toml, where the rings are by kernel/trace/trace.h.
"""
import itertools
import signal
import struct
from dataclasses import dataclass, field
from functools import cached_property

from .machine import HostError
from .schema import Schema
from .state import State

RECORD = struct.Struct("<QHBBiQQ")  # struct trace_record, the head in its parts
OWNERS = "mm/frame.c:owner_count"


@dataclass(slots=True)
class Event:
    """One thing that happened: `time` in nanoseconds since boot, `fields` as numbers (and text) by name."""

    time: int
    cpu: int
    tid: int
    kind: str
    fields: dict


@dataclass
class Ring:
    """How much of one CPU's ring is left."""

    cpu: int
    capacity: int
    written: int

    @property
    def lost(self):
        return max(0, self.written - self.capacity)


@dataclass
class Trace:
    """All events in the order of their time, and what is needed to understand them."""

    schema: Schema
    rings: list
    events: list
    hz: int  # ticks of the TSC in a second
    free: int  # free frames at the end
    frames: int  # all frames
    names: dict = field(default_factory=dict)  # {tid: name}, as of the end
    pids: dict = field(default_factory=dict)  # {tid: number of its process}

    @property
    def lost(self):
        return sum(ring.lost for ring in self.rings)

    @property
    def complete_since(self):
        """The time from which on nothing is lost: a ring that is full begins later than the others."""
        begins = (next((e.time for e in self.events if e.cpu == ring.cpu), 0) for ring in self.rings if ring.lost)
        return max(begins, default=0)

    def name(self, tid):
        """What a thread is called, such as "sh 12"."""
        if tid == 0:
            return "idle"
        return f"{self.names.get(tid, 'thread')} {tid}" if tid > 0 else self.names.get(tid, f"kernel thread {-tid}")

    def word(self, kind, value):
        """A field's value as a beginner reads it."""
        say = SAY.get(kind)
        if say is not None:
            return say(value)
        if kind == "tid":
            return self.name(value)
        if kind == "ticks":
            more = "more than " * (value == (1 << 28) - 1)
            return f"{more}{duration(value * 1_000_000_000 // self.hz)}"
        words = self.schema.names(kind, value)
        if kind == "prot":
            return "".join(name if name in words else "-" for name in self.schema.flags["prot"])
        return words if isinstance(words, str) else ", ".join(words) or "none"

    def say(self, event):
        """An event as a sentence."""
        kind = self.kinds[event.kind]
        return kind.say.format(**{f.name: self.word(f.type, event.fields[f.name]) for f in kind.fields})

    @cached_property
    def kinds(self):
        """The schema's kinds by name."""
        return {kind.name: kind for kind in self.schema.kinds.values()}

    def free_over_time(self):
        """[(time, free frames)] after each event that changes it, reckoned back from the end."""
        change = {"frame_alloc": -1, "frame_free": 1}
        steps = [(e.time, change[e.kind] * e.fields["pages"]) for e in self.events if e.kind in change]
        after = itertools.accumulate((step for _, step in reversed(steps[1:])), lambda n, step: n - step,
                                     initial=self.free)
        return list(zip((time for time, _ in steps), reversed(list(after)))) if steps else []


def plural(noun):
    return lambda n: f"{n:,} {noun}{'s' * (n != 1)}"


def pages(n):
    return plural("page")(n) if n else "all"


def count(n):
    return f"{n:,}" if n < 1 << 63 else "any number of"


def duration(ns):
    """A time in the unit that fits."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def status(value):
    """What wait() tells."""
    number = value & 0x7f
    if number == 0:
        return f"status {value >> 8 & 0xff}"
    return signal_name(number) + ", with a core" * bool(value & 0x80)


SAY = {"address": "{:#x}".format, "mask": "{:#b}".format, "pages": pages, "cpus": plural("CPU"), "status": status,
       "signal": signal_name, "text": str, "frame": str, "slot": str, "count": count, "index": str}


def records(ring, data):
    """The raw records of a ring, the oldest first; data are its bytes."""
    found = list(RECORD.iter_unpack(data))
    at = ring.written % ring.capacity
    found = found[at:] + found[:at] if ring.written > ring.capacity else found[:ring.written]
    return [raw for raw in found if raw[1]]  # 0: it was being written


def follow(trace, event):
    """What fork and exec tell of names and processes."""
    fields = event.fields
    if event.kind == "fork":
        trace.pids[fields["child"]] = fields["pid"]
        if event.tid in trace.names:
            trace.names[fields["child"]] = trace.names[event.tid]
    elif event.kind == "exec" and fields["step"] == 1:
        trace.names[event.tid] = fields["name"] + fields["more"]


def living(kernel):
    """(tid, pid, name) of each thread that there is."""
    state = State(kernel)
    return [(task.tid, pid, task.thread.name) for pid, process in state.processes.items()
            for task in state.tasks(process)]


def read(kernel):
    """The Trace in the memory of a kernel (kernel.Kernel); without events when the run had none."""
    schema, state = Schema(), kernel.variable("vitrine_trace")
    rings, raw = [], []
    for cpu, view in enumerate(state.rings):
        if view.records:
            rings.append(Ring(cpu, view.capacity, view.next))
            raw += records(rings[-1], kernel.read(view.records.address, view.capacity * RECORD.size))
    raw.sort(key=lambda record: record[0])
    start, hz = state.tsc_start, state.tsc_hz
    strange = {number for _, number, *_ in raw} - set(schema.kinds)
    if strange:
        raise HostError(f"the trace has events of kind {min(strange)}, which kernel/trace/events.toml does not know: "
                        "the run was of another kernel")
    events = []
    for time, number, cpu, detail, tid, a, b in raw:
        kind, words = schema.kinds[number], {"detail": detail, "a": a, "b": b}
        events.append(Event((time - start) * 1_000_000_000 // hz, cpu, tid, kind.name,
                            {f.name: f.value(words) for f in kind.fields}))
    owners = kernel.variable(OWNERS)
    trace = Trace(schema, rings, events, hz, owners[0], sum(owners))
    trace.names = {-1 - n: name for n, name in enumerate(state.names) if name}
    for event in events:
        follow(trace, event)
    for tid, pid, name in living(kernel):
        trace.names[tid], trace.pids[tid] = name, pid
    return trace
