// A line across the plane, and the values of all shown layers along it, each within its window.

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

function paintProfile(v) {
  const { controls: c, s, volumes } = v;
  const canvas = c.profileCanvas;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const ink = themeColour(v, "--lfv-text", "#333");
  const indices = volumes.layers.map((_, index) => index).filter((index) => s.per[index].visible);
  const key = JSON.stringify([s.line, cutKey(v, "xy"), s.per, width, ink]);
  if (key === c.profileKey) return;
  c.profileKey = key;
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const [left, right, top, bottom] = [8, width - 8, 6, height - 18];
  context.strokeStyle = ink;
  context.globalAlpha = 0.3;
  context.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
  context.globalAlpha = 1;
  indices.forEach((index, order) => {
    const values = profileOf(v, volumes.layers[index]);
    const { lo, hi } = s.per[index];
    context.strokeStyle = lineColour(volumes.layers[index], order);
    context.lineWidth = 1.6;
    context.beginPath();
    values.forEach((value, at) => {
      if (!Number.isFinite(value)) return;
      const x = left + ((right - left) * at) / (values.length - 1);
      context.lineTo(x, bottom - (bottom - top) * clamp((value - lo) / (hi - lo), 0, 1));
    });
    context.stroke();
  });
  context.fillStyle = ink;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.fillText("0", left, height - 2);
  context.textAlign = "right";
  context.fillText(lengthText(lineLength(v)), right, height - 2);
  const entries = indices.map((index, order) => {
    const { lo, hi } = s.per[index];
    const layer = volumes.layers[index];
    return make("span", { class: "entry" }, make("i", { style: `background:${lineColour(layer, order)}` }), make("span", {}, `${layer.name}, ${formatValue(lo)} to ${formatValue(hi)}`));
  });
  c.profileLegend.replaceChildren(...entries);
  canvas.setAttribute("aria-label", `Values along a line of ${lengthText(lineLength(v))}: ${indices.map((index) => profileText(v, volumes.layers[index])).join("; ")}`);
}

// What the curve shows, for people who can't see it.
function profileText(v, layer) {
  const values = profileOf(v, layer).filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.length ? `${layer.name} from ${formatValue(least)} to ${withUnits(formatValue(most), layer)}` : `${layer.name} is not on it`;
}

const SPARE_COLOURS = ["#3d7fd9", "#e69f00", "#56b4e9", "#a6761d"];
const lineColour = (layer, order) => (layer.role === "other" ? SPARE_COLOURS[order % SPARE_COLOURS.length] : LINE_COLOURS[layer.role]);
