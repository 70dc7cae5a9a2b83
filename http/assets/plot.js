// A line over time, as SVG that is drawn for the width it has.

import { element, svg } from "./dom.js";
import { timeOf } from "./values.js";

const height = 150;
const margin = { left: 8, right: 8, top: 22, bottom: 20 };

/** Splits samples where a value is missing, so that no line is drawn across what is unknown. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (Number.isFinite(point.y)) found[found.length - 1].push(point);
    else if (found[found.length - 1].length > 0) found.push([]);
  }
  return found.filter((run) => run.length > 0);
}

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}

/** Draws `field` of the samples into a <figure>; `format` makes text of a value. */
export class Plot {
  constructor(figure, field, format) {
    this.figure = figure;
    this.field = field;
    this.format = format;
    this.points = [];
    this.picked = null;
    this.frame = element("div", {
      class: "plot", tabindex: "0", role: "img", onkeydown: (event) => this.onKey(event),
      onpointermove: (event) => this.pickAt(event.offsetX),
      onpointerleave: () => this.pick(null),
      onblur: () => this.pick(null),
    });
    this.readout = element("p", { class: "readout", "aria-live": "off" });
    figure.append(this.readout, this.frame);
    new ResizeObserver(() => this.draw()).observe(this.frame);
  }

  show(samples) {
    this.points = samples
      .map((sample) => ({ x: timeOf(sample.t), y: sample[this.field] ?? NaN }))
      .filter((point) => Number.isFinite(point.x));
    if (this.picked !== null) this.picked = Math.min(this.picked, this.points.length - 1);
    this.draw();
  }

  onKey(event) {
    const last = this.points.length - 1;
    const at = this.picked ?? last;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.pick(null);
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.pick(Math.max(0, Math.min(last, next)));
    this.readout.setAttribute("aria-live", "polite");
  }

  pick(index) {
    this.picked = index;
    if (index === null) this.readout.setAttribute("aria-live", "off");
    this.draw();
  }

  pickAt(x) {
    if (this.points.length === 0 || !this.scaleX) return;
    let best = 0;
    this.points.forEach((point, index) => {
      if (Math.abs(this.scaleX(point.x) - x) < Math.abs(this.scaleX(this.points[best].x) - x)) {
        best = index;
      }
    });
    this.pick(best);
  }

  draw() {
    const width = this.frame.clientWidth;
    const known = this.points.filter((point) => Number.isFinite(point.y));
    if (width === 0) return;
    if (known.length === 0) {
      this.readout.textContent = "no samples yet";
      this.frame.setAttribute("aria-label", "no samples yet");
      this.frame.replaceChildren();
      return;
    }
    const first = this.points[0].x;
    const span = Math.max(1, this.points[this.points.length - 1].x - first);
    const top = Math.max(...known.map((point) => point.y)) || 1;
    this.scaleX = (x) => margin.left + (x - first) / span * (width - margin.left - margin.right);
    const scaleY = (y) => height - margin.bottom - y / top * (height - margin.top - margin.bottom);
    const base = scaleY(0);
    const drawing = svg("svg", { width, height, "aria-hidden": "true" },
      svg("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }),
      svg("line", { class: "grid", x1: 0, x2: width, y1: scaleY(top), y2: scaleY(top) }));
    for (const run of runs(this.points)) {
      const placed = (x, y) => `${x.toFixed(1)},${y.toFixed(1)}`;
      const at = run.map((point) => placed(this.scaleX(point.x), scaleY(point.y)));
      const from = placed(this.scaleX(run[0].x), base);
      const to = placed(this.scaleX(run[run.length - 1].x), base);
      // A value between two that are missing has no line to it.
      if (run.length === 1) {
        const [only] = run;
        drawing.append(svg("circle", {
          class: "dot", cx: this.scaleX(only.x), cy: scaleY(only.y), r: 2,
        }));
      }
      drawing.append(
        svg("path", { class: "area", d: `M${from} L${at.join(" L")} L${to} Z` }),
        svg("polyline", { class: "curve", points: at.join(" ") }));
    }
    const text = (x, y, anchor, said) => {
      const made = svg("text", { x, y, "text-anchor": anchor });
      made.textContent = said;
      return made;
    };
    drawing.append(
      text(0, margin.top - 8, "start", this.format(top)),
      text(0, height - 4, "start", clock(first)),
      text(width, height - 4, "end", clock(first + span)));
    this.mark(drawing, scaleY);
    this.frame.replaceChildren(drawing);
    const newest = known[known.length - 1];
    const point = this.picked === null ? newest : this.points[this.picked];
    const value = Number.isFinite(point.y) ? this.format(point.y) : "unknown";
    this.readout.textContent = `${value} at ${clock(point.x)}`;
    const title = this.figure.querySelector("figcaption").textContent;
    this.frame.setAttribute("aria-label", `${title}: ${this.format(newest.y)} now, at most ${
      this.format(top)} since ${clock(first)}; arrow keys read single samples`);
  }

  mark(drawing, scaleY) {
    const point = this.picked === null ? null : this.points[this.picked];
    if (!point) return;
    const x = this.scaleX(point.x);
    drawing.append(
      svg("line", { class: "cursor", x1: x, x2: x, y1: 0, y2: height - margin.bottom }));
    if (Number.isFinite(point.y)) {
      drawing.append(svg("circle", { class: "dot", cx: x, cy: scaleY(point.y), r: 4 }));
    }
  }
}
