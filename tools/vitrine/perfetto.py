"""A trace as a file for Perfetto (https://ui.perfetto.dev): TrackEvents, in the encoding of Protocol Buffers.

A slice for each turn of a thread on a CPU and for each page fault, an instant for everything else, and counters.
Messages and field numbers: perfetto's protos/perfetto/trace/trace_packet.proto and track_event/*.proto.
"""
PACKET = 1
TIMESTAMP, SEQUENCE, TRACK_EVENT, TRACK_DESCRIPTOR = 8, 10, 11, 60  # of TracePacket
UUID, NAME, PROCESS, THREAD, PARENT, COUNTER = 1, 2, 3, 4, 5, 8  # of TrackDescriptor
ANNOTATION, TYPE, TRACK, EVENT_NAME, VALUE = 4, 9, 11, 23, 30  # of TrackEvent
BEGIN, END, INSTANT, COUNT = 1, 2, 3, 4  # TrackEvent's types
NOTE_NAME, NOTE_NUMBER, NOTE_TEXT = 10, 3, 6  # of DebugAnnotation
CPUS, MEMORY, THREADS = 1, 2, 1 << 32  # tracks: the CPUs' parent, the counter; threads by their tid
OURS = 1 << 31  # process numbers that no process has: of the CPUs, and of the kernel's threads


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def message(*fields):
    """The bytes of a message from (number, value) pairs: an int, text, or bytes that are a message themselves."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value & (1 << 64) - 1)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


class Writer:
    """Gathers packets, each with its time, and the tracks that they need."""

    def __init__(self, trace):
        self.trace, self.tracks, self.packets = trace, [], []
        self.threads, self.running = set(), {}

    def track(self, uuid, name, *more):
        self.tracks.append(message((TRACK_DESCRIPTOR, message((UUID, uuid), (NAME, name), *more))))

    def thread(self, tid):
        """The track of a thread, which is made when it is first needed."""
        if tid not in self.threads:
            self.threads.add(tid)
            name, pid = self.trace.name(tid), self.trace.pids.get(tid, tid)
            who = message((1, pid if tid > 0 else OURS - 2), (2, tid if tid > 0 else OURS + tid), (5, name))
            self.track(THREADS + tid, name, (THREAD, who))
        return THREADS + tid

    def add(self, time, kind, track, *more):
        event = message((TYPE, kind), (TRACK, track), *more)
        self.packets.append((time, message((TIMESTAMP, time), (SEQUENCE, 1), (TRACK_EVENT, event))))

    def notes(self, event):
        """What an event's fields hold, for who clicks on it."""
        fields = self.trace.kinds[event.kind].fields
        notes = [(f.name, self.trace.word(f.type, event.fields[f.name])) for f in fields] + [("CPU", event.cpu)]
        return [(ANNOTATION, message((NOTE_NAME, name), (NOTE_NUMBER if isinstance(value, int) else NOTE_TEXT, value)))
                for name, value in notes]

    def event(self, event):
        if event.kind == "switch":
            self.switch(event)
        elif event.kind == "fault":
            took = event.fields["ticks"] * 1_000_000_000 // self.trace.hz
            track = self.thread(event.tid)
            self.add(max(0, event.time - took), BEGIN, track, (EVENT_NAME, "page fault"), *self.notes(event))
            self.add(event.time, END, track)
        else:
            track = self.thread(event.tid) if event.tid else self.cpu(event.cpu)
            self.add(event.time, INSTANT, track, (EVENT_NAME, event.kind), *self.notes(event))

    def cpu(self, number):
        return CPUS + (number + 1 << 16)

    def switch(self, event):
        """A turn ends and another begins."""
        track = self.cpu(event.cpu)
        if self.running.pop(event.cpu, None):
            self.add(event.time, END, track)
        if event.fields["next"]:
            self.running[event.cpu] = True
            self.add(event.time, BEGIN, track, (EVENT_NAME, self.trace.name(event.fields["next"])))

    def file(self):
        """The whole file."""
        trace = self.trace
        self.track(CPUS, "CPUs", (PROCESS, message((1, OURS - 1), (6, "CPUs"))))
        self.track(MEMORY, "free memory", (COUNTER, message((3, 3))))  # unit 3: bytes
        for ring in trace.rings:
            self.track(self.cpu(ring.cpu), f"CPU {ring.cpu}", (PARENT, CPUS))
        for event in trace.events:
            self.event(event)
        for time, free in trace.free_over_time():
            self.add(time, COUNT, MEMORY, (VALUE, free * 4096))
        self.packets.sort(key=lambda packet: packet[0])
        return b"".join(message((PACKET, packet)) for packet in self.tracks + [data for _, data in self.packets])
