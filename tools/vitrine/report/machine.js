// machine.js - the machine's memory at any moment of the run, by carrying out its records in order.
//
// A page is what the kernel calls an anon: one object, however many address spaces name it.  It has a frame,
// or a slot, or both.  seek() goes forward from where it is, and back by beginning again from a kept state.

class Space {
    constructor() {
        this.regions = [];          // { start, end, rights }, sorted, in page numbers
        this.pages = new Map();     // page number -> { frame, slot, refs }
    }

    // Cuts [start, end) out of the regions; returns the pieces.
    cut(start, end) {
        const rest = [], pieces = [];
        for (const region of this.regions) {
            if (region.end <= start || region.start >= end) { rest.push(region); continue; }
            if (region.start < start) rest.push({ ...region, end: start });
            pieces.push({ ...region, start: Math.max(start, region.start), end: Math.min(end, region.end) });
            if (region.end > end) rest.push({ ...region, start: end });
        }
        this.regions = rest;
        return pieces;
    }

    add(regions) {
        this.regions.push(...regions);
        this.regions.sort((one, two) => one.start - two.start);
    }

    region(page) {
        return this.regions.find((region) => region.start <= page && page < region.end);
    }
}

class Machine {
    constructor(trace) {
        this.trace = trace;
        this.first = this.firstOwners();
        this.frames = this.first.length;
        this.reset();
    }

    // Owner of each frame before the first event.  A frame's first record tells what it was; about frames without
    // a record the end of the run tells, if it is known.
    firstOwners() {
        const { trace } = this;
        let top = trace.meta.frames || 0;
        for (let i = 0; i < trace.length; i++) {
            if (trace.kind[i] === KIND.FRAME_ALLOC || trace.kind[i] === KIND.FRAME_FREE) {
                top = Math.max(top, trace.a(i) + Math.max(1, trace.b(i)));
            }
        }
        const owners = new Uint8Array(top).fill(255);
        for (let i = 0; i < trace.length; i++) {
            const freed = trace.kind[i] === KIND.FRAME_FREE;
            if (!freed && trace.kind[i] !== KIND.FRAME_ALLOC) continue;
            const frame = trace.a(i), end = frame + Math.max(1, trace.b(i));
            for (let f = frame; f < end; f++) if (owners[f] === 255) owners[f] = freed ? ownerOf(trace.detail[i]) : OWNER.FREE;
        }
        return owners.map((owner, f) => owner === 255 ? trace.ownersAtEnd?.[f] ?? UNKNOWN : owner);
    }

    reset() {
        this.at = 0;
        this.owners = this.first.slice();
        this.counts = new Uint32Array(OWNERS.length);
        for (const owner of this.owners) this.counts[owner]++;
        this.spaces = new Map();    // index of a process -> Space
        this.waiting = new Map();   // the same, of spaces that exec may come back to
        this.ofFrame = new Map();   // frame -> page
        this.ofSlot = new Map();    // slot -> page
    }

    // The state after the first n events.
    seek(n) {
        if (n < this.at) this.reset();
        while (this.at < n) this.step(this.at++);
    }

    space(process) {
        let space = this.spaces.get(process.index);
        if (!space) this.spaces.set(process.index, space = new Space());
        return space;
    }

    // The page in a frame.
    page(frame) {
        let page = this.ofFrame.get(frame);
        if (!page) this.ofFrame.set(frame, page = { frame, slot: -1, refs: 0 });
        return page;
    }

    put(page) {
        if (page && --page.refs === 0 && page.slot >= 0) this.ofSlot.delete(page.slot);
    }

    // From now on the space has this page there.
    enter(space, number, page) {
        const old = space.pages.get(number);
        if (old === page) return;
        page.refs++;
        this.put(old);
        space.pages.set(number, page);
    }

    remove(space, start, end) {
        if (end - start < space.pages.size) {
            for (let n = start; n < end; n++) if (space.pages.has(n)) this.drop(space, n);
        } else {
            for (const n of [...space.pages.keys()]) if (start <= n && n < end) this.drop(space, n);
        }
    }

    drop(space, number) {
        this.put(space.pages.get(number));
        space.pages.delete(number);
    }

    setOwner(frame, pages, owner) {
        for (let f = frame; f < frame + Math.max(1, pages); f++) {
            this.counts[this.owners[f]]--;
            this.counts[this.owners[f] = owner]++;
            const page = this.ofFrame.get(f);
            if (page) page.frame = -1;
            this.ofFrame.delete(f);
        }
    }

    step(i) {
        const { trace } = this, a = trace.a(i), b = trace.b(i), detail = trace.detail[i];
        switch (trace.kind[i]) {
        case KIND.FRAME_ALLOC: this.setOwner(a, b, ownerOf(detail)); break;
        case KIND.FRAME_FREE: this.setOwner(a, b, OWNER.FREE); break;
        case KIND.FAULT:
            if (trace.frame(i)) this.enter(this.space(trace.process(i)), trace.page(i), this.page(trace.frame(i)));
            break;
        case KIND.COW_COPY:
            this.enter(this.space(trace.process(i)), trace.page(i), this.page(trace.bHigh[i]));
            break;
        case KIND.MAP: case KIND.UNMAP: case KIND.PROTECT: this.stepRegions(i, a / PAGE, a / PAGE + b, detail); break;
        case KIND.SWAP_OUT: this.swapOut(this.page(a), trace.slot(i)); break;
        case KIND.SWAP_IN: this.swapIn(a, trace.slot(i)); break;
        case KIND.FORK: if (detail !== FORK.THREAD) this.fork(i, detail === FORK.SHARING); break;
        case KIND.EXEC: this.exec(trace.process(i), detail); break;
        case KIND.EXIT: if (detail) this.forget(trace.process(i)); break;
        }
    }

    stepRegions(i, start, end, rights) {
        const { trace } = this, space = this.space(trace.process(i)), pieces = space.cut(start, end);
        if (trace.kind[i] === KIND.PROTECT) space.add(pieces.map((piece) => ({ ...piece, rights })));
        else this.remove(space, start, end);
        if (trace.kind[i] === KIND.MAP) space.add([{ start, end, rights }]);
    }

    swapOut(page, slot) {
        this.ofFrame.delete(page.frame);
        page.frame = -1;
        page.slot = slot;
        this.ofSlot.set(slot, page);
    }

    swapIn(frame, slot) {
        const page = this.ofSlot.get(slot) ?? { refs: 0, slot };
        page.frame = frame;
        this.ofFrame.set(frame, page);
        this.ofSlot.set(slot, page);
    }

    // The child begins with the parent's regions and shares its private pages; after vfork() it has the very space.
    fork(i, whole) {
        const { trace } = this, parent = this.space(trace.process(i));
        const process = trace.processes.find((p) => p.born === trace.time[i] && p.pid === trace.b(i));
        if (whole) { this.spaces.set(process.index, parent); return; }
        const child = this.space(process);
        child.regions = parent.regions.slice();
        for (const [number, page] of parent.pages) {
            const anonymous = page.frame < 0 ? page.slot >= 0 : this.owners[page.frame] === OWNER.ANON;
            if (anonymous) this.enter(child, number, page);
        }
    }

    // While exec fills the new space the old one waits, for exec may fail.
    exec(process, step) {
        const { index } = process;
        if (step === EXEC.BEGINS) {
            this.waiting.set(index, this.spaces.get(index));
            this.spaces.delete(index);
        } else if (step === EXEC.DONE) {
            const old = this.waiting.get(index);
            this.waiting.delete(index);
            this.release(old);
        } else {
            this.forget(process);
            if (this.waiting.get(index)) this.spaces.set(index, this.waiting.get(index));
            this.waiting.delete(index);
        }
    }

    // A process leaves its space.
    forget(process) {
        const space = this.spaces.get(process.index);
        this.spaces.delete(process.index);
        this.release(space);
    }

    // A space that nobody has any more takes its pages along.
    release(space) {
        if (!space || [...this.spaces.values(), ...this.waiting.values()].includes(space)) return;
        for (const page of space.pages.values()) this.put(page);
    }

    state(page) {
        if (!page) return STATE.NONE;
        if (page.frame < 0) return page.slot < 0 ? STATE.NONE : STATE.SWAP;
        const owner = this.owners[page.frame];
        if (owner === OWNER.ZERO) return STATE.ZERO;
        if (owner === OWNER.OBJECT) return STATE.FILE;
        return page.refs > 1 ? STATE.SHARED : STATE.OWN;
    }

    // Where in which address spaces a page is: [process, page number].
    users(wanted) {
        const found = [];
        for (const [index, space] of this.spaces) {
            for (const [number, page] of space.pages) {
                if (page === wanted) found.push([this.trace.processes[index], number]);
            }
        }
        return found;
    }
}
