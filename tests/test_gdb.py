"""gdb on a machine: docs/debugging.md works as it is printed, and what the commands refuse."""
import os
import re
import subprocess

import pytest
from test_glass import ROOT, build_folder

PAGE = ROOT / "docs" / "debugging.md"
PROMPT = "(gdb) "
# Says every command before its answer, as gdb does on a terminal; the refusals of gdb do not end it.
DRIVER = """
import gdb
for command in {commands!r}:
    print({prompt!r} + command, flush=True)
    try:
        gdb.execute(command)
    except gdb.error as error:
        print(error)
"""


def blocks(page):
    """The indented blocks of a page, as lists of lines."""
    found, now = [], []
    for line in page.splitlines() + [""]:
        if line.startswith("    ") or (now and not line):
            now.append(line[4:])
        elif now:
            found.append(now)
            now = []
    return found + [now] * bool(now)


def answers(text):
    """[(command, [lines of its answer])] of a session with prompts."""
    found = []
    for line in text.splitlines():
        if line.startswith(PROMPT):
            found.append((line[len(PROMPT):], []))
        elif found and line.strip():
            found[-1][1].append(line)
    return found


def shape(line):
    """A line without what the next change of the kernel moves: numbers, addresses, the width of columns."""
    line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "N", line)
    return re.sub(r"\s+", " ", line).strip()


@pytest.fixture
def session(built, tmp_path):
    """session(commands, *words of vm run) -> ([(command, answer)], all that gdb said); the program must end well."""
    def run(commands, *words):
        script = tmp_path / "commands.py"
        script.write_text(DRIVER.format(commands=list(commands), prompt=PROMPT), encoding="utf-8")
        env = dict(os.environ, VITRINE_NO_BUILD="1")
        guest = subprocess.Popen([ROOT / "vm", "run", *words], env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            hint = guest.stderr.readline()
            number = re.search(r"\./vm gdb --run (\S+?),? ", hint)
            assert number, hint + guest.stderr.read()
            debugger = subprocess.run([ROOT / "vm", "gdb", "--run", number[1], "--", "-nx", "-batch", "-x", script],
                                      env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
            out, err = guest.communicate(timeout=300)
        finally:
            if guest.poll() is None:
                guest.terminate()
                guest.communicate()
        assert guest.returncode == 0, f"the program did not end well: {out}{err}\n{debugger.stdout}"
        return answers(debugger.stdout), debugger.stdout
    return run


def tutorial():
    """(words of vm run, [(command, [printed lines])]) of the page's first session."""
    page = blocks(PAGE.read_text(encoding="utf-8"))
    start = next(line for block in page for line in block if line.startswith("./vm run --gdb"))
    printed = [line for block in page if block[0].startswith(PROMPT) for line in block]
    return start.split("#")[0].split()[2:], answers("\n".join(printed))


def test_the_page_is_right(session):
    """Every command of docs/debugging.md, in order, answers what the page prints; "..." stands for any lines."""
    words, printed = tutorial()
    said, everything = session([command for command, _ in printed], *words)
    assert len(printed) > 10
    assert [command for command, _ in said] == [command for command, _ in printed], everything
    for (command, want), (_, got) in zip(printed, said):
        have, left = [shape(line) for line in got], 0
        for line in want:
            if line.strip() == "...":
                continue
            assert shape(line) in have[left:], f"{command}: the page says\n{line}\nbut gdb said\n" + "\n".join(got)
            left += have[left:].index(shape(line)) + 1


def test_the_copy_takes_one_frame(session):
    """What the page tells of the numbers: the child gets another frame, and one more is in use."""
    words, printed = tutorial()
    said, everything = session([command for command, _ in printed], *words)
    walks = ["\n".join(got) for command, got in said if command.startswith("vm walk")]
    frames = [re.search(r"^page +frame (\d+)", walk, re.M)[1] for walk in walks]
    assert len(frames) == 2 and frames[0] != frames[1], everything
    anons = [int(re.search(r"^anon +(\d+)", "\n".join(got), re.M)[1]) for command, got in said if command == "vm mem"]
    assert len(anons) == 2 and anons[1] == anons[0] + 1, everything


LIVE_REFUSALS = [
    ("vm walk", "vm walk [PID] ADDRESS, such as: vm walk $sp"),
    ("vm walk nosuch", 'nosuch: No symbol "nosuch" in current context.'),
    ("vm maps 77", "there is no process 77 (vm ps lists them)"),
    ("vm frame", "vm frame N|POINTER, such as: vm frame 843"),
    ("vm frame 99999999", "physical address N is no RAM"),
    ("vm trace some", "vm trace [N], such as: vm trace 40"),
    ("vm at 1", "vm at PID COMMAND, such as: vm at 3 backtrace"),
    ("vm at 1 continue", "continue lets the machine run, and this processor is not the process's own"),
    ("vm at 1 print nosuch", 'No symbol "nosuch" in current context.'),
    ("vm use 77", "there is no process 77 (vm ps lists them)"),
    ("vm list all_spaces space nosuch", "struct space has no field nosuch"),
    ("vm list all_spaces", "vm list HEAD TYPE LINK, such as: vm list all_spaces space all_link"),
    ("break-user main", "break-user PROGRAM:LOCATION, such as: break-user hog:main"),
]


def test_refusals(session):
    """What cannot be done is said in a sentence, and the machine is none the worse for it."""
    commands = ["break-user cow_seen:main", "continue", *(command for command, _ in LIVE_REFUSALS), "backtrace 1"]
    said, _ = session(commands, "--gdb", "--", "cow_seen")
    for (command, got), (_, want) in zip(said[2:], LIVE_REFUSALS):
        assert [shape(line) for line in got] == [shape(want)], command
    assert said[-1][1][0].startswith("#0  main () at ")


def test_break_user_finds_no_place(session):
    """A location that the program does not have stops it at its start, and says so."""
    said, _ = session(["break-user cow_seen:nosuch", "continue", "vm use"], "--gdb", "--", "cow_seen")
    assert "break-user: cow_seen has started, and has no place nosuch" in said[1][1]
    assert any("/tests/cow_seen" in line for line in said[2][1])


def test_symbols_follow_the_process(session):
    """Two programs in turn: each breakpoint stops its own, and the symbols are that one's."""
    commands = ["break-user echo_a:main", "break-user echo_b:main", *["continue", "info symbol $pc"] * 2]
    said, everything = session(commands, *two_programs())
    stops = [got[0] for command, got in said if command == "info symbol $pc"]
    assert re.match("main.* of .*/root/echo_a$", stops[0]), everything
    assert re.match("main.* of .*/root/echo_b$", stops[1]), everything


def two_programs():
    """Words of vm run: two programs of the tree under other names, one after the other."""
    tests = ROOT / "build" / "user" / "tests"
    return ["--gdb", "--add", f"{tests / 'cow_seen'}:/root/echo_a",
            "--add", f"{tests / 'musl_dynamic'}:/root/echo_b", "--", "sh", "-c", "/root/echo_a && /root/echo_b"]


def test_a_machine_that_runs(session):
    """Processors are gdb's threads; each process is seen from where it sleeps, up to its own code."""
    commands = ["break-user cow_seen:main", "continue", "info threads", "vm check", "vm at 1 backtrace",
                "vm at 1 thread 2 -- ", "backtrace 1", "vm trace 3", "vm fault"]
    said, everything = session(commands, "--gdb", "--cpus", "2", "--", "cow_seen")
    by = dict(said)
    assert len([line for line in by["info threads"] if "CPU#" in line]) == 2, everything
    assert by["vm check"][-1].startswith("all invariants hold"), everything
    assert any("sys_rt_sigtimedwait" in line for line in by["vm at 1 backtrace"]), everything
    assert "main (" in by["backtrace 1"][0], everything
    assert len(by["vm trace 3"]) == 3 and all(" CPU " in line for line in by["vm trace 3"]), everything
    assert re.match("none is being answered here; the last one: .*, by cow_seen", by["vm fault"][0]), everything


def test_a_run_that_is_over(built, tmp_path):
    """Memory can still be asked, variables and threads that slept; processors cannot."""
    env = build_folder(built, tmp_path / "build")
    run = [ROOT / "vm", "run", "--timeout", "10", "--", "sh", "-c", "kill -STOP $$"]
    assert subprocess.run(run, env=env, check=False).returncode == 124
    commands = ["vm ps", "print init_process->pid", "thread apply all backtrace", "lastwrite &init_process",
                "rewind 9500000", "print init_process", "vm at 1 backtrace"]
    script = tmp_path / "commands.py"
    script.write_text(DRIVER.format(commands=commands, prompt=PROMPT), encoding="utf-8")
    done = subprocess.run([ROOT / "vm", "gdb", "--", "-nx", "-batch", "-x", script], env=env, capture_output=True,
                          text=True, check=False)
    by = dict(answers(done.stdout))
    assert any("/sbin/init" in line for line in by["vm ps"]), done
    assert by["print init_process->pid"] == ["$1 = 1"], done
    assert any("sys_rt_sigtimedwait" in line for line in by["thread apply all backtrace"]), done
    assert any("process_start_init" in line for line in by["lastwrite &init_process"]), done
    assert " as it was at instruction 950" in by["rewind 9500000"][0], done
    assert by["vm at 1 backtrace"] == ["the machine of this run is over; this takes one that runs: "
                                       "./vm run --gdb -- PROGRAM"], done


def test_a_run_whose_memory_is_not_kept(built, tmp_path):
    """gdb still has the kernel's symbols, and says why there is no more."""
    env = build_folder(built, tmp_path / "build")
    subprocess.run([ROOT / "vm", "run", "--", "true"], env=env, check=True)
    os.unlink(tmp_path / "build" / "runs" / "latest" / "ram")
    done = subprocess.run([ROOT / "vm", "gdb", "--", "-nx", "-batch", "-ex", "info line kmain", "-ex", "vm ps"],
                          env=env, capture_output=True, text=True, check=False)
    assert "The machine of this run is over: " in done.stdout and 'of "kernel/kmain.c"' in done.stdout, done
    assert "Traceback" not in done.stderr and "has no memory to look at" in done.stderr, done
