// The panel beside the front: options, metrics and blocks of one network. Its tables are used by the comparison too.
const BLOCK_HEADS = ["block", "output", "madds", "params", "mem_elems", "ms"];

/** A block's numbers in one line and its ops in the next: both fit a narrow column. */
function blockLines([name, ops, ...cells], width, isTotal) {
  const numbers = cells.slice(0, width - 1).map((text, i) => element("td", i ? { class: "number" } : {}, text));
  const line = element("tr", { class: isTotal ? "total" : "block" }, element("th", { scope: "row" }, name), ...numbers);
  return ops ? [line, element("tr", { class: "ops" }, element("td", { colspan: width }, ops))] : [line];
}

function blockTable(table, caption) {
  const width = table.blocks.some((row) => row[6] !== "") ? 6 : 5;
  const head = element("tr", {}, ...BLOCK_HEADS.slice(0, width).map((text, i) => element("th", i > 1 ? { class: "number" } : {}, text)));
  const body = table.blocks.flatMap((row, i) => blockLines(row, width, i === table.blocks.length - 1));
  return element(
    "div", { class: "scroll" },
    element("table", { class: "list blocks" }, element("caption", { class: "hidden" }, caption), element("thead", {}, head), element("tbody", {}, ...body)),
  );
}

function terms(pairs) {
  return element("dl", { class: "terms" }, ...pairs.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text))));
}

function metricTerms(textOf, valueOf) {
  return data.metrics.filter((metric) => textOf(metric)).map((metric) => {
    const beyond = metric.bound !== null && valueOf(metric) > metric.bound;
    return [metric.name, textOf(metric) + (beyond ? ` (beyond ${metric.boundText})` : "")];
  });
}

function candidateMetrics(row) {
  return metricTerms((metric) => metric.texts[row], (metric) => metric.values[row]);
}

function referenceMetrics(reference) {
  return metricTerms((metric) => reference.texts[metric.name], (metric) => reference.metrics[metric.name]);
}

function showCandidate(row) {
  const state = data.states[row];
  const rank = data.winners.indexOf(row);
  const parts = [
    element("h3", {}, `Trial ${data.numbers[row]}`, " ", element("span", { class: `badge state${state}` }, STATE_WORDS[state] + (rank >= 0 ? `, rank ${rank + 1}` : ""))),
  ];
  if (data.problems[row]) parts.push(element("p", { class: "problem" }, data.problems[row]));
  parts.push(element("h4", {}, "Metrics"), terms(candidateMetrics(row)), element("h4", {}, "Options"), terms(varyingOptions(row)));
  const table = data.candidateTables[row];
  parts.push(element("h4", {}, "Blocks"));
  if (table !== null) parts.push(blockTable(data.tables[table], `Blocks of trial ${data.numbers[row]}`));
  else parts.push(element("p", {}, "The page keeps the blocks of the winners and the best others. These are shown by:"), element("code", {}, data.commands[row]));
  return parts;
}

function showReference(reference) {
  return [
    element("h3", {}, reference.name, " ", element("span", { class: "badge" }, "published network")),
    element("p", {}, reference.about),
    element("h4", {}, "Metrics"), terms(referenceMetrics(reference)),
    element("h4", {}, "Options"), element("p", {}, reference.options || "its family's own"),
    element("h4", {}, "Blocks"), blockTable(data.tables[reference.table], `Blocks of ${reference.name}`),
  ];
}

byId("trial").addEventListener("change", (event) => {
  const row = data.numbers.indexOf(Number(event.target.value));
  if (event.target.value !== "" && row >= 0) choose("candidate", row);
});

onChoice(({ kind, index }) => {
  const parts = kind === "candidate" ? showCandidate(index) : showReference(data.references[index]);
  byId("panel").replaceChildren(...parts);
  byId("panel").scrollTop = 0;
  byId("trial").value = kind === "candidate" ? data.numbers[index] : "";
});
