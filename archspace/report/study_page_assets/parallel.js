// Parallel coordinates: an axis per varying parameter and metric, a line per candidate, brushes along the axes.
const SVG = "http://www.w3.org/2000/svg";
const PARALLEL = { height: 430, top: 62, bottom: 26, side: 46, least: 84, rail: 22, hit: 30 };
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#f4d51f"]; // its last, a little darker for white paper
const MOST_TICKS = 6, LEAST_GAP = 0.06; // of an axis

function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

function mixed(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const part = (color, k) => parseInt(color.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mix = (k) => Math.round(part(VIRIDIS[i], k) + (place - i) * (part(VIRIDIS[i + 1], k) - part(VIRIDIS[i], k)));
  return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}

const plain = (value) => String(Number(value.toPrecision(4)));

/** Ticks at every value where they are few and apart, else at round steps. */
function ticksOf(values, low, high) {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const areApart = distinct.every((value, i) => i === 0 || value - distinct[i - 1] >= (high - low) * LEAST_GAP);
  if (distinct.length <= MOST_TICKS && areApart) return distinct;
  const raw = (high - low) / (MOST_TICKS - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

/** A long name in lines, broken behind underscores, dots and colons; filled from its end, which tells it from its neighbours. */
function linesOf(name) {
  const lines = [];
  for (const part of name.split(/(?<=[_.:])/).reverse()) {
    if (lines.length && (part + lines[0]).length <= 12) lines[0] = part + lines[0];
    else lines.unshift(part);
  }
  return lines;
}

/** The axes, over the values of the rows that are drawn. */
function dimensions(rows) {
  const parameters = data.parameters.map((one) => ({ name: one.name, unit: "", words: one.words, values: one.values, isMetric: false }));
  const metrics = data.metrics.map((one) => ({ name: one.name, unit: one.unit, words: [], values: one.values.map((value) => (value === null ? null : value / one.factor)), isMetric: true }));
  return [...parameters, ...metrics].map((dimension) => {
    const drawn = rows.map((row) => dimension.values[row]);
    const known = drawn.filter((value) => value !== null);
    const low = dimension.words.length ? 0 : Math.min(...known), high = dimension.words.length ? dimension.words.length - 1 : Math.max(...known);
    const ticks = dimension.words.length ? dimension.words.map((word, i) => [i, word]) : ticksOf(known, low, high).map((tick) => [tick, plain(tick)]);
    return { ...dimension, low, high, ticks, hasGaps: known.length < drawn.length && !dimension.isMetric, brush: null };
  });
}

function startParallel() {
  const place = byId("parallel"), first = objectives[0];
  const feasible = rowsWhere((state) => state >= WITHIN);
  let dims = [];
  const values = feasible.map((row) => first.values[row]);
  const low = Math.min(...values), high = Math.max(...values);
  const shareOf = (row) => (high > low ? (first.values[row] - low) / (high - low) : 0.5);
  const rail = PARALLEL.height - PARALLEL.bottom;
  let foot = rail; // above the rail of what is not active, where there is any
  const yOf = (dim, value) => (value === null ? rail : dim.high > dim.low ? foot - ((value - dim.low) / (dim.high - dim.low)) * (foot - PARALLEL.top) : (foot + PARALLEL.top) / 2);
  let lines = [], xs = [], width = 0;
  const overlay = svg("path", { class: "chosen", fill: "none" });

  if (feasible.length) {
    const ends = [low, high].map((value) => first.texts[feasible[values.indexOf(value)]]);
    byId("parallel-legend").append(`${first.name}: ${ends[0]} `, element("span", { class: "scale", style: `background: linear-gradient(to right, ${VIRIDIS.join(", ")})` }), ` ${ends[1]}`);
  }

  const pathOf = (row) => dims.map((dim, i) => `${i ? "L" : "M"}${xs[i].toFixed(1)},${yOf(dim, dim.values[row]).toFixed(1)}`).join("");
  const isKept = (row) => dims.every((dim) => {
    if (!dim.brush) return true;
    const y = yOf(dim, dim.values[row]);
    return dim.brush[0] - 0.5 <= y && y <= dim.brush[1] + 0.5;
  });

  function filter() {
    let kept = 0;
    for (const { row, path } of lines) {
      const keep = isKept(row);
      kept += keep;
      path.classList.toggle("off", !keep);
    }
    byId("parallel-count").textContent = `${kept} of ${lines.length} candidates`;
  }

  function axisOf(dim, i) {
    const group = svg("g", { transform: `translate(${xs[i].toFixed(1)},0)`, class: "axis" });
    group.append(svg("line", { y1: PARALLEL.top, y2: foot }));
    const title = linesOf(dim.name);
    const words = dim.unit ? [...title, `(${dim.unit})`] : title;
    words.forEach((line, k) => group.append(svg("text", { y: PARALLEL.top - 12 - 13 * (words.length - 1 - k), class: k < title.length ? "name" : "unit", "text-anchor": "middle" }, line)));
    for (const [tick, text] of dim.ticks) {
      const y = yOf(dim, tick);
      group.append(svg("line", { x1: -4, x2: 0, y1: y, y2: y }), svg("text", { x: -7, y: y + 4, "text-anchor": "end", class: "tick" }, text));
    }
    if (dim.hasGaps) group.append(svg("text", { y: rail + 16, "text-anchor": "middle", class: "tick" }, "inactive"));
    const mark = svg("rect", { x: -7, width: 14, class: "brush" });
    const hit = svg("rect", { x: -PARALLEL.hit / 2, width: PARALLEL.hit, y: PARALLEL.top - 6, height: rail - PARALLEL.top + 12, class: "hit" });
    group.append(mark, hit);
    addBrush(dim, hit, mark);
    return group;
  }

  function addBrush(dim, hit, mark) {
    const show = () => {
      mark.setAttribute("y", dim.brush ? dim.brush[0] : 0);
      mark.setAttribute("height", dim.brush ? dim.brush[1] - dim.brush[0] : 0);
    };
    const yAt = (event) => Math.min(Math.max(event.clientY - place.getBoundingClientRect().top, PARALLEL.top - 6), rail + 6);
    let start = null;
    hit.addEventListener("pointerdown", (event) => { start = yAt(event); hit.setPointerCapture(event.pointerId); });
    hit.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const y = yAt(event);
      dim.brush = Math.abs(y - start) > 3 ? [Math.min(start, y), Math.max(start, y)] : null;
      show();
      filter();
    });
    hit.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(yAt(event) - start) <= 3) dim.brush = null; // a click clears
      start = null;
      show();
      filter();
    });
    show();
  }

  function draw() {
    const isShown = byId("parallel-outside").checked || !feasible.length ? (state) => state !== BROKEN : (state) => state >= WITHIN;
    const shown = rowsWhere(isShown);
    const brushes = new Map(dims.map((dim) => [dim.name, dim.brush]));
    dims = dimensions(shown).map((dim) => ({ ...dim, brush: brushes.get(dim.name) ?? null }));
    foot = rail - (dims.some((dim) => dim.hasGaps) ? PARALLEL.rail : 0);
    width = Math.max(place.parentElement.clientWidth, 2 * PARALLEL.side + PARALLEL.least * (dims.length - 1));
    xs = dims.map((_, i) => PARALLEL.side + (dims.length > 1 ? (i * (width - 2 * PARALLEL.side)) / (dims.length - 1) : 0));
    const root = svg("svg", { width, height: PARALLEL.height, role: "img", "aria-label": `Parallel coordinates of ${dims.map((dim) => dim.name).join(", ")}` });
    const outside = shown.filter((row) => data.states[row] === OUTSIDE);
    const ranked = (rows) => rows.sort((a, b) => (shareOf(a) - shareOf(b)) * (first.direction === "maximize" ? 1 : -1));
    const rows = [...outside, ...ranked(rowsWhere((state) => state === WITHIN)), ...ranked(rowsWhere((state) => state === FRONT))];
    const group = svg("g", { fill: "none" });
    lines = rows.map((row) => {
      const state = data.states[row];
      const path = svg("path", { d: pathOf(row), class: `line state${state}`, stroke: state === OUTSIDE ? COLORS.outside : mixed(shareOf(row)), "data-row": row });
      path.append(svg("title", {}, `trial ${data.numbers[row]}, ${first.name} ${first.texts[row]}`));
      return { row, path };
    });
    group.append(...lines.map(({ path }) => path));
    group.addEventListener("click", (event) => { if (event.target.dataset.row) choose("candidate", Number(event.target.dataset.row)); });
    root.append(group, overlay, ...dims.map(axisOf));
    place.replaceChildren(root);
    filter();
    mark();
  }

  function mark() {
    const row = chosen && chosen.kind === "candidate" && lines.some((line) => line.row === chosen.index) ? chosen.index : null;
    overlay.setAttribute("d", row === null ? "" : pathOf(row));
  }

  onChoice(mark);
  byId("parallel-outside").addEventListener("change", draw);
  byId("parallel-reset").addEventListener("click", () => { for (const dim of dims) dim.brush = null; draw(); });
  let seen = place.parentElement.clientWidth;
  draw();
  new ResizeObserver(() => {
    const now = place.parentElement.clientWidth;
    if (now !== seen) { seen = now; draw(); }
  }).observe(place.parentElement);
}
