"""The report of a trace: one HTML page that needs nothing else, made of the files in report/.

The page gets the records as columns, deflated and in base64, and works everything out itself; 100,000 records
are about one megabyte.
"""
import base64
import hashlib
import json
import os
import re
import struct
import zlib

from .schema import PLACES
from .state import State
from .trace import RECORD

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report")
OUTSIDE = 8  # an owner that only the page knows: names.js

# In this order: each file uses only what those before it define, until page.js begins.
SCRIPTS = ["vendor/uplot/uPlot.iife.min.js", "names.js", "format.js", "trace.js", "machine.js", "chart.js",
           "theme.js", "timeline.js", "frames.js", "series.js", "faults.js", "walk.js", "spaces.js", "family.js",
           "swap.js", "cpus.js", "page.js"]


def text(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as source:
        return source.read()


def style():
    """The style sheet; the dark colours stand in it once and count for the system's choice and for the switch."""
    sheet = text("style.css")
    dark = re.search(r"^@DARK (\{.*?^\})\n", sheet, re.M | re.S)
    both = (f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=\"light\"]) {dark[1]} }}\n"
            f":root[data-theme=\"dark\"] {dark[1]}\n")
    return text("vendor/uplot/uPlot.min.css") + "\n" + sheet.replace(dark[0], both)


def fill(template, parts):
    """A page: a template in which @NAME@ gives way to the part of that name."""
    return re.sub(r"^(.*)@([A-Z]+)@", lambda match: match[1] + parts[match[2]], text(template), flags=re.M)


def columns(records, owners):
    """Records as columns, for trace.js: the wide ones first.  Times are the differences to the record before."""
    rows = list(RECORD.iter_unpack(records))
    time, kind, cpu, detail, tid, a, b = zip(*rows) if rows else ((),) * 7
    steps = [0, *(later - earlier for earlier, later in zip(time, time[1:]))][:len(rows)]
    low, high = (lambda column: [n & 0xffffffff for n in column]), (lambda column: [n >> 32 for n in column])
    words = [low(steps), high(steps), [n & 0xffffffff for n in tid], low(a), high(a), low(b), high(b)]
    return b"".join(struct.pack(f"<{len(rows)}I", *column) for column in words) + \
        b"".join(map(bytes, (kind, cpu, detail))) + owners


def page(records, meta):
    """The HTML page, as text.

    @records: bytes, 32 for each record, sorted by time.
    @meta:    what the records do not say; all of it may be missing:
              command (what ran), tsc_hz, cpus, lost (how many records came before), frames (of RAM, with its holes),
              names ({tid: [pid, name]} of threads that were there before), owners (bytes: each frame's at the end).
    """
    owners = bytes(meta.get("owners") or b"")
    facts = {"command": "", "tsc_hz": 10**9, "cpus": 1, "lost": 0, "frames": 0, "names": {}, **meta,
             "start": RECORD.unpack_from(records)[0] if records else 0, "events": len(records) // RECORD.size,
             "owners": len(owners)}
    parts = {
        "STYLE": style(),
        "META": json.dumps(facts).replace("<", "\\u003c"),
        "RECORDS": base64.b64encode(zlib.compress(columns(records, owners), 9)).decode("ascii"),
        "SCRIPT": "\n".join(text(name) for name in SCRIPTS),
    }
    return fill("template.html", parts)


def pack(recorded, events):
    """Events of a trace.Trace as records again; their times are ticks since boot."""
    out = bytearray()
    for event in events:
        kind, words = recorded.kinds[event.kind], dict.fromkeys(PLACES, 0)
        for field in kind.fields:
            value = event.fields[field.name]
            number = int.from_bytes(value.encode()[:8], "little") if field.type == "text" else value & field.mask
            words[field.place] |= number << field.low
        out += RECORD.pack(event.time * recorded.hz // 10**9, kind.number, event.cpu, words["detail"], event.tid,
                           words["a"], words["b"])
    return bytes(out)


def frame_owners(kernel):
    """The owner of each frame now, a byte each; OUTSIDE where there is none to give out."""
    state = State(kernel)
    owners = bytearray([OUTSIDE]) * max(end for _, _, end in state.rams)
    for _, fresh, end in state.rams:
        owners[fresh:end] = bytes(end - fresh)
    for number, frame in state.frames.items():
        owners[number] = frame.owner
    return bytes(owners)


def write(path, recorded, owners, command):
    """Writes the page about a trace.Trace to a file.  @owners: of frame_owners().  @command: what ran.

    It begins where the ring that lost most does: before, the events of the other CPUs alone would tell nonsense.
    """
    events = [event for event in recorded.events if event.time >= recorded.complete_since]
    names = {tid: [recorded.pids.get(tid, tid), name] for tid, name in recorded.names.items()}
    meta = {"command": command, "tsc_hz": recorded.hz, "cpus": len(recorded.rings), "owners": owners,
            "lost": recorded.lost + len(recorded.events) - len(events), "frames": len(owners), "names": names}
    with open(path, "w", encoding="utf-8") as out:
        out.write(page(pack(recorded, events), meta))


def changed_vendor_files():
    """Vendored files that are not what SHA256SUMS beside them says, or are not named there."""
    wrong = []
    for folder, _, names in os.walk(os.path.join(HERE, "vendor")):
        if "SHA256SUMS" not in names:
            continue
        with open(os.path.join(folder, "SHA256SUMS"), encoding="ascii") as sums:
            known = {name: digest for digest, name in map(str.split, sums)}
        for name in {*names, *known} - {"SHA256SUMS"}:
            path = os.path.join(folder, name)
            data = open(path, "rb").read() if os.path.exists(path) else b""
            if hashlib.sha256(data).hexdigest() != known.get(name):
                wrong.append(os.path.relpath(path, HERE))
    return sorted(wrong)
