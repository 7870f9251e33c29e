"""The verb `vm policies`: how often a program would miss in memories of all sizes, by policy, and how often it did.

The program runs once with memory in plenty and a plugin in QEMU (refs.c) that writes down which pages it touches; from
that string of references the misses of each policy follow (replacement.py).  Then it runs on small machines under the
kernel's own policies, and what the kernel counted there stands beside.

A miss here is the return of a page that had left: first touches, which no policy can spare, are not counted.
"""
import array
import json
import math
import os
import shlex
import sys
from types import SimpleNamespace

from . import dwarf, machine, options, replay, replacement, report, run, runs
from .glass import table, times
from .machine import HostError
from .memory import PAGE

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refs.c")
PLENTY = 1 << 30  # for the run whose references are written down
SYSTEM = 3 << 20  # what of a small machine's memory is not for the program
LEAST = 16 << 20  # the smallest machine
EXACT = 32  # pages: below, the string that refs.c keeps is not exact (2 * NEAR)
SCRIPTS = ["vendor/uplot/uPlot.iife.min.js", "format.js", "chart.js", "theme.js", "policies.js"]
SPACE = 1 << 40  # above a page's number stands its space's (refs.c)
ROWS, COLUMNS = 96, 240  # of the picture of the string
MIB = 1 << 20


# --- runs ------------------------------------------------------------------------------------------------

def guest(opts, words, plugin=""):
    """Runs the program with these words for `vm run`; (its status, its folder, which still is this process's)."""
    words = ["run", "--trace", "off", "--timeout", str(opts.timeout), *words]
    for option, pairs in (("--add", opts.add), ("--env", opts.env)):
        for left, right in pairs:
            words += [option, f"{left}{':' if option == '--add' else '='}{right}"]
    words += ["--", *opts.program]
    parsed = options.parse(words)
    parsed.qemu += ["-plugin", plugin] * bool(plugin)
    folder = machine.Folder(False)
    with open(folder.file("arguments"), "w", encoding="utf-8") as note:
        json.dump({"cwd": os.getcwd(), "words": words}, note)
    with replay.hushed((0, 1) if plugin else (0, 1, 2)):  # what it complains of is heard once
        end = run.session(folder, parsed)
    if end.message:
        folder.ended(end.status, end.message)
        raise HostError(f"{shlex.join(words)}:\n{end.message}")
    return end.status, folder


def places(elf):
    """Where in RAM the number of the running thread lies, and its page table: struct cpu of the only processor."""
    found = dwarf.load(elf, os.path.join(machine.BUILD, "types"))
    cpu, fields = found["variables"]["boot_cpu"][0], found["structs"]["cpu"]["fields"]
    image = found["symbols"]["kernel_start"] & -(1 << 31)  # the image lies at the bottom of RAM
    return [f"{name}={cpu - image + fields[field][0]}" for name, field in (("thread", "trace_id"), ("table", "loaded"))]


def record(opts):
    """The program's string of references: pages, touched, share, others, as refs.c explains them.

    Its status too, and its waits for the disk: those for what no memory can hold before it was read.
    """
    plugin = ",".join([replay.plugin(SOURCE), "out=refs", "ram=ram", *places(machine.KERNEL), f"limit={opts.limit}"])
    status, folder = guest(opts, ["--mem", f"{PLENTY >> 20}M"], plugin)
    with open(folder.file("refs"), "rb") as file:
        touched, _, share, others = map(int, file.readline().split())
        pages = array.array("Q", file.read())
    os.unlink(folder.file("refs"))
    waits = counted(folder).waits
    folder.ended(status, "")
    folder.lock.close()
    return SimpleNamespace(pages=pages, touched=touched, share=share, others=others, status=status, waits=waits)


def counted(folder):
    """What the kernel counted: pages that the program could have, waits for the disk, pages read from swap."""
    kernel = runs.kernel_of(folder.path)
    marks = kernel.variable("mm/reclaim.c:stats")
    free = kernel.variable("mm/frame.c:free_count") + kernel.variable("mm/reclaim.c:queue_length")
    found = SimpleNamespace(size=free - (marks.low + marks.high) // 2, waits=kernel.variable("fault_total").major,
                            reads=kernel.variable("swap_pages_in"))
    kernel.ram.close()
    return found


def measure(opts, mem, policy, swap):
    """One run of the kernel on a small machine."""
    status, folder = guest(opts, ["--mem", f"{mem >> 20}M", "--swap", f"{swap >> 20}M", "--append", f"policy={policy}"])
    found = counted(folder)
    folder.ended(status, "")
    folder.lock.close()
    return {"policy": policy, "memory": mem, "size": found.size, "waits": found.waits, "reads": found.reads,
            "status": status}


def machines(opts, pages):
    """The sizes of memory to measure at: those that were asked for, or one with three quarters of the pages."""
    if opts.mem:
        return opts.mem
    mem = max(LEAST, math.ceil((pages * PAGE * 3 // 4 + SYSTEM) / MIB) * MIB)
    return [mem] if mem - SYSTEM < pages * PAGE else []


# --- what follows from the string -----------------------------------------------------------------------------

def sizes_for(pages, share, more):
    """At which sizes of memory, in pages, the curves are reckoned: evenly, finer at both ends, and at `more`."""
    least = EXACT * share
    even = {round(pages * n / 100) for n in (*range(5, 100, 5), 98, 99, 100)}
    fine = {round(least * (pages / least) ** (n / 10)) for n in range(11)}
    return sorted({size for size in even | fine if least <= size <= pages} | set(more))


def simulate(string, sizes):
    """({policy: [returns at each size]}, how many pages there are); a sample's numbers are made whole again."""
    refs, pages = replacement.dense(string.pages)
    curves = replacement.curves(refs, pages, [max(1, round(size / string.share)) for size in sizes])
    return {name: [round((misses - pages) * string.share) for misses in curve] for name, curve in curves.items()}


def study(opts):
    """All there is to tell, as a dictionary: --json prints it, the page shows it."""
    machine.build(False)
    string = record(opts)
    pages = len(set(string.pages)) * string.share
    if pages < 2 * EXACT * string.share:
        why = " a sample of which is too small (--limit keeps more)" if string.share > 1 else " too few to choose from"
        raise HostError(f"{opts.program[0]} ended with status {string.status} and touched {times(pages, 'page')},{why}"
                        + " (its child processes are not looked at)" * bool(string.others))
    swap = math.ceil(pages * PAGE * 2 / MIB) * MIB
    points = [measure(opts, mem, policy, swap) for mem in machines(opts, pages) for policy in opts.policy]
    sizes = sizes_for(pages, string.share, (point["size"] for point in points))
    curves = simulate(string, sizes)
    for point in points:
        point["waits"] = max(0, point["waits"] - string.waits)
        point["simulated"] = curves[point["policy"]][sizes.index(point["size"])]
    if opts.refs:
        write(opts.refs, "".join(f"{page & SPACE - 1:x}\n" for page in string.pages))
    return {"command": shlex.join(opts.program), "status": string.status, "touched": string.touched,
            "kept": len(string.pages), "share": string.share, "others": string.others, "pages": pages, "sizes": sizes,
            "curves": curves, "measured": points, "map": density(string.pages)}


def density(string):
    """How often each part of the pages, in order of address, was touched in each part of the string, for a picture."""
    ranks = {page: rank for rank, page in enumerate(sorted(set(string)))}
    rows, columns = min(ROWS, len(ranks)), min(COLUMNS, len(string))
    cells = [[0] * columns for _ in range(rows)]
    for at, page in enumerate(string):
        cells[ranks[page] * rows // len(ranks)][at * columns // len(string)] += 1
    first = [0] * rows
    for page, rank in reversed(ranks.items()):
        first[rank * rows // len(ranks)] = page & SPACE - 1
    return {"cells": cells, "first": first}


# --- how it is told ------------------------------------------------------------------------------------------

def lines(found):
    """The numbers as text."""
    yield (f"{found['command']}: {found['touched']:,} references to {found['pages']:,} pages "
           f"({found['pages'] * PAGE / MIB:.1f} MiB), {found['kept']:,} of which decide")
    if found["share"] > 1:
        yield f"a sample: one page in {found['share']}, so all numbers are estimates (--limit keeps more)"
    if found["others"]:
        yield (f"not in it, but in what the kernel counts: child processes, with {found['others']:,} accesses; "
               "give their program itself")
    if found["status"]:
        yield f"the program ended with status {found['status']}"
    yield "\npages that had to come back, by size of memory:"
    names = list(found["curves"])
    rows = [[f"{size:,}", f"{size * PAGE / MIB:.1f} MiB", *(f"{found['curves'][name][at]:,}" for name in names)]
            for at, size in enumerate(found["sizes"])]
    yield from table([["PAGES", "", *(name.upper() for name in names)], *rows])
    if not found["measured"]:
        yield (f"\nnot measured: the smallest machine, of {LEAST >> 20} MiB, has room for all of it" if
               found["pages"] * PAGE < LEAST else "\nnot measured")
        return
    yield "\nthe kernel itself:"
    rows = [[point["policy"], f"{point['memory'] // MIB} MiB", f"{point['size']:,}", f"{point['waits']:,}",
             f"{point['reads']:,}", f"{point['simulated']:,}"] for point in found["measured"]]
    for point in found["measured"]:
        if point["status"] != found["status"]:
            yield f"under {point['policy']} the program ended with status {point['status']}"
    yield from table([["POLICY", "MACHINE", "PAGES TO BE HAD", "WAITS", "PAGES READ", "SIMULATED"], *rows], left=(0,))


def page(found):
    """The HTML page, as text."""
    return report.fill("policies.html", {
        "STYLE": report.style(), "DATA": json.dumps(found).replace("<", "\\u003c"),
        "SCRIPT": "\n".join(report.text(name) for name in SCRIPTS)})


def write(path, text):
    try:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from error


def main(opts):
    """Do what the options say; the exit status."""
    found = study(opts)
    numbers = {name: value for name, value in found.items() if name != "map"}  # that is only a picture
    print(json.dumps(numbers) if opts.json else "\n".join(lines(found)))
    if opts.output:
        write(opts.output, page(found))
        print(f"vm: {os.path.relpath(opts.output)}", file=sys.stderr)
    return 0
