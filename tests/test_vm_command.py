"""./vm itself: its command line, its disk images, its link frames, and how it tells the ends of a run apart.

Nothing here needs a working kernel: the ends are played by kernels of a few instructions.
"""
import os
import shutil
import stat
import subprocess
import time

import pytest
from conftest import ROOT
from vitrine import image, link, machine, verdict

VM = os.path.join(ROOT, "vm")

TINY = """
bits 32
section .note note alloc noexec nowrite align=4
    dd 4, 4, 18
    db "Xen", 0
    dd start
section .text
global start
print:
    mov edx, 0x3f8
.next:
    lodsb
    test al, al
    jz .done
    out dx, al
    jmp .next
.done:
    ret
quit:
    mov edx, 0xf4
    out dx, al
start:
    mov esp, 0x8000
    {body}
.halt:
    hlt
    jmp .halt
no_table: dq 0
hello: db "hello", 13, 10, 0
broken: db "kernel panic: the roof is on fire", 13, 10, "  rip 0x1", 13, 10, 0
"""


def command(*words, **options):
    options.setdefault("env", dict(os.environ, VITRINE_NO_BUILD="1", **options.pop("variables", {})))
    return subprocess.run([VM, *map(str, words)], capture_output=True, text=True, check=False, timeout=120, **options)


def running_commands():
    """The command lines of all processes."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8", errors="replace") as words:
                yield words.read()
        except OSError:
            pass  # it has just ended


@pytest.fixture
def tiny(tmp_path):
    """Run a kernel whose whole body is a few instructions, by ./vm run."""
    def run(body, *words):
        source = tmp_path / "tiny.asm"
        source.write_text(TINY.format(body=body))
        subprocess.run(["nasm", "-f", "elf32", source, "-o", tmp_path / "tiny.o"], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x100000", "-e", "start", "-o", tmp_path / "vitrine.elf",
                        tmp_path / "tiny.o"], check=True)
        with open(tmp_path / "root.img", "wb") as disk:
            disk.truncate(1 << 20)
        return command("run", *words, "--", "/program", variables={"VITRINE_BUILD": str(tmp_path)})
    return run


# --- the command line ------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, says", [
    ([], "which verb"),
    (["fly"], "invalid choice"),
    (["run"], "no program"),
    (["run", "--"], "no program"),
    (["boot", "--", "/bin/sh"], "takes no program"),
    (["run", "--nonsense", "--", "x"], "--nonsense is not understood"),
    (["run", "ls", "-l"], "the program stands behind"),
    (["--nonsense"], "try: ./vm --help"),
    (["core", "--nonsense"], "try: ./vm core --help"),
    (["run", "--swap", "8K", "--", "x"], "at least 40K"),
    (["run", "--append", "strace policy=oracle", "--", "x"], "policy is one of clock, fifo, lru, random, reuse"),
    (["run", "--append", "overcommit=maybe", "--", "x"], "overcommit is one of heuristic, always, strict"),
    (["run", "--mem", "64", "--", "x"], "not a size"),
    (["run", "--mem", "1K", "--", "x"], "4 KiB"),
    (["run", "--mem", "0M", "--", "x"], "4 KiB"),
    (["run", "--cpus", "0", "--", "x"], "above 0"),
    (["run", "--seed", "-1", "--", "x"], "seed"),
    (["run", "--timeout", "soon", "--", "x"], "above 0"),
    (["run", "--timeout", "nan", "--", "x"], "above 0"),
    (["run", "--accel", "magic", "--", "x"], "invalid choice"),
    (["run", "--env", "NOVALUE", "--", "x"], "K=V"),
    (["run", "--add", "justone", "--", "x"], "HOST:GUEST"),
    (["run", "--add", "/etc/passwd:relative", "--", "x"], "must be absolute"),
    (["run", "--add", "/does/not/exist:/x", "--", "x"], "no such file"),
    (["run", "--get", "relative:/tmp/x", "--", "x"], "must be absolute"),
    (["run", "--get", "/x:/does/not/exist/x", "--", "x"], "does not exist"),
    (["run", "--log", "/does/not/exist/log", "--", "x"], "No such file"),
    (["run", "--uefi", "--mem", "32M", "--", "x"], "at least --mem 64M"),
    (["run", "--grub", "--uefi", "--", "x"], "not allowed"),
])
def test_mistakes_are_125(words, says):
    done = command(*words)
    assert done.returncode == 125, done.stderr
    assert done.stderr.startswith("vm: ") and says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("verb", ["run", "boot"])
def test_help_is_complete(verb):
    done = command(verb, "--help")
    assert done.returncode == 0 and done.stderr == ""
    for option in ("--mem --swap --cpus --seed --timeout --add --get --env --append --uefi --grub --accel --realtime "
                   "--gdb --log -v --fsck --keep").split():
        assert f" {option}" in done.stdout
    for number in ("124", "125", "126", "128+n"):
        assert number in done.stdout


def test_general_help():
    done = command("--help")
    assert done.returncode == 0 and "run" in done.stdout and "boot" in done.stdout


# --- the ends of a run -----------------------------------------------------------------------------------

def test_panic_is_told_with_its_message(tiny):
    done = tiny("mov esi, broken\ncall print\nmov al, 0x11\njmp quit")
    assert done.returncode == 126
    assert "vm: kernel panic" in done.stderr and "the roof is on fire" in done.stderr and "rip 0x1" in done.stderr


def test_triple_fault_is_told(tiny):
    done = tiny("mov esi, hello\ncall print\nlidt [no_table]\nud2")
    assert done.returncode == 126
    assert "triple fault" in done.stderr and "hello" in done.stderr and "rip 0x1000" in done.stderr


def test_death_before_the_first_message_is_told(tiny):
    done = tiny("lidt [no_table]\nud2")
    assert done.returncode == 126
    assert "triple fault" in done.stderr and "before its first message" in done.stderr


def test_halt_with_interrupts_off_is_a_hang(tiny):
    done = tiny("cli\nhlt", "--timeout", "60")
    assert done.returncode == 126
    assert "hang: halted with interrupts off" in done.stderr


def test_spinning_with_interrupts_off_is_a_hang_at_the_timeout(tiny):
    done = tiny("cli\n.spin:\njmp .spin", "--timeout", "2")
    assert done.returncode == 126
    assert "hang: stuck with interrupts off" in done.stderr


def test_timeout_is_124(tiny):
    # All interrupts masked at the 8259s, so that the machine stays alive without a handler.
    done = tiny("mov al, 0xff\nout 0x21, al\nout 0xa1, al\nsti\n.spin:\njmp .spin", "--timeout", "2")
    assert done.returncode == 124
    assert "timeout: not done after 2 seconds" in done.stderr and "the kernel was running" in done.stderr


def test_power_off_without_a_status_is_126(tiny):
    done = tiny("mov al, 0x10\njmp quit")
    assert done.returncode == 126
    assert "switched itself off" in done.stderr


def test_a_kernel_that_is_no_kernel_is_125(tiny, tmp_path):
    tiny("hlt", "--timeout", "0.1")
    (tmp_path / "vitrine.elf").write_bytes(b"not a kernel")
    done = command("run", "--", "x", variables={"VITRINE_BUILD": str(tmp_path)})
    assert done.returncode == 125 and "QEMU could not start" in done.stderr


def test_log_and_verbose_show_the_kernels_messages(tiny, tmp_path):
    log = tmp_path / "log"
    done = tiny("mov esi, hello\ncall print\nmov al, 0x10\njmp quit", "-v", "--log", log)
    assert "hello" in done.stderr and "hello" in log.read_text()


def test_what_is_not_built_is_125(tmp_path):
    done = command("run", "--", "x", variables={"VITRINE_BUILD": str(tmp_path)})
    assert done.returncode == 125 and "is not built" in done.stderr


def test_terminating_vm_ends_qemu(tiny, tmp_path):
    tiny("hlt", "--timeout", "0.1")
    env = dict(os.environ, VITRINE_NO_BUILD="1", VITRINE_BUILD=str(tmp_path))
    with subprocess.Popen([VM, "run", "--", "x"], env=env, stderr=subprocess.PIPE) as running:
        time.sleep(1.5)
        running.terminate()
        assert running.wait(20) == 143
    time.sleep(0.5)
    assert not any(str(tmp_path) in words for words in running_commands())


def test_finished_runs_are_removed(tiny, tmp_path):
    for _ in range(machine.KEPT_RUNS + 3):
        tiny("mov al, 0x10\njmp quit")
    runs = [name for name in os.listdir(tmp_path / "runs") if name[0].isdigit()]
    assert len(runs) == machine.KEPT_RUNS
    assert os.readlink(tmp_path / "runs" / "latest") in runs


# --- a program's bytes -----------------------------------------------------------------------------------

ACTOR = """#!/usr/bin/python3
import os, re, socket, struct, sys, time
link = socket.socket(fileno=int(re.search(r"socket,id=link,fd=(\\d+)", " ".join(sys.argv))[1]))
def send(kind, payload):
    link.sendall(struct.pack("<B3xI", ord(kind), len(payload)) + payload)
def receive(size):
    data = b""
    while len(data) < size:
        data += link.recv(size - len(data))
    return data
def read(most):
    send("R", struct.pack("<I", most))
    kind, length = struct.unpack("<B3xI", receive(8))
    return receive(length)
def leave(status, check_failed=0):
    send("X", struct.pack("<II", status, check_failed))
    os._exit(33)
"""


@pytest.fixture
def actor(tmp_path):
    """Run ./vm run on a QEMU that is played by a few lines of Python; `words` go to a shell that starts it."""
    def play(body, shell='"$@"', **options):
        for name in ("vitrine.elf", "root.img"):
            (tmp_path / name).write_bytes(b"x")
        script = tmp_path / "qemu-system-x86_64"
        script.write_text(ACTOR + body)
        script.chmod(0o755)
        env = dict(os.environ, VITRINE_NO_BUILD="1", VITRINE_BUILD=str(tmp_path))
        env["PATH"] = f"{tmp_path}:{env['PATH']}"
        return subprocess.run(["bash", "-c", shell, "bash", VM, "run", "--timeout", "20", "--", "x"],
                              env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, timeout=60, **options)
    return play


def test_bytes_and_status_come_through(actor):
    done = actor('send("O", bytes(range(256)) * 1000); send("E", b"\\0err"); send("O", b"!"); leave(42)')
    assert done.returncode == 42
    assert done.stdout == bytes(range(256)) * 1000 + b"!" and done.stderr == b"\0err"


def test_a_signals_status_is_passed_on(actor):
    done = actor("leave(139)")
    assert (done.returncode, done.stdout, done.stderr) == (139, b"", b"")


def test_input_is_exact_and_ends(actor):
    body = "while data := read(1000):\n    send('O', data)\nassert read(5) == b''\nleave(0)"
    data = os.urandom(200_000)
    done = actor(body, input=data)
    assert done.returncode == 0 and done.stdout == data, done.stderr


def test_input_that_was_not_asked_for_stays(actor):
    done = actor('send("O", read(3)); leave(0)', shell='printf "abcdef" | { "$@"; cat; }')
    assert done.stdout == b"abcdef"


def test_output_does_not_wait_for_input(actor):
    body = 'send("R", struct.pack("<I", 10)); send("O", b"first\\n"); receive(8); leave(0)'
    shell = 'mkfifo f; exec 3<>f; "$@" <f | { read -r line; echo "$line"; echo >&3; cat; }'
    done = actor(body, shell=shell)
    assert done.stdout == b"first\n" and done.returncode == 0


def test_closed_input_is_the_end_of_input(actor):
    assert actor('assert read(9) == b""; leave(0)', shell='"$@" <&-').returncode == 0


def test_output_that_nobody_reads_ends_quietly(actor):
    done = actor('while True: send("O", b"y\\n" * 4096)', shell='set -o pipefail; "$@" | head -n 1')
    assert done.returncode == 141
    assert done.stdout == b"y\n" and done.stderr == b""


def test_slow_reader_gets_everything(actor):
    body = 'for _ in range(64): send("O", b"z" * 65536)\nleave(7)'
    done = actor(body, shell='set -o pipefail; "$@" | { sleep 1; cat; }')
    assert done.returncode == 7 and len(done.stdout) == 64 * 65536


def test_a_failed_check_is_126(actor):
    done = actor("leave(0, 1)")
    assert done.returncode == 126 and b"check of memory failed" in done.stderr


def test_a_program_that_is_idle_past_its_time(actor):
    done = actor("time.sleep(100)", shell='"${@/20/1}"')
    assert done.returncode == 124 and b"timeout" in done.stderr


def test_rubbish_from_the_kernel_is_126(actor):
    done = actor('link.sendall(b"rubbish!"); time.sleep(100)')
    assert done.returncode == 126 and b"broke the host link" in done.stderr


# --- the watch -------------------------------------------------------------------------------------------

def cpu(rip=0x100, cpl=0, halted=False, interrupts=False):
    return {"rip": rip, "cr2": 0, "cpl": cpl, "halted": halted, "interrupts": interrupts}


def test_watch_lets_the_living_live():
    watch = verdict.Watch()
    for step in range(40):
        assert watch.look([cpu(halted=True, interrupts=True)]) is None  # idle
        assert watch.look([cpu(cpl=3)]) is None  # in the program
        assert watch.look([cpu(rip=step << 12)]) is None  # about in the kernel
    for _ in range(40):
        assert watch.look([cpu(halted=True), cpu(interrupts=True)]) is None  # one parked, one at work


def test_watch_sees_the_dead():
    watch = verdict.Watch()
    ends = [watch.look([cpu(halted=True)]) for _ in range(verdict.SAMPLES_HALTED)]
    assert ends[:-1] == [None] * (len(ends) - 1) and ends[-1].status == 126
    watch.forget()
    ends = [watch.look([cpu(rip=0x100 + n)]) for n in range(verdict.SAMPLES_SPINNING)]
    assert ends[:-1] == [None] * (len(ends) - 1) and "spinning" in ends[-1].message


# --- frames of the host link -----------------------------------------------------------------------------

def test_frames_survive_any_cut():
    frames = [("O", b"out"), ("E", b""), ("R", b"\0\1\0\0"), ("O", bytes(range(256)) * 40), ("X", b"\0" * 8)]
    stream = b"".join(link.encode(kind, payload) for kind, payload in frames)
    for step in (1, 3, 7, 8, 9, 4096, len(stream)):
        decoder, got = link.Decoder(), []
        for at in range(0, len(stream), step):
            got += decoder.feed(stream[at:at + step])
        assert got == frames and not decoder.pending


@pytest.mark.parametrize("rubbish", [b"Z\0\0\0\0\0\0\0", b"O\1\0\0\0\0\0\0", b"O\0\0\0\xff\xff\xff\xff"])
def test_rubbish_on_the_link_is_noticed(rubbish):
    with pytest.raises(link.LinkError):
        list(link.Decoder().feed(rubbish))


# --- disk images -----------------------------------------------------------------------------------------

@pytest.fixture
def tree(tmp_path):
    """A small staged tree: /bin/true, /link -> /bin, /loop -> /loop, /etc/a."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "bin" / "true").write_text("true")
    (root / "etc" / "a").write_text("a")
    (root / "link").symlink_to("/bin")
    (root / "loop").symlink_to("/loop")
    return root


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_image_holds_what_was_added(tree, tmp_path, block):
    source = tmp_path / "a b 'c'"
    source.write_bytes(os.urandom(300_000))
    source.chmod(0o741)
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("deep")
    (folder / "sym").symlink_to("deep/file")
    disk = str(tmp_path / "disk.img")
    adds = [(str(source), "/link/with space"), (str(source), "/new/parents/"), (str(folder), "/etc"),
            (str(source), "/bin/true")]
    image.make_with(str(tree), adds, disk, block)
    assert image.check(disk) == ""
    assert (tree / "bin" / "true").read_text() == "true"  # the staged tree is as it was

    out = tmp_path / "out"
    for guest in ("/bin/with space", "/new/parents/a b 'c'", "/bin/true", "/link/true"):
        image.get(disk, guest, str(out))
        assert out.read_bytes() == source.read_bytes()
        assert stat.S_IMODE(out.stat().st_mode) == 0o741
    image.get(disk, "/etc/sym", str(out))
    assert out.read_text() == "deep"
    image.get(disk, "/etc", str(tmp_path / "etc"))
    assert sorted(os.listdir(tmp_path / "etc")) == ["a", "deep", "sym"]
    assert (tmp_path / "etc" / "deep" / "file").read_text() == "deep"


def test_image_depends_on_contents_only(tree, tmp_path):
    image.make_ext2(str(tree), str(tmp_path / "1.img"))
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy, symlinks=True)
    for name in ("bin", "etc"):
        copy.joinpath(name).chmod(0o755)
        tree.joinpath(name).chmod(0o755)
    time.sleep(1.1)
    os.utime(copy / "etc" / "a", (5, 5))
    image.make_ext2(str(copy), str(tmp_path / "2.img"))
    image.make_ext2(str(tree), str(tmp_path / "1.img"))
    assert (tmp_path / "1.img").read_bytes() == (tmp_path / "2.img").read_bytes()


def test_image_grows_with_what_is_added(tree, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"x" * (100 << 20))
    disk = str(tmp_path / "disk.img")
    image.make_with(str(tree), [(str(big), "/big")], disk)
    assert os.path.getsize(disk) >= (100 << 20) + image.ROOM and image.check(disk) == ""


@pytest.mark.parametrize("guest, says", [
    ("/bin/true/x", "not a folder"), ("/bin", "is a folder"), ("/loop/x", "too many symbolic links"),
])
def test_impossible_adds_are_refused(tree, tmp_path, guest, says):
    source = tmp_path / "file"
    source.write_text("x")
    with pytest.raises(image.ImageError, match=says):
        image.make_with(str(tree), [(str(source), guest)], str(tmp_path / "disk.img"))


@pytest.mark.parametrize("guest, says", [
    ("/nothing", "no such file"), ("/bin/nothing", "no such file"), ("/loop", "too many symbolic links"),
])
def test_impossible_gets_are_refused(tree, tmp_path, guest, says):
    disk = str(tmp_path / "disk.img")
    image.make_ext2(str(tree), disk)
    with pytest.raises(image.ImageError, match=says):
        image.get(disk, guest, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_damage_is_found(tree, tmp_path):
    disk = str(tmp_path / "disk.img")
    image.make_ext2(str(tree), disk)
    image.tool(["debugfs", "-w", "-R", "clri /etc/a", disk])
    assert "/etc/a" in image.check(disk) or "unused inode" in image.check(disk)
