// page.js - what is chosen (a moment, a part of the run, a fault, a frame), the bar that chooses it, and the start.

const STEPS = 4000;     // of the slider

class App {
    constructor(trace) {
        Object.assign(this, { trace, machine: new Machine(trace), now: trace.length, time: trace.end });
        Object.assign(this, { range: [0, trace.end], fault: -1, frame: -1, watchers: [] });
        this.machine.seek(this.now);
    }

    watch(watcher) { this.watchers.push(watcher); }

    // now: how many events have happened.
    change(what) {
        Object.assign(this, what);
        if (what.now !== undefined && what.time === undefined) this.time = this.now ? this.trace.time[this.now - 1] : 0;
        const [from, to] = this.range;
        if (to - from < 10) this.range = [Math.max(0, from - 5), Math.min(this.trace.end, from + 5)];
        this.machine.seek(this.now);
        this.tell();
    }

    tell() { for (const watcher of this.watchers) watcher(); }

    seekTime(ticks) {
        const at = Math.min(this.trace.end, Math.max(0, ticks));
        this.change({ now: after(this.trace.time, at), time: at });
    }

    // The chosen moment comes to the middle, as far as the ends of the run allow.
    zoom(factor) {
        const [from, to] = this.range.map(placeOf), now = placeOf(this.time), [first, last] = [0, this.trace.end].map(placeOf);
        const width = Math.min(last - first, (to - from) * factor), middle = now >= from && now <= to ? now : (from + to) / 2;
        const low = Math.min(last - width, Math.max(first, middle - width / 2));
        this.change({ range: [momentAt(low), momentAt(low + width)] });
    }
}

function bar(app) {
    const { trace } = app, slider = document.getElementById("slider"), play = document.getElementById("play");
    const button = (id, action) => { document.getElementById(id).onclick = action; };
    let playing = 0;
    slider.max = STEPS;
    slider.oninput = () => app.seekTime(between(0, trace.end, slider.value / STEPS));
    button("first", () => app.change({ now: Math.max(0, app.now - 1) }));
    button("next", () => app.change({ now: Math.min(trace.length, app.now + 1) }));
    button("in", () => app.zoom(0.5));
    button("out", () => app.zoom(2));
    button("all", () => app.change({ range: [0, trace.end] }));
    document.getElementById("axis").onchange = (event) => {
        timeline.byEvents = event.target.value === "events";
        app.tell();
    };
    const stop = () => { cancelAnimationFrame(playing); playing = 0; play.textContent = "Play"; };
    play.onclick = () => {
        if (playing) return stop();
        const share = (placeOf(app.time) - placeOf(0)) / (placeOf(trace.end) - placeOf(0));
        const began = performance.now() - (share < 1 ? share : 0) * 15000;      // the whole run in 15 seconds
        const frame = (moment) => {
            const done = Math.min(1, Math.max(0, (moment - began) / 15000));
            app.seekTime(between(0, trace.end, done));
            if (done < 1) playing = requestAnimationFrame(frame); else stop();
        };
        play.textContent = "Pause";
        playing = requestAnimationFrame(frame);
    };
    app.watch(() => {
        const [low, here, high] = [0, app.time, trace.end].map(placeOf);
        slider.value = Math.round((here - low) / (high - low) * STEPS);
        slider.setAttribute("aria-valuetext", `${time(app.time)}, ${count(app.now, "event")}`);
        document.getElementById("now").textContent = time(app.time);
        document.getElementById("now-event").textContent = `event ${number(app.now)} of ${number(trace.length)}`;
    });
    document.addEventListener("keydown", (event) => {
        const free = !["INPUT", "SELECT"].includes(event.target.tagName) && !event.ctrlKey && !event.metaKey && !event.altKey;
        const id = { ",": "first", ".": "next", "+": "in", "-": "out", 0: "all", p: "play" }[event.key];
        if (free && id) document.getElementById(id).click();
    });
}

function summary(app) {
    const { trace } = app, { meta } = trace, { lost } = meta;
    document.querySelector("#title").textContent = meta.command || "A run of Vitrine";
    document.title = `${meta.command || "a run"} · Vitrine trace`;
    tiles([["events", number(trace.length)], ["time", span(trace.length ? trace.end : 0)], ["processors", meta.cpus],
        ["memory", bytes(app.machine.frames * PAGE)], ["page faults", number(trace.faults.length)],
        ["COW copies", number(trace.ofKind(KIND.COW_COPY).length)], ["to swap", number(trace.ofKind(KIND.SWAP_OUT).length)],
        ["from swap", number(trace.ofKind(KIND.SWAP_IN).length)], ["lost events", number(lost)]]);
    const note = document.getElementById("lost");
    note.hidden = !lost;
    note.textContent = `The rings were full: the first ${count(lost, "event")} are not here. What happened before the trace begins can only ` +
        "be seen as far as later events tell it. A larger ring keeps more: ./vm trace says how large it would have to be.";
}

// The sixteen events before the chosen moment, as text.
function eventsView(app) {
    const { trace } = app, rows = document.querySelector("#events tbody");
    app.watch(() => {
        const first = Math.max(0, Math.min(app.now, trace.length) - 16);
        const events = Array.from({ length: Math.min(app.now, trace.length) - first }, (_, n) => first + n);
        rows.replaceChildren(...events.map((i) => make("tr", i === app.now - 1 ? { class: "now" } : {},
            make("td", { class: "number" }, number(i + 1)), make("td", { class: "number" }, time(trace.time[i])),
            make("td", { class: "number" }, String(trace.cpu[i])), make("td", {}, trace.process(i).label(trace.time[i])),
            make("td", {}, KINDS[trace.kind[i]] ?? "?"), make("td", {}, trace.sentence(i)))));
    });
}

async function start() {
    const meta = JSON.parse(document.getElementById("meta").textContent);
    const buffer = await unpack(document.getElementById("records").textContent.trim());
    ticksPerSecond = meta.tsc_hz || 1e9;
    startTicks = meta.start;
    const trace = new Trace(buffer, meta), app = new App(trace);
    timeline.times = trace.time;
    summary(app);
    bar(app);
    for (const view of [framesView, faultsView, walkView, spacesView, familyView, swapView, cpusView, eventsView]) view(app);
    const redrawLines = seriesViews(app);
    themeSwitch(() => { for (const chart of Chart.all) chart.refresh(); redrawLines(); });
    app.change({ now: trace.length });
    window.vitrine = app;       // for the curious, in the browser's console
    document.documentElement.dataset.ready = Math.round(performance.now());
}

start().catch((error) => broken("trace", error));
