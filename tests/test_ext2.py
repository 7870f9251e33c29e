"""The kernel's ext2 on the host, under the address and undefined-behaviour sanitizers.

tests/unit/ext2_test.c says what each mode does.  Images are made by mke2fs, and what e2fsck -fn says of them
afterwards is the verdict.  EXT2_SEEDS=50 in the environment tries as many seeds, instead of one.
"""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "unit-ext2"
PROGRAM = BUILD / "ext2_test"
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-missing-prototypes", "-fno-builtin",
         "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
KERNEL_SIDE = [*sorted((ROOT / "kernel" / "fs").glob("ext2_*.c")), ROOT / "kernel" / "fs" / "inode.c",
               ROOT / "kernel" / "lib" / "radix.c", ROOT / "tests" / "unit" / "ext2_fake.c",
               ROOT / "tests" / "unit" / "ext2_test.c"]
HOST_SIDE = [ROOT / "tests" / "unit" / "ext2_host.c"]

SEEDS = range(1, int(os.environ.get("EXT2_SEEDS", "1")) + 1)
LAYOUTS = [(1024, 128), (2048, 256), (4096, 128)]
PLAIN = "none,filetype,sparse_super"

SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def build():
    """Compile what is older than any source, all at once."""
    newest = max(path.stat().st_mtime for pattern in ("kernel/**/*.[ch]", "mm/*.h", "tests/unit/**/ext2*",
                                                      "tests/unit/ext2_fake/**/*.h")
                 for path in ROOT.glob(pattern))
    if PROGRAM.exists() and PROGRAM.stat().st_mtime > newest:
        return
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "no C compiler"
    jobs, objects = [], []
    for source in KERNEL_SIDE + HOST_SIDE:
        target = BUILD / (source.stem + ".o")
        include = ["-I."] if source in HOST_SIDE else ["-Itests/unit/ext2_fake", "-I."]
        jobs.append(subprocess.Popen([compiler, *FLAGS, *include, "-c", str(source), "-o", str(target)], cwd=ROOT))
        objects.append(str(target))
    assert [job.wait() for job in jobs] == [0] * len(jobs)
    subprocess.run([compiler, "-fsanitize=address,undefined", *objects, "-o", str(PROGRAM)], check=True)


@pytest.fixture(scope="module")
def program():
    """The compiled test; two workers do not build at once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build()
    return PROGRAM


def tool(*words):
    """Run one of e2fsprogs, which may live in /usr/sbin."""
    path = shutil.which(words[0], path=SEARCH)
    assert path, f"{words[0]} is not installed"
    return subprocess.run([path, *map(str, words[1:])], capture_output=True, text=True, check=False)


def make_image(path, size, block=1024, inode=128, features=PLAIN, more=()):
    """Make a file system of @size (as mke2fs takes it) in the file @path."""
    done = tool("mke2fs", "-q", "-t", "ext2", "-O", features, "-b", block, "-I", inode, *more, "-F", path, size)
    assert done.returncode == 0, done.stderr
    return path


def run(program, mode, image, *words):
    """Run one mode of the test and fail with what it said."""
    done = subprocess.run([program, mode, image, *map(str, words)], capture_output=True, text=True, timeout=600,
                          check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def check(image):
    """e2fsck must find nothing, and the file system must say that it was unmounted in order."""
    done = tool("e2fsck", "-fn", image)
    assert done.returncode == 0, done.stdout
    state = re.search(r"Filesystem state:\s*(.*)", tool("dumpe2fs", "-h", image).stdout)
    assert state and state[1] == "clean"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block,inode", LAYOUTS)
def test_random_operations(program, tmp_path, block, inode, seed):
    image = make_image(tmp_path / "image", "48M", block, inode)
    run(program, "random", image, seed, 6000)
    check(image)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block,inode", LAYOUTS)
def test_full_disk(program, tmp_path, block, inode, seed):
    image = make_image(tmp_path / "image", "2M", block, inode)
    run(program, "full", image, seed, 4000)
    check(image)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block,inode", LAYOUTS)
def test_memory_runs_out(program, tmp_path, block, inode, seed):
    image = make_image(tmp_path / "image", "16M", block, inode)
    run(program, "memory", image, seed, 3000)
    check(image)


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_every_depth_of_the_tree(program, tmp_path, block):
    image = make_image(tmp_path / "image", "16M", block)
    run(program, "huge", image)
    check(image)
    if block == 4096:  # that file was larger than 2 GiB
        assert "large_file" in tool("dumpe2fs", "-h", image).stdout


def test_many_groups_and_small_ones(program, tmp_path):
    image = make_image(tmp_path / "image", "24M", 1024, 128, more=("-g", "512", "-N", "3000"))
    run(program, "random", image, 7, 6000)
    check(image)


def test_features_that_are_ignored(program, tmp_path):
    """Those that ext2 may leave alone: hashed directories, attributes, room to grow."""
    image = make_image(tmp_path / "image", "16M", 1024, 256, PLAIN + ",dir_index,ext_attr,resize_inode")
    run(program, "random", image, 3, 4000)
    check(image)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block,inode", LAYOUTS)
def test_ruined_disk(program, tmp_path, block, inode, seed):
    """Flipped bits give errors, never a crash, a hang or a leak."""
    image = make_image(tmp_path / "image", "6M", block, inode)
    run(program, "fill", image, seed, 1500)
    run(program, "ruin", image, seed, 150)
