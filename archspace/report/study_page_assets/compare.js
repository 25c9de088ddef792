// The winners' table sorts; one winner stands beside one published network: findings by rule, then the blocks of both.
function sortWinners(table, column, head) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  const keyOf = (row) => row.cells[column].dataset.sort;
  const order = head.dataset.kind === "number" ? (a, b) => Number(keyOf(a)) - Number(keyOf(b)) : (a, b) => keyOf(a).localeCompare(keyOf(b), undefined, { numeric: true });
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}

function startWinners() {
  const table = byId("winners");
  if (!table) return;
  [...table.tHead.rows[1].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortWinners(table, column, head));
  });
  for (const row of table.tBodies[0].rows) {
    row.querySelector("button").addEventListener("click", () => {
      choose("candidate", Number(row.dataset.row));
      const select = byId("compare-winner");
      if (![...select.options].some((option) => option.value === row.dataset.row)) return; // the linter looks at the best only
      select.value = row.dataset.row;
      select.dispatchEvent(new Event("change"));
    });
  }
  onChoice(({ kind, index }) => {
    for (const row of table.tBodies[0].rows) row.classList.toggle("is-chosen", kind === "candidate" && Number(row.dataset.row) === index);
  });
}

function ruleTable(winner, reference, names) {
  const rows = winner.rules.map((rule, i) => ({ rule, other: reference.rules[i] })).filter(({ rule, other }) => rule[2] || other[2]);
  const withMs = rows.some(({ rule, other }) => rule[4] || other[4]);
  const heads = ["findings", "wasted", ...(withMs ? ["ms"] : [])];
  const parts = (rule) => [String(rule[2]), rule[3], ...(withMs ? [rule[4]] : [])];
  const number = (text) => element("td", { class: "number" }, text);
  const body = rows.map(({ rule, other }) => element("tr", {}, element("th", { scope: "row" }, `${rule[0]} ${rule[1]}`), ...parts(rule).map(number), ...parts(other).map(number)));
  const head = [
    element("tr", {}, element("th", {}), ...names.map((name) => element("th", { colspan: heads.length, class: "group" }, name))),
    element("tr", {}, element("th", {}, "rule"), ...names.flatMap(() => heads.map((text) => element("th", { class: "number" }, text)))),
  ];
  if (!rows.length) return element("p", {}, "The linter finds nothing in either.");
  return element("div", { class: "scroll" }, element("table", { class: "list", id: "rules" }, element("caption", { class: "hidden" }, "Findings of the design rules in both networks"), element("thead", {}, ...head), element("tbody", {}, ...body)));
}

function networkColumn(title, metrics, table) {
  const messages = table.messages.length ? [element("h4", {}, "Costliest findings"), element("ul", { class: "findings" }, ...table.messages.map((text) => element("li", {}, text)))] : [];
  return element("div", { class: "panel" }, element("h3", {}, title), terms(metrics), element("h4", {}, "Wasted memory access"), element("p", {}, table.wasted), ...messages, element("h4", {}, "Blocks"), blockTable(table, `Blocks of ${title}`));
}

function startCompare() {
  const place = byId("comparison"), winnerSelect = byId("compare-winner"), referenceSelect = byId("compare-reference");
  if (!data.winners.length || data.nearest === null) {
    byId("compare").hidden = true;
    return;
  }
  const linted = data.winners.map((row, i) => [row, `rank ${i + 1}, trial ${data.numbers[row]}`]).filter(([row]) => data.tables[data.candidateTables[row]].rules.length);
  fillSelect(winnerSelect, linted, data.winners[0]);
  fillSelect(referenceSelect, data.references.map((reference, i) => [i, reference.name]), data.nearest);
  const draw = () => {
    const row = Number(winnerSelect.value), reference = data.references[Number(referenceSelect.value)];
    const winner = data.tables[data.candidateTables[row]], other = data.tables[reference.table];
    const name = `trial ${data.numbers[row]}`;
    place.replaceChildren(
      ruleTable(winner, other, [name, reference.name]),
      element("div", { class: "columns" }, networkColumn(name, candidateMetrics(row), winner), networkColumn(reference.name, referenceMetrics(reference), other)),
    );
  };
  winnerSelect.addEventListener("change", draw);
  referenceSelect.addEventListener("change", draw);
  draw();
}
