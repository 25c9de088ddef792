// The Pareto front: all candidates over two metrics, bounds as lines, published networks as labelled points.
const TRIAL = "trial";
const LABEL = { size: 11, charWidth: 6.3, height: 15, gap: 8 };
const SIDES = [["middle right", 1, 0], ["middle left", -1, 0], ["top center", 0, -1], ["bottom center", 0, 1]];

const trialAxis = { name: TRIAL, title: "trial", factor: 1, values: data.numbers, texts: data.numbers.map(String), direction: null, bound: null };
const axes = [...data.metrics, trialAxis];
const axisNamed = (name) => axes.find((axis) => axis.name === name);
const at = (axis, row) => (axis.values[row] === null ? null : axis.values[row] / axis.factor);
const referenceAt = (axis, reference) => (axis.name in reference.metrics ? reference.metrics[axis.name] / axis.factor : null);
const objectives = data.metrics.filter((metric) => metric.direction);

function hoverOf(row) {
  const lines = [`<b>trial ${data.numbers[row]}</b>, ${STATE_WORDS[data.states[row]]}`];
  for (const metric of data.metrics) if (metric.texts[row]) lines.push(`${escaped(metric.name)}: ${escaped(metric.texts[row])}`);
  for (const [name, text] of varyingOptions(row)) lines.push(`<i>${escaped(name)}</i> ${escaped(text)}`);
  return lines.join("<br>");
}

function hoverOfReference(reference) {
  const lines = [`<b>${escaped(reference.name)}</b>, published`];
  for (const metric of data.metrics) if (reference.texts[metric.name]) lines.push(`${escaped(metric.name)}: ${escaped(reference.texts[metric.name])}`);
  return lines.join("<br>");
}

function candidateTrace(x, y, rows, name, marker, more = {}) {
  const known = rows.filter((row) => at(x, row) !== null && at(y, row) !== null);
  return {
    type: "scatter", mode: "markers", name: `${name} (${known.length})`, marker,
    x: known.map((row) => at(x, row)), y: known.map((row) => at(y, row)),
    customdata: known.map((row) => ["candidate", row]), text: known.map(hoverOf), hovertemplate: "%{text}<extra></extra>", ...more,
  };
}

/** The front is a staircase only where its two objectives are the axes; it turns on the side that both winners dominate. */
function frontLine(x, y) {
  const isFront = objectives.length === 2 && x.direction && y.direction && x !== y;
  return isFront ? { mode: "lines+markers", line: { shape: x.direction === "minimize" ? "hv" : "vh", width: 1.2, color: COLORS.front } } : {};
}

function paretoTraces(x, y) {
  const front = rowsWhere((state) => state === FRONT).sort((a, b) => at(x, a) - at(x, b));
  const references = data.references.map((_, i) => i).filter((i) => referenceAt(x, data.references[i]) !== null && referenceAt(y, data.references[i]) !== null);
  return [
    candidateTrace(x, y, rowsWhere((state) => state === OUTSIDE), "outside the budget", { size: 6, color: COLORS.outside }),
    candidateTrace(x, y, rowsWhere((state) => state === WITHIN), "within the budget", { size: 7, color: COLORS.within, opacity: 0.75 }),
    candidateTrace(x, y, front, "Pareto front", { size: 10, color: COLORS.front }, frontLine(x, y)),
    {
      type: "scatter", mode: "markers+text", name: `published (${references.length})`, visible: references.length ? true : "legendonly",
      marker: { size: 9, symbol: "diamond", color: COLORS.reference, line: { width: 1, color: "#fff" } },
      x: references.map((i) => referenceAt(x, data.references[i])), y: references.map((i) => referenceAt(y, data.references[i])),
      customdata: references.map((i) => ["reference", i]), text: references.map(() => ""), textfont: { size: LABEL.size, color: COLORS.reference },
      hovertext: references.map((i) => hoverOfReference(data.references[i])), hovertemplate: "%{hovertext}<extra></extra>",
    },
    { type: "scatter", mode: "markers", x: [], y: [], hoverinfo: "skip", showlegend: false, marker: { size: 18, symbol: "circle-open", color: "#000", line: { width: 2.5 } } },
  ];
}

/** The part of an axis that is looked at first: what is within the budget, the published networks and the bounds. */
function firstRange(axis) {
  const rows = rowsWhere((state) => state >= WITHIN);
  if (!rows.length) return null;
  const values = rows.map((row) => at(axis, row));
  values.push(...data.references.map((reference) => referenceAt(axis, reference)));
  if (axis.bound !== null) values.push(axis.bound / axis.factor);
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known), high = Math.max(...known);
  const margin = (high - low || Math.abs(high) || 1) * 0.07;
  return [low - margin, high + margin];
}

function boundMarks(axis, letter) {
  if (axis.bound === null) return { shapes: [], annotations: [] };
  const value = axis.bound / axis.factor;
  const other = letter === "x" ? "y" : "x";
  const text = { text: `at most ${escaped(axis.boundText)}`, showarrow: false, font: { size: 11, color: COLORS.faint }, bgcolor: "rgba(255,255,255,0.85)" };
  const place = letter === "x" ? { x: value, y: 0, xref: "x", yref: "paper", xanchor: "right", yanchor: "bottom" } : { x: 1, y: value, xref: "paper", yref: "y", xanchor: "right", yanchor: "bottom" };
  return {
    shapes: [{ type: "line", layer: "below", line: { dash: "dot", width: 1.5, color: COLORS.faint }, [`${letter}ref`]: letter, [`${letter}0`]: value, [`${letter}1`]: value, [`${other}ref`]: "paper", [`${other}0`]: 0, [`${other}1`]: 1 }],
    annotations: [{ ...text, ...place }],
  };
}

function axisLayout(axis, all) {
  const range = all ? null : firstRange(axis);
  return { title: { text: escaped(axis.title), standoff: 10 }, zeroline: false, gridcolor: "#e8ebef", linecolor: "#aab1ba", ticks: "outside", tickcolor: "#aab1ba", exponentformat: "none", ...(range ? { range } : { autorange: true }) };
}

function paretoLayout(x, y, all) {
  const marks = [boundMarks(x, "x"), boundMarks(y, "y")];
  return {
    font: FONT, dragmode: DRAG, hovermode: "closest", margin: { l: 64, r: IS_TOUCH ? 14 : 40, t: 40, b: 56 }, modebar: { orientation: "v" }, plot_bgcolor: "#fff", paper_bgcolor: "#fff",
    xaxis: axisLayout(x, all), yaxis: axisLayout(y, all), hoverlabel: { align: "left", bgcolor: "#fff", bordercolor: "#aab1ba", font: { ...FONT, size: 12 } },
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 12 } },
    shapes: marks.flatMap((mark) => mark.shapes), annotations: marks.flatMap((mark) => mark.annotations),
  };
}

/** Texts for the published networks where there is room beside them, most wanted first; the others keep their hover. */
function placeLabels(points, width, height) {
  const taken = points.map(({ x, y }) => [x - 5, y - 5, x + 5, y + 5]);
  return points.map(({ x, y, text }, own) => {
    const w = text.length * LABEL.charWidth, h = LABEL.height;
    for (const [side, right, down] of SIDES) {
      const left = x + right * (LABEL.gap + w / 2) - w / 2, top = y + down * (LABEL.gap + h / 2) - h / 2;
      const box = [left, top, left + w, top + h];
      const isInside = left >= 0 && top >= 0 && box[2] <= width && box[3] <= height;
      const isFree = taken.every((other, i) => i === own || box[2] <= other[0] || other[2] <= box[0] || box[3] <= other[1] || other[3] <= box[1]);
      if (isInside && isFree) {
        taken.push(box);
        return [text, side];
      }
    }
    return ["", "middle right"];
  });
}

function labelReferences(plot) {
  const trace = plot.data[3];
  const { xaxis, yaxis, _size: size } = plot._fullLayout;
  if (!trace.x.length || trace.visible === "legendonly") return;
  const along = (value, range, pixels) => ((value - range[0]) / (range[1] - range[0])) * pixels;
  const points = trace.x.map((x, i) => ({
    x: along(x, xaxis.range, size.w), y: size.h - along(trace.y[i], yaxis.range, size.h), text: data.references[trace.customdata[i][1]].name,
  }));
  const labels = placeLabels(points, size.w, size.h);
  if (labels.every(([text, side], i) => trace.text[i] === text && (trace.textposition || [])[i] === side)) return;
  Plotly.restyle(plot, { text: [labels.map(([text]) => text)], textposition: [labels.map(([, side]) => side)] }, [3]);
}

function ringChosen(plot, x, y) {
  const point = !chosen ? [null, null] : chosen.kind === "candidate" ? [at(x, chosen.index), at(y, chosen.index)] : [referenceAt(x, data.references[chosen.index]), referenceAt(y, data.references[chosen.index])];
  const known = point[0] !== null && point[1] !== null;
  Plotly.restyle(plot, { x: [known ? [point[0]] : []], y: [known ? [point[1]] : []] }, [4]);
}

function startPareto() {
  const plot = byId("pareto"), xSelect = byId("pareto-x"), ySelect = byId("pareto-y"), all = byId("pareto-all");
  const entries = axes.map((axis) => [axis.name, axis.name]);
  fillSelect(xSelect, entries, objectives.length > 1 ? objectives[1].name : TRIAL);
  fillSelect(ySelect, entries, objectives[0].name);
  const chosenAxes = () => [axisNamed(xSelect.value), axisNamed(ySelect.value)];
  const draw = () => {
    const [x, y] = chosenAxes();
    return Plotly.react(plot, paretoTraces(x, y), paretoLayout(x, y, all.checked), PLOT_CONFIG).then(() => {
      labelReferences(plot);
      ringChosen(plot, x, y);
    });
  };
  for (const control of [xSelect, ySelect, all]) control.addEventListener("change", draw);
  onChoice(() => ringChosen(plot, ...chosenAxes()));
  return draw().then(() => {
    plot.on("plotly_click", (event) => choose(...event.points[0].customdata));
    plot.on("plotly_relayout", () => labelReferences(plot));
    plot.on("plotly_restyle", () => labelReferences(plot));
  });
}
