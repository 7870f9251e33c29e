"""The verb `vm live`: frames and processes of a machine in the terminal, redrawn a few times a second.

The machine is not stopped and not asked: everything is read from its RAM file, so it may hang.  What is read while
it changes may be nonsense, and then this part of the picture stays as it was.
"""
import contextlib
import os
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections import Counter
from types import SimpleNamespace

from . import glass, report, runs
from .machine import HostError
from .memory import ADDRESS
from .state import State

PERIOD = 0.25  # seconds from one picture to the next
LIMIT = 2.0  # for one look at a part: page tables that are being changed can lead astray for long
TRIES = 20  # to get a first look where there is no second picture
COLOURS = {".": "free", "-": "free", "K": "kernel", "k": "kmalloc", "t": "pagetable", "A": "anon", "S": "cow",
           "F": "object", "0": "zero", "#": "outside", "?": "unknown"}  # of style.css
LEGEND = ".- free K kernel k kmalloc t table A private S shared F file 0 zero # fixed"
KEYS = {"q": "quit", "\x04": "quit", "p": "pause", " ": "pause", "\t": "next", "\x1b[B": "next", "\x1bOB": "next",
        "\x1b[C": "next", "\x1bOC": "next", "\x1b[A": "back", "\x1bOA": "back", "\x1b[D": "back", "\x1bOD": "back",
        "\x1b[Z": "back"}
RESET, REVERSE = "\x1b[0m", "\x1b[7m"


# --- looking ---------------------------------------------------------------------------------------------

@contextlib.contextmanager
def time_limit():
    def over(_number, _frame):
        raise TimeoutError("this takes too long")
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(get):
    """What get() returns; None when memory makes no sense at this moment, which can show in any way."""
    try:
        with time_limit():
            return get()
    except Exception:  # pylint: disable=broad-exception-caught
        return None


def space_of(state, pid):
    """The regions of a process, as `vm maps` has them, and the frames that it maps."""
    space = state.space_of(state.processes[pid])
    if space is None:
        return [], set()
    frames = {(entry & ADDRESS) >> 12 for entry in space.entries.values()}
    return glass.maps(state, SimpleNamespace(pid=pid)), frames


class View:
    """The last that was seen of each part: the map of frames, processes, and {pid: (regions, frames)}."""

    def __init__(self):
        self.map, self.processes, self.spaces = None, [], {}

    def look(self, kernel, folder):
        """Take in what memory holds now; True when all of it made sense."""
        state = State(kernel, folder)
        seen = attempt(lambda: glass.mem(state, None))
        if seen is None:  # who shares a frame is known from page tables; without them, only its owner is
            state = State(kernel, folder)
            state.mappings = {}
            seen = attempt(lambda: glass.mem(state, None))
        processes = attempt(lambda: glass.ps(state, None))
        self.map, self.processes = seen or self.map, self.processes if processes is None else processes
        spaces = {p["pid"]: attempt(lambda p=p: space_of(state, p["pid"])) for p in self.processes}
        self.spaces = {pid: found or self.spaces.get(pid, ([], set())) for pid, found in spaces.items()}
        return None not in (seen, processes, *spaces.values())

    def neighbour(self, chosen, step):
        """The process that is so many lines below the chosen one."""
        pids = [p["pid"] for p in self.processes]
        return pids[(pids.index(chosen) + step) % len(pids)] if chosen in pids else self.largest()

    def largest(self):
        return max(self.processes, key=lambda p: p["resident"], default={"pid": None})["pid"]


# --- drawing ---------------------------------------------------------------------------------------------

def palette(environment):
    """{letter: escape sequence} of the report's colours for owners, none where none are wanted."""
    if environment.get("NO_COLOR"):
        return {}
    dark = re.search(r"^@DARK \{(.*?)^\}", report.text("style.css"), re.M | re.S)[1]
    colours = {name: [int(value[n:n + 2], 16) for n in (0, 2, 4)]
               for name, value in re.findall(r"--(\w+): #(\w{6});", dark)}
    return {letter: paint(colours[name], environment.get("COLORTERM") in ("truecolor", "24bit"))
            for letter, name in COLOURS.items()}


def paint(colour, exact):
    """The escape sequence of a ground colour, with letters that can be read on it."""
    light = 3 * colour[0] + 6 * colour[1] + colour[2] > 1000
    red, green, blue = (round(part / 255 * 5) for part in colour)
    ground = "2;" + ";".join(map(str, colour)) if exact else f"5;{16 + 36 * red + 6 * green + blue}"
    return f"\x1b[48;{ground};38;5;{16 if light else 231}m"


def draw_map(letters, marked, width, rows, colours):
    """The map of frames: each cell the commonest owner among its frames; those with a frame in `marked` stand out.

    A star does that where the colour tells the owner, and the reverse of black and white where there are no colours.
    """
    columns = max(8, width - 10)
    cell = max(1, -(-len(letters) // (columns * rows)))
    lines = []
    for first in range(0, len(letters), cell * columns):
        line, last = f"{first:>8}  ", ""
        for at in range(first, min(len(letters), first + cell * columns), cell):
            owner = Counter(letters[at:at + cell]).most_common(1)[0][0]
            mine = any(n in marked for n in range(at, at + cell))
            style = colours.get(owner, REVERSE * mine)
            line += (RESET * bool(last) + style) * (style != last) + ("*" if mine and colours else owner)
            last = style
        lines.append(line + RESET * bool(last))
    return lines


def legend(colours):
    """What the letters stand for, each on its colour."""
    return "".join(f"{colours[word[-1]]}{word}{RESET}" if len(word) < 3 and word[-1] in colours else word
                   for word in re.split("( )", LEGEND))


def around(lines, chosen, room):
    """So many of the lines that the chosen one is among them."""
    first = max(0, min(chosen - room // 2, len(lines) - room))
    return lines[first:first + room]


def title(view, name, mood):
    """The line at the top."""
    if view.map is None:
        return f"{name}  {mood}  memory cannot be read yet"
    free, total = view.map["owners"]["FRAME_FREE"], view.map["total"]
    return f"{name}  {mood}  free {glass.kib(free)} of {glass.kib(total)}  processes {len(view.processes)}"


def screen(view, head, chosen, size, colours, marks=True):  # pylint: disable=too-many-arguments
    """The lines of a picture, no more and no longer than the terminal's; with marks at the chosen one's frames."""
    width, height = size
    rest, room = max(1, height - 3), lambda share: max(1, rest * share // 20)
    letters, (regions, frames) = view.map["map"] if view.map else "", view.spaces.get(chosen, ([], ()))
    lines = draw_map(letters, frames if marks else (), width, room(9), colours)
    lines.append(legend(colours))
    listed = glass.show_ps(view.processes)
    pids = [p["pid"] for p in view.processes]
    marked = [("> " if pid == chosen else "  ") + line for pid, line in zip([None, *pids], listed)]
    at = pids.index(chosen) if chosen in pids else 0
    lines += [marked[0], *around(marked[1:], at, room(5))]
    left = height - 2 - len(lines)
    if regions and left >= 3:
        *some, total = glass.show_maps(regions)
        lines += [*some[:left - 1], total]
    keys = f"q quit  p pause  arrows, tab: choose a process; its frames are {'stars' if colours else 'reversed'}"
    lines = [head, *(lines[:max(0, height - 2)]), keys]
    return [line if "\x1b" in line else line[:width] for line in lines][:height]


# --- the terminal ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def terminal():
    """Keys come one by one, and the picture has a page of its own, which leaves no trace."""
    before = termios.tcgetattr(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background jobs begin with Ctrl-C ignored
    try:
        tty.setcbreak(0)
        mode = termios.tcgetattr(0)
        mode[6][termios.VSUSP] = b"\0"  # who stops it would find a strange terminal
        termios.tcsetattr(0, termios.TCSANOW, mode)
        put("\x1b[?1049h\x1b[?25l\x1b[?7l")
        yield
    finally:
        with contextlib.suppress(OSError):
            put("\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l")
        termios.tcsetattr(0, termios.TCSANOW, before)


def put(text):
    sys.stdout.write(text)
    sys.stdout.flush()


class Keys:
    """What was typed, as words; a sequence may come in pieces."""

    def __init__(self):
        self.rest = ""

    def wait(self, seconds):
        """The actions of the keys that come in that time, once one has come."""
        if not select.select([0], [], [], seconds)[0]:
            self.rest = ""  # an escape key on its own
            return []
        data = os.read(0, 1024)
        *whole, self.rest = re.split(r"(?<=[^\x1b])(?<!\x1b[\[O])", self.rest + data.decode("latin-1"))
        return ["quit"] * (not data) + [KEYS[key] for key in whole if key in KEYS]


class Live:
    """One machine that is watched."""

    def __init__(self, folder):
        self.folder, self.kernel, self.view = folder, None, View()
        self.chosen, self.paused, self.over, self.problem = None, False, False, ""

    def look(self):
        """Read memory anew, unless nothing can have changed."""
        if self.paused or self.over and self.kernel:
            return True
        self.over = not runs.goes_on(self.folder)  # what is read after this is its end
        if self.kernel is None:
            try:
                self.kernel = runs.kernel_of(self.folder)
            except HostError as error:
                if self.over:
                    raise
                self.problem = str(error)
                return False
        whole = self.view.look(self.kernel, self.folder)
        if self.chosen not in [p["pid"] for p in self.view.processes]:
            self.chosen = self.view.largest()
        return whole

    def lines(self, size, colours, marks=True):
        """The picture."""
        mood = "over" if self.over else "paused" if self.paused else "runs"
        head = title(self.view, os.path.basename(self.folder), mood) if self.kernel else f"waiting: {self.problem}"
        return screen(self.view, head, self.chosen, size, colours, marks)

    def act(self, action):
        """What a key asks for; False when it is the end."""
        if action == "pause":
            self.paused = not self.paused
        elif action in ("next", "back"):
            self.chosen = self.view.neighbour(self.chosen, 1 if action == "next" else -1)
        return action != "quit"


def watch(live):
    """Until a key ends it."""
    keys, colours, due = Keys(), palette(os.environ), time.monotonic()
    with terminal():
        while True:
            if time.monotonic() >= due:
                live.look()
                due = time.monotonic() + PERIOD
            size = os.get_terminal_size(1)
            put("\x1b[H" + "\x1b[K\r\n".join(live.lines(size, colours)) + "\x1b[K\x1b[J")
            if not all([live.act(action) for action in keys.wait(max(0, due - time.monotonic()))]):
                return


def main(opts):
    """Watch, or print one picture; the exit status."""
    live = Live(runs.find(opts.run or opts.folder))
    if os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb":
        watch(live)
        return 0
    for _ in range(TRIES):
        if live.look():
            break
        time.sleep(PERIOD)
    if live.kernel is None:
        raise HostError(live.problem)
    size = shutil.get_terminal_size((80, 40))
    print("\n".join(live.lines(size, {}, marks=False)[:-1]))
    return 0
