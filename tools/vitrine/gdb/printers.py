"""How gdb prints what the kernel is made of: a sentence first, then the fields.  print/r shows the fields alone.

    pte_t           frame 15969: present writable user accessed dirty no-execute
    struct frame    frame 15969: FRAME_ANON, mapped 2 times
    struct anon     named 2 times; in frame 15969
    struct region   0x6ef187c10000-0x6ef187c31000 rw-p, 33 pages of [stack]
    struct list     3 links
"""
import gdb
import gdb.printing

from vitrine import memory
from vitrine.glass import times
from vitrine.gdb import guest
from vitrine.gdb.guest import Command
from vitrine.machine import HostError
from vitrine.state import region_of, region_rights

BITS = [(memory.PRESENT, "present"), (memory.WRITE, "writable"), (memory.USER, "user"), (memory.ACCESSED, "accessed"),
        (memory.DIRTY, "dirty"), (memory.LARGE, "large"), (memory.LOCKED, "locked"), (memory.NO_EXECUTE, "no-execute")]
LINKS_MAX = 1 << 20
KMALLOC = int(gdb.parse_and_eval("FRAME_KMALLOC"))  # keeps a count of its own where others have `maps`


def frame_name(descriptor):
    """A struct frame's address as the number of its frame."""
    return f"frame {guest.state().number(int(descriptor))}" if descriptor else "no frame"


class Entry:
    """pte_t"""

    def __init__(self, value):
        self.bits = int(value["bits"]) & 0xFFFFFFFFFFFFFFFF

    def to_string(self):
        names = " ".join(name for bit, name in BITS if self.bits & bit)
        if not self.bits & memory.PRESENT:
            return "absent" + f": {self.bits:#x}" * bool(self.bits)
        return f"frame {(self.bits & memory.ADDRESS) >> 12}: {names}"


class Struct:
    """A sentence, which say() gives, and the fields."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        try:
            return self.say(self.value)
        except (HostError, gdb.error) as error:  # a broken kernel is what one prints things for
            return f"({error})"

    def say(self, value):
        raise NotImplementedError

    def children(self):
        for field in self.value.type.fields():
            if field.name:
                yield field.name, self.value[field.name]
            else:
                yield from ((inner.name, self.value[inner.name]) for inner in field.type.fields())


class Frame(Struct):
    """struct frame"""

    def say(self, value):
        owner, number = gdb.lookup_type("enum frame_owner"), guest.state().number(int(value.address))
        links = 0 if int(value["owner"]) == KMALLOC else count_links(value["maps"])
        return f"frame {number}: {value['owner'].cast(owner)}, mapped {times(links, 'time')}"


def count_links(link):
    """How many struct rmap hang on each other."""
    count = 0
    while link and count < LINKS_MAX:
        link, count = link["next"], count + 1
    return count


class Anon(Struct):
    """struct anon"""

    def say(self, value):
        places = [f"in {frame_name(value['frame'])}"] if value["frame"] else []
        if value["slot"]:
            places.append(f"in {guest.state().slot_name(int(value['slot']))}")
        return f"named {times(int(value['refs']), 'time')}; {' and '.join(places) or 'nowhere, which must not be'}"


class RegionPrinter(Struct):
    """struct region"""

    def say(self, value):
        state = guest.state()
        region = region_of(state.kernel.view("region", int(value.address)))
        name = state.object_name(region.object) if region.object else \
            "heap" if region.heap else "stack" if region.grows_down else "zeros"
        pages = times((region.end - region.start) >> 12, "page")
        return f"{region.start:#x}-{region.end:#x} {region_rights(region)}, {pages} of {name}"


class ListPrinter:
    """struct list: a head or a link, which look the same"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        count, at = 0, self.value["next"]
        while at and at != self.value.address and count < LINKS_MAX:
            at, count = at["next"], count + 1
        if not at or count == LINKS_MAX:
            return f"broken after {times(count, 'link')}"
        return times(count, "link") if count else "empty"


def one_line(value):
    """A structure in a line: the sentence of its printer, or its plain fields."""
    printer = gdb.default_visualizer(value)
    if printer is not None:
        return printer.to_string()
    return value.format_string(max_depth=1, pretty_structs=False)


def show_list(argument):
    """vm list HEAD TYPE LINK - every structure in a list of the kernel's.

    vm list all_spaces space all_link
    vm list current_space->regions region link"""
    words = gdb.string_to_argv(argument)
    if len(words) != 3:
        raise HostError("vm list HEAD TYPE LINK, such as: vm list all_spaces space all_link")
    try:
        head, kind = gdb.parse_and_eval(words[0]), gdb.lookup_type(f"struct {words[1]}")
        offset = next(field.bitpos // 8 for field in kind.fields() if field.name == words[2])
    except gdb.error as error:
        raise HostError(str(error)) from error
    except StopIteration:
        raise HostError(f"struct {words[1]} has no field {words[2]}") from None
    head = head if head.type.code == gdb.TYPE_CODE_PTR else head.address
    at, number = head["next"], 0
    while at and at != head and number < LINKS_MAX:
        item = gdb.Value(int(at) - offset).cast(kind.pointer())
        print(f"{int(item):#x}  {one_line(item.dereference())}")
        at, number = at["next"], number + 1


def printers():
    found = gdb.printing.RegexpCollectionPrettyPrinter("vitrine")
    for name, printer in (("pte_t", Entry), ("frame", Frame), ("anon", Anon), ("region", RegionPrinter),
                          ("list", ListPrinter)):
        found.add_printer(name, f"^{name}$", printer)
    return found


gdb.printing.register_pretty_printer(gdb.lookup_objfile("vitrine.elf"), printers(), replace=True)
Command("vm list", show_list, gdb.COMPLETE_EXPRESSION)
