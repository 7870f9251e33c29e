// spaces.js - the address space of each living process as a strip; empty stretches between regions are cut short.

const STRIP = 44, GAP = 10, NAMES = 190, MOST_STRIPS = 14;

// Where the regions of a space lie in the strip: [{ region, x, width }].  A region's width grows with the
// logarithm of its size, so that one page and a thousand can both be seen.
function layOut(regions, width) {
    const weight = (region) => 1 + Math.log2(region.end - region.start);
    let gaps = 0, total = 0;
    regions.forEach((region, n) => {
        total += weight(region);
        if (n && regions[n - 1].end !== region.start) gaps++;
    });
    const unit = Math.max(1, width - gaps * GAP) / Math.max(total, 1);
    let x = 0;
    return regions.map((region, n) => {
        if (n && regions[n - 1].end !== region.start) x += GAP;
        const place = { region, x, width: weight(region) * unit };
        x += place.width;
        return place;
    });
}

function spacesView(app) {
    const { machine } = app;
    let rows = [];

    function living() {
        const all = [...machine.spaces].filter(([, space]) => space.regions.length || space.pages.size);
        return all.map(([index, space]) => ({ process: app.trace.processes[index], space, regions: regionsOf(space) }))
            .sort((one, two) => one.process.pid - two.process.pid);
    }

    // Pages that were touched although no record says what their region is (the trace began later): runs of them.
    function regionsOf(space) {
        const bare = [...space.pages.keys()].filter((page) => !space.region(page)).sort((one, two) => one - two);
        const runs = [];
        for (const page of bare) {
            const run = runs.at(-1);
            if (run && page - run.end < 16) run.end = page + 1; else runs.push({ start: page, end: page + 1, rights: null });
        }
        return [...space.regions, ...runs].sort((one, two) => one.start - two.start);
    }

    function tally(space, region) {
        const found = STATES.map(() => 0);
        for (const [page, content] of space.pages) {
            if (!region || (region.start <= page && page < region.end)) found[machine.state(content)]++;
        }
        return found;
    }

    // A region's pages, several in a pixel column if need be: the column shows in which shares they are what.
    function drawRegion(pen, space, { region, x, width }, y) {
        const columns = Math.max(1, Math.floor(width)), pages = region.end - region.start, height = STRIP - 18;
        const per = pages / columns, shares = new Map();
        pen.fillStyle = css("--free");
        pen.fillRect(x, y, width, height);
        for (const [page, content] of space.pages) {
            if (page < region.start || page >= region.end) continue;
            const from = Math.floor((page - region.start) / per), to = Math.max(from + 1, Math.floor((page + 1 - region.start) / per));
            for (let c = from; c < Math.min(to, columns); c++) {
                if (!shares.has(c)) shares.set(c, STATES.map(() => 0));
                shares.get(c)[machine.state(content)]++;
            }
        }
        for (const [column, share] of shares) {
            let bottom = y + height;
            const whole = Math.max(per, share.reduce((one, two) => one + two));
            share.forEach((n, state) => {
                if (!n || !state) return;
                const part = Math.min(bottom - y, Math.max(3, n / whole * height));
                pen.fillStyle = css(STATES[state].colour);
                pen.fillRect(x + column, bottom -= part, 1, part);
            });
        }
        pen.strokeStyle = css("--edge");
        pen.lineWidth = 1;
        pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
    }

    function drawRow(pen, row, n, width) {
        const y = n * STRIP + 4;
        pen.fillStyle = css("--ink");
        pen.textAlign = "left";
        pen.fillText(row.process.label(app.time), 0, y + 8, NAMES - 12);
        pen.fillStyle = css("--muted");
        const states = tally(row.space), resident = states[1] + states[2] + states[3] + states[4];
        pen.fillText(`${number(resident)} in memory` + (states[5] ? `, ${number(states[5])} in swap` : ""), 0, y + 24, NAMES - 12);
        row.places = layOut(row.regions, width - NAMES - 2).map((place) => ({ ...place, x: place.x + NAMES }));
        for (const place of row.places) drawRegion(pen, row.space, place, y);
    }

    const item = (row, place, page) => ({ row, place, page });
    const chart = new Chart("spaces", {
        keys: "Left and right arrow: the regions of a process. Up and down: another process. Enter: the last fault there.",
        height: () => Math.max(1, Math.min(rows.length, MOST_STRIPS)) * STRIP + (rows.length > MOST_STRIPS ? 20 : 0),
        draw(pen, width, height, at) {
            if (!rows.length) return emptyText(pen, width, height, "No process has an address space at this moment, as far as the trace tells.");
            rows.slice(0, MOST_STRIPS).forEach((row, n) => drawRow(pen, row, n, width));
            if (rows.length > MOST_STRIPS) {
                pen.fillStyle = css("--muted");
                pen.fillText(`and ${rows.length - MOST_STRIPS} more processes`, NAMES, height - 10);
            }
            const place = at && at.row.places?.find(({ region }) => region.start === at.place.region.start);
            if (!place) return;
            pen.strokeStyle = css("--ink");
            pen.lineWidth = 2;
            pen.strokeRect(place.x - 1, rows.indexOf(at.row) * STRIP + 3, place.width + 2, STRIP - 16);
        },
        find(x, y) {
            const row = rows[Math.floor(y / STRIP)], place = row?.places?.find((p) => p.x <= x && x < p.x + p.width);
            if (!place) return null;
            const { start, end } = place.region;
            return item(row, place, start + Math.floor((x - place.x) / place.width * (end - start)));
        },
        step(at, key) {
            const r = at ? rows.indexOf(at.row) : 0, places = rows[r]?.places;
            if (!places?.length) return null;
            const n = at ? places.findIndex((place) => place.region.start === at.place.region.start) : 0;
            const row = rows[r + ({ ArrowUp: -1, ArrowDown: 1 }[key] ?? 0)];
            const to = { ArrowLeft: n - 1, ArrowRight: n + 1, Home: 0, End: places.length - 1 }[key];
            const place = !at ? places[0] : to === undefined ? row?.places?.[0] : places[to];
            return place ? item(to === undefined && at ? row : rows[r], place, place.region.start) : null;
        },
        place: ({ row, place }) => [place.x, rows.indexOf(row) * STRIP],
        tell({ row, place: { region }, page }) {
            const states = tally(row.space, region), content = row.space.pages.get(page);
            const untouched = region.end - region.start - states.slice(1).reduce((one, two) => one + two);
            const where = !content ? "" : content.frame >= 0 ? `, frame ${content.frame}` : content.slot >= 0 ? `, slot ${content.slot % 2 ** 32}` : "";
            return [row.process.label(app.time), `${hex(region.start * PAGE)} – ${hex(region.end * PAGE)}`,
                `${count(region.end - region.start, "page")}, ${region.rights === null ? "rights not in the trace" : rights(region.rights)}`,
                STATES.map(({ name }, s) => [s ? states[s] : untouched, name]).filter(([n]) => n).map(([n, name]) => `${number(n)} ${name}`).join(", "),
                `page ${hex(page * PAGE)}: ${STATES[machine.state(content)].name}${where}`];
        },
        pick({ row, page, place: { region } }) {
            const { trace } = app;
            const here = trace.faults.filter((i) => i < app.now && trace.who[i] === row.process.index);
            const fault = here.findLast((i) => trace.page(i) === page) ??
                here.findLast((i) => region.start <= trace.page(i) && trace.page(i) < region.end);
            if (fault !== undefined) app.change({ fault });
        },
    });

    app.watch(() => {
        rows = living();
        const all = STATES.map(() => 0);
        for (const row of rows) tally(row.space).forEach((n, state) => { all[state] += n; });
        legend("spaces", STATES.map((state, s) => ({ ...state, value: s ? number(all[s]) : undefined })));
        chart.refresh();
    });
}
