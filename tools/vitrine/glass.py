"""The verbs that look into a machine: ps, maps, walk, frame, mem, swap, faults, check, last.

Each is a function from a State and the options to plain data, which --json prints, and another one from that data to
the lines that a person reads.  Sizes are in pages in the data, and in KiB in the lines.
"""
import contextlib
import json
import os
import sys
from collections import Counter

from . import check, memory, runs, verdict, walk
from .machine import HostError
from .memory import ADDRESS, KERNEL_HALF, PAGE
from .state import AREA_SHIFT, FREE, KMALLOC, PAGETABLE, WRITE, State, region_rights

LETTERS = {"FRAME_FREE": ".", "FRAME_KERNEL": "K", "FRAME_KMALLOC": "k", "FRAME_PAGETABLE": "t", "FRAME_ANON": "A",
           "FRAME_OBJECT": "F", "FRAME_ZERO": "0"}
WORDS = {".": "free", "-": "free, never used", "K": "the kernel's own", "k": "kernel objects (kmalloc)",
         "t": "page tables", "A": "private and shared memory", "S": "the same, mapped more than once",
         "F": "files", "0": "the frame of zeros", "#": "kernel image, devices: given to nobody"}
COLUMNS, ROWS = 64, 20  # of a drawn map


def kib(pages):
    return f"{pages * 4}K"


def times(number, word):
    return f"{number} {word}{'s' * (number != 1)}"


def table(rows, left=()):
    """Lines of a table; the columns in `left` are flush left, the last one as well."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    last = len(widths) - 1
    return ["  ".join(cell if n == last else cell.ljust(w) if n in left else cell.rjust(w)
                      for n, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]


def draw(letters, per_row=COLUMNS):
    """A map of letters, one for each frame or slot, as lines: several to a cell when there are many."""
    cell = max(1, -(-len(letters) // (per_row * ROWS)))
    cells = [Counter(letters[at:at + cell]).most_common(1)[0][0] for at in range(0, len(letters), cell)]
    lines = [f"{row * cell:>8}  {''.join(cells[row:row + per_row])}" for row in range(0, len(cells), per_row)]
    return lines, cell


# --- ps --------------------------------------------------------------------------------------------------

def letter(state, process, task):
    """R, S, D, T or Z, as ps(1) shows it."""
    enums = state.kernel.enums
    if process.state == enums["process_state"]["PROCESS_ZOMBIE"] or task is None:
        return "Z"
    if process.stopped:
        return "T"
    if task.thread.state == enums["thread_state"]["THREAD_RUNNABLE"]:
        return "R"
    return "S" if task.thread.sleep_kind == enums["sleep_kind"]["SLEEP_INTERRUPTIBLE"] else "D"


def command(state, process, space):
    """The command line of a process, or its name in brackets."""
    try:
        words = space.read(space.view.arg_start, min(space.view.arg_end - space.view.arg_start, PAGE)) if space else b""
    except memory.BadAddress:  # its page table is broken
        words = b""
    text = b" ".join(words.rstrip(b"\0").split(b"\0")).decode("utf-8", "replace")
    return text if text.isprintable() and text else f"[{state.name_of(process)}]"


def ps(state, _opts):
    found = []
    for pid, process in state.processes.items():
        tasks, space = state.tasks(process), state.space_of(process)
        out = sum(state.anon(a).frame == 0 for a in space.private.values()) if space else 0
        found.append({"pid": pid, "parent": process.parent.pid if process.parent else 0, "threads": len(tasks),
                      "state": letter(state, process, tasks[0] if tasks else None), "swapped": out,
                      "size": space.view.pages if space else 0,
                      "resident": space.view.resident_anon + space.view.resident_file if space else 0,
                      "tables": space.view.pt.tables if space else 0, "command": command(state, process, space)})
    return found


def show_ps(data):
    rows = [[p["pid"], p["parent"], p["state"], p["threads"], kib(p["size"]), kib(p["resident"]), kib(p["swapped"]),
             kib(p["tables"]), p["command"]] for p in data]
    return table([["PID", "PPID", "S", "THREADS", "SIZE", "RESIDENT", "SWAPPED", "TABLES", "COMMAND"]] + rows)


# --- maps ------------------------------------------------------------------------------------------------

def space_by_pid(state, pid):
    process = state.processes.get(pid)
    if process is None:
        raise HostError(f"there is no process {pid}; there are {', '.join(map(str, state.processes))} (./vm ps)")
    space = state.space_of(process)
    if space is None:
        raise HostError(f"process {pid} has no memory any more: it has ended and waits for its parent to hear of it")
    return space


def count_region(state, space, region):
    """Pages of a region: resident, of them shared; swapped out; that the next store copies."""
    zero, found = state.number(state.kernel.variable("frame_zero").address), Counter()
    for _, entry, anon in space.pages_of(region):
        number = (entry & ADDRESS) >> 12
        if entry and number != zero:
            found["resident"] += 1
            found["shared"] += len(state.mappings[number]) > 1
        if anon:
            refs, _, frame = state.anon(anon)
            found["swapped"] += frame == 0
            found["cow"] += refs > 1 and bool(region.prot & WRITE)
    return {key: found[key] for key in ("resident", "swapped", "shared", "cow")}


def maps(state, opts):
    space = space_by_pid(state, opts.pid)
    return [{"start": r.start, "end": r.end, "rights": region_rights(r), "name": space.label(r),
             "offset": r.offset if r.object is not None else 0, "size": (r.end - r.start) // PAGE,
             **count_region(state, space, r)} for r in space.regions]


def show_maps(data):
    keys = ("size", "resident", "swapped", "shared", "cow")
    rows = [[f"{r['start']:012x}-{r['end']:012x}", r["rights"], *(kib(r[k]) for k in keys), r["name"]] for r in data]
    total = ["total", "", *(kib(sum(r[k] for r in data)) for k in keys), ""]
    return table([["ADDRESS", "", "SIZE", "RESIDENT", "SWAPPED", "SHARED", "COW", "NAME"], *rows, total], left=(0,))


# --- walk ------------------------------------------------------------------------------------------------

def walk_address(state, opts):
    if 1 << 47 <= opts.address < KERNEL_HALF:
        raise HostError(f"{opts.address:#x} is no address: its bits 47 to 63 are not all the same")
    if opts.pid != "kernel" and opts.address < KERNEL_HALF:
        return walk.explain(state, space_by_pid(state, opts.pid), opts.address)
    root = state.kernel.root if opts.pid == "kernel" else space_by_pid(state, opts.pid).root
    return walk.explain_kernel(state, root, opts.address, opts.pid == "kernel")


def show_walk(data):
    region = data["region"]
    lines = [f"address {data['address']:#x}, root of the page table {data['root']:#x}"]
    lines += table([["", e["name"], f"[{e['index']}]", f"{e['entry']:#018x}",
                     (f"-> {e['address']:#x}  " if e["entry"] & memory.PRESENT else "") + " ".join(e["bits"])]
                    for e in data["levels"]], left=(1,))
    if region:
        lines.append(f"region  {region['start']:#x}-{region['end']:#x} {region['rights']} {region['name']}".rstrip())
    return lines + [f"page    {data['where']}"] + [f"{verb:7} {data[verb]}" for verb in ("read", "write", "fetch")]


# --- frame -----------------------------------------------------------------------------------------------

def frame(state, opts):
    number = opts.frame if opts.frame < KERNEL_HALF else state.kernel.physical(opts.frame) >> 12
    owner = state.owner(number)
    found = {"frame": number, "address": number << 12, "owner": owner, "nature": check.nature(owner)}
    if owner is None:
        state.kernel.ram.offset(number << 12)  # refuses what is no RAM
        return dict(found, nature="no frame that is given to anybody: the kernel's image, or before it")
    f = state.frames.get(number)
    if f is None:
        return dict(found, nature="free, and never used so far")
    found["nature"] = frame_nature(state, number, owner, f)
    if owner in (FREE, KMALLOC, PAGETABLE):
        return found
    found.update(pins=f.pins, busy=bool(f.busy), dirty=bool(f.dirty), mapped=[
        {"by": space.who, "address": va, "writable": bool(entry & memory.WRITE),
         "accessed": bool(entry & memory.ACCESSED), "dirty": bool(entry & memory.DIRTY)}
        for space, va, entry in state.mappings.get(number, ())])
    if owner == "FRAME_ANON" and f.anon:
        refs, slot, _ = state.anon(f.anon)
        found.update(references=refs, slot=state.slot_name(slot) if slot else None)
    return found


def frame_nature(state, number, owner, f):
    """What a frame is for, as exactly as can be known."""
    if owner == PAGETABLE:
        for space in state.spaces:
            for address, level in space.tables:
                if address == number << 12:
                    return f"a page table of level {level}, of {space.who}"
    if owner == KMALLOC:
        size = state.kernel.variable("class_size")[f.index]
        return f"{f.pins} kernel objects of up to {size} bytes, with room for {PAGE // size}"
    if owner == "FRAME_OBJECT" and f.anon:
        return f"page {f.index} of {state.object_name(state.kernel.view('object', f.anon))}"
    if owner == "FRAME_KERNEL":
        for pid, process in state.processes.items():
            for task in state.tasks(process):
                pages = range(task.thread.stack, task.thread.stack + 4 * PAGE, PAGE)
                if number in [state.kernel.physical(va) >> 12 for va in pages]:
                    return f"kernel stack of thread {task.tid}, process {pid} {task.thread.name}"
    return check.nature(owner)


def show_frame(data):
    lines = [f"frame {data['frame']}, at {data['address']:#x}: {data['nature']}"]
    if "references" in data:
        lines.append(f"{times(data['references'], 'reference')} to the page; "
                     + (f"its place in swap: {data['slot']}" if data["slot"] else "it has no place in swap"))
    if "mapped" in data:
        words = [word for word in ("busy", "dirty") if data[word]]
        words += [f"pinned {times(data['pins'], 'time')}"] * bool(data["pins"])
        lines.append(f"mapped {times(len(data['mapped']), 'time')}" + "".join(f", {word}" for word in words))
        lines += table([["", f"{m['address']:#x}", " ".join(w for w in ("writable", "accessed", "dirty") if m[w])
                         or "-", m["by"]] for m in data["mapped"]], left=(1, 2))
    return lines


# --- mem, swap, faults -----------------------------------------------------------------------------------

def mem(state, _opts):
    counts, end = Counter(), max(end for _, _, end in state.rams)
    letters = []
    for number in range(end):
        owner = state.owner(number)
        counts[owner] += owner is not None
        if owner is None:
            letters.append("#")
        elif owner == FREE and number not in state.frames:
            letters.append("-")
        else:
            several = owner == "FRAME_ANON" and len(state.mappings.get(number, ())) > 1
            letters.append("S" if several else LETTERS.get(owner, "?"))
    return {"total": sum(counts.values()), "owners": {owner: counts[owner] for owner in state.owners},
            "map": "".join(letters)}


def show_mem(data):
    lines, cell = draw(data["map"])
    lines.insert(0, f"each letter is {f'what most of {cell} frames are' if cell > 1 else 'a frame'}; "
                    "the number is that of the first in its row")
    lines += [f"{letter}  {word}" for letter, word in WORDS.items() if letter in data["map"]] + [""]
    rows = [[owner.replace("FRAME_", "").lower(), count, kib(count)] for owner, count in data["owners"].items()]
    return lines + table(rows + [["total", data["total"], kib(data["total"])]], left=(0,))


def swap(state, _opts):
    users, only = Counter(), Counter()
    owned = {a: (state.anon(a), names) for a, names in state.anon_names.items() if state.anon(a).slot}
    letters = {area.number: ["." if not area.bits >> page & 1 else "!" for page in range(area.pages)]
               for area in state.areas}
    for (refs, slot, has_frame), names in owned.values():
        page = slot & (1 << AREA_SHIFT) - 1
        letters[slot >> AREA_SHIFT][page] = "c" if has_frame else "S" if refs > 1 else "s"
        for who in {s.who if s.address in state.spaces_by_address else state.object_name(s) for s, _ in names}:
            users[who] += 1
            only[who] += not has_frame
    for area in state.areas:
        letters[area.number][0] = "h"
    return {"areas": [{"name": a.name, "slots": a.usable, "used": a.used, "priority": a.priority,
                       "map": "".join(letters[a.number])} for a in state.areas],
            "users": [{"by": who, "slots": users[who], "out": only[who]} for who in sorted(users)],
            "pages_in": state.kernel.variable("swap_pages_in"), "pages_out": state.kernel.variable("swap_pages_out")}


def show_swap(data):
    if not data["areas"]:
        return ["there is no swap (give the machine some with --swap 64M)"]
    lines = []
    for area in data["areas"]:
        drawn, cell = draw(area["map"])
        lines.append(f"{area['name']}: {kib(area['used'])} of {kib(area['slots'])} used, priority {area['priority']}; "
                     f"each letter is {cell} slots")
        lines += drawn
    words = {".": "free", "s": "holds a page that is nowhere else", "S": "the same, shared by several spaces",
             "c": "a copy: the page is in memory too", "h": "the area's header",
             "!": "taken by nobody that is known: bad, or on its way"}
    lines += [f"{c}  {word}" for c, word in words.items() if any(c in a["map"] for a in data["areas"])]
    lines += ["", *table([["SLOTS", "ONLY THERE", "BY"]] + [[u["slots"], u["out"], u["by"]] for u in data["users"]])]
    return lines + ["", f"since boot {data['pages_out']} pages were written and {data['pages_in']} read"]


def fault_names(state):
    address = state.kernel.address("fault_kind_names")
    count = state.kernel.enums["fault_kind"]["FAULT_KINDS"]
    return [state.kernel.string(int.from_bytes(state.kernel.read(address + 8 * n, 8), "little")) for n in range(count)]


def faults(state, _opts):
    names = fault_names(state)

    def counts(view):
        return {"minor": view.minor, "major": view.major, **dict(zip(names, view.kind))}
    found = [{"pid": pid, "name": state.name_of(process), **counts(space.view.faults)}
             for pid, process in state.processes.items() if (space := state.space_of(process)) is not None]
    return {"total": counts(state.kernel.variable("fault_total")), "processes": found}


def show_faults(data):
    keys = list(data["total"])
    rows = [[p["pid"], *(p[key] for key in keys), p["name"]] for p in data["processes"]]
    rows.append(["all", *(data["total"][key] for key in keys), "since boot, those that ended included"])
    return table([["PID", *(key.upper() for key in keys), "PROCESS"], *rows])


# --- check, last -----------------------------------------------------------------------------------------

def check_all(state, _opts):
    found = check.Check(state).run()
    return {"violations": found.count, "found": [{"invariant": n, "what": text} for n, text in found.violations],
            "frames": len(state.frames), "spaces": len(state.spaces), "anons": len(state.anon_names),
            "entries": sum(len(space.entries) for space in state.spaces), "compared": found.compared,
            "left_out": found.left_out, "disturbed": state.kernel.disturbed}


def show_check(data):
    lines = [f"invariant {v['invariant']}: {v['what']}" if v["invariant"] else v["what"] for v in data["found"]]
    lines += [f"... and {data['violations'] - len(lines)} more"] * (data["violations"] > len(lines))
    lines += [f"regions left out, for they were being changed: {', '.join(data['left_out'])}"] * bool(data["left_out"])
    seen = (f"{data['frames']} frames, {data['spaces']} spaces, {data['entries']} entries, {data['anons']} anons; "
            f"{data['compared']} clean pages compared with the swap disk")
    if not data["violations"]:
        return lines + [f"all invariants hold: {seen}"]
    return lines + [f"{data['violations']} violations of docs/invariants.md in {seen}"]


def last(folder):
    """How a run ended; no memory is needed for that."""
    found = {"run": os.path.relpath(folder), "running": runs.goes_on(folder), "status": None, "message": ""}
    with_note = os.path.join(folder, "end.json")
    if os.path.exists(with_note):
        with open(with_note, encoding="utf-8") as note:
            found.update(json.load(note))
    try:
        with open(os.path.join(folder, "fw-argv"), "rb") as words:
            found["program"] = [os.fsdecode(word) for word in words.read().split(b"\0")[:-1]]
    except FileNotFoundError:
        found["program"] = []
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, "crash.txt"), encoding="utf-8") as note:
        found["page"] = note.read()
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, "kernel.log"), "rb") as log:
        found["killed"] = verdict.out_of_memory(log.read().decode("utf-8", "replace"))
    found["memory"] = os.path.exists(os.path.join(folder, "ram"))
    return found


def show_last(data):
    what = "vm run -- " + " ".join(data["program"]) if data["program"] else "vm boot"
    lines = [f"{data['run']}: {what}"]
    if data["running"]:
        lines.append("it is still running")
    elif data["status"] is None:
        lines.append("it was interrupted on the host (Ctrl-C, or killed), so nothing says how the guest was doing")
    elif data["message"]:
        lines.append(data["message"] + "\n" + data.get("page", "").rstrip())
    else:
        lines.append("the program ended, and the machine was switched off in order"
                     + (f"; exit status {data['status']}" if data["program"] else ""))
        lines += data.get("killed", [])
    if not data["memory"]:
        return lines + ["its memory is not kept any more"]
    return lines + [f"its memory {'can be looked at' if data['running'] else 'is kept'}: ./vm ps, mem, check ..."]


VERBS = {"ps": (ps, show_ps), "maps": (maps, show_maps), "walk": (walk_address, show_walk),
         "frame": (frame, show_frame), "mem": (mem, show_mem), "swap": (swap, show_swap),
         "faults": (faults, show_faults), "check": (check_all, show_check), "last": (None, show_last)}


def main(opts):
    """One verb; its exit status: 1 when `check` finds something."""
    folder = runs.find(opts.folder)
    get, show = VERBS[opts.verb]
    if get is None:
        data = last(folder)
    else:
        with runs.look(folder, f"vm {opts.verb}") as kernel:
            data = get(State(kernel, folder), opts)
            if kernel.disturbed:
                print(f"vm: note: {', '.join(kernel.disturbed)} is held all the time, so what it guards may be half "
                      "changed", file=sys.stderr)
    print(json.dumps(data) if opts.json else "\n".join(show(data)))
    return 1 if opts.verb == "check" and data["violations"] else 0
