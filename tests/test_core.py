"""Core dumps: gdb sees in Vitrine's cores what it sees in Linux's of the same crash; limits, names, full disks."""
import difflib
import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUSYBOX = "/bin/busybox"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
LOADER = "/lib64/ld-linux-x86-64.so.2"
FLAGS = ["-O0", "-g", "-Wall", "-Werror"]
GDB = ["-batch", "-nx", "-iex", "set debuginfod enabled off", "-iex", "set print address off", "-iex", "set width 0"]

# What is asked of both cores. Registers by name are those that the program itself has set.
QUESTIONS = [
    "bt", "p $_siginfo.si_signo", "p $_siginfo.si_code", "x/i $pc",
    "frame function fall", "info args", "info locals", "p *n", "p *n->right", "up", "info locals", "p *n",
    "p numbers", "p words", "p root->right->right->name", "p heap_words",
]
SET_BY_HAND = ["frame 0", "p $_siginfo._sifields._sigfault.si_addr", "p/x $rbx", "p $r12", "p/x $r13", "p $r14",
               "p $xmm7.v2_double", "p $st0", "p $mxcsr", "p $fctrl"]


@pytest.fixture(scope="session")
def crash(tmp_path_factory):
    """{kind: path} of tests/guest/crash.c as a static PIE (musl) and as a dynamic program (glibc)."""
    folder = tmp_path_factory.mktemp("crash")
    source, specs = ROOT / "tests" / "guest" / "crash.c", ROOT / "tools" / "musl-static-pie.specs"
    kinds = {"pie": [f"-specs={specs}", "-static-pie", "-fPIE"], "dynamic": []}
    for kind, flags in kinds.items():
        subprocess.run(["gcc", *FLAGS, *flags, source, "-o", folder / f"crash-{kind}"], check=True)
    return {kind: folder / f"crash-{kind}" for kind in kinds}


def ask(questions):
    """Words for gdb: each answer behind a line of its own."""
    words = []
    for question in questions:
        words += ["-ex", f"echo --- {question}\\n", "-ex", question]
    return words


def linux_makes_files():
    """True when this host's kernel itself writes cores, into the working directory."""
    return not re.match(r"[|/]", Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii"))


def linux_core(program, arguments, folder):
    """Linux's own core of a crash, by the kernel or else by gdb at the point of the crash."""
    folder.mkdir()
    if linux_makes_files():
        subprocess.run(["bash", "-c", 'ulimit -c unlimited && exec "$@"', "bash", program, *arguments], cwd=folder,
                       check=False, stderr=subprocess.DEVNULL)
    else:
        subprocess.run(["gdb", *GDB, "-ex", "run", "-ex", f"generate-core-file {folder}/core", "--args", program,
                        *arguments], cwd=folder, check=True, capture_output=True)
    cores = list(folder.iterdir())
    assert len(cores) == 1, "Linux left no core to compare with"
    return cores[0]


@pytest.fixture
def build(built, tmp_path):
    """A build folder of this test's own, so that `vm core` finds this test's run and no other."""
    folder = tmp_path / "build"
    folder.mkdir()
    for name in ("vitrine.elf", "vitrine.nm", "vitrine.iso", "root.img", "user"):
        (folder / name).symlink_to(os.path.join(built, name))
    subprocess.run(["cp", "-a", os.path.join(built, "root"), folder / "root"], check=True)  # --add makes links to it
    return folder


def command(build, *words, **options):
    """./vm with a build folder."""
    env = dict(os.environ, VITRINE_NO_BUILD="1", VITRINE_BUILD=str(build))
    return subprocess.run([ROOT / "vm", *words], env=env, capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, check=False, timeout=600, **options)


def settled(answers):
    """gdb's answers without what may differ: addresses, the program's path, processes."""
    answers = re.sub(r"^=> 0x\w+\b", "=>", answers, flags=re.M)  # with or without a symbol behind it
    answers = re.sub(r"\S*/(crash-\w+|libc\.so\.6)\b", r"\1", answers)
    return re.sub(r"^\[(New|Current).*\n|^Core was.*\n|^(Using host|\[Thread debug).*\n", "", answers, flags=re.M)


def mappings(answers):
    """[(file, bytes, offset)] of `info proc mappings`, which must be as Linux cuts them."""
    return [(os.path.basename(name), size, offset)
            for size, offset, name in re.findall(r"^(?:\s+0x\w+){2}\s+(0x\w+)\s+(0x\w+)\s+(\S+)$", answers, re.M)]


def compare(build, program, arguments, options, folder, questions=()):
    """Crash on both kernels and ask gdb about both cores; Vitrine's answers."""
    questions = [*QUESTIONS, *questions]
    words = [*GDB, *ask(questions)]
    ours = linux_core(program, arguments, folder / "linux")
    want = subprocess.run(["gdb", *words, program, ours], capture_output=True, text=True, check=True)
    run = command(build, "run", "--core", "--fsck", *options, "--add", f"{program}:/root/{program.name}",
             "--add", f"{LIBC}:{LIBC}", "--add", f"{LOADER}:{LOADER}", "--", BUSYBOX, "sh", "-c",
             f'cd /root; ./{program.name} "$@"', "sh", *arguments)
    assert run.returncode > 128, run.stderr
    got = command(build, "core", "--", *words)
    assert got.returncode == 0, got.stderr
    lines = [settled(text).splitlines() for text in (want.stdout, got.stdout)]
    assert lines[0] == lines[1], "\n".join(difflib.unified_diff(*lines, "linux", "vitrine", lineterm="", n=2))
    assert "warning" not in got.stderr and "rror" not in got.stderr, got.stderr

    words = [*GDB, "-ex", "info proc mappings"]
    want = subprocess.run(["gdb", *words, program, ours], capture_output=True, text=True, check=True)
    assert mappings(command(build, "core", "--", *words).stdout) == mappings(want.stdout) != []
    return got.stdout


@pytest.mark.parametrize("kind", ["pie", "dynamic"])
@pytest.mark.parametrize("how", ["segv", "abort", "fpe"])
def test_gdb_sees_the_same(build, crash, tmp_path, kind, how):
    """Frames, arguments, variables, the signal, registers, mapped files."""
    answers = compare(build, crash[kind], [how], [], tmp_path, SET_BY_HAND if how == "segv" else [])
    if (kind, how) != ("pie", "abort"):  # musl's abort() cannot be unwound, on Linux neither
        assert 'name = "node 1' in answers and '"falling through node 1' in answers


def test_core_of_a_swapped_program(build, crash, tmp_path):
    """Twice the memory there is: most of heap and stack come from swap, and all of it is right."""
    places = [f"p/x heap[{i * 0x30000 + 17 * i}]" for i in range(20)]
    frames = [question for i in range(8, 1020, 101) for question in (f"frame {i}", "p page[0]", "p/x page[100]")]
    answers = compare(build, crash["pie"], ["segv", "32"], ["--mem", "24M", "--swap", "64M"], tmp_path,
                      SET_BY_HAND + places + frames)
    assert answers.count("#102") > 0 and answers.count(" = 0x0\n") == 1  # deep, and not full of zeros
    log = (build / "runs" / "latest" / "kernel.log").read_text(errors="replace")
    assert "cut short" not in log and "core dumped to /root/core." in log


def test_linux_agrees_with_what_is_expected(built, tmp_path):
    """The two programs about cores print on Linux what tests/guest/*.expected says of them."""
    if not linux_makes_files() or os.geteuid() != 0:
        pytest.skip("this host's kernel does not write cores into the working directory, or we are not root")
    for name in ("core_is_written_when_allowed", "core_holds_what_is_asked_for"):
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run([os.path.join(built, "user", "tests", name)], cwd=folder, capture_output=True,
                              text=True, check=True, timeout=120)
        assert done.stdout == (ROOT / "tests" / "guest" / f"{name}.expected").read_text(encoding="ascii")


# --- names, limits, exhaustion ---------------------------------------------------------------------------

# --- names, limits, exhaustion: what is left in the guest ------------------------------------------------

CRASH = "sh -c 'kill -SEGV $$' 2>/dev/null"


def lines(vm, script, **options):
    """The lines that a shell script with cores switched on prints in the guest's /root, and the kernel's log."""
    run = vm([BUSYBOX, "sh", "-c", "ulimit -c unlimited; cd /root\n" + script], **options).ok()
    return run.out.splitlines(), run.log


def test_no_core_unless_asked_for(vm):
    """The limit is 0 as on Linux, and can be raised."""
    script = f"cd /root; ulimit -c; {CRASH}; echo $?; ls core.* 2>&1; ulimit -c unlimited; {CRASH}; ls core.* | wc -l"
    run = vm([BUSYBOX, "sh", "-c", script]).ok()
    assert run.out.splitlines() == ["0", "139", "ls: core.*: No such file or directory", "1"]
    assert run.log.count("core dumped") == 1


def test_two_cores_of_one_run(build):
    """Each process has a name of its own for its core; `vm core` takes the one it is told, or the last."""
    done = command(build, "run", "--core", "--", BUSYBOX, "sh", "-c",
                   "cd /root; /bin/busybox sh -c 'kill -ABRT $$; :'; /bin/busybox sh -c 'kill -BUS $$; :'; ls core.*")
    first, second = done.stdout.split()
    assert first != second
    for words, signal in ((["/root/" + first], "SIGABRT"), (["/root/" + second], "SIGBUS"), ([], "SIGBUS")):
        seen = command(build, "core", *words, "--", "-batch", "-nx", "-ex", "p $_siginfo._sifields._kill.si_uid")
        assert seen.returncode == 0 and f"with signal {signal}" in seen.stdout, seen.stderr
    found = os.listdir(build / "runs" / "latest" / "core" / "root" / "bin")
    assert found == ["busybox"]


def test_what_vm_core_refuses(build):
    """No run yet, no core in it, no such file, no core at all: each in words, status 125."""
    def refusal(*words):
        done = command(build, "core", *words)
        assert done.returncode == 125, done.stdout + done.stderr
        return done.stderr
    (build / "runs" / "001-x").mkdir(parents=True)
    assert "there is no run yet" in refusal()
    (build / "runs" / "latest").symlink_to("001-x")
    (build / "runs" / "001-x" / "root.img").touch()
    with open(build / "runs" / "001-x" / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is still running" in refusal()
    assert command(build, "run", "--", "true").returncode == 0
    assert "left no core file" in refusal() and "--core" in refusal()
    assert "no such file in the guest" in refusal("/root/core.5")
    assert "not a core" in refusal("/etc/passwd")
    assert "holds no list of mapped files" in refusal("/bin/busybox")
    assert "must be absolute" in refusal("core.5")


def test_core_pattern(vm):
    """Every fact that a pattern can name; paths; what is refused."""
    script = f"""
    pattern=/proc/sys/kernel/core_pattern
    cat $pattern; mkdir cores
    echo '/root/cores/a.%p.%P.%i.%s.%u.%g.%d.%h.%e.%f.%c.%%.%q%' >$pattern
    sh -c 'echo $$; kill -ABRT $$' 2>/dev/null; ls cores; rm cores/*
    echo 'cores/b.%E' >$pattern; {CRASH}; ls cores; rm cores/*
    echo 'cores/%e' >$pattern
    sh -c 'echo -n a/b >/proc/self/comm; kill -SEGV $$' 2>/dev/null
    sh -c 'echo -n .. >/proc/self/comm; kill -SEGV $$' 2>/dev/null; ls cores
    echo 'time.%t' >$pattern; {CRASH}; [ $(($(date +%s) - $(ls time.* | cut -d. -f2))) -le 60 ] && echo recent
    echo missing/core >$pattern; {CRASH}; echo $?
    echo "cores/" >$pattern; {CRASH}; echo $?
    (echo '|/bin/cat' >$pattern) 2>/dev/null || echo refused
    (echo "$(seq 100)" >$pattern) 2>/dev/null || echo too long
    su -s /bin/sh nobody -c "id -un; echo mine >$pattern || echo not yours" 2>/dev/null
    cat $pattern
    """
    out, log = lines(vm, script)
    pid = out[1]
    assert out == ["core.%p", pid, f"a.{pid}.{pid}.{pid}.6.0.0.1.vitrine.sh.busybox.{2**64 - 1}.%.", "b.!bin!busybox",
                   "!.", "a!b", "recent", "139", "139", "refused", "too long", "nobody", "not yours", "cores/"]
    assert "no core: error 2 for missing/core" in log and "no core: error 21 for cores/" in log


def test_others_rights_leave_no_core(vm):
    """A set-user-ID program, one that its user may not read, and then one like any other."""
    script = """
    mkdir -m 777 /mnt/all; cd /mnt/all; cp /bin/busybox sh
    run() { su -s /mnt/all/sh nobody -c 'kill -SEGV $$; :' 2>/dev/null; echo $? $(ls | grep -c core); }
    chmod 4755 sh; run; chmod 711 sh; run; chmod 755 sh; run
    """
    assert lines(vm, script)[0] == ["139 0", "139 0", "139 1"]


def test_disk_full(vm):
    """The core is cut short, wait() still tells of it, and nothing else is harmed (e2fsck looks afterwards)."""
    script = f"""
    dd if=/dev/zero of=fill bs=4k 2>/dev/null; dd if=/dev/zero of=fill2 bs=1k 2>/dev/null; {CRASH}; echo $?
    rm fill fill2 core.*; {CRASH}; ls core.* | wc -l
    """
    out, log = lines(vm, script)
    assert out == ["139", "1"]
    assert log.count("core dumped to /root/core.") == 2 and log.count("cut short (error 28)") == 1


def test_size_limit_of_files(vm):
    """RLIMIT_FSIZE binds the kernel too when it writes for a program."""
    out, log = lines(vm, f"ulimit -f 16; {CRASH}; echo $?; [ $(stat -c %s core.*) -le 16384 ] && echo short")
    assert out == ["139", "short"] and "cut short (error 27)" in log


def test_kill_ends_a_dump(vm, crash):
    """SIGKILL does not wait for 40 MiB to be written; the status is still that of the fault."""
    script = """
    ./crash segv 40 & pid=$!
    while [ ! -s core.$pid ]; do :; done
    kill -KILL $pid; wait $pid; echo $?
    [ $(stat -c %b core.$pid) -lt 80000 ] && echo not all of it
    """
    out, log = lines(vm, script, mem="128M", add=[(crash["pie"], "/root/crash")])
    assert out == ["139", "not all of it"] and "cut short (error 4)" in log


@pytest.mark.parametrize("swap", [None, "8M"])
def test_memory_exhausted(vm, crash, swap):
    """With RAM and swap full of somebody else's bytes the dump still ends, and the machine goes on."""
    script = """
    dd if=/dev/zero of=/tmp/hog bs=64k 2>/dev/null
    ./crash segv 1; echo $?
    rm /tmp/hog core.*; ./crash segv 1; echo $?; ls core.* | wc -l
    """
    out, log = lines(vm, script, mem="24M", swap=swap, add=[(crash["pie"], "/root/crash")])
    assert out[0] in ("139", "137") and out[1:] == ["139", "1"], log
