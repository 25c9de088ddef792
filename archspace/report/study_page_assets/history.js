// The history of the study: a small plot per curve, all over the trials.
function startHistory() {
  const plots = data.curves.map((curve) => {
    const plot = element("div", { class: "plot short", role: "img", "aria-label": `${curve.title} over the trials` });
    byId("history").append(element("div", { class: "panel" }, element("h3", {}, curve.title), plot));
    return plot;
  });
  // Only now do the places have the widths that they keep.
  return Promise.all(data.curves.map((curve, i) => {
    const trace = { type: "scatter", mode: "lines", x: data.numbers, y: curve.values, line: { color: "#2c728e", width: 2, shape: "hv" }, hovertemplate: "trial %{x}: %{y:.5~g}<extra></extra>" };
    const axis = { zeroline: false, gridcolor: "#e8ebef", linecolor: "#aab1ba", exponentformat: "none" };
    const layout = {
      font: FONT, dragmode: DRAG, hovermode: "closest", margin: { l: 64, r: 12, t: 8, b: 44 },
      xaxis: { ...axis, title: { text: "trial", standoff: 8 }, rangemode: "tozero" }, yaxis: { ...axis, title: { text: escaped(curve.axis), standoff: 8 } },
    };
    return Plotly.newPlot(plots[i], [trace], layout, { ...PLOT_CONFIG, displayModeBar: false });
  }));
}
