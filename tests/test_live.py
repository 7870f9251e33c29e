"""./vm live: what it draws is what memory holds, on any terminal, while memory changes, hangs, is over, is nonsense."""
import html
import mmap
import os
import random
import re
import signal
import subprocess
import time

import pexpect
import pytest
from browser import Browser
from conftest import ROOT
from test_glass import build_folder, vm
from vitrine import glass, live, runs
from vitrine.state import State

VM = os.path.join(ROOT, "vm")
PATIENCE = 120  # seconds: only what hangs takes so long
CHURN = "while true; do x=$(seq 1 30000); true | true; done"


def start(env, *words):
    return subprocess.Popen([VM, "run", "--mem", "24M", "--swap", "64M", "--timeout", "1000", *words], env=env,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def stop(process):
    process.terminate()
    process.communicate(timeout=PATIENCE)


@pytest.fixture(name="env", scope="module")
def fixture_env(built, tmp_path_factory):
    return build_folder(built, tmp_path_factory.mktemp("live") / "build")


@pytest.fixture(name="machine")
def fixture_machine(env):
    """A machine in which a shell waits for a line and its child for a pipe: (its ./vm, the environment)."""
    process = start(env, "--", "sh", "-c", "mkfifo /tmp/f; cat /tmp/f & echo ready; read line")
    assert process.stdout.readline() == b"ready\n"
    yield process, env
    stop(process)


@pytest.fixture(name="churn")
def fixture_churn(env):
    """The folder of a machine that forks and maps without pause."""
    process = start(env, "--", "sh", "-c", f"echo ready; {CHURN}")
    assert process.stdout.readline() == b"ready\n"
    yield runs.find(os.path.join(env["VITRINE_BUILD"], "runs", "latest"))
    stop(process)


class Terminal:
    """A terminal in which ./vm live runs; the pictures that it drew."""

    def __init__(self, env, size=(24, 80), words=(), **variables):
        env = {key: value for key, value in env.items() if key not in ("NO_COLOR", "COLORTERM", "LINES", "COLUMNS")}
        self.child = pexpect.spawn(VM, ["live", *words], dimensions=size, timeout=PATIENCE, encoding="utf-8",
                                   env=dict(env, TERM="xterm", **variables))
        self.text = ""

    def painted(self):
        """The last whole picture, as it was sent."""
        whole = [part.split("\x1b[J")[0] for part in self.text.split("\x1b[H")[1:] if "\x1b[J" in part]
        return whole[-1].replace("\r", "") if whole else ""

    def picture(self):
        """The lines of the last whole picture, without colours."""
        return re.sub(r"\x1b\[[\d;]*[mK]", "", self.painted()).split("\n") if self.painted() else []

    def until(self, fits):
        """The first picture from now on that fits."""
        self.text, end = "", time.monotonic() + PATIENCE
        while not (self.picture() and fits(self.picture())):
            assert time.monotonic() < end, self.text[-4000:]
            try:
                self.text += self.child.read_nonblocking(65536, timeout=1)
            except pexpect.TIMEOUT:
                pass
        return self.picture()

    def press(self, key, fits):
        self.child.send(key)
        return self.until(fits)

    def end(self, key="q"):
        """The exit status after that key, and what was written last."""
        self.child.send(key)
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus, self.child.before


def chosen(picture):
    return next((int(line.split()[1]) for line in picture if line.startswith("> ")), None)


def map_of(picture):
    return "".join(line[10:] for line in picture if re.match(r" {3,7}\d+  \S", line))


def is_whole(picture):
    return chosen(picture) is not None and any(line.startswith("total  ") for line in picture)


def test_a_person_watches(machine):
    """80x24: each part is there, keys choose and pause, other sizes are followed."""
    terminal = Terminal(machine[1])
    first = terminal.until(lambda p: is_whole(p) and any(line.endswith("cat /tmp/f") for line in p))
    assert len(first) == 24 and max(map(len, first)) <= 80
    assert "  runs  free " in first[0] and "processes " in first[0] and first[-1].startswith("q quit")
    assert any(line.endswith("/sbin/init") for line in first) and any("sh -c mkfifo" in line for line in first)
    assert "\x1b[48;5;" in terminal.text and "\x1b[?1049h" not in terminal.text.split("\x1b[H", 1)[1]
    now = chosen(first)
    terminal.press("\x1b[B", lambda p: chosen(p) not in (None, now) and is_whole(p))
    terminal.press("\x1b[A", lambda p: chosen(p) == now)
    for key in ("\t", "\x1bOB", "\x1b[C"):  # three processes: round and back
        before = now
        now = chosen(terminal.press(key, lambda p, before=before: chosen(p) not in (None, before)))
    assert now == chosen(first)
    terminal.press("p", lambda p: "  paused  " in p[0])
    terminal.child.setwinsize(50, 120)
    large = terminal.until(lambda p: len(p) > 30)
    assert max(map(len, large)) > 80 and is_whole(large)
    terminal.child.setwinsize(8, 30)
    terminal.until(lambda p: len(p) <= 8)
    terminal.press(" ", lambda p: "  runs  " in p[0])
    status, rest = terminal.end()
    assert status == 0 and rest.endswith("\x1b[?25h\x1b[?1049l")


def test_the_terminal_is_given_back(machine):
    """As it was, after q and after Ctrl-C, also where a shell has that ignored, as for what it starts by &."""
    for trap, key, status in (("trap : INT", "q", 0), ("trap : INT", "\x03", 130), ("trap '' INT", "\x03", 130)):
        child = pexpect.spawn("sh", ["-c", f"{trap}; stty -g; '{VM}' live; echo status $?; stty -g"],
                              dimensions=(24, 80), timeout=PATIENCE, encoding="utf-8",
                              env=dict(machine[1], TERM="xterm"))
        child.expect(r"([\da-f:]+)\r\n")
        before = child.match[1]
        child.expect("q quit")
        child.send(key)
        child.expect(rf"status {status}\r\n([\da-f:]+)\r\n")
        assert child.match[1] == before
        child.expect(pexpect.EOF)
        child.close()


def test_colours_are_the_reports_or_none(machine):
    terminal = Terminal(machine[1], COLORTERM="truecolor")
    terminal.until(is_whole)
    assert "\x1b[48;2;230;159;0;38;5;16m" in terminal.text  # --pagetable of style.css
    terminal.end()
    terminal = Terminal(machine[1], NO_COLOR="1")
    letters = map_of(terminal.until(is_whole))
    assert "48;" not in terminal.text and "\x1b[7m" in terminal.text
    assert set("#KktF-") <= set(letters) and "*" not in letters
    assert terminal.end()[0] == 0


def test_a_machine_that_hangs(machine):
    """Its processors and its monitor stand still: nothing of them is needed."""
    process, env = machine
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
        qemu = int(children.read().split()[0])
    os.kill(qemu, signal.SIGSTOP)
    try:
        terminal = Terminal(env)
        now = chosen(terminal.until(is_whole))
        terminal.press("\t", lambda p: chosen(p) not in (None, now))
        assert terminal.end()[0] == 0
        assert "/sbin/init" in vm(env, "live")
    finally:
        os.kill(qemu, signal.SIGCONT)


def test_a_machine_that_ends(machine):
    """What it held at the end stays to be looked at."""
    process, env = machine
    terminal = Terminal(env)
    terminal.until(is_whole)
    process.stdin.write(b"line\n")
    process.stdin.flush()
    assert process.wait(PATIENCE) == 0
    terminal.until(lambda p: "  over  " in p[0])
    terminal.press("\t", lambda p: "  over  " in p[0])
    assert terminal.end()[0] == 0
    assert "  over  " in vm(env, "live")


def test_without_a_terminal(machine):
    """One picture, the same as the verbs show of a machine that stands still."""
    env = machine[1]
    out = vm(env, "live")
    data = vm(env, "mem", "--json")
    assert "\x1b" not in out and "q quit" not in out
    drawn = map_of(out.splitlines())
    assert set(drawn) <= set(data["map"]) and len(drawn) * 15 > len(data["map"])
    assert f"free {data['owners']['FRAME_FREE'] * 4}K of {data['total'] * 4}K" in out
    assert vm(env, "ps").splitlines()[1].strip() in out


def test_memory_that_changes(churn):
    """Not stopped: what is torn is skipped, and most looks make sense."""
    kernel, view, good = runs.kernel_of(churn), live.View(), 0
    for _ in range(60):
        good += view.look(kernel, churn)
        assert view.map and len(view.map["map"]) == view.map["total"] + view.map["map"].count("#")
        assert len(live.screen(view, "head", view.largest(), (80, 24), {})) == 24
        time.sleep(0.02)
    assert good > 20 and 1 in view.spaces
    print(f"{good} of 60 looks were whole")


def test_memory_that_is_nonsense(churn, tmp_path, monkeypatch):
    """Pages of rubbish anywhere, also in page tables: no exception, no endless walk; what was seen before stays."""
    monkeypatch.setattr(live, "LIMIT", 0.3)
    with runs.look(churn):  # a copy of one moment
        for name in ("ram", "vitrine.elf"):
            subprocess.run(["cp", "--sparse=always", os.path.join(churn, name), tmp_path / name], check=True)
    kernel, view, draw = runs.kernel_of(str(tmp_path)), live.View(), random.Random(7)
    assert view.look(kernel, str(tmp_path))
    skipped = 0
    with open(tmp_path / "ram", "r+b") as file, mmap.mmap(file.fileno(), 0) as ram:
        tables = [n for n in range(6000) if State(kernel).owner(n) == "FRAME_PAGETABLE"]
        for turn in range(25):
            numbers = [draw.choice(tables), *draw.sample(range(200, 6000), 20)]
            saved = {number: ram[number * 4096:number * 4096 + 4096] for number in numbers}
            for number in numbers:
                rubbish = draw.randbytes(4096) if turn % 2 else (number * 4096 | 7).to_bytes(8, "little") * 512
                ram[number * 4096:number * 4096 + 4096] = rubbish
            skipped += not view.look(kernel, str(tmp_path))
            assert view.map and len(live.screen(view, "", 1, (80, 24), {})) <= 24
            for number, data in saved.items():
                ram[number * 4096:number * 4096 + 4096] = data
    assert skipped > 5
    assert view.look(kernel, str(tmp_path)) and "init" in str(view.processes)
    kernel.ram.close()


def test_every_size_of_terminal(churn):
    kernel, view = runs.kernel_of(churn), live.View()
    view.look(kernel, churn)
    assert set(glass.WORDS) <= set(live.COLOURS)
    for height in range(1, 60):
        for width in (20, 40, 80, 200):
            lines = live.screen(view, "head", view.largest(), (width, height), {})
            plain = [re.sub(r"\x1b\[\d*m", "", line) for line in lines]
            assert len(plain) <= height and max(map(len, plain)) <= width, (width, height)


def test_refusals(built, tmp_path):
    env = build_folder(built, tmp_path / "build")
    assert "there is no run yet" in vm(env, "live", status=125)
    assert "no such folder" in vm(env, "live", "77", status=125)
    assert "vm live [RUN]" in vm(env, "live", "--", "x", status=125)


def test_a_machine_that_has_not_begun(env):
    """It waits for a debugger: nothing is there to be looked at yet, and that is said."""
    process = start(env, "--gdb", "--", "true")
    try:
        line = process.stdout.readline().decode()
        assert "waiting for the debugger" in line
        terminal = Terminal(env, words=re.findall(r"--run (\d+)", line))
        terminal.until(lambda p: p[0].startswith("waiting: "))
        assert terminal.end()[0] == 0
    finally:
        stop(process)


def as_page(painted):
    """A picture of exact colours as HTML."""
    first, *rest = re.split(r"\x1b\[([\d;]*)m", painted.replace("\x1b[K", ""))
    body = html.escape(first)
    for codes, text in zip(rest[::2], rest[1::2]):
        ground = re.match(r"48;2;(\d+;\d+;\d+);38;5;(16|231)$", codes)
        assert ground or codes == "0", codes
        style = f"background: rgb({ground[1].replace(';', ',')}); color: #{'000' if ground[2] == '16' else 'fff'}" \
            if ground else ""
        body += f'<span style="{style}">{html.escape(text)}</span>'
    return '<!doctype html><meta charset="utf-8"><body style="margin: 0; background: #111; color: #ddd">' \
           f'<pre style="margin: 0; padding: 12px; font: 14px/1.25 monospace; width: max-content">{body}</pre>'


def test_picture_for_the_documentation(env, tmp_path):
    """PICTURES=docs/pictures writes it; without it this looks at whether it could be written."""
    folder = os.environ.get("PICTURES")
    process = start(env, "--", "sh", "-c", "echo ready; x=$(seq 1 900000); mkfifo /tmp/f; "
                    "(y=$(seq 1 1200000); read z </tmp/f) & read line")
    assert process.stdout.readline() == b"ready\n"
    terminal = Terminal(env, (32, 110), COLORTERM="truecolor")
    swapped = r"  [1-9]\d*K +\d+K  sh -c"  # and the size of the tables
    terminal.until(lambda p: is_whole(p) and (not folder or sum(bool(re.search(swapped, line)) for line in p) > 1))
    (tmp_path / "live.html").write_text(as_page(terminal.painted()), encoding="utf-8")
    assert terminal.end()[0] == 0
    stop(process)
    browser = Browser(tmp_path)
    browser.open(tmp_path / "live.html")
    place = browser.wait("(b => b && [b.x, b.y, b.width, b.height])(document.querySelector('pre')?."
                         "getBoundingClientRect())")
    data = browser.picture(folder and os.path.join(ROOT, folder, "live.png"), place)
    browser.close()
    assert data.startswith(b"\x89PNG") and len(data) > 5000
