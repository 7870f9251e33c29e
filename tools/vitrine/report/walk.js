// walk.js - one page fault, step by step: the address, the four tables it leads through, and what the kernel did.

function walkView(app) {
    const { trace } = app, box = document.querySelector("#walk .body");
    const move = (by) => {
        const at = trace.faults.indexOf(app.fault), to = at < 0 ? 0 : at + by;
        if (trace.faults[to] !== undefined) app.change({ fault: trace.faults[to], now: trace.faults[to] + 1 });
    };
    document.getElementById("fault-before").onclick = () => move(-1);
    document.getElementById("fault-after").onclick = () => move(1);
    let shown = null;

    app.watch(() => {
        if (shown === app.fault) return;
        shown = app.fault;
        const at = trace.faults.indexOf(app.fault);
        document.getElementById("fault-number").textContent =
            trace.faults.length ? `${at < 0 ? "–" : number(at + 1)} of ${number(trace.faults.length)}` : "none";
        document.getElementById("fault-before").disabled = at <= 0;
        document.getElementById("fault-after").disabled = at === trace.faults.length - 1;
        if (app.fault < 0) {
            box.replaceChildren(make("p", { class: "muted" }, trace.faults.length ?
                "Click a tick above, or press the arrow here, to choose a fault." : "The trace has no page fault."));
            return;
        }
        const during = eventsDuring(trace, app.fault);
        box.replaceChildren(story(trace, app.fault), bits(trace.a(app.fault)), levels(trace, app.fault, during),
            make("div", { class: "two" },
                make("div", {}, make("h3", {}, "What the kernel did meanwhile"), eventList(app, during)),
                make("div", {}, make("h3", {}, "Everything that happened to this page"),
                    eventList(app, eventsOfPage(trace, app.fault)))));
    });
}

function story(trace, i) {
    const process = trace.process(i), kinds = trace.kindsOf(i), error = trace.error(i);
    const verb = { read: "read", write: "wrote to", fetch: "fetched an instruction from" }[access(error)];
    const why = error & 1 ? "The entry was there, but does not allow this." : "The processor found no entry for the page.";
    const who = error & 4 ? "" : " (the kernel did so on its behalf)";
    const means = kinds.map((k) => `${FAULTS[k].name}: ${FAULTS[k].means}. The kernel ${FAULTS[k].answer}.`).join(" ");
    return make("div", { class: "story" },
        make("p", {}, make("b", {}, process.label(trace.time[i])), ` ${verb} `, make("code", {}, hex(trace.a(i))),
            ` on CPU ${trace.cpu[i]}${who}. ${why}`),
        make("p", {}, make("b", {}, means || "No frame could be found."), trace.frame(i) ? ` It is frame ${trace.frame(i)}.` : ""),
        make("p", { class: "muted" }, `It was over at ${time(trace.time[i])} and had taken ${duration(trace.duration(i))} ` +
            `(${number(trace.duration(i))} ticks). Error code ${hex(error)}: ${errorBits(error)}.`));
}

const errorBits = (error) => [[1, "entry present", "entry not present"], [2, "write", "no write"], [4, "user mode", "kernel mode"],
    [8, "reserved bit set", ""], [16, "instruction fetch", ""]].map(([bit, yes, no]) => error & bit ? yes : no).filter(Boolean).join(", ");

// The 48 bits of the address, in the five groups that the processor cuts it into.
function bits(address) {
    const digits = BigInt(address).toString(2).padStart(48, "0").slice(-48);
    const groups = [...LEVELS.map((level) => level.name), "offset"];
    return make("div", { class: "bits", role: "img", "aria-label": `The address in bits: ${digits}` }, ...groups.map((name, n) =>
        make("span", { class: `group g${n}` }, make("code", {}, digits.slice(n * 9, n === 4 ? 48 : n * 9 + 9)), make("small", {}, name))));
}

// One row a level.  A table that was missing shows as a page table's frame that was taken during the fault: tables
// are missing from the bottom up, so the last frames taken are the lowest tables.
function levels(trace, i, during) {
    const made = during.filter((e) => trace.kind[e] === KIND.FRAME_ALLOC && trace.detail[e] === OWNER.PAGETABLE).map((e) => trace.a(e)).slice(-3);
    const address = BigInt(trace.a(i)), refused = trace.kindsOf(i).includes(FAULT_REFUSED);
    const rows = LEVELS.map((level, n) => {
        const index = Number(address >> BigInt(level.shift) & 511n), table = made[n - (4 - made.length)];
        let found = n === 0 ? "in CR3: always there" : table === undefined ? "was there" : `was missing: made in frame ${table}`;
        if (n === 3 && table === undefined) found += trace.error(i) & 1 ? "; its entry did not allow it" : "; its entry was empty";
        if (refused && n) found = "the trace does not tell";
        return make("tr", {}, make("th", { scope: "row", class: `g${n}` }, level.name), make("td", {}, level.table),
            make("td", { class: "number" }, `${level.shift + 8}–${level.shift}`), make("td", { class: "number" }, String(index)),
            make("td", { class: "number" }, hex(index * 8)), make("td", {}, level.covers), make("td", {}, found));
    });
    const end = refused ? "no page: the access was refused" : trace.frame(i) ?
        `frame ${trace.frame(i)} (${hex(trace.frame(i) * PAGE)}), byte ${Number(address & 4095n)} of it` : "no frame";
    rows.push(make("tr", {}, make("th", { scope: "row", class: "g4" }, "offset"), make("td", {}, "the page"),
        make("td", { class: "number" }, "11–0"), make("td", { class: "number" }, String(address & 4095n)),
        make("td", { class: "number" }, hex(Number(address & 4095n))), make("td", {}, "1 byte"), make("td", {}, end)));
    const heads = ["", "Table", "Bits", "Index", "Byte in the table", "One entry covers", "In this fault"];
    return make("div", { class: "scroll" }, make("table", {}, make("caption", { class: "hidden" }, "The walk through the page tables"),
        make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...rows)));
}

// What the same thread did on the same CPU between a fault's beginning and its end.
function eventsDuring(trace, fault) {
    const begin = trace.time[fault] - trace.duration(fault), found = [];
    for (let i = fault; i >= 0 && trace.time[i] >= begin; i--) if (trace.tid[i] === trace.tid[fault]) found.unshift(i);
    return found;
}

// Faults and copies at the same page of the same process.
function eventsOfPage(trace, fault) {
    const found = [];
    for (let i = 0; i < trace.length; i++) {
        const named = [KIND.FAULT, KIND.COW_COPY, KIND.COW_REUSE].includes(trace.kind[i]);
        if (named && trace.who[i] === trace.who[fault] && trace.page(i) === trace.page(fault)) found.push(i);
    }
    return found;
}

// A list of events; each is a button that goes to its moment.  Long lists show their ends.
function eventList(app, events) {
    const { trace } = app, shown = events.length > 14 ? [...events.slice(0, 7), -1, ...events.slice(-6)] : events;
    return make("ol", { class: "events" }, ...shown.map((i) => i < 0 ? make("li", { class: "muted" }, `… ${number(events.length - 13)} more …`) :
        make("li", {}, make("button", { type: "button", onclick: () => app.change({ now: i + 1, ...(trace.kind[i] === KIND.FAULT && { fault: i }) }) },
            make("time", {}, time(trace.time[i])), make("span", {}, trace.sentence(i))))));
}
