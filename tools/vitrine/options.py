"""The command line of ./vm: run, boot, core, gdb, the verbs that look into a machine, and their help."""
import argparse
import os
import re
import shlex

from .machine import HostError

UEFI_MEM = 64 << 20
SWAPS = 4
LEAST_SWAP = 40 << 10  # mkswap's own limit

# What the kernel's options may be set to, where there is a choice: docs/options.md has them all.
SIMULATED = ["clock", "fifo", "lru", "random"]  # replacement.py reckons what these would do
POLICIES = [*SIMULATED, "reuse"]
KERNEL_CHOICES = {
    "policy": POLICIES,
    "overcommit": ["heuristic", "always", "strict", "0", "1", "2"],
}

EPILOG = """\
exit status of `vm run`:
  the program's own      0..255, and 128+n after signal n
  124                    --timeout passed
  125                    a mistake on the host's side: bad option, missing file, failed build, no QEMU
  126                    kernel panic, triple fault, hang, or a failed check of memory or disk
Each of 124, 125 and 126 comes with a message that says which.

Each run has a folder of its own, build/runs/NNN-PID (build/runs/latest is the newest): its disk, sockets,
kernel.log, qemu.log, QEMU's command and the guest's memory, for the verbs that look. The last eight are kept,
four more in which the kernel died, and those made with --keep; of those that end well, only the newest two and
those made with --keep keep memory.
"""

RUN_TEXT = """\
Boot without a window, run PROGRAM inside the guest with this command's standard input, output and error, and
exit with its status. Nothing but the program's own bytes comes out; the kernel's messages go to a log.
PROGRAM is looked for in the guest's PATH.
"""

BOOT_TEXT = """\
Boot in this terminal to a shell. `poweroff`, `exit` or Ctrl-A X ends it; Ctrl-A C switches to QEMU's
monitor and back. The clock is the real one.
"""


CORE_TEXT = """\
Take a core file, its program and its libraries out of the disk of the last run, and open gdb on them.
Without GUEST-CORE it is the one that was written last. What stands behind "--" goes to gdb:

    vm run --core -- sh -c 'cd; kill -SEGV $$'; vm core
    vm core /root/core.12 -- -batch -ex bt

A program that crashes leaves a core when RLIMIT_CORE allows it: always in `vm boot`, with --core in `vm run`.
The copies stay in the run's folder: build/runs/latest/core.
"""


GLASS_TEXT = """\
Look into the memory of a machine from outside: of one that runs, which is held still meanwhile; of a run that is over;
of a crash folder. Without --run it is the latest run. docs/glass.md shows each verb at work.
"""

GLASS = {
    "ps": "processes, with the memory of each",
    "maps": "the regions of a process: resident, swapped out, shared, and what the next store copies (COW)",
    "walk": "the way through the page table to an address, and what a read, a write and a fetch there would do",
    "frame": "a frame: whose it is, who maps it",
    "mem": "a map of all frames by owner",
    "swap": "a map of the swap areas, and who has slots there",
    "faults": "page faults by kind and process",
    "check": "the invariants of memory, recomputed on the host; exit status 1 if one is broken",
    "last": "how the run ended",
}

TRACE_TEXT = """\
Show what the kernel did with memory in a run: the latest, or RUN, which goes on or has ended. docs/trace.md tells what
is recorded. Without options, the last 40 events as sentences.

    vm run --trace 4M -- PROGRAM; vm trace -o report.html
"""

GDB_TEXT = """\
Open gdb on the machine of the last run, with the kernel's symbols and commands of our own (help vm, help break-user;
docs/debugging.md shows them). In another terminal:

    vm run --gdb -- /tests/cow_seen        waits; then here: vm gdb
    vm boot --gdb                          the same with a shell (make debug does this)

A machine that waits is let run to kmain, or to --at. One that runs already is stopped where it is; leaving gdb lets
it go on. What stands behind "--" goes to gdb:

    vm gdb -- -batch -ex 'vm ps'
"""


REPLAY = ("lastwrite", "rewind")
REPLAY_TEXT = """\
Done on a run that is over, the latest or that of --run. It is done again from its start, in about the time that it
took: a run is the same each time, as long as it has one processor, no --realtime, no debugger and no input but its
files. lastwrite says when it was not the same.
"""


BENCH_TEXT = """\
Run the benchmark of virtual memory on Vitrine, on Debian's Linux as it comes and tuned, and print a table: guest
instructions per operation, the least the hardware demands (floor), and what we want to reach (goal). The ratio is
tuned Linux to Vitrine. Counts repeat from run to run. docs/performance.md explains the lines; all that was
measured goes to build/bench.json. Linux is fetched by apt at the first time, and not installed.

    vm bench --no-linux --only 'anon_*' fork_0m --profile
"""


POLICIES_TEXT = """\
Run PROGRAM once to see which pages it touches, and tell for memories of all sizes how often a page that had left
would have had to come back, under fifo, clock, lru, random, and Belady's optimum (opt), which knows the future. Then
run it on a small machine under each of the kernel's policies, and tell what happened. docs/swap.md shows it.

    vm policies patterns hot 26 -o policies.html
    vm policies --mem 20M --mem 24M --policy clock -- sort -r /etc/services

PROGRAM alone is looked at, not the processes that it starts. It gets no input.
"""

ASLR_TEXT = """\
Launch PROGRAM many times, each time up to its first instruction, and tell where its regions fell, how many bits of
surprise each place has, and which places tell about others. docs/aslr.md has the true widths.

    vm aslr ls -n 500 -o aslr.html
    vm aslr hog --append aslr=off
"""

LIVE_TEXT = """\
Watch all frames and the processes of a machine in the terminal: the latest run, or RUN. The machine is not stopped for
it, and need not be well: a kernel that hangs can be watched too. Where standard output is no terminal, one picture is
printed. Keys: q quits, p pauses, arrows or tab choose a process; its frames are marked and its regions are shown.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are exit status 125."""

    def error(self, message):
        raise HostError(f"{message}\n(try: ./{self.prog} --help)")


def size(text):
    """Bytes of a size such as 24M or 1G, a multiple of 4 KiB."""
    match = re.fullmatch(r"(\d+)([KMG])i?B?", text, re.I)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64M or 1G")
    value = int(match[1]) << {"K": 10, "M": 20, "G": 30}[match[2].upper()]
    if value == 0 or value % 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 4 KiB pages")
    return value


def swap_size(text):
    value = None if text == "none" else size(text)
    if value is not None and value < LEAST_SWAP:
        raise argparse.ArgumentTypeError(f"{text!r} is too small: a swap area has at least 40K")
    return value


def kernel_options(text):
    """The words of --append; a choice that the kernel does not have is refused here, where it is seen."""
    for word in text.split(" "):
        name, _, value = word.partition("=")
        if value not in KERNEL_CHOICES.get(name, [value]):
            raise argparse.ArgumentTypeError(f"{word!r}: {name} is one of {', '.join(KERNEL_CHOICES[name])}")
    return text


def trace_size(text):
    return 0 if text == "off" else size(text)


def pair(text, sides):
    left, colon, right = text.partition(":")
    if not (colon and left and right):
        raise argparse.ArgumentTypeError(f"{text!r} is not {sides}")
    return left, right


def add_pair(text):
    return pair(text, "HOST:GUEST")


def get_pair(text):
    return pair(text, "GUEST:HOST")


def assignment(text):
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not K=V")
    return key, value


def disk_error(text):
    """(disk, read/write/flush, where, times): where is a sector number, a path and page, or None for anywhere."""
    match = re.fullmatch(r"(root|swap):(read|write|flush)(?::(\d+|/[^:]*|any)(?::([1-9]\d{0,2}))?)?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not DISK:KIND[:WHERE[:N]], such as swap:read:any:3")
    disk, kind, where, times = match.groups()
    return disk, kind, None if where == "any" else where, int(times or 0)


def positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < 1 << 32:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value
    return parse


def instruction(text):
    if not re.fullmatch(r"[1-9]\d{0,17}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of an instruction")
    return int(text)


def seed(text):
    if not re.fullmatch(r"\d{1,10}", text) or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number below 2^32")
    return int(text)


def add_machine_options(parser):
    """The options that `run` and `boot` share."""
    group = parser.add_argument_group("the machine")
    group.add_argument("--mem", type=size, default=64 << 20, metavar="SIZE", help="RAM (default: 64M)")
    group.add_argument("--swap", type=swap_size, action="append", default=[], metavar="SIZE|none",
                       help="swap disk (default: none; repeatable, up to 4: the earlier are filled first)")
    group.add_argument("--cpus", type=positive(int), default=1, metavar="N", help="processors (default: 1)")
    group.add_argument("--seed", type=seed, metavar="N",
                       help="seed of every random choice in guest and QEMU (default: 1; with --realtime or kvm and "
                            "for `boot` none: true randomness, from the host by virtio-rng)")
    group.add_argument("--accel", choices=["tcg", "kvm"], default="tcg",
                       help="how QEMU executes the guest (default: tcg)")
    group.add_argument("--realtime", action="store_true",
                       help="let the guest's clock follow the host's; without it `run` is under -icount and "
                            "repeats exactly (always on for `boot`)")
    doors = group.add_mutually_exclusive_group()
    doors.add_argument("--pvh", dest="door", action="store_const", const="pvh",
                       help="load the kernel directly (default of `run`, 1 s faster)")
    doors.add_argument("--grub", dest="door", action="store_const", const="grub",
                       help="boot the medium by GRUB under BIOS (default of `boot`)")
    doors.add_argument("--uefi", dest="door", action="store_const", const="uefi",
                       help="boot the medium by GRUB under UEFI (OVMF)")
    group.add_argument("--display", default="none", metavar="KIND",
                       help="QEMU's window: gtk, sdl, vnc=:1, ... (default: none)")
    group.add_argument("--block", type=int, choices=[1024, 2048, 4096], default=4096, metavar="BYTES",
                       help="block size of the root disk: 1024, 2048 or 4096 (default: 4096)")
    group.add_argument("--append", type=kernel_options, default="", metavar="'OPTIONS'",
                       help="more options for the kernel, such as 'policy=lru strace'; docs/options.md has them all")
    group.add_argument("--disk-error", type=disk_error, action="append", default=[], metavar="DISK:KIND[:WHERE[:N]]",
                       help="let requests fail: DISK root or swap, KIND read, write or flush, WHERE a sector, a "
                            "file of the root disk as PATH or PATH@PAGE, or any; N: only the first N (repeatable)")
    group.add_argument("--core", action="store_true",
                       help="let programs that crash leave core files, for `vm core` (always on for `boot`)")

    group = parser.add_argument_group("files and environment")
    group.add_argument("--add", type=add_pair, action="append", default=[], metavar="HOST:GUEST",
                       help="put a file or a folder on the root disk first (repeatable)")
    group.add_argument("--get", type=get_pair, action="append", default=[], metavar="GUEST:HOST",
                       help="copy a file or a folder out afterwards (repeatable)")
    group.add_argument("--env", type=assignment, action="append", default=[], metavar="K=V",
                       help="a variable of the program's environment (repeatable)")

    group = parser.add_argument_group("watching")
    group.add_argument("--timeout", type=positive(float), metavar="S",
                       help="give up after S seconds of the host's time (default: 300 for `run`, none for "
                            "`boot` and with --gdb)")
    group.add_argument("--log", metavar="FILE", help="write the kernel's messages to FILE")
    group.add_argument("-v", "--verbose", action="store_true",
                       help="show the kernel's messages on standard error as they come (`run`)")
    group.add_argument("--fsck", action="store_true",
                       help="check the root disk with e2fsck afterwards; 126 if it is not clean")
    group.add_argument("--trace", type=trace_size, default=64 << 10, metavar="SIZE|off",
                       help="memory of each CPU for the last events, 32 bytes each, for `vm trace` (default: 64K)")
    group.add_argument("--gdb", action="store_true", help="wait for a debugger before the first instruction")
    group.add_argument("--qemu", type=shlex.split, action="extend", default=[], metavar="'WORDS'",
                       help="more words for QEMU's command line, such as '-d int' (repeatable)")
    group.add_argument("--keep", action="store_true",
                       help="keep this run's folder for good, the guest's memory included")


def address(text):
    """An address, which is hexadecimal with 0x or without, as vm maps prints it."""
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as 0x7f00001000 (hexadecimal)")
    return value


def process(text):
    if not re.fullmatch(r"\d{1,9}|kernel", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a process (./vm ps lists them), or kernel")
    return text if text == "kernel" else int(text)


def pid(text):
    if text == "kernel":
        raise argparse.ArgumentTypeError("the kernel has no regions; ./vm walk kernel ADDRESS shows its page table")
    return process(text)


def frame(text):
    """A frame's number; with 0x an address: physical ones become numbers, the kernel's own stay addresses."""
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if not text.startswith("0x"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame's number, nor an address such as 0x1234000")
    value = address(text)
    return value if value >> 63 else value >> 12


def add_glass(verbs):
    """The verbs that look into a machine."""
    for name, text in GLASS.items():
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.\n\n{GLASS_TEXT}",
                                formatter_class=argparse.RawDescriptionHelpFormatter)
        if name in ("maps", "walk"):
            verb.add_argument("pid", type=pid if name == "maps" else process, metavar="PID",
                              help="a process" + ", or kernel" * (name == "walk"))
        if name == "walk":
            verb.add_argument("address", type=address, metavar="ADDRESS", help="hexadecimal")
        if name == "frame":
            verb.add_argument("frame", type=frame, metavar="N|ADDRESS",
                              help="its number, or an address with 0x: physical, or the kernel's")
        verb.add_argument("--run", dest="folder", default=argparse.SUPPRESS, metavar="RUN",
                          help="a run's number or folder, or a crash folder (default: the latest run)")
        verb.add_argument("--json", action="store_true", help="for programs: everything, sizes in pages of 4 KiB")


def add_trace(verbs):
    """The verb `trace`."""
    trace = verbs.add_parser("trace", help="show what the kernel did with memory", description=TRACE_TEXT,
                             usage="vm trace [RUN] [options]", formatter_class=argparse.RawDescriptionHelpFormatter)
    trace.add_argument("run", nargs="?", metavar="RUN", help="a run's number or folder (default: the latest)")
    trace.add_argument("--run", dest="folder", default=argparse.SUPPRESS, metavar="RUN", help="the same")
    trace.add_argument("-o", "--output", metavar="FILE", help="write the report: one HTML page, for a browser")
    trace.add_argument("--csv", metavar="FILE", help="write all events as a table")
    trace.add_argument("--perfetto", metavar="FILE", help="write a file for https://ui.perfetto.dev")
    trace.add_argument("--tail", type=positive(int), metavar="N", help="print the last N events")


def add_aslr(verbs):
    """The verb `aslr`."""
    aslr = verbs.add_parser("aslr", help="measure how well a program's places can be guessed", description=ASLR_TEXT,
                            usage="vm aslr PROGRAM [options]", formatter_class=argparse.RawDescriptionHelpFormatter)
    aslr.add_argument("target", metavar="PROGRAM", help="in the guest; looked for in its PATH")
    aslr.add_argument("-n", dest="count", type=positive(int), default=500, metavar="N", help="launches (default: 500)")
    aslr.add_argument("-o", "--output", metavar="FILE", help="write a page about it, for a browser")
    aslr.add_argument("--json", action="store_true", help="for programs: everything, each launch included")
    aslr.add_argument("--seed", type=seed, metavar="N", help="other launches (default: 1)")
    aslr.add_argument("--add", type=add_pair, action="append", default=[], metavar="HOST:GUEST",
                      help="put a file or a folder on the root disk first (repeatable)")
    aslr.add_argument("--append", type=kernel_options, default="", metavar="'OPTIONS'",
                      help="options for the kernel, such as aslr=off")


def add_live(verbs):
    """The verb `live`."""
    live = verbs.add_parser("live", help="watch the frames and processes of a machine", description=LIVE_TEXT,
                            usage="vm live [RUN]", formatter_class=argparse.RawDescriptionHelpFormatter)
    live.add_argument("run", nargs="?", metavar="RUN", help="a run's number or folder (default: the latest)")
    live.add_argument("--run", dest="folder", default=argparse.SUPPRESS, metavar="RUN", help="the same")


def add_replay(verbs):
    """The verbs that do a run again."""
    found = {}
    for name, text in (("lastwrite", "who stored to an address last"),
                       ("rewind", "the machine's memory as it was at an instruction")):
        found[name] = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.\n\n{REPLAY_TEXT}",
                                       formatter_class=argparse.RawDescriptionHelpFormatter)
        found[name].add_argument("--run", dest="folder", default=argparse.SUPPRESS, metavar="RUN",
                                 help="a run's number or folder (default: the latest run)")
    last, back = found["lastwrite"], found["rewind"]
    last.add_argument("address", metavar="ADDRESS", help="of the kernel, or physical, in hexadecimal; or a variable")
    last.add_argument("--pid", type=pid, metavar="PID", help="ADDRESS is this process's, as of the end of the run")
    last.add_argument("--size", type=positive(int), default=8, metavar="BYTES", help="of the place (default: 8)")
    last.add_argument("-n", dest="count", type=positive(int), default=10, metavar="N",
                      help="show the last N stores (default: 10, at most 64)")
    back.add_argument("instruction", type=instruction, metavar="N",
                      help="which, as lastwrite prints it")


def parser():
    """The whole command line."""
    top = Parser(prog="vm", description="Run Vitrine and programs inside it, under QEMU.", epilog=EPILOG,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--run", dest="folder", metavar="RUN", help="for the verbs that look: which run, or crash folder")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    run = verbs.add_parser("run", help="run one program in the guest", description=RUN_TEXT, epilog=EPILOG,
                           usage="vm run [options] -- PROGRAM [ARG...]",
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    add_machine_options(run)
    boot = verbs.add_parser("boot", help="boot to a shell in this terminal", description=BOOT_TEXT, epilog=EPILOG,
                            usage="vm boot [options]", formatter_class=argparse.RawDescriptionHelpFormatter)
    add_machine_options(boot)
    core = verbs.add_parser("core", help="open gdb on a core file of the last run", description=CORE_TEXT,
                            usage="vm core [GUEST-CORE] [-- GDB-ARGUMENT...]",
                            formatter_class=argparse.RawDescriptionHelpFormatter)
    core.add_argument("guest_core", nargs="?", metavar="GUEST-CORE", help="its absolute path in the guest")
    gdb = verbs.add_parser("gdb", help="open gdb on the machine of the last run", description=GDB_TEXT,
                           usage="vm gdb [--run RUN] [--at LOCATION] [-- GDB-ARGUMENT...]",
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    gdb.add_argument("--run", dest="folder", default=argparse.SUPPRESS, metavar="RUN",
                     help="another run: its number or its folder")
    gdb.add_argument("--at", metavar="LOCATION", default="kmain", help="where a machine that waits stops (kmain)")
    add_glass(verbs)
    add_trace(verbs)
    add_replay(verbs)
    add_bench(verbs)
    add_policies(verbs)
    add_aslr(verbs)
    add_live(verbs)
    return top


def whole_mib(text):
    value = size(text)
    if value < 16 << 20 or value % (1 << 20):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of MiB, of which the kernel needs 16")
    return value


def add_policies(verbs):
    """The verb `policies`."""
    verb = verbs.add_parser("policies", help="what each replacement policy would do with a program",
                            description=POLICIES_TEXT, usage="vm policies [options] [--] PROGRAM [ARG...]",
                            formatter_class=argparse.RawDescriptionHelpFormatter)
    verb.add_argument("words", nargs="*", metavar="PROGRAM", help="what to run, behind -- when it has options itself")
    verb.add_argument("-o", "--output", metavar="FILE", help="write all of it as one HTML page, for a browser")
    verb.add_argument("--json", action="store_true", help="for programs: everything, sizes in pages of 4 KiB")
    verb.add_argument("--refs", metavar="FILE", help="write the string of references: page numbers, hexadecimal")
    verb.add_argument("--mem", type=whole_mib, action="append", default=[], metavar="SIZE",
                      help="measure on a machine with so much RAM (repeatable; default: one that has room for three "
                           "quarters of the program's pages)")
    verb.add_argument("--policy", choices=SIMULATED, action="append", default=[],
                      help="measure this one (repeatable; default: all)")
    verb.add_argument("--limit", type=limit, default=1 << 20, metavar="N",
                      help="look at a sample of the pages when more than N references decide (default: 1048576)")
    verb.add_argument("--add", type=add_pair, action="append", default=[], metavar="HOST:GUEST",
                      help="put a file or a folder on the root disk first (repeatable)")
    verb.add_argument("--env", type=assignment, action="append", default=[], metavar="K=V",
                      help="a variable of the program's environment (repeatable)")
    verb.add_argument("--timeout", type=positive(float), default=300.0, metavar="S",
                      help="give a run up after S seconds (default: 300)")


def limit(text):
    if not re.fullmatch(r"\d{4,8}", text) or int(text) < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of references from 1000 to 99999999")
    return int(text)


def check_policies(opts, program):
    """The program stands with or without "--"; its policies are all where none is named."""
    opts.program = opts.words + program
    opts.policy = list(dict.fromkeys(opts.policy)) or SIMULATED
    opts.mem = list(dict.fromkeys(opts.mem))
    if not opts.program:
        raise HostError("no program to run: vm policies [options] [--] PROGRAM [ARG...]")
    check_outputs(opts.output, opts.refs)


def check_outputs(*paths):
    """Refuse what cannot be written to before the work that takes long."""
    for path in filter(None, paths):
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise HostError(f"{path}: the folder to write to does not exist")


def add_bench(verbs):
    """The verb `bench`."""
    bench = verbs.add_parser("bench", help="measure Vitrine beside Linux", description=BENCH_TEXT,
                             usage="vm bench [options]", formatter_class=argparse.RawDescriptionHelpFormatter)
    bench.add_argument("--only", nargs="+", default=[], metavar="METRIC", help="these alone; 'fork_*' means all such")
    bench.add_argument("--no-linux", action="store_true", help="measure Vitrine alone")
    bench.add_argument("--profile", action="store_true", help="show in which functions Vitrine's instructions are")
    bench.add_argument("--chart", metavar="FILE", help="draw the table too, as an SVG picture")
    bench.add_argument("--wall", type=positive(int), default=0, metavar="N",
                       help="measure time instead: the least nanoseconds of N rounds, the kernels taking turns")
    kept = bench.add_mutually_exclusive_group()
    kept.add_argument("--check", action="store_true",
                      help="hold Vitrine's counts against bench/budget.json: status 1 if one is over 3%% above")
    kept.add_argument("--accept", action="store_true", help="make the counts of now the budget")


def check_files(opts):
    """Find the mistakes about files that can be found before anything is started."""
    for host, guest in opts.add:
        if not os.path.exists(host):
            raise HostError(f"--add {host}:{guest}: no such file or folder on the host")
        if not guest.startswith("/"):
            raise HostError(f"--add {host}:{guest}: the guest's path must be absolute")
    for guest, host in opts.get:
        if not guest.startswith("/"):
            raise HostError(f"--get {guest}:{host}: the guest's path must be absolute")
        if not os.path.isdir(os.path.dirname(os.path.abspath(host))):
            raise HostError(f"--get {guest}:{host}: the folder to copy to does not exist")
    opts.swap = [size for size in opts.swap if size is not None]
    if len(opts.swap) > SWAPS:
        raise HostError(f"--swap: the kernel has places for {SWAPS} swap disks")
    for disk, kind, where, _ in opts.disk_error:
        if disk == "swap" and (not opts.swap or (where or "0").startswith("/")):
            raise HostError(f"--disk-error swap:{kind}: there is no such place without --swap, nor a file on it")
    if opts.log:
        try:
            open(opts.log, "a", encoding="utf-8").close()  # as it is until there is a new one
        except OSError as error:
            raise HostError(f"--log {opts.log}: {error.strerror}") from error


def parse(argv):
    """The options of a command line as a namespace; raises HostError, exits after --help."""
    cut = argv.index("--") if "--" in argv else len(argv)
    words, program = argv[:cut], argv[cut + 1:]
    top = parser()
    opts, unknown = top.parse_known_args(words)
    if unknown:
        hint = "" if unknown[0].startswith("-") else ": the program stands behind \"--\"" * (opts.verb == "run")
        verb = f" {opts.verb}" if opts.verb else ""
        raise HostError(f"{' '.join(unknown)} is not understood{hint}\n(try: ./vm{verb} --help)")
    if opts.verb is None:
        raise HostError("which verb? vm run [options] -- PROGRAM [ARG...], vm boot, vm core, vm gdb, vm bench, "
                        "vm policies, or one that looks into a machine, such as vm ps\n(try: ./vm --help)")
    if opts.folder is not None and opts.verb not in (*GLASS, *REPLAY, "trace", "live", "gdb"):
        raise HostError(f"--run is for {', '.join((*GLASS, *REPLAY))}, trace, live and gdb; vm {opts.verb} does not "
                        "look at another run")
    if opts.verb in (*GLASS, *REPLAY):
        if program:
            raise HostError(f"vm {opts.verb} takes no program behind \"--\"")
        return opts
    if opts.verb == "core":
        if opts.guest_core and not opts.guest_core.startswith("/"):
            raise HostError(f"{opts.guest_core}: the guest's path must be absolute")
        opts.program = program
        return opts
    if opts.verb == "trace":
        if program:
            raise HostError("vm trace takes no program: vm run --trace SIZE -- PROGRAM, then vm trace")
        opts.run = opts.run or opts.folder
        return opts
    if opts.verb in ("aslr", "live"):
        if program:
            raise HostError(f"vm {opts.verb} takes nothing behind \"--\": "
                            + ("vm aslr PROGRAM" if opts.verb == "aslr" else "vm live [RUN]"))
        if opts.verb == "aslr":
            check_outputs(opts.output)
        return opts
    if opts.verb == "gdb":
        opts.program = program
        return opts
    if opts.verb == "policies":
        check_policies(opts, program)
        return opts
    if opts.verb == "bench":
        if program:
            raise HostError("vm bench takes no program; --only picks metrics")
        return opts
    if opts.verb == "run" and not program:
        raise HostError("no program to run: vm run [options] -- PROGRAM [ARG...]")
    if opts.verb == "boot":
        if program:
            raise HostError("vm boot takes no program; use vm run")
        opts.realtime = True
    opts.program = program
    opts.door = opts.door or ("pvh" if opts.verb == "run" else "grub")
    if opts.door == "uefi" and opts.mem < UEFI_MEM:
        raise HostError("--uefi: the firmware (OVMF) needs at least --mem 64M")
    if opts.seed is None and not opts.realtime and opts.accel == "tcg":
        opts.seed = 1  # a run that could repeat exactly does so
    if opts.timeout is None and opts.verb == "run" and not opts.gdb:
        opts.timeout = 300.0
    check_files(opts)
    return opts
