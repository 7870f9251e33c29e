"""The verb `vm bench`: what virtual memory costs here, beside Linux and beside what the hardware demands.

user/bench/vmbench.c is run on each kernel, under -icount, where the time stamp counter counts instructions, and
with bench/vmcount.c loaded into QEMU, which counts only what was executed, and profiles.  Counts repeat, so a
budget can be kept: bench/budget.json, the counts of the day it was accepted and where they were spent.
"""
import bisect
import collections
import glob
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from types import SimpleNamespace

from . import chart, machine, peer, runs
from .machine import HostError

MEM = 256 << 20
SWAP = 1 << 30
SWAPPED_MIB = 384  # the working set of swap_*
DATA_SIZE = 8 << 20
REPS = 3
LIMIT = 1800  # seconds a run may take on the most loaded of hosts
SLACK = 1.03  # a count may be so many times its budget
PARTS = ["vmcount.so", "floor.elf", "linux_init"]
GOALS = os.path.join(machine.ROOT, "bench", "goals.json")
BUDGET = os.path.join(machine.ROOT, "bench", "budget.json")
RESULT = os.path.join(machine.BUILD, "bench.json")
# Which line of the floor kernel a metric can be held against; fork copies 16,384 pages.
FLOORS = {"null_syscall": "null_syscall", "shared_ping": "switch", "anon_write": "fault_zero",
          "anon_write_p32": "fault_zero", "anon_read": "fault", "anon_upgrade": "fault_zero",
          "stack_grow": "fault_zero", "file_cow": "fault_copy", "cow_write": "fault_copy", "cow_reuse": "fault_reuse",
          "fork_64m": "fork_page", "unmap_64m": "unmap", "protect_4m": "protect", "regions_16": "fault_zero",
          "regions_256": "fault_zero", "regions_4096": "fault_zero"}
FLOOR_TIMES = {"fork_64m": 16384}
COLUMNS = ["vitrine", "linux", "tuned"]


# --- what there is to measure ----------------------------------------------------------------------------

def load(path):
    """What a file in JSON holds."""
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise HostError(f"{os.path.relpath(path)} cannot be read: {error}") from error


def metrics():
    """{name: (unit, what it is)} of every metric, in order; the benchmark tells them itself."""
    lines = subprocess.run([os.path.join(machine.TREE, "bin", "vmbench"), "-l"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    found = {name: (unit.replace("ns/", "/"), what) for name, unit, what in (line.split(None, 2) for line in lines)}
    found["boot"] = ("/boot", "from the kernel's entry to the first instruction of a program")
    return found


def waits(name):
    """True when the metric waits for a disk or for other processors, so that only executed instructions count."""
    return name.startswith(("swap_", "threads_", "processes_", "file_cold"))


def plan(names):
    """[(processors, swap or 0, names)]: the runs that measure these metrics."""
    runs = collections.OrderedDict()
    for name in names:
        many = re.fullmatch(r"(?:threads|processes)_(\d+)", name)
        key = (int(many[1]) if many else 1, SWAP if name.startswith("swap_") else 0)
        runs.setdefault(key, []).append(name)
    return [(cpus, swap, group) for (cpus, swap), group in runs.items()]


# --- one run ---------------------------------------------------------------------------------------------

class Traffic:
    """What the swap disk has done, asked of the machine's monitor; @folder, where its socket is, may be a pattern."""

    def __init__(self, folder):
        self.folder, self.monitor, self.last = folder, None, (0, 0)

    def since(self):
        """(requests, bytes) since the last call."""
        self.monitor = self.monitor or runs.Monitor(glob.glob(self.folder)[0])
        disk = next(d["stats"] for d in self.monitor.command("query-blockstats") if d["device"] == "swap")
        now = (disk["rd_operations"] + disk["wr_operations"], disk["rd_bytes"] + disk["wr_bytes"])
        self.last, before = now, self.last
        return now[0] - before[0], now[1] - before[1]


def vitrine_command(argv, data, run):
    """The command that runs the benchmark on Vitrine; its places are fixed and its trace is off, as in Linux."""
    command = [os.path.join(machine.ROOT, "vm"), "run", "--mem", f"{run.mem >> 20}M", "--cpus", str(run.cpus),
               "--append", "aslr=off kaslr=off", "--trace", "off", "--add", f"{data}:/data", "--timeout", str(LIMIT),
               *["--realtime"] * run.realtime, *(["--qemu", f"-plugin {run.plugin}"] if run.plugin else [])]
    return [*command, *(["--swap", f"{run.swap >> 20}M"] if run.swap else []), "--", "/bin/vmbench", *argv]


def lines_of(command, folder=None):
    """The lines that a run prints, each with what the swap disk did since the one before.

    @folder: whose machine's monitor is to be asked for that, "{pid}" being the command's; None: (0, 0).
    """
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, VITRINE_NO_BUILD="1"), preexec_fn=machine.die_with_parent) as process:
        traffic = folder and Traffic(folder.format(pid=f"{process.pid:x}"))
        try:
            for line in process.stdout:
                line = line.decode("utf-8", "replace").strip()
                telling = traffic and line.startswith(("vmbench swap_", "# vmbench"))
                found.append((line, traffic.since() if telling else (0, 0)))
            errors = process.stderr.read().decode("utf-8", "replace").strip()
        finally:
            process.terminate()
    done = next((line.split() for line, _ in found if line.startswith("vmbench-done")), None)
    if done is None or done[3] != "0":
        wrong = [line for line, _ in found if line.startswith("vmbench-fail")] or [line for line, _ in found[-5:]]
        raise HostError("\n".join(["the benchmark did not end well:", *wrong, errors]))
    for line, _ in found:
        if line.startswith("vmbench-skip"):
            print(f"  not measured: {line.removeprefix('vmbench-skip ')}", file=sys.stderr)
    return found


def run_once(side, cpus, swap, names, realtime=False):
    """Measure some metrics on one kernel in one machine: {name: row}."""
    wanted = {name for name in names if name != "boot"} or {"null_syscall"}
    wanted |= {"swap_fill"} if swap else set()
    reps = 1 if swap else REPS
    profiled = side == "vitrine" and cpus == 1 and not swap
    with tempfile.TemporaryDirectory(prefix="run-", dir=peer.HOME) as folder:
        plugin = f"{peer.HOME}/vmcount.so,out={folder}/counts" + f",profile={folder}/profile" * profiled
        run = SimpleNamespace(mem=MEM, cpus=cpus, swap=swap, realtime=realtime, plugin=not realtime and plugin)
        argv = ["-r", str(reps), "-f", "/data", "-w", str(SWAPPED_MIB if swap else 0), "-c"]
        if side == "vitrine":
            command = vitrine_command([*argv, "/data", *sorted(wanted)], make_data(), run)
            place = f"{machine.RUNS}/*-{{pid}}"
        else:
            argv += ["/disk/data", *sorted(wanted)]
            command = peer.linux_command(folder, argv, make_data(), run, side == "tuned")
            place = folder
        found = lines_of(command, place if swap else None)
        rows = read_times(found) if realtime else read_rows(found, f"{folder}/counts", reps)
        if profiled and not realtime:
            add_profiles(rows, f"{folder}/profile", reps)
    return {name: row for name, row in rows.items() if name in names or name.removesuffix("_requests") in names}


def make_data():
    """The file that file_* read, the same bytes every time."""
    path = os.path.join(peer.HOME, "data")
    if not os.path.exists(path):
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(random.Random(1).randbytes(DATA_SIZE))
        os.replace(f"{path}.{os.getpid()}", path)
    return path


def read_times(found):
    """{name: row} of nanoseconds, where the clock is the host's."""
    return {words[1]: {"count": float(words[3]), "ns": float(words[3])}
            for words in (line.split() for line, _ in found) if words[:1] == ["vmbench"]}


def read_rows(found, counts, reps):
    """{name: row} from the benchmark's lines and the plugin's; they come in the same order."""
    with open(counts, encoding="ascii") as file:
        lines = [line.split() for line in file]
    intervals = [[int(n) for n in words[1:]] for words in lines if words[0] == "interval"]
    rows, major = {}, {}
    for line, (requests, size) in found:
        words = line.split()
        if words[:1] == ["vmbench-major"]:
            major[words[1]] = int(words[2])
        if words[:1] != ["vmbench"]:
            continue
        name, unit, value, ops, ticks = words[1], words[2], float(words[3]), int(words[4]), float(words[5])
        mine, intervals = intervals[:reps], intervals[reps:]
        per = [statistics.median(column) / (major.get(name, ops) if name == "swap_rand" else ops)
               for column in zip(*mine)]
        count = value if unit.startswith("B") else per[0] + per[1] if waits(name) else ticks
        rows[name] = {"count": round(count, 2), "ns": value, "user": round(per[0], 2), "repeats": round(per[2], 2),
                      "invlpg": round(per[3], 2), "cr3": round(per[4], 2), "ops": ops}
        if name.startswith("swap_") and requests:
            rows[f"{name}_requests"] = {"count": requests, "bytes": size}
    boot = next((int(words[1]) for words in lines if words[0] == "boot"), 0)
    rows["boot"] = {"count": boot}
    return rows


# --- profiles --------------------------------------------------------------------------------------------

def symbols():
    """Sorted addresses and names of the kernel's functions; a part "name.part" or a label ".x" is the whole's."""
    with open(os.path.join(machine.BUILD, "vitrine.nm"), encoding="ascii") as nm:
        found = sorted((int(words[0], 16), words[2].split(".")[0]) for words in map(str.split, nm)
                       if len(words) == 3 and words[1] in "tT" and words[2][0] != ".")
    return [address for address, _ in found], [name for _, name in found]


def add_profiles(rows, path, reps):
    """Give each row its "functions": instructions per operation, the most first."""
    addresses, names = symbols()
    sections = []
    with open(path, encoding="ascii") as file:
        for line in file:
            if line == "interval\n":
                sections.append(collections.Counter())
                continue
            address, count = line.split()
            place = bisect.bisect_right(addresses, int(address, 16)) - 1
            sections[-1][names[place] if int(address, 16) >> 63 else "(program)"] += int(count)
    for row in rows.values():
        if "ops" not in row:
            continue
        mine, sections = sections[:reps], sections[reps:]
        total = sum(mine, collections.Counter())
        row["functions"] = {name: round(count / row["ops"] / reps, 1) for name, count in total.most_common()
                            if count > 0.002 * total.total()}


def profile_text(row, top=16):
    total = sum(row["functions"].values())
    return "\n".join(f"{count:12,.1f} {count / total:6.1%}  {name}"
                     for name, count in list(row["functions"].items())[:top])


# --- the table -------------------------------------------------------------------------------------------

def number(value):
    """A count, with a decimal only where it tells something."""
    if value is None:
        return "-"
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def shown(results, names):
    """The lines there are, in the benchmark's order."""
    return [name for key in names for name in (key, f"{key}_requests") if name in results]


def floor_of(name, floors):
    """What the floor kernel needs for a metric, or None."""
    floor = floors.get(FLOORS.get(name))
    return floor and floor * FLOOR_TIMES.get(name, 1)


def draw(path, results, floors, goals, names):
    """Write the chart of the metrics that Linux has too."""
    rows = []
    for name in shown(results, names):
        tuned = results[name].get("tuned", {}).get("count")
        if tuned:
            values = {"Vitrine": results[name]["vitrine"]["count"], "goal": goals.get(name),
                      "floor": floor_of(name, floors)}
            rows.append((name, {key: value / tuned for key, value in values.items() if value}))
    with open(path, "w", encoding="utf-8") as file:
        file.write(chart.svg(rows))


def table(results, floors, goals, names):
    """The lines of the table: {name: {side: row}} beside floor and goal; ratio is tuned Linux to Vitrine."""
    head = ["metric", "per", "Vitrine", "Linux", "tuned", "ratio", "floor", "goal", ""]
    lines = [head]
    for name in shown(results, names):
        cost = [results[name].get(side, {}).get("count") for side in COLUMNS]
        floor = floor_of(name, floors)
        ratio = f"{cost[2] / cost[0]:.2f}" if cost[0] and cost[2] else "-"
        goal = goals.get(name)
        met = "" if goal is None or cost[0] is None else "reached" if cost[0] <= goal else f"{cost[0] / goal:.2f} x"
        unit = names[name][0] if name in names else "request"
        lines.append([name, unit.split("/")[-1] if "/" in unit else unit, *map(number, cost), ratio, number(floor),
                      number(goal), met])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) if i < 2 or i == 8 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in lines)


def first_line(*argv):
    """The first line that a host program prints, "" if it cannot be run."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=machine.ROOT)
    except FileNotFoundError:
        return ""
    return done.stdout.split("\n", maxsplit=1)[0]


def compiler():
    """What the kernel was compiled with; the build notes its command in build/flags."""
    with open(os.path.join(machine.BUILD, "flags"), encoding="utf-8") as flags:
        return first_line(flags.read().split()[0], "--version")


def describe():
    """Where these numbers come from."""
    return {"commit": first_line("git", "describe", "--always", "--dirty") or "unknown", "compiler": compiler(),
            "qemu": first_line("qemu-system-x86_64", "--version"), "mem": MEM, "repetitions": REPS}


# --- the budget ------------------------------------------------------------------------------------------

def budgeted(names):
    """What a budget is kept for: all that one machine with one processor and no swap disk can measure."""
    return [name for cpus, swap, group in plan(names) for name in group if cpus == 1 and not swap]


def grown(name, row, budget):
    """"" while a count is within its budget; else what grew, and which functions."""
    if row["count"] <= budget["count"] * SLACK:
        return ""
    text = f"{name}: {number(row['count'])}, {row['count'] / budget['count'] - 1:.1%} over its budget"
    text += f" of {number(budget['count'])}"
    before, now = budget.get("functions", {}), row.get("functions", {})
    more = sorted(((now.get(f, 0) - before.get(f, 0), f) for f in {*now, *before}), reverse=True)
    return text + "".join(f"\n    {by:+12,.1f}  {function}" for by, function in more[:8] if by > 0)


def check(rows, names):
    """Hold the counts of these metrics against the budget; 0, or 1 after saying what grew or is missing."""
    kept = load(BUDGET)
    if kept["compiler"] != compiler():
        print(f"the budget is for {kept['compiler']}, this kernel was compiled by {compiler()}: not compared")
        return 0
    known = {name: budget for name, budget in kept["budget"].items() if name in rows}
    faults = [text for name, budget in known.items() if (text := grown(name, rows[name], budget))]
    faults += [f"{name}: not measured" for name in names if name not in rows]
    less = [name for name, budget in known.items() if rows[name]["count"] * SLACK < budget["count"]]
    print("\n".join(faults) if faults else f"within their budgets: {len(known)} metrics")
    if faults:
        print("(if it has to be so: ./vm bench --accept)")
    elif less:
        print(f"{len(less)} are more than 3% below it; keep that with ./vm bench --accept: {' '.join(less)}")
    return 1 if faults else 0


def accept(rows):
    """Make the counts of now the budget; what is not measured keeps its own, if it is of the same compiler."""
    kept = load(BUDGET) if os.path.exists(BUDGET) else {}
    if kept.get("compiler") != compiler():
        kept = {"compiler": compiler(), "budget": {}}
    for name, row in rows.items():
        kept["budget"][name] = {"count": row["count"], "functions": dict(list(row.get("functions", {}).items())[:24])}
    with open(BUDGET, "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
        file.write("\n")
    print(f"{os.path.relpath(BUDGET)}: {len(rows)} metrics accepted")
    return 0


# --- the verb --------------------------------------------------------------------------------------------

def measure(names, sides, wall):
    """{name: {side: row}}; with @wall the least nanoseconds of so many rounds, the sides taking turns."""
    results = collections.OrderedDict()
    for turn in range(wall or 1):
        for cpus, swap, group in plan(names):
            for side in sides:
                print(f"  {side}: {len(group)} metrics, {cpus} processor{'s' * (cpus > 1)}{', swap' * bool(swap)}"
                      f"{f', round {turn + 1}' * bool(wall)}", file=sys.stderr)
                for name, row in run_once(side, cpus, swap, group, bool(wall)).items():
                    before = results.setdefault(name, {})
                    if wall and side in before and before[side]["ns"] < row["ns"]:
                        row = before[side]
                    before[side] = row
    return results


def chosen(words):
    """The metrics that --only names; a trailing star stands for anything."""
    every = metrics()
    if not words:
        return every
    found = {name: every[name] for name in every for word in words
             if name == word or word.endswith("*") and name.startswith(word[:-1])}
    if not found:
        raise HostError(f"--only {' '.join(words)}: no such metric; there are\n  {' '.join(every)}")
    return found


def save(found, sides):
    """Write build/bench.json; one line that says where the numbers come from."""
    about = describe() | ({"linux": peer.linux_version()} if "linux" in sides else {})
    with open(RESULT, "w", encoding="utf-8") as file:
        json.dump(about | found, file, indent=1)
    origin = ", ".join(about[key] for key in ("commit", "compiler", "qemu", "linux") if key in about)
    return f"({origin}; all of it in {os.path.relpath(RESULT)})"


def measure_and_show(opts, names):
    """The table, and what else was asked for."""
    sides = COLUMNS[:1] if opts.no_linux else COLUMNS
    if "linux" in sides:
        peer.fetch()
    results = measure(names, sides, opts.wall)
    floors, goals = ({}, {}) if opts.wall else (peer.floor(), load(GOALS))
    print(f"{'nanoseconds' if opts.wall else 'instructions'} per operation")
    print(table(results, floors, goals, names))
    if opts.chart:
        draw(opts.chart, results, floors, goals, names)
    for name, row in results.items():
        if opts.profile and "functions" in row["vitrine"]:
            print(f"\n{name}, instructions of Vitrine:\n{profile_text(row['vitrine'])}")
    print(save({"wall": bool(opts.wall), "floor": floors, "goals": goals, "metrics": results}, sides))


def refuse(opts):
    """A HostError for what cannot be measured or written, before an hour is spent on it."""
    if machine.KERNEL_BUILD != machine.BUILD:
        raise HostError("DEBUG=1: the debug kernel watches its locks, so its counts tell nothing")
    if opts.chart and opts.no_linux:
        raise HostError("--chart draws Vitrine beside Linux, so not with --no-linux")
    if opts.chart and not os.access(os.path.dirname(os.path.abspath(opts.chart)), os.W_OK):
        raise HostError(f"--chart {opts.chart}: nothing can be written there")


def main(opts):
    """The whole verb; its exit status."""
    refuse(opts)
    machine.build(False, ["bench-parts"], [os.path.join(peer.HOME, part) for part in PARTS])
    try:
        return bench(opts, chosen(opts.only))
    except OSError as error:
        raise HostError(f"{error.filename or 'the machine'}: {error.strerror or error}") from error


def bench(opts, names):
    """What the options ask for, of these metrics."""
    if opts.check or opts.accept:
        names = budgeted(names)
        rows = {name: row["vitrine"] for name, row in measure(names, ["vitrine"], 0).items()}
        return accept(rows) if opts.accept else check(rows, names)
    if opts.wall:
        names.pop("boot", None)
    measure_and_show(opts, names)
    return 0
