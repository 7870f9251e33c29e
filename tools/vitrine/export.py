"""The verb `vm trace`: the trace of a run as sentences, as a table, and for other programs."""
import csv
import os
import shlex
import sys

from . import perfetto, report, runs, trace
from .machine import HostError

LINES = 40


def write_csv(recorded, file):
    """A line for each event; a column for each name that a field of any kind has."""
    names = list(dict.fromkeys(f.name for kind in recorded.kinds.values() for f in kind.fields))
    types = {kind.name: {f.name: f.type for f in kind.fields} for kind in recorded.kinds.values()}
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["time_ns", "cpu", "tid", "thread", "event", *names])
    for event in recorded.events:
        cells = {name: cell(recorded, types[event.kind][name], value) for name, value in event.fields.items()}
        out.writerow([event.time, event.cpu, event.tid, recorded.name(event.tid), event.kind,
                      *(cells.get(name, "") for name in names)])


def cell(recorded, kind, value):
    """Numbers that one may want to reckon with stay bare."""
    if kind in recorded.schema.flags or kind in recorded.schema.choices or kind in ("address", "signal"):
        return recorded.word(kind, value)
    return value


def tail(recorded, count):
    """The last events as lines of text."""
    lines = [f"{event.time / 1e6:14.6f} ms  CPU {event.cpu}  {recorded.name(event.tid):16} {recorded.say(event)}"
             for event in recorded.events[-count:]]
    return "\n".join(lines) + "\n" * bool(lines)


def summary(recorded):
    """How much there is, for who wonders where the rest is."""
    if not recorded.lost:
        return f"all {len(recorded.events):,} events"
    return (f"the last {len(recorded.events):,} of {sum(ring.written for ring in recorded.rings):,} events "
            f"(for all of them: vm run --trace {larger(recorded)})")


def larger(recorded):
    """A size of rings that would have lost nothing."""
    size = 64 << 10
    while size < 32 * max(ring.written for ring in recorded.rings):
        size *= 2
    return f"{size >> 10}K" if size < 1 << 20 else f"{size >> 20}M"


def take(opts):
    """The trace of the run that is meant, and the owners of its frames."""
    with runs.look(runs.find(opts.run), "vm trace") as kernel:
        recorded = trace.read(kernel)
        owners = report.frame_owners(kernel) if opts.output else b""
    if not recorded.rings:
        raise HostError("that run recorded nothing: start it without --trace off")
    return recorded, owners


def program(opts):
    """What a run ran, as one would type it; "" for the shell of vm boot."""
    try:
        with open(os.path.join(runs.find(opts.run), "fw-argv"), encoding="utf-8", errors="replace") as words:
            return shlex.join(words.read().rstrip("\0").split("\0"))
    except FileNotFoundError:
        return ""


def main(opts):
    """Do what the options say; the exit status."""
    recorded, owners = take(opts)
    try:
        if opts.output:
            report.write(opts.output, recorded, owners, program(opts))
        if opts.csv:
            with open(opts.csv, "w", encoding="utf-8", newline="") as file:
                write_csv(recorded, file)
        if opts.perfetto:
            with open(opts.perfetto, "wb") as file:
                file.write(perfetto.Writer(recorded).file())
    except OSError as error:
        raise HostError(f"{error.filename}: {error.strerror}") from error
    files = [name for name in (opts.output, opts.csv, opts.perfetto) if name]
    if opts.tail or not files:
        sys.stdout.write(tail(recorded, opts.tail or LINES))
    names = [os.path.relpath(name) for name in files]
    print(f"vm: {', '.join(names)}{': ' * bool(names)}{summary(recorded)}", file=sys.stderr)
    return 0
