// A line across the plane, and the values of all shown layers along it. Contrast never cuts a curve off.

const LINE_COLOURS = { observed: "#0a9d6c", predicted: "#c2319b", transmitted: "#8a8f98", other: "#3d7fd9" };

function toggleLine(v) {
  const { nx, ny } = v.volumes;
  change(v, { line: v.s.line ? null : { x0: nx * 0.2, y0: ny / 2, x1: nx * 0.8, y1: ny / 2 } });
  if (v.s.line) reveal(v, v.controls.profile);
}

function moveLine(v, dx, dy, endOnly) {
  const { line } = v.s;
  const moved = { ...line, x1: line.x1 + dx, y1: line.y1 + dy };
  if (!endOnly) Object.assign(moved, { x0: line.x0 + dx, y0: line.y0 + dy });
  change(v, { line: moved });
}

// Nearest voxels along the line, one sample a voxel; outside the image there is no value.
function profileOf(v, layer) {
  const { line } = v.s;
  const steps = Math.max(2, Math.ceil(Math.hypot(line.x1 - line.x0, line.y1 - line.y0) * finerBy(v, "xy")[0]) + 1);
  return Array.from({ length: steps }, (_, at) => {
    const part = at / (steps - 1);
    const x = line.x0 + (line.x1 - line.x0) * part;
    const y = line.y0 + (line.y1 - line.y0) * part;
    return x < 0 || y < 0 || x >= layer.nx || y >= layer.ny ? NaN : valueAt(v, layer, "xy", x, y);
  });
}

function lineLength({ volumes, s }) {
  const { line } = s;
  return Math.hypot((line.x1 - line.x0) * volumes.um.x, (line.y1 - line.y0) * volumes.um.y);
}

function syncProfile(v) {
  const { controls: c, s } = v;
  const shown = Boolean(s.line) && s.mode !== "3d";
  if (c.profile.hidden === shown) {
    c.profile.hidden = !shown;
    c.profile.replaceChildren(...(shown ? [(c.profileCanvas = make("canvas", { role: "img", "aria-label": "Values along the line" })), (c.profileLegend = make("div", { class: "legend" }))] : []));
    c.profileKey = "";
  }
  if (shown) paintProfile(v);
  if (s.drawer) v.root.style.setProperty("--lfv-below", shown ? `${c.profile.offsetHeight + 4}px` : "0px");
}

// The curves with what their axis means: their unit if it is one, else the share of each one's window in per cent.
function profileCurves(v, indices) {
  const shown = indices.map((index) => v.volumes.layers[index]);
  const shares = !inOneUnit(shown);
  const curves = indices.map((index) => {
    const layer = v.volumes.layers[index];
    const { lo, hi } = v.s.per[index];
    const values = profileOf(v, layer);
    return { layer, values: shares ? values.map((value) => (100 * (value - lo)) / (hi - lo)) : values };
  });
  // At least what is seen at first, so that noise doesn't fill the axis; and all that lies on the line.
  const first = shares ? [0, 100] : indices.flatMap((index) => firstLimits(v.volumes.layers, index));
  const all = [...first, ...curves.flatMap(({ values }) => values.filter(Number.isFinite))];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const unit = shares ? "share of each window (%)" : shown[0].units || "value";
  return { curves, shares, unit, low, high: high > low ? high : low + 1 };
}

function paintProfile(v) {
  const { controls: c, s, volumes } = v;
  const canvas = c.profileCanvas;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const ink = themeColour(v, "--lfv-text", "#333");
  const some = volumes.layers.map((_, index) => index).filter((index) => s.per[index].visible);
  const indices = some.length ? some : [0];
  const key = JSON.stringify([s.line, cutKey(v, "xy"), s.per, width, ink]);
  if (key === c.profileKey) return;
  c.profileKey = key;
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  const found = profileCurves(v, indices);
  const plot = profileAxes(context, found, { width, height, ink, length: lineLength(v) });
  found.curves.forEach(({ layer, values }, order) => {
    context.strokeStyle = lineColour(layer, order);
    context.lineWidth = 1.6;
    context.beginPath();
    values.forEach((value, at) => Number.isFinite(value) && context.lineTo(plot.x(at / (values.length - 1)), plot.y(value)));
    context.stroke();
  });
  c.profileLegend.replaceChildren(...found.curves.map(({ layer }, order) => profileEntry(v, layer, order, found.shares)));
  const unit = found.shares ? "drawn as the share of each one's window" : `in ${found.unit}`;
  canvas.setAttribute("aria-label", `Values ${unit} along a line of ${lengthText(lineLength(v))}: ${indices.map((index) => profileText(v, volumes.layers[index])).join("; ")}`);
}

function profileEntry(v, layer, order, shares) {
  const { lo, hi } = v.s.per[v.volumes.layers.indexOf(layer)];
  const window = `, 0 to 100 %: ${formatValue(lo)} to ${withUnits(formatValue(hi), layer)}`;
  return make("span", { class: "entry" }, make("i", { style: `background:${lineColour(layer, order)}` }), make("span", {}, shares ? layer.name + window : layer.name));
}

function roundTicks(low, high, most) {
  let step = roundLength((high - low) / most);
  if ((high - low) / step > most) step = roundLength(2.5 * step); // 1, 2, 5, 10
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-6); at * step <= high + 1e-6 * step; at++) ticks.push(at * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-6));
  return ticks.map((value) => [value, minus((value || 0).toFixed(Math.min(digits, 9)))]);
}

// The frame, both axes with their names and units; where a share of the length and a value lie.
function profileAxes(context, { low, high, unit }, { width, height, ink, length }) {
  const [ticks, lengths] = [roundTicks(low, high, 4), roundTicks(0, length, Math.max(2, width / 110))];
  const left = Math.ceil(Math.max(...ticks.map(([, text]) => context.measureText(text).width), 8)) + 10;
  const [right, top, bottom] = [width - 12, 17, height - 30];
  const x = (part) => left + (right - left) * part;
  const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
  Object.assign(context, { fillStyle: ink, strokeStyle: ink, textAlign: "left", textBaseline: "top" });
  context.fillText(unit, left, 1);
  context.textAlign = "center";
  context.fillText("µm along the line", x(0.5), height - 13);
  for (const [value, text] of lengths) context.fillText(text, x(value / length), bottom + 4);
  Object.assign(context, { textAlign: "right", textBaseline: "middle" });
  for (const [value, text] of ticks) context.fillText(text, left - 5, y(value));
  context.globalAlpha = 0.3;
  context.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
  context.globalAlpha = 0.15;
  for (const [value] of ticks) context.fillRect(left, Math.round(y(value)), right - left, 1);
  for (const [value] of lengths) context.fillRect(Math.round(x(value / length)), top, 1, bottom - top);
  context.globalAlpha = 1;
  return { x, y };
}

// What the curve shows, for people who can't see it.
function profileText(v, layer) {
  const values = profileOf(v, layer).filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.length ? `${layer.name} from ${formatValue(least)} to ${withUnits(formatValue(most), layer)}` : `${layer.name} is not on it`;
}

const SPARE_COLOURS = ["#3d7fd9", "#e69f00", "#56b4e9", "#a6761d"];
const lineColour = (layer, order) => (layer.role === "other" ? SPARE_COLOURS[order % SPARE_COLOURS.length] : LINE_COLOURS[layer.role]);
