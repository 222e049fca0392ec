// Small helpers: elements, numbers and units. Text always enters the page as text nodes, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function iconButton(path, label, key, onclick) {
  return make(
    "button",
    { type: "button", class: "icon", "aria-label": label, title: key ? `${label} (${key})` : label, onclick },
    icon(path),
  );
}

const ICONS = {
  play: "M6 4l10 6-10 6z",
  pause: "M6 4v12M14 4v12",
  adjust: "M3 6h8M15 6h2M13 4v4M3 14h2M9 14h8M7 12v4",
  sections: "M3 3h9v9H3zM15 3v9M3 15h9",
  line: "M4 16L16 4M4 16a1 1 0 1 0 .1 0M16 4a1 1 0 1 0 .1 0",
  camera: "M3 7h3l1.5-2h5L14 7h3v9H3zM10 14a3 3 0 1 0-.1 0",
  full: "M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5",
  fit: "M4 4h12v12H4zM8 8h4v4H8z",
  help: "M7 7.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1-1.5 2.2M10 15.2v.3",
  close: "M5 5l10 10M15 5L5 15",
};

function formatValue(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100000 || (size > 0 && size < 0.001)) return minus(value.toExponential(2));
  if (size >= 1000) return minus(value.toFixed(0));
  if (size >= 100) return minus(value.toFixed(1));
  return minus(value.toFixed(size >= 10 ? 2 : 3));
}

const minus = (text) => text.replace("-", "−");

function lengthText(um) {
  if (um >= 1000) return `${+(um / 1000).toPrecision(3)} mm`;
  return um < 1 ? `${+(um * 1000).toPrecision(3)} nm` : `${+um.toPrecision(3)} µm`;
}

// The largest of 1, 2, 5 x 10^n that is no longer than what fits.
function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  const lead = longest / power;
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setValue(input, value) {
  if (input.value !== String(value)) input.value = String(value);
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
