// aslr.js - the page of `vm aslr`: where the regions of many launches fell.

const TOP = 2 ** 47, MARGIN = 130, LANE = 34, BARS = 78;
const COLOURS = { program: "--object", heap: "--anon", libraries: "--cow", mappings: "--pagetable", stack: "--swap", arguments: "--reuse" };
const colourOf = (name) => css(COLOURS[name] ?? "--kmalloc");

function label(pen, words, y) {
    pen.fillStyle = css("--ink");
    pen.fillText(words, 0, y);
}

// Lanes of names, and in each lane places that the left and right arrow walk through.
function lanes(names, lane, counts) {
    return {
        height: () => names.length * lane + 22,
        step: (item, key) => {
            if (!item) return { row: 0, at: 0 };
            const last = (row) => counts(names[row]) - 1;
            const row = Math.min(names.length - 1, Math.max(0, item.row + (key === "ArrowDown") - (key === "ArrowUp")));
            const at = key === "Home" ? 0 : key === "End" ? last(row) : item.at + (key === "ArrowRight") - (key === "ArrowLeft");
            return { row, at: Math.min(last(row), Math.max(0, at)) };
        },
    };
}

// Every launch on the line of all addresses.
function placesView(data) {
    const names = Object.keys(data.places), sorted = {};
    for (const name of names) sorted[name] = data.places[name].map((at, launch) => ({ at, launch })).sort((a, b) => a.at - b.at);
    let wide = 1;
    const x = (address) => MARGIN + address / TOP * (wide - MARGIN - 4);
    return new Chart("places", {
        ...lanes(names, LANE, (name) => sorted[name].length),
        draw(pen, width, height, item) {
            wide = width;
            names.forEach((name, row) => {
                label(pen, name, row * LANE + LANE / 2);
                pen.fillStyle = css("--line");
                pen.fillRect(MARGIN, row * LANE + LANE - 2, width - MARGIN, 1);
                pen.fillStyle = colourOf(name);
                pen.globalAlpha = 0.45;
                for (const { at } of sorted[name]) pen.fillRect(x(at), row * LANE + 4, 1.5, LANE - 8);
                pen.globalAlpha = 1;
            });
            pen.fillStyle = css("--muted");
            for (let tib = 0; tib < 128; tib += 32) pen.fillText(`${tib} TiB`, x(tib * 2 ** 40), height - 9);
            if (!item) return;
            pen.fillStyle = css("--now");
            for (const [row, name] of names.entries()) {        // all regions of that launch
                pen.fillRect(x(data.places[name][sorted[names[item.row]][item.at].launch]) - 1, row * LANE + 2, 3, LANE - 4);
            }
        },
        find(px, py) {
            const row = Math.floor(py / LANE), all = sorted[names[row]];
            if (!all || px < MARGIN - 4) return null;
            const distance = (i) => Math.abs(x(all[i].at) - px);
            let best = 0;
            for (let i = 1; i < all.length; i++) if (distance(i) < distance(best)) best = i;
            return { row, at: best };
        },
        place: ({ row, at }) => [x(sorted[names[row]][at].at), row * LANE + LANE / 2],
        tell({ row, at }) {
            const { launch, at: address } = sorted[names[row]][at];
            return [`${names[row]} at ${hex(address)}`, `launch ${number(launch + 1)} of ${number(data.launches)}`];
        },
    });
}

// How many launches fell into each part of a region's span.
function spreadView(data) {
    const names = Object.keys(data.regions).filter((name) => data.regions[name].cells);
    let wide = 1;
    const size = (region) => (wide - MARGIN) / region.cells.length;
    const cellSpan = (region) => (region.high - region.low) / region.cells.length;
    if (!names.length) document.querySelector("#spread p").textContent = "No region moves far enough to be drawn.";
    return new Chart("spread", {
        ...lanes(names, BARS, (name) => data.regions[name].cells.length),
        draw(pen, width, height, item) {
            wide = width;
            names.forEach((name, row) => {
                const region = data.regions[name], { cells } = region, expected = (data.launches - 2) / cells.length;
                const foot = (row + 1) * BARS - 6, tall = (n) => n / Math.max(...cells, expected) * (BARS - 16);
                label(pen, name, row * BARS + BARS / 2);
                cells.forEach((n, at) => {
                    pen.fillStyle = item?.row === row && item.at === at ? css("--now") : colourOf(name);
                    pen.fillRect(MARGIN + at * size(region) + 1, foot - tall(n), size(region) - 2, tall(n));
                });
                pen.fillStyle = css("--ink");
                pen.fillRect(MARGIN, foot - tall(expected), width - MARGIN, 1);
            });
        },
        find(px, py) {
            const row = Math.floor(py / BARS), region = data.regions[names[row]];
            return region && px >= MARGIN ? { row, at: Math.min(region.cells.length - 1, Math.floor((px - MARGIN) / size(region))) } : null;
        },
        place: ({ row, at }) => [MARGIN + (at + 0.5) * size(data.regions[names[row]]), row * BARS + BARS / 2],
        tell({ row, at }) {
            const region = data.regions[names[row]], from = region.low + at * cellSpan(region);
            return [`${names[row]}: ${count(region.cells[at], "launch").replace(/hs$/, "hes")}`,
                `from ${hex(from)} to ${hex(from + cellSpan(region))}`, `chance: ${((data.launches - 2) / region.cells.length).toFixed(1)}`];
        },
    });
}

function bitsTable(data) {
    const row = (cells) => make("tr", {}, ...cells.map((cell, i) =>
        make(i ? "td" : "th", i && i < cells.length - 1 ? { class: "number" } : {}, cell)));
    document.querySelector("#bits tbody").replaceChildren(...Object.entries(data.regions).map(([name, r]) => row([name, hex(r.low), hex(r.high),
        r.step ? number(r.step) : "–", number(r.distinct), r.step ? `${r.bits.toFixed(2)} ± ${r.error.toFixed(2)}` : "0", `≥ ${r.surely.toFixed(1)}`,
        r.even === null ? "–" : r.even.toFixed(3), data.remarks[name]])));
    document.getElementById("absent").textContent = `Not in this program: ${data.absent.join(", ")}.`;
}

// The matrix of coefficients, and the launches of the pair that is chosen.
function correlationView(data) {
    const names = Object.keys(data.places), chosen = { pair: 0 };
    const range = (name) => [data.regions[name].low, Math.max(1, data.regions[name].high - data.regions[name].low)];
    const EDGE = 10;
    let wide = 1;
    const spot = (launch) => {
        const { a, b } = data.correlation[chosen.pair], room = Math.min(wide, 360) - 2 * EDGE;
        const share = (name) => (data.places[name][launch] - range(name)[0]) / range(name)[1];
        return [EDGE + share(a) * room, EDGE + (1 - share(b)) * room];
    };
    const chart = new Chart("correlation", {
        height: (width) => Math.min(width, 360),
        draw(pen, width, height, item) {
            wide = width;
            pen.strokeStyle = css("--edge");
            pen.strokeRect(0.5, 0.5, height - 1, height - 1);
            for (let launch = 0; launch < data.launches; launch++) {
                const [x, y] = spot(launch);
                pen.fillStyle = css(item?.launch === launch ? "--now" : "--anon");
                pen.fillRect(x - 1.5, y - 1.5, 3, 3);
            }
        },
        find(px, py) {
            let best = null, near = 12;
            for (let launch = 0; launch < data.launches; launch++) {
                const [x, y] = spot(launch), far = Math.hypot(x - px, y - py);
                if (far < near) [best, near] = [{ launch }, far];
            }
            return best;
        },
        step: (item, key) => ({ launch: !item || key === "Home" ? 0 : key === "End" ? data.launches - 1 :
            Math.min(data.launches - 1, Math.max(0, item.launch + (["ArrowRight", "ArrowDown"].includes(key) ? 1 : -1))) }),
        place: ({ launch }) => spot(launch),
        tell({ launch }) {
            const { a, b } = data.correlation[chosen.pair];
            return [`launch ${number(launch + 1)}`, `${a} at ${hex(data.places[a][launch])}`, `${b} at ${hex(data.places[b][launch])}`];
        },
    });
    const choose = (pair) => {
        const { a, b } = data.correlation[pair];
        chosen.pair = pair;
        document.querySelectorAll("#correlation td button").forEach((button) => button.setAttribute("aria-pressed", button.value === String(pair)));
        document.getElementById("pair").textContent = `${a} (to the right) and ${b} (upwards): ${data.relations[pair]}`;
        chart.refresh();
    };
    const cell = (a, b) => {
        const pair = data.correlation.findIndex((p) => p.a === b && p.b === a);
        if (pair < 0) return "";
        const { r } = data.correlation[pair], share = Math.round(Math.abs(r ?? 0) * 70);
        return make("button", { type: "button", value: pair, onclick: () => choose(pair), "aria-label": `${b} and ${a}: ${r?.toFixed(3) ?? "fixed"}`,
            style: `background: color-mix(in srgb, var(--swap) ${share}%, var(--card))` }, r?.toFixed(3) ?? "fixed");
    };
    document.querySelector("#correlation thead").replaceChildren(make("tr", {}, make("th", {}), ...names.slice(0, -1).map((name) =>
        make("th", { scope: "col" }, name))));
    document.querySelector("#correlation tbody").replaceChildren(...names.slice(1).map((name) =>
        make("tr", {}, make("th", { scope: "row" }, name), ...names.slice(0, -1).map((other) => make("td", {}, cell(name, other))))));
    choose(0);
}

function startPage() {
    const data = JSON.parse(document.getElementById("data").textContent);
    document.getElementById("title").textContent = data.program;
    document.title = `${data.program} · Vitrine layouts`;
    const drawn = Object.keys(data.places).map((name) => [`bits of the ${name}`, data.regions[name].step ? data.regions[name].bits.toFixed(1) : "0"]);
    tiles([["launches", number(data.launches)], ["kernel options", data.append || "none"], ...drawn]);
    placesView(data);
    spreadView(data);
    bitsTable(data);
    correlationView(data);
    themeSwitch(() => { for (const chart of Chart.all) chart.refresh(); });
    document.documentElement.dataset.ready = Math.round(performance.now());
}

try {
    startPage();
} catch (error) {
    broken("launches", error);
}
