"""The root disk: an ext2 image made by mke2fs from a staged tree, and files copied out of one by debugfs.

An image depends on nothing but the contents of its tree: owner and times are written over with constants, so
it is the same on every machine, needs no root, and a run from it can be repeated.
"""
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile

EPOCH = 1767225600  # 2026-01-01 00:00 UTC, which is also what the guest's clock starts from
UUID = "56697472-696e-4520-a000-726f6f746673"
MIB = 1 << 20
ROOM = 48 * MIB  # free space that an image has at least
SBIN_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


class ImageError(Exception):
    """Something the user named could not be put on the disk or taken from it; str() says what."""


def tool(argv, **kwargs):
    """Run a program of e2fsprogs or util-linux; its result, with output captured as text."""
    env = dict(os.environ, PATH=SBIN_PATH, LC_ALL="C", TZ="UTC", E2FSPROGS_FAKE_TIME=str(EPOCH),
               DEBUGFS_PAGER="__none__")
    try:
        return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="surrogateescape", check=False, **kwargs)
    except FileNotFoundError as error:
        raise ImageError(f"{argv[0]}: not installed (make setup)") from error


# --- making an image -------------------------------------------------------------------------------------

def copy_sparse(source, target):
    """Copy a file, keeping its holes, and by reference where the file system can."""
    result = tool(["cp", "--sparse=always", "--reflink=auto", "--", source, target])
    if result.returncode != 0:
        raise ImageError(result.stderr.strip())


def tree_size(tree):
    """An upper bound in bytes of what the files of a tree need on the disk, 4 KiB blocks."""
    total, seen = 0, set()
    for folder, dirs, files in os.walk(tree):
        total += 4096 * (2 + len(dirs))
        for name in files:
            info = os.lstat(os.path.join(folder, name))
            if (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                total += info.st_size + info.st_size // 1000 + 8192
    return total


def make_ext2(tree, image, block=4096):
    """Make the ext2 image of a tree, with room for as much again and at least 48 MiB (sparse on the host)."""
    size = tree_size(tree)
    blocks = (size + max(size // 8, ROOM) + 16 * MIB - 1) // (16 * MIB) * (16 * MIB) // block
    result = tool(["mke2fs", "-q", "-F", "-t", "ext2", "-O", "none,filetype,sparse_super", "-I", "128",
                   "-b", str(block), "-m", "0", "-N", str(max(4096, blocks // 4)), "-L", "vitrine", "-U", UUID,
                   "-E", f"hash_seed={UUID},root_owner=0:0,lazy_itable_init=0", "-d", tree,
                   image, str(blocks * block // 1024) + "k"])
    if result.returncode != 0:
        raise ImageError("mke2fs: " + result.stderr.strip())
    settle_inodes(image)


def settle_inodes(image):
    """Give every inode root as its owner and EPOCH as its times (ext2 layout: 128-byte inodes)."""
    with open(image, "r+b") as disk:
        disk.seek(1024)
        sb = disk.read(1024)
        inodes, blocks, log_block = *struct.unpack_from("<II", sb, 0), struct.unpack_from("<I", sb, 24)[0]
        first, per_group, ipg = (struct.unpack_from("<I", sb, at)[0] for at in (20, 32, 40))
        block = 1024 << log_block
        groups = (blocks - first + per_group - 1) // per_group
        disk.seek((first + 1) * block)
        table = disk.read(groups * 32)
        for group in range(groups):
            start = struct.unpack_from("<I", table, group * 32 + 8)[0] * block
            count = min(ipg, inodes - group * ipg)
            disk.seek(start)
            area = bytearray(disk.read(count * 128))
            if not any(area):
                continue
            for at in range(0, len(area), 128):
                if struct.unpack_from("<H", area, at)[0]:
                    struct.pack_into("<H", area, at + 2, 0)
                    struct.pack_into("<III", area, at + 8, EPOCH, EPOCH, EPOCH)
                    struct.pack_into("<H", area, at + 24, 0)
                    struct.pack_into("<HH", area, at + 120, 0, 0)
            disk.seek(start)
            disk.write(area)


# --- what --add puts into a tree -------------------------------------------------------------------------

def inside(tree, guest):
    """The host path in a staged tree where the guest's path leads; symbolic links are the guest's own."""
    parts, done, hops = [p for p in guest.split("/") if p not in ("", ".")], [], 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        here = os.path.join(tree, *done, part)
        if parts and os.path.islink(here):
            hops += 1
            if hops > 40:
                raise ImageError(f"{guest}: too many symbolic links")
            target = os.readlink(here)
            done = [] if target.startswith("/") else done
            parts = [p for p in target.split("/") if p not in ("", ".")] + parts
        else:
            done.append(part)
    return os.path.join(tree, *done)


def make_parents(tree, path, guest):
    """Make the folders above a path inside a tree; a file that stands in the way is an error."""
    above = tree
    for part in os.path.relpath(os.path.dirname(path), tree).split("/"):
        above = os.path.join(above, part)
        if not os.path.isdir(above):
            if os.path.lexists(above):
                raise ImageError(f"{guest}: {above[len(tree):]} in the guest is not a folder")
            os.mkdir(above, 0o755)


def put(tree, host, guest):
    """Put a host file or folder at the guest's path of a staged tree.

    A folder is merged into one that is there, a file replaces a file; symbolic links inside a folder stay
    links, but the named file itself is followed.  What ends in "/" names the folder to put it into.
    """
    if not guest.startswith("/"):
        raise ImageError(f"--add {host}:{guest}: the guest's path must be absolute")
    if not os.path.exists(host):
        raise ImageError(f"--add {host}: no such file or folder on the host")
    if guest.endswith("/") and not os.path.isdir(host):
        guest += os.path.basename(host)
    path = inside(tree, guest)
    make_parents(tree, path, guest)
    if os.path.isdir(host):
        put_folder(host, path, guest)
    else:
        put_file(os.path.realpath(host), path, guest)


def put_folder(host, path, guest):
    """Merge one host folder into the staged folder at path."""
    if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
        raise ImageError(f"{guest}: is in the guest already and is not a folder")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, stat.S_IMODE(os.stat(host).st_mode) | 0o700)
    try:
        names = sorted(os.listdir(host))
    except OSError as error:
        raise ImageError(f"{host}: {error.strerror}") from error
    for name in names:
        inner, target, at = os.path.join(host, name), os.path.join(path, name), f"{guest.rstrip('/')}/{name}"
        if os.path.isdir(inner) and not os.path.islink(inner):
            put_folder(inner, target, at)
        else:
            put_file(inner, target, at)


def put_file(host, path, guest):
    """Put one host file or symbolic link at a staged path.  A staged file may be a hard link: never written to."""
    info = os.lstat(host)
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
        raise ImageError(f"{host}: not a file, folder or symbolic link")
    if os.path.isdir(path) and not os.path.islink(path):
        raise ImageError(f"{guest}: is a folder in the guest")
    if os.path.lexists(path):
        os.unlink(path)
    try:
        if stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(host), path)
        else:
            shutil.copyfile(host, path)
            os.chmod(path, stat.S_IMODE(info.st_mode))
    except OSError as error:
        raise ImageError(f"{host}: {error.strerror}") from error


def make_with(tree, adds, image, block=4096):
    """Make an image of a tree with (host, guest) pairs added; the tree itself stays as it is."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(image), prefix="stage-") as scratch:
        stage = os.path.join(scratch, "root")
        result = tool(["cp", "-al", tree, stage])
        if result.returncode != 0:
            raise ImageError(result.stderr.strip())
        for host, guest in adds:
            put(stage, host, guest)
        make_ext2(stage, image, block)


# --- reading an image ------------------------------------------------------------------------------------

def debugfs(image, command):
    """One debugfs request on an image; (standard output, complaints)."""
    result = tool(["debugfs", "-R", command, image])
    lines = [line for line in result.stderr.splitlines() if not re.match(r"debugfs \d", line)]
    return result.stdout, "\n".join(lines)


def quoted(path):
    """A path as a word of debugfs, which has no way to write a double quote inside quotes."""
    if '"' in path or "\n" in path:
        raise ImageError(f"{path!r}: cannot copy a name with a quote or a newline out of the guest")
    return f'"{path}"'


def guest_stat(image, path):
    """(type, mode, link target or None) of a guest's path, its last component not followed; None: not there."""
    text, complaint = debugfs(image, f"stat {quoted(path)}")
    found = re.search(r"Type: (\w+)\s+Mode:\s+0?(\d+)", text)
    if not found:
        if complaint and "not found" not in complaint:
            raise ImageError(f"{path}: {complaint}")
        return None
    link = re.search(r'^Fast link dest: "(.*)"$', text, re.M)
    return found[1], int(found[2], 8), link[1] if link else None


def resolve(image, path):
    """Follow the symbolic links at the end of a guest's path; (path, type, mode)."""
    for _ in range(16):
        info = guest_stat(image, path)
        if info is None:
            raise ImageError(f"{path}: no such file in the guest")
        kind, mode, target = info
        if kind != "symlink":
            return path, kind, mode
        if target is None:
            target = debugfs(image, f"cat {quoted(path)}")[0]
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    raise ImageError(f"{path}: too many symbolic links")


def get(image, guest, host):
    """Copy a guest's file or folder out of an image to a host path; into it, where that is a folder."""
    if not guest.startswith("/"):
        raise ImageError(f"--get {guest}: the guest's path must be absolute")
    path, kind, mode = resolve(image, os.path.normpath(guest))
    if os.path.isdir(host):
        host = os.path.join(host, os.path.basename(os.path.normpath(guest)))
    if kind == "directory":
        get_folder(image, path, host)
    elif kind == "regular":
        get_file(image, path, host, mode)
    else:
        raise ImageError(f"{guest}: is a {kind}, which cannot be copied")


def get_file(image, guest, host, mode):
    """Copy one regular file; what debugfs could not write is an error."""
    if not os.path.isdir(os.path.dirname(os.path.abspath(host))):
        raise ImageError(f"{host}: the folder to copy to does not exist")
    if os.path.lexists(host):
        os.unlink(host)
    complaint = debugfs(image, f"dump {quoted(guest)} {quoted(host)}")[1]
    if complaint or not os.path.exists(host):
        raise ImageError(f"{guest}: {complaint or 'could not be copied'}")
    os.chmod(host, mode & 0o777)


def get_sparse(image, guest, host):
    """Copy one regular file with its holes, block by block as debugfs tells where they are."""
    path, kind, _ = resolve(image, os.path.normpath(guest))
    if kind != "regular":
        raise ImageError(f"{guest}: is a {kind}, not a file")
    text, _ = debugfs(image, f"stat {quoted(path)}")
    size = int(re.search(r"Size: (\d+)", text)[1])
    with open(image, "rb") as disk, open(host, "wb") as copy:
        disk.seek(1024 + 24)
        block = 1024 << struct.unpack("<I", disk.read(4))[0]
        for first, last, at in re.findall(r"\((\d+)(?:-(\d+))?\):(\d+)", text):
            disk.seek(int(at) * block)
            copy.seek(int(first) * block)
            copy.write(disk.read((int(last or first) - int(first) + 1) * block))
        copy.truncate(size)


def get_folder(image, guest, host):
    """Copy a folder; rdump names the copy after the folder, so it is made aside and then moved."""
    if os.path.lexists(host):
        raise ImageError(f"{host}: is there already")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(host))) as scratch:
        complaint = debugfs(image, f"rdump {quoted(guest)} {quoted(scratch)}")[1]
        made = os.listdir(scratch)
        serious = [line for line in complaint.splitlines() if "changing ownership" not in line]
        if serious or (not made and guest != "/"):
            raise ImageError(f"{guest}: " + ("\n".join(serious) or "could not be copied"))
        os.rename(os.path.join(scratch, made[0]) if guest != "/" else scratch, host)
        if guest == "/":
            os.mkdir(scratch)


def sector_of(image, where):
    """The first sector, of 512 bytes, of page N of a file or directory: PATH@N, or PATH for page 0."""
    path, _, page = where.partition("@")
    block = int(re.search(r"(?m)^Block size: +(\d+)", debugfs(image, "stats -h")[0])[1])
    logical = int(page or 0) * 4096 // block
    physical, complaint = debugfs(image, f"bmap {quoted(path)} {logical}")
    if complaint or not physical.strip().isdigit() or int(physical) == 0:
        raise ImageError(f"{where}: {complaint or 'is a hole'}")
    return int(physical) * (block // 512)


def check(image):
    """What e2fsck finds wrong with an image, "" for nothing."""
    result = tool(["e2fsck", "-f", "-n", image])
    return "" if result.returncode == 0 else (result.stdout + result.stderr).strip()


def make_swap(path, size):
    """Make a swap area of size bytes."""
    with open(path, "wb") as area:
        area.truncate(size)
    os.chmod(path, 0o600)
    result = tool(["mkswap", "-q", "-U", UUID, path])
    if result.returncode != 0:
        raise ImageError("mkswap: " + result.stderr.strip())
