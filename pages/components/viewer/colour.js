// Look-up tables: from a sample to a packed RGBA pixel, for one window and one colour map.

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const pixel = (r, g, b) => (LITTLE_ENDIAN ? (255 << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | 255) >>> 0;
const withAlpha = (packed, alpha) => (LITTLE_ENDIAN ? (packed & 0xffffff) | (alpha << 24) : (packed & ~255) | alpha) >>> 0;

// Added up, green and magenta give white where both are present; never red beside green.
const MERGE_MAPS = ["green", "magenta", "cyan", "yellow"];

// Observed and predicted agree: white. Observed only (missed): orange. Predicted only (extra): blue.
const AGREEMENT = { both: [245, 245, 245], missed: [230, 159, 0], extra: [60, 155, 255] };
const SINGLE_MASK = [86, 180, 233];

const colourMaps = new Map();

function colourMap(name) {
  if (!colourMaps.has(name)) {
    const text = atob(COLOUR_MAPS[name] ?? COLOUR_MAPS.gray);
    colourMaps.set(name, Uint8Array.from(text, (character) => character.charCodeAt(0)));
  }
  return colourMaps.get(name);
}

function colourAt(name, fraction) {
  const map = colourMap(name);
  const at = 3 * Math.round(255 * clamp(fraction, 0, 1));
  return [map[at], map[at + 1], map[at + 2]];
}

function windowTable(layer, lo, hi, name, gain = 1) {
  const key = `${lo}|${hi}|${name}|${gain}`;
  const known = layer.cache[`table ${name} ${gain}`];
  if (known?.key === key) return known;
  const table = new Uint32Array(layer.levels);
  const span = Math.max(hi - lo, 1e-12);
  const map = colourMap(name);
  for (let sample = 0; sample < layer.levels; sample++) {
    const at = 3 * Math.round(255 * clamp((valueOf(layer, sample) - lo) / span, 0, 1));
    table[sample] = pixel(map[at] * gain, map[at + 1] * gain, map[at + 2] * gain);
  }
  return (layer.cache[`table ${name} ${gain}`] = { key, table });
}

function layerTable(v, index, { name, gain = 1 } = {}) {
  const { lo, hi, colormap } = v.s.per[index];
  return windowTable(v.volumes.layers[index], lo, hi, name ?? colormap, gain);
}

// A flat colour that still lets the image shine through a little.
function tintTable(v, index, colour) {
  const layer = v.volumes.layers[index];
  const { lo, hi } = v.s.per[index];
  const key = `${lo}|${hi}`;
  const name = `tint ${colour}`;
  if (layer.cache[name]?.key === key) return layer.cache[name].table;
  const table = Uint32Array.from({ length: layer.levels }, (_, sample) => {
    const light = 0.55 + 0.45 * clamp((valueOf(layer, sample) - lo) / (hi - lo), 0, 1);
    return pixel(...colour.map((part) => part * light));
  });
  layer.cache[name] = { key, table };
  return table;
}

// Which colour a layer gets where several are added up. One observed and one predicted image are green and
// magenta; with more structures each gets its own colour.
function mergeMap(v, index) {
  const { layers } = v.volumes;
  if (layers[index].role === "transmitted") return "gray";
  if (isDrawn(layers[index])) return layers[index].colormap;
  const stains = layers.map((_, at) => at).filter((at) => layers[at].role !== "transmitted");
  if (isPair(layers)) return layers[index].role === "observed" ? "green" : layers[index].role === "predicted" ? "magenta" : "cyan";
  const chosen = stains.filter((at) => v.s.per[at].merged);
  const rank = chosen.includes(index) ? chosen.indexOf(index) : chosen.length;
  return MERGE_MAPS[rank % MERGE_MAPS.length];
}

const countRole = (layers, role) => layers.filter((layer) => layer.role === role).length;
const isPair = (layers) => countRole(layers, "observed") === 1 && countRole(layers, "predicted") === 1;

// A mask with a colour of its own is a drawing: it lies over the transmitted light from the start.
const isDrawn = (layer) => layer.kind === "mask" && layer.colormap !== "gray";

// At first: observed and predicted of one structure, or the predictions of several.
function mergedAtFirst(layers, layer) {
  if (layers.some(isDrawn)) return isDrawn(layer) || layer.role === "transmitted";
  if (layer.kind === "mask" || layer.role === "transmitted") return false;
  return isPair(layers) || countRole(layers, "predicted") < 2 || layer.role === "predicted";
}

// A drawing hides what lies under it: added to a grey image, orange would look yellow and no longer be what the
// legend says. In a mean over z it is as dense as it lies there.
function drawnTable(v, index) {
  const layer = v.volumes.layers[index];
  if (!layer.cache.drawn) {
    const [r, g, b] = colourAt(layer.colormap, 1);
    const opaque = pixel(r, g, b);
    const table = Uint32Array.from({ length: layer.levels }, (_, sample) => withAlpha(opaque, sample));
    layer.cache.drawn = { key: layer.colormap, table };
  }
  return layer.cache.drawn;
}

function mergeTable(v, index) {
  const transmitted = v.volumes.layers[index].role === "transmitted";
  return layerTable(v, index, { name: mergeMap(v, index), gain: transmitted ? 0.5 : 1 });
}
