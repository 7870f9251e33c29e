// names.js - what the numbers in a record stand for: owners of frames, kinds of faults, kinds of events.  The numbers
// are those of mm/frame.h, mm/fault.h and kernel/trace/events.toml; the colours are variables of style.css.

const UNKNOWN = 7, OUTSIDE = 8;
const PAGE = 4096;

// Owner of a frame, by number: name, colour, and what a beginner should know about it.
const OWNERS = [
    ["free", "--free", "nobody uses it"],
    ["kernel", "--kernel", "stacks of the kernel, device buffers, large objects"],
    ["small objects", "--kmalloc", "pieces of the kernel's own bookkeeping (kmalloc)"],
    ["page table", "--pagetable", "tells the processor where pages are"],
    ["anonymous page", "--anon", "heap, stack and data of a program; no file has these bytes"],
    ["file page", "--object", "a page of a file, kept in memory (page cache)"],
    ["frame of zeros", "--zero", "one frame that stands for all pages nobody has written yet"],
    ["not known", "--unknown", "no record of the trace mentions it"],
    ["the kernel itself", "--outside", "never given out: the kernel's image, its tables made at boot, the firmware's memory"],
].map(([name, colour, means]) => ({ name, colour, means }));
const ownerOf = (detail) => detail < UNKNOWN ? detail : UNKNOWN;
const OWNER = { FREE: 0, PAGETABLE: 3, ANON: 4, OBJECT: 5, ZERO: 6 };

// Kind of a fault, by number.
const FAULTS = [
    ["zero", "--zero", "a page that nobody wrote was read", "mapped the frame of zeros, read-only"],
    ["new", "--anon", "the first store to a page", "gave the page a frame of its own"],
    ["file", "--object", "a page of a file that was in memory", "mapped the frame that holds the file's page"],
    ["read", "--read", "a page of a file that had to be read from its disk", "read the page from the disk and mapped it"],
    ["swap", "--swap", "a page that had been written to swap", "read the page back from its swap slot and mapped it"],
    ["COW copy", "--cow", "a store to a page that others share", "copied the page, so that the others do not see the store"],
    ["COW reuse", "--reuse", "a store to a page that nobody shares any more", "gave the write right back; nothing was copied"],
    ["stack", "--stack", "an access below the stack", "let the stack grow down to it"],
    ["entry", "--kmalloc", "the page was in memory, only its entry was missing", "wrote the entry again"],
    ["refused", "--refused", "an access that is not allowed", "refused: a signal, or EFAULT"],
].map(([name, colour, means, answer]) => ({ name, colour, means, answer }));
const FAULT_REFUSED = 9;

// Kind of an event, by number; names are those of kernel/trace/events.toml.
const KINDS = ["", "fault", "map", "unmap", "protect", "cow_copy", "cow_reuse", "swap_out", "swap_in", "frame_alloc",
    "frame_free", "fork", "exec", "exit", "switch", "tlb_flush", "shootdown", "reclaim", "signal", "drop", "write_back"];
const KIND = Object.fromEntries(KINDS.map((name, number) => [name.toUpperCase(), number]));

const FORK = { PROCESS: 0, THREAD: 1, SHARING: 2 };
const EXEC = { BEGINS: 0, DONE: 1, FAILED: 2 };

// The state of a page in an address space.
const STATES = [
    ["untouched", "--free", "the region allows it; nobody used it yet"],
    ["own", "--anon", "in a frame of this process alone"],
    ["shared (COW)", "--cow", "in a frame that others use too; the first store copies it"],
    ["file", "--object", "a page of a file"],
    ["zeros", "--zero", "read, never written: the frame of zeros"],
    ["in swap", "--swap", "its bytes are on the swap disk"],
].map(([name, colour, means]) => ({ name, colour, means }));
const STATE = { NONE: 0, OWN: 1, SHARED: 2, FILE: 3, ZERO: 4, SWAP: 5 };

// The four levels of a walk, top first: name, the lowest bit of its index, what one entry covers.
const LEVELS = [
    ["level 4", "PML4", 39, "512 GiB"],
    ["level 3", "page directory pointers", 30, "1 GiB"],
    ["level 2", "page directory", 21, "2 MiB"],
    ["level 1", "page table", 12, "4 KiB"],
].map(([name, table, shift, covers]) => ({ name, table, shift, covers }));
