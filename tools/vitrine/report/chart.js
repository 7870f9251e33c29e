// chart.js - a canvas that people can point at, click, and walk through with the keyboard.
//
// A chart is told by a description:
//   draw(pen, width, height, item)   paints it; item is what the pointer or the keyboard is at, or null
//   find(x, y)                       the item at a point, or null
//   step(item, key)                  the item that a key leads to: an arrow, Home or End; item may be null
//   tell(item)                       its lines of text: the first is what it is
//   place(item)                      where it is, for its bubble when the keyboard is at it
//   pick(item)                       it was clicked, or Enter was pressed
//   height(width)                    in CSS pixels
//   keys                             what its keys do, for screen readers
//
// What every page has besides stands at the end: numbers at its top, legends, and what it says when it is broken.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === "function") element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
};

// One bubble for all charts; what it says is also read out.
const bubble = {
    show(lines, x, y) {
        const box = document.getElementById("bubble");
        box.replaceChildren(...lines.map((line, i) => make(i ? "span" : "b", {}, line)));
        box.hidden = false;
        const { width, height } = box.getBoundingClientRect();
        box.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
        box.style.top = `${y + 18 + height > innerHeight ? Math.max(8, y - height - 12) : y + 18}px`;
    },
    hide() { document.getElementById("bubble").hidden = true; },
    say(text) { document.getElementById("spoken").textContent = text; },
};

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

class Chart {
    constructor(id, spec) {
        this.holder = document.querySelector(`#${id} .chart`);
        this.spec = spec;
        this.item = null;
        this.seen = false;
        this.canvas = make("canvas", {
            tabindex: 0, role: "application", "aria-roledescription": "chart",
            "aria-label": `${document.querySelector(`#${id} h2`).textContent}. ${spec.keys ?? "Arrow keys move, Enter chooses."}`,
        });
        this.holder.replaceChildren(this.canvas);
        this.listen();
        new ResizeObserver(() => this.refresh()).observe(this.holder);
        new IntersectionObserver(([entry]) => { this.seen = entry.isIntersecting; this.refresh(); },
            { rootMargin: "200px" }).observe(this.holder);
        Chart.all.push(this);
    }

    listen() {
        const { canvas } = this;
        canvas.onpointermove = (event) => {
            this.item = this.spec.find(event.offsetX, event.offsetY);
            if (this.item) bubble.show(this.spec.tell(this.item), event.clientX, event.clientY); else bubble.hide();
            this.refresh();
        };
        canvas.onpointerleave = () => { bubble.hide(); this.item = null; this.refresh(); };
        canvas.onclick = (event) => {
            const item = this.spec.find(event.offsetX, event.offsetY);
            if (item) this.spec.pick?.(item);
        };
        canvas.onkeydown = (event) => this.key(event);
        canvas.onblur = () => { bubble.hide(); this.item = null; this.refresh(); };
    }

    key(event) {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        if (event.key === "Enter" || event.key === " ") {
            if (this.item) this.spec.pick?.(this.item);
        } else if (event.key === "Escape") {
            bubble.hide();
        } else if (ARROWS.includes(event.key)) {
            this.item = this.spec.step(this.item, event.key) ?? this.item;
            if (this.item) this.announce();
        } else {
            return;
        }
        event.preventDefault();
        this.refresh();
    }

    announce() {
        const lines = this.spec.tell(this.item), box = this.canvas.getBoundingClientRect();
        const [x, y] = this.spec.place?.(this.item) ?? [0, 0];
        bubble.show(lines, box.left + x, box.top + y);
        bubble.say(lines.join(". "));
    }

    // What cannot be seen has its place, so that nothing moves later, and is painted when it comes into view.
    refresh() {
        this.width = this.holder.clientWidth;
        this.height = Math.round(this.spec.height(this.width));
        this.canvas.style.height = `${this.height}px`;
        if (this.waiting || !this.seen) return;
        this.waiting = true;
        requestAnimationFrame(() => { this.waiting = false; this.paint(); });
    }

    paint() {
        const { width, height } = this, scale = devicePixelRatio || 1;
        if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
            this.canvas.width = Math.round(width * scale);
            this.canvas.height = Math.round(height * scale);
        }
        const pen = this.canvas.getContext("2d");
        pen.setTransform(scale, 0, 0, scale, 0, 0);
        pen.clearRect(0, 0, width, height);
        pen.font = `12px ${css("--font")}`;
        pen.textBaseline = "middle";
        this.spec.draw(pen, width, height, this.item);
    }
}
Chart.all = [];

// The numbers at the top of a page, as [name, value].
function tiles(entries) {
    document.getElementById("tiles").replaceChildren(...entries.map(([name, value]) =>
        make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
}

// What the page is about cannot be read: it says so, and the console says why.
function broken(what, error) {
    const note = document.getElementById("broken");
    note.hidden = false;
    note.textContent = `The ${what} in this page cannot be read: ${error.message}`;
    throw error;
}

// Names of colours with what they mean, under a chart.
function legend(id, entries) {
    const list = document.querySelector(`#${id} .legend`);
    list.replaceChildren(...entries.map(({ name, colour, means, value }) => make("li", { title: means },
        make("i", { style: `background:var(${colour})` }), make("span", {}, name),
        ...(value === undefined ? [] : [make("b", {}, value)]), make("small", {}, means))));
}
