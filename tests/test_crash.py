"""When the kernel dies: the page that ./vm run ends with names the place, what memory looks like, and a likely cause.

The kernel is broken while it runs: its memory is a file, so a pointer, a page table or an instruction is overwritten in
it while the machine stands still.  Then the program goes on, and the kernel comes upon it.
"""
import os
import re
import shutil
import subprocess

import pytest
from test_glass import ROOT, Damage, build_folder, vm
from vitrine import runs, state

PROGRAM = "echo up; read x; busybox truncate -s 10 /tmp/x; x=$(seq 1 100000); ls / >/dev/null; echo alive"
HALT = 0xFEEBF4FA  # cli; hlt; and again


def bad_list(it):
    """The first free frame is at an address that is none."""
    it.put(it.kernel.variable("mm/frame.c:free_list").at("next"), 8, 0x10)
    return ["the kernel used the user address 0x18", "in list_del(), kernel/lib/list.h:", "l->prev->next = l->next;",
            "called from frame_alloc(), mm/frame.c:",
            'spin lock "frames" is held by CPU 0, taken in frame_alloc(), mm/frame.c:',
            "the free list leads to 0x10", "cause   a pointer is NULL, or nearly"]


def kernel_unmapped(it):
    """No page table maps the kernel's code any more."""
    for root in {it.kernel.root} | {space.root for space in it.state.spaces}:
        it.put_physical(root + 8 * 511, 8, 0)
    return ["triple fault", "PML4E  [511]  0x0000000000000000  not present", "cause   the code itself, at 0xffffffff8",
            "the table of exceptions (IDT), at 0xffffffff8", "is not mapped"]


def bad_root(it):
    """The page table of init, which waits for the shell to end, is said to be where none is."""
    frame = next(n for n in it.state.frames if it.state.owner(n) == state.OBJECT)
    it.put(it.state.space_of(it.state.processes[1]).view.pt.at("root"), 8, frame << 12)
    return ["triple fault", f"CR3 holds {frame << 12:#x}, which is the root of no page table"]


def no_way_out(it):
    """A system call waits for ever."""
    it.put(it.kernel.symbols["sys_ftruncate"], 4, HALT)
    return ["hang: halted with interrupts off", "in sys_ftruncate(), kernel/sys/file_size.c:",
            "cause   the processor waits (hlt) and no interrupt can wake it"]


def deadlock(it):
    """This CPU seems to hold the lock of the frames already; whoever wants it next, to take one or to give one back."""
    it.put(it.kernel.address("mm/frame.c:frame_lock"), 4, 1)
    return ['spin lock "frames" taken twice by CPU 0', "called from frame_",
            "cause   a function that holds", "a deadlock with itself"]


def one_reference_less(it):
    """A private page of the shell has lost its reference: seen when it forks, and by the invariants."""
    shell = it.state.space_of(max(it.state.processes.items())[1])
    anon = next(a for a in shell.private.values() if it.state.anon(a).refs == 1)
    it.put(anon + it.field("anon", "refs"), 4, 0)
    return ["assertion failed: a->refs > 0", "in anon_get(), mm/anon.", "ASSERT(a->refs > 0);",
            "cause   what the condition says", "refs is 0, "]


@pytest.fixture
def build(built, tmp_path):
    return build_folder(built, tmp_path / "build")


def die(env, plant, *options):
    """Run, break the kernel by `plant`, go on; what ./vm run says, what it must say, and the run's folder."""
    command = [ROOT / "vm", "run", "--mem", "24M", *options, "--", "sh", "-c", PROGRAM]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline() == "up\n"
        folder = runs.find(os.path.join(env["VITRINE_BUILD"], "runs", "latest"))
        with runs.look(folder, "a test") as kernel:
            wanted = plant(Damage(kernel, folder))
        out, err = process.communicate("\n", timeout=300)
        assert process.returncode == 126, out + err
    return err, wanted, folder


@pytest.mark.parametrize("plant", [bad_list, kernel_unmapped, bad_root, no_way_out, deadlock, one_reference_less],
                         ids=lambda plant: plant.__name__)
def test_the_page(build, tmp_path, plant):
    """It says what is wrong and what to type; the same page comes from ./vm last, also from a copy of the folder."""
    err, wanted, folder = die(build, plant)
    print(err)
    for sentence in [*wanted, "where   in ", "before  ", "next    ./vm last"]:
        assert sentence in err, sentence
    assert all(sentence in vm(build, "last") for sentence in wanted)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=lambda _, names: [name for name in names if "sock" in name])
    assert wanted[-1] in vm(build, "--run", copy, "last", "--json")["page"]
    assert "init" in vm(build, "--run", copy, "ps")


def test_crashes_are_kept(build):
    """The last eight runs are, and four more in which the kernel died."""
    _, _, folder = die(build, deadlock)
    for _ in range(9):
        subprocess.run([ROOT / "vm", "run", "--mem", "24M", "--", "true"], env=build, check=True)
    assert os.path.exists(os.path.join(folder, "ram"))
    assert "taken twice" in vm(build, "--run", 1, "last")


def test_an_end_in_order_has_no_page(build):
    """Neither a program that fails nor one that is too slow kills the kernel."""
    for program, status in (["false"], 1), (["sh", "-c", "while :; do :; done"], 124):
        done = subprocess.run([ROOT / "vm", "run", "--mem", "24M", "--timeout", "8", "--", *program], env=build,
                              capture_output=True, text=True, check=False)
        assert done.returncode == status and "where   " not in done.stderr
        assert "page" not in vm(build, "last", "--json")


def test_a_program_that_takes_all_memory(built, tmp_path):
    """The kernel goes on, so there is no page; but who was ended, and what helps."""
    env = build_folder(built, tmp_path / "build")
    words = ["run", "--mem", "24M", "--", "sh", "-c", "x=$(yes | head -c 40000000)"]
    done = subprocess.run([ROOT / "vm", *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 137, done
    assert re.match(r"vm: out of memory: ended process \d+ \(sh\), which had \d+ pages; more of it: ", done.stderr)
    assert done.stderr.removeprefix("vm: ") in vm(env, "last")
