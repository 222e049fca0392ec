// One layer's histogram with its window, and the colour bars above the panels.

function themeColour(v, name, fallback) {
  return getComputedStyle(v.root).getPropertyValue(name).trim() || fallback;
}

function paintHistogram(v, canvas, index) {
  const layer = v.volumes.layers[index];
  const { lo, hi } = v.s.per[index];
  const threshold = v.s.mode === "threshold" && (index === v.s.a || index === v.s.b) ? thresholdOf(v, index) : null;
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const ink = themeColour(v, "--lfv-text", "#333");
  const key = `${lo} ${hi} ${threshold} ${width} ${ink} ${ratio}`;
  if (canvas.dataset.key === key || !width) return;
  canvas.dataset.key = key;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const counts = drawnHistogram(layer);
  const top = Math.log1p(counts.reduce((most, count) => Math.max(most, count), 0));
  const at = (value) => ((value - layer.low) / (layer.high - layer.low)) * width;
  context.fillStyle = ink;
  context.globalAlpha = 0.1;
  context.fillRect(at(lo), 0, at(hi) - at(lo), height);
  context.globalAlpha = 0.55;
  for (let x = 0; x < width; x++) {
    let most = 0;
    const from = Math.floor((x / width) * counts.length);
    for (let bin = from; bin <= Math.min(counts.length - 1, Math.max(from, Math.floor(((x + 1) / width) * counts.length) - 1)); bin++)
      most = Math.max(most, counts[bin]);
    const bar = (Math.log1p(most) / top) * (height - 2);
    context.fillRect(x, height - bar, 1, bar);
  }
  context.globalAlpha = 1;
  context.fillStyle = themeColour(v, "--lfv-accent", "#0a7");
  for (const value of [lo, hi]) context.fillRect(clamp(at(value), 0, width - 2), 0, 2, height);
  if (threshold == null) return;
  context.fillStyle = `rgb(${AGREEMENT.missed})`;
  context.fillRect(clamp(at(threshold), 0, width - 2), 0, 2, height);
}

const WINDOW_STEPS = 1000;
const windowStep = (layer, value) => Math.round(((value - layer.low) / (layer.high - layer.low)) * WINDOW_STEPS);
const windowValue = (layer, step) => layer.low + (step / WINDOW_STEPS) * (layer.high - layer.low);

// On one scale observed and predicted keep one window, so that equal grey means equal value.
function setWindow(v, index, lo, hi) {
  const { s, volumes } = v;
  const smallest = (volumes.layers[index].high - volumes.layers[index].low) / WINDOW_STEPS;
  const window = { lo, hi: Math.max(hi, lo + smallest) };
  for (const other of linkedWith(v, index)) Object.assign(s.per[other], window);
  change(v, {});
}

function autoWindow(v, index) {
  const [lo, hi] = automaticLimits(v, index);
  setWindow(v, index, lo, hi);
}

function stretchWindow(v, index) {
  const layer = v.volumes.layers[index];
  setWindow(v, index, percentileOf(layer, 2), percentileOf(layer, 98));
}

function paintBar(canvas, colourAtFraction) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    context.fillStyle = `rgb(${colourAtFraction(x / (canvas.width - 1))})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}

// One colour bar with its two ends.
function scaleNode() {
  const low = make("span", { class: "number" });
  const high = make("span", { class: "number high" });
  const bar = make("canvas", { width: 96, height: 1, class: "bar", "aria-hidden": "true" });
  return { node: make("span", { class: "scale" }, low, bar, high), low, high, bar };
}

// The head of a panel: its name, and what its colours mean.
function panelHead() {
  const name = make("span", { class: "name" });
  const legend = make("span", { class: "legend" });
  const scales = [scaleNode(), scaleNode()];
  const right = make("span", { class: "scales" }, ...scales.map((scale) => scale.node));
  return { node: make("div", { class: "head" }, name, legend, right), name, legend, scales, key: "" };
}

// The windows that a panel's colours follow; two layers with one window need one bar.
function scalesOf(v, bar) {
  const { layers } = v.volumes;
  if (bar.difference) {
    const range = differenceRange(v);
    const shares = !inOneUnit(differenceLayers(v));
    const low = shares ? percentText(-range) : formatValue(-range);
    return [{ low, high: differenceText(v, range, "+"), colormap: "diverging", why: shares ? `${unitsText(...differenceLayers(v))}, so each counts from 0 % (its black) to 100 % (its white)` : "" }];
  }
  const scales = (bar.layers ?? [])
    .filter((index) => layers[index].kind === "image")
    .map((index) => {
      const { lo, hi, colormap } = v.s.per[index];
      return { low: formatValue(lo), high: withUnits(formatValue(hi), layers[index]), colormap };
    });
  return scales.filter((scale, at) => scales.findIndex((other) => JSON.stringify(other) === JSON.stringify(scale)) === at);
}

const unitsText = (one, two) => `${one.name} is in ${one.units || "no unit"}, ${two.name} in ${two.units || "no unit"}`;

const withUnits = (text, layer) => (layer.units ? `${text} ${layer.units}` : text);

function fillHead(v, head, panel) {
  setText(head.name, panel.title);
  head.name.title = panel.title;
  const style = head.node.style;
  [style.left, style.top, style.width] = [`${panel.x}px`, `${panel.y}px`, `${panel.w}px`];
  style.height = `${panel.head}px`;
  head.node.classList.toggle("stacked", panel.head > HEADER_PX);
  const scales = scalesOf(v, panel.bar);
  const legend = legendEntries(v, panel.bar);
  const key = JSON.stringify([scales, legend]);
  if (key === head.key) return;
  head.key = key;
  head.legend.replaceChildren(...legend.map(([colour, text]) => swatch(colour, text)));
  head.scales.forEach((node, at) => {
    const scale = scales[at];
    node.node.hidden = !scale;
    if (!scale) return;
    setText(node.low, scale.low);
    setText(node.high, scale.high);
    node.node.title = [`${scale.low} to ${scale.high}`, scale.why].filter(Boolean).join(". ");
    paintBar(node.bar, (fraction) => colourAt(scale.colormap, fraction));
  });
}

function legendEntries(v, bar) {
  const { layers } = v.volumes;
  if (bar.merge) return bar.merge.map((index) => [colourAt(mergeMap(v, index), 1), layers[index].name]);
  if (bar.volume) return bar.volume.map((index, slot) => [volumeColour(v, slot), layers[index].name]);
  if (!bar.agreement) return [];
  if (single(v)) return [[SINGLE_MASK, `${layers[v.s.a].name} above the threshold`]];
  return [
    [AGREEMENT.both, "in both"],
    [AGREEMENT.missed, `only ${layers[v.s.a].name}`],
    [AGREEMENT.extra, `only ${layers[v.s.b].name}`],
  ];
}

function swatch(colour, text) {
  return make("span", { class: "entry" }, make("i", { style: `background:rgb(${colour})` }), make("span", {}, text));
}
