"""A person at the terminal: ./vm boot, typed at through a pseudo-terminal.

Output is looked for by words that the echo of the command line does not contain (quotes inside).
"""
import os
import re
import time
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROMPT = re.compile(rb"vitrine\x1b\[0m:\x1b\[1;34m[^\x1b]*\x1b\[0m# ")
PATIENCE = 60
PAUSE = 0.3


@pytest.fixture
def shell(built):
    """A booted machine at its prompt."""
    child = pexpect.spawn(str(ROOT / "vm"), ["boot", "--pvh"], timeout=PATIENCE, dimensions=(40, 120),
                          env=dict(os.environ, VITRINE_NO_BUILD="1", TERM="linux"))
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def say(shell, line, answer):
    """Type a line, expect an answer and the prompt."""
    shell.sendline(line)
    shell.expect(answer)
    shell.expect(PROMPT)


def begin(shell, line):
    """Type a line whose program is then typed at: once it runs, for until then the shell takes every key."""
    shell.sendline(f"echo be''gun; {line}")
    shell.expect(rb"begun\r\n")
    time.sleep(PAUSE)


def press(shell, key, answer=PROMPT):
    """Press Ctrl and a key until it is answered: one that comes before the program has the terminal is the shell's."""
    for _ in range(PATIENCE):
        shell.sendcontrol(key)
        if shell.expect([answer, pexpect.TIMEOUT], timeout=1 + PAUSE) == 0:
            return
    raise AssertionError(f"no answer to Ctrl-{key}: {shell.before}")


def ended(child):
    """The exit status of ./vm, which must end by itself."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


@pytest.mark.parametrize("farewell", ["exit", "poweroff"])
def test_commands_and_farewell(shell, farewell):
    """Type, read, leave."""
    say(shell, "echo be''hind glass", rb"behind glass\r\n")
    say(shell, "ls -d /tests | tr a-z A-Z", rb"/TESTS\r\n")
    shell.sendline(farewell)
    assert ended(shell) == 0


def test_boot_by_grub(built):
    """What `make run` does: by the medium, to the prompt."""
    child = pexpect.spawn(str(ROOT / "vm"), ["boot"], timeout=PATIENCE,
                          env=dict(os.environ, VITRINE_NO_BUILD="1", TERM="linux"))
    child.expect(PROMPT)
    child.sendline("poweroff")
    assert ended(child) == 0


def test_control_a_x(shell):
    """QEMU's own way out."""
    shell.send("\x01x")
    assert ended(shell) == 0


def test_reboot(shell):
    """The machine begins again, and its disk is what it was."""
    say(shell, "echo re''membered >/root/note", rb"\r\n")
    shell.sendline("reboot")
    shell.expect(rb"restarting\r\n")
    shell.expect(PROMPT)
    say(shell, "cat /root/note", rb"remembered\r\n")
    shell.sendline("exit")
    assert ended(shell) == 0


def test_window_size(shell):
    """The guest's terminal is as large as the host's."""
    say(shell, "stty size", rb"40 120\r\n")


def test_control_c(shell):
    """^C ends what runs in the foreground, and nothing else."""
    begin(shell, "sleep 1000")
    press(shell, "c")
    say(shell, "echo sta''tus $?", rb"status 130\r\n")
    begin(shell, "cat | cat | cat")
    press(shell, "c")
    shell.send("half a line")
    shell.sendcontrol("c")
    shell.expect(PROMPT)
    say(shell, "echo st''ill here", rb"still here\r\n")


def test_control_c_stops_a_spinner(shell):
    """A program that never calls the kernel can be interrupted."""
    begin(shell, "while :; do :; done")
    press(shell, "c")


def test_job_control(shell):
    """^Z, jobs, bg, fg, kill."""
    begin(shell, "sleep 1000")
    press(shell, "z", "Stopped")
    shell.expect(PROMPT)
    say(shell, "jobs", "Stopped.*sleep 1000")
    say(shell, "bg", "sleep 1000")
    say(shell, "jobs", "(Running|sleep 1000)")
    shell.sendline("fg")
    shell.expect("sleep 1000")
    press(shell, "c")
    # not SIGTERM: an interactive shell ignores it, and so does its child until it has begun
    say(shell, "sleep 1000 & kill -9 $!; wait; echo wai''ted", rb"waited\r\n")


def test_control_d(shell):
    """End of file for a program that reads, at the start of a line."""
    begin(shell, "cat")
    shell.sendline("typed")
    shell.expect("typed\r\ntyped\r\n")
    shell.sendcontrol("d")
    shell.expect(PROMPT)
    say(shell, "echo st''ill here", rb"still here\r\n")


def test_line_discipline_erases(shell):
    """In canonical mode the terminal itself edits the line."""
    begin(shell, "head -n 1 | tr a-z A-Z")
    shell.send("wrongx\x15righx\x7ft\n")
    shell.expect(rb"RIGHT\r\n")
    shell.expect(PROMPT)


def test_shell_edits(shell):
    """Raw mode: the shell moves in the line, and finds the last one again."""
    shell.send("echo ma''xker\x1b[D\x1b[D\x1b[D\x7fr\r")
    shell.expect(rb"marker\r\n")
    shell.expect(PROMPT)
    shell.send("\x1b[A\r")
    shell.expect(rb"marker\r\n")
    shell.expect(PROMPT)


def test_stty(shell):
    """The settings that stty shows and changes."""
    say(shell, "stty -a", "icanon")
    begin(shell, "stty -echo; head -n 1 | tr a-z A-Z; stty echo")
    shell.sendline("unseen")
    shell.expect("UNSEEN\r\n")
    shell.expect(PROMPT)
    assert b"unseen" not in shell.before
    say(shell, "test -t 0 && tty", rb"/dev/(console|tty\w*)\r\n")


def test_background_reader_stops(shell):
    """A background job that reads from the terminal is stopped by SIGTTIN."""
    shell.sendline("cat &")
    shell.expect(PROMPT)
    shell.sendline("")
    shell.expect(PROMPT)
    say(shell, "jobs", "Stopped")
    say(shell, "kill -9 %1; wait; echo do''ne", rb"done\r\n")


def test_bad_program_at_the_prompt(shell):
    """A crash is told in one line, and the prompt comes back."""
    say(shell, "/tests/bad_accesses 1; echo sta''tus $?", rb"status 139\r\n")
    say(shell, "echo st''ill here", rb"still here\r\n")
