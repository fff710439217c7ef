// Tooltips. Each figure has the data of its panels, and their positions in both drawings.
for (const figure of document.querySelectorAll("figure[data-panels]")) {
  const panels = JSON.parse(figure.dataset.panels);
  const rule = figure.appendChild(Object.assign(document.createElement("div"), { className: "rule", hidden: true }));
  const values = figure.appendChild(Object.assign(document.createElement("div"), { className: "values", hidden: true }));
  const hide = () => { rule.hidden = values.hidden = true; };
  const number = (axis, value) => String(Number((axis.log ? 10 ** value : value).toPrecision(axis.log ? 3 : 5)));

  for (const size of ["wide", "narrow"]) {
    const svg = figure.querySelector("." + size + " svg");
    const show = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.getAttribute("width") / box.width;
      const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      const panel = panels.find(({ [size]: { pixels: [left, top, right, bottom] } }) =>
        left <= px && px <= right && top <= py && py <= bottom);
      if (!panel) return hide();
      const { pixels: [left, top, right, bottom], x: [x0, x1], y: [y0, y1] } = panel[size];
      const toX = (x) => left + (x - x0) / (x1 - x0) * (right - left);
      const toY = (y) => bottom - (y - y0) / (y1 - y0) * (bottom - top);
      // for dots, the nearest one; for curves, all with a point near the nearest x
      const far = (x, y) => panel.x.log ? Math.hypot(toX(x) - px, toY(y) - py) : Math.abs(toX(x) - px);
      const nearest = panel.series.filter((series) => series.points.length).map((series) => {
        const point = series.points.reduce((a, b) => far(...b) < far(...a) ? b : a);
        return { series, point, distance: far(...point) };
      });
      if (!nearest.length) return hide();
      const first = nearest.reduce((a, b) => b.distance < a.distance ? b : a);
      const near = ({ point }) => Math.abs(toX(point[0]) - toX(first.point[0])) < 24;
      const shown = panel.x.log ? [first] : nearest.filter(near);

      values.replaceChildren(panel.x.label + " " + number(panel.x, first.point[0]));
      for (const { series, point } of shown) {
        const line = values.appendChild(document.createElement("div"));
        line.appendChild(document.createElement("i")).style.background = series.color;
        const elsewhere = point[0] === first.point[0] ? "" : " at " + number(panel.x, point[0]);
        line.append(series.label + ": " + number(panel.y, point[1]) + elsewhere);
      }
      rule.hidden = values.hidden = false;
      const at = toX(first.point[0]) / scale;
      Object.assign(rule.style, { left: at + "px", top: top / scale + "px", height: (bottom - top) / scale + "px" });
      const room = figure.clientWidth - values.offsetWidth;
      const beside = at + 12 > room ? at - 12 - values.offsetWidth : at + 12;
      Object.assign(values.style, { left: Math.max(0, Math.min(beside, room)) + "px", top: top / scale + 4 + "px" });
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", hide);
  }
}
