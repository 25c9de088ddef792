// The page's data, the network that is chosen, and small helpers.
const data = JSON.parse(document.getElementById("study-data").textContent);
const BROKEN = 0, OUTSIDE = 1, WITHIN = 2, FRONT = 3;
const STATE_WORDS = ["could not be measured", "outside the budget", "within the budget", "on the Pareto front"];
const COLORS = { outside: "#c3c9d1", within: "#5b8def", front: "#d1495b", reference: "#1f2933", faint: "#5a6068" };
const FONT = { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif", size: 13, color: "#1f2933" };
const IS_TOUCH = window.matchMedia("(pointer: coarse)").matches;
const DRAG = IS_TOUCH ? false : "zoom"; // on a touch screen a drag scrolls the page
const PLOT_CONFIG = { displaylogo: false, responsive: true, displayModeBar: IS_TOUCH ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

const rowsWhere = (test) => data.numbers.map((_, row) => row).filter((row) => test(data.states[row], row));
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts become text, never markup. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Text for plotly's labels, which read some markup. */
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Options that differ between candidates, as [name, text]. */
const varyingOptions = (row) =>
  data.optionNames.map((name, i) => [name, data.options[row][i]]).filter(([name, text]) => !(name in data.constants) && text !== "");

// What is shown in the panel: {kind: "candidate" | "reference", index}. Whoever draws it listens.
let chosen = null;
const listeners = [];
const onChoice = (listener) => listeners.push(listener);
function choose(kind, index) {
  chosen = { kind, index };
  for (const listener of listeners) listener(chosen);
}

function fillSelect(select, entries, value) {
  select.replaceChildren(...entries.map(([key, text]) => element("option", { value: key }, text)));
  select.value = String(value);
}
