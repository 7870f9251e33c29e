// trace.js - the records of a run as columns, who did each of them, and each in a sentence.

// Unpacks the base64 and deflated text that report.py embedded.
async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
}

// Index of the first element of a sorted column that is greater than value.
function after(column, value) {
    let low = 0, high = column.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (column[middle] <= value) low = middle + 1; else high = middle;
    }
    return low;
}

// What one process did in the whole run; a number that is used again is another process.
class Process {
    constructor(index, pid, parent, born, name) {
        Object.assign(this, { index, pid, parent, born, name, names: [], ended: Infinity, status: null });
        Object.assign(this, { faults: 0, copies: 0, reuses: 0, switches: 0 });
    }

    // Its name at a moment: before an exec it is still called what its parent was.
    nameAt(time) {
        let name = this.name;
        for (const [since, later] of this.names) if (since <= time) name = later;
        return name;
    }

    label(time = Infinity) {
        if (this.pid === 0) return "idle";
        return this.pid > 0 ? `${this.pid} ${this.nameAt(time)}`.trim() : this.name || `kernel thread ${-this.pid}`;
    }
}

class Trace {
    // The columns, in the order and with the sizes that report.py writes: the widest first, so each is aligned.
    constructor(buffer, meta) {
        const n = this.length = meta.events;
        let at = 0;
        const column = (Type) => {
            const array = new Type(buffer, at, n);
            at += n * Type.BYTES_PER_ELEMENT;
            return array;
        };
        this.meta = meta;
        const [low, high, tid] = [column(Uint32Array), column(Uint32Array), column(Int32Array)];
        [this.aLow, this.aHigh, this.bLow, this.bHigh] = [1, 2, 3, 4].map(() => column(Uint32Array));
        [this.kind, this.cpu, this.detail] = [1, 2, 3].map(() => column(Uint8Array));
        this.tid = tid;
        this.ownersAtEnd = meta.owners ? new Uint8Array(buffer, at, meta.owners) : null;
        this.time = new Float64Array(n);
        for (let i = 0, time = 0; i < n; i++) this.time[i] = time += low[i] + high[i] * 2 ** 32;
        this.end = n ? Math.max(1, this.time[n - 1]) : 1;
        this.findProcesses();
        this.faults = this.ofKind(KIND.FAULT);
    }

    a(i) { return this.aLow[i] + this.aHigh[i] * 2 ** 32; }
    b(i) { return this.bLow[i] + this.bHigh[i] * 2 ** 32; }

    // A fault's b: its kinds as bits, the frame, the duration.  Its detail is the error code.
    error(i) { return this.detail[i]; }
    kinds(i) { return this.bLow[i] & 0xfff; }
    frame(i) { return (this.bLow[i] >>> 12) | (this.bHigh[i] & 0xf) << 20; }
    duration(i) { return this.bHigh[i] >>> 4; }
    page(i) { return Math.floor(this.a(i) / PAGE); }
    // A slot of any swap area, as one number.
    slot(i) { return this.detail[i] * 2 ** 32 + this.b(i); }

    ofKind(kind) {
        const found = [];
        for (let i = 0; i < this.length; i++) if (this.kind[i] === kind) found.push(i);
        return found;
    }

    // Whose event each one is: this.who[i] is an index into this.processes.
    findProcesses() {
        this.processes = [];
        this.who = new Uint32Array(this.length);
        const owner = new Map();
        const add = (tid, pid, parent, born, name) => {
            const process = new Process(this.processes.length, pid, parent, born, name);
            this.processes.push(process);
            owner.set(tid, process);
            return process;
        };
        const known = (tid) => {
            if (owner.has(tid)) return owner.get(tid);
            const [pid, name] = this.meta.names[tid] ?? [tid, ""];
            const same = pid !== tid && owner.get(pid);
            if (same) owner.set(tid, same);
            return same || add(tid, pid, null, 0, name);
        };
        for (let i = 0; i < this.length; i++) {
            const process = known(this.tid[i]);
            this.who[i] = process.index;
            this.note(i, process, owner, add);
        }
    }

    note(i, process, owner, add) {
        switch (this.kind[i]) {
        case KIND.FAULT: process.faults++; break;
        case KIND.COW_COPY: process.copies++; break;
        case KIND.COW_REUSE: process.reuses++; break;
        case KIND.SWITCH: process.switches++; break;
        case KIND.EXEC: if (this.detail[i] === EXEC.DONE) process.names.push([this.time[i], this.text(i)]); break;
        case KIND.EXIT:
            if (this.detail[i]) Object.assign(process, { ended: this.time[i], status: this.a(i) });
            break;
        case KIND.FORK:
            if (this.detail[i] === FORK.THREAD) owner.set(this.a(i), process);
            else add(this.a(i), this.b(i), process, this.time[i], process.nameAt(this.time[i]));
        }
    }

    // What a fault turned out to be: numbers of kinds, and their names.
    kindsOf(i) { return FAULTS.map((_, kind) => kind).filter((kind) => this.kinds(i) >> kind & 1); }
    kindNames(i) { return this.kindsOf(i).map((kind) => FAULTS[kind].name).join(" and ") || "no memory"; }

    process(i) { return this.processes[this.who[i]]; }

    // What a thread is called; those of the kernel, below 0, by name alone.
    thread(tid) {
        const name = this.meta.names[tid]?.[1];
        return tid === 0 ? "idle" : tid < 0 && name ? name : `${name ?? "thread"} ${tid}`;
    }

    // The sixteen letters of an exec.
    text(i) {
        const letters = [this.aLow, this.aHigh, this.bLow, this.bHigh].flatMap((column) =>
            [0, 8, 16, 24].map((shift) => column[i] >>> shift & 0xff));
        return String.fromCharCode(...letters.filter((letter) => letter));
    }

    // The event in words, with its exact numbers.
    sentence(i) {
        const [a, b, d] = [this.a(i), this.b(i), this.detail[i]];
        const range = () => `${hex(a)}, ${count(b, "page")}`;
        switch (this.kind[i]) {
        case KIND.FAULT:
            return `fault (${this.kindNames(i)}) at ${hex(a)}, ${access(d)}` +
                (this.frame(i) ? `: frame ${this.frame(i)}` : "") + `, took ${duration(this.duration(i))}`;
        case KIND.MAP: return `map ${range()}, ${rights(d)}`;
        case KIND.UNMAP: return `unmap ${range()}`;
        case KIND.PROTECT: return `protect ${range()}: ${rights(d)}`;
        case KIND.COW_COPY: return `COW copy of ${hex(a)}: frame ${this.bLow[i]} to frame ${this.bHigh[i]}`;
        case KIND.COW_REUSE: return `COW reuse of ${hex(a)}: frame ${b} is not shared any more`;
        case KIND.SWAP_OUT: return `frame ${a} written to slot ${b}`;
        case KIND.SWAP_IN: return `slot ${b} read into frame ${a}`;
        case KIND.FRAME_ALLOC: return `frame ${a}${b > 1 ? ` and ${b - 1} more` : ""} taken: ${OWNERS[d]?.name ?? d}`;
        case KIND.FRAME_FREE: return `frame ${a}${b > 1 ? ` and ${b - 1} more` : ""} freed; it was: ${OWNERS[d]?.name ?? d}`;
        case KIND.FORK: return d === FORK.THREAD ? `new thread ${this.aLow[i] | 0}` : `fork: child ${b}`;
        case KIND.EXEC: return `exec ${this.text(i)} ${["begins", "is done", "failed"][d] ?? d}`;
        case KIND.EXIT: return `end of ${d ? `process ${b}` : `a thread of ${b}`}: ${ending(a)}`;
        case KIND.SWITCH: return `switch from ${this.thread(this.bLow[i] | 0)} to ${this.thread(this.aLow[i] | 0)}`;
        case KIND.TLB_FLUSH: return b ? `TLB: forget ${range()}` : "TLB: forget everything";
        case KIND.SHOOTDOWN:
            return `shootdown: asks ${count(d, "processor")} (${cpus(a).join(", ")}) to forget ${b ? count(b, "page") : "everything"}`;
        case KIND.RECLAIM:
            return d ? `reclaim ends: ${a} frames are free, ${b} were freed` : `reclaim begins: ${a} frames are free, wants ${b}`;
        case KIND.SIGNAL: return `signal ${d} to ${this.thread(this.bLow[i] | 0)}` + (a ? ` for ${hex(a)}` : "");
        case KIND.DROP: return `frame ${a} dropped: the file still has its page ${b}`;
        case KIND.WRITE_BACK: return `frame ${a} written back to page ${b} of its file`;
        default: return `event of kind ${this.kind[i]}`;
        }
    }
}
