// Comparing two layers: signed difference, thresholds with agreement, histograms. All on the samples that were sent.

function histogram(layer) {
  if (!layer.cache.histogram) {
    const counts = new Float64Array(binsOf(layer));
    const { samples, shift } = layer;
    const stride = Math.max(1, Math.floor(samples.length / 8e6)); // enough to draw and to start from
    for (let at = 0; at < samples.length; at += stride) counts[samples[at] >> shift]++;
    layer.cache.histogram = counts;
  }
  return layer.cache.histogram;
}

// For drawing: whole values stored with finer samples fall into every nth bin only, and a bar at each of them with
// gaps between tells nothing. As many bins become one as the values are apart.
function drawnHistogram(layer) {
  if (layer.cache.drawn) return layer.cache.drawn;
  const counts = histogram(layer);
  const filled = [];
  for (let bin = 0; bin < counts.length; bin++) if (counts[bin]) filled.push(bin);
  const gaps = filled.slice(1).map((bin, at) => bin - filled[at]).sort((one, other) => one - other);
  const usual = gaps.length ? gaps[gaps.length >> 1] : 1;
  return (layer.cache.drawn = usual < 2 ? counts : counts.map((_, bin) => {
    let most = 0;
    for (let at = Math.max(0, bin - (usual >> 1)); at <= Math.min(counts.length - 1, bin + (usual >> 1)); at++) most = Math.max(most, counts[at]);
    return most;
  }));
}

const binValue = (layer, bin) => valueOf(layer, (bin << layer.shift) + ((1 << layer.shift) - 1) / 2);

function percentileOf(layer, percent) {
  const counts = histogram(layer);
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    seen += counts[bin];
    if (seen >= (percent / 100) * total) return binValue(layer, bin);
  }
  return layer.high;
}

// Where the stain says something, if that is not everywhere: only this is counted, as on the pages.
const regionOf = (layers, index) => layers[index].region ?? layers[mateOf(layers, index)]?.region ?? null;
const isIn = (region, at) => !region || (region[at >> 3] & (128 >> (at & 7))) !== 0;

// The same cut through the region as through the images: above 0 inside; null where everything counts.
function insideCut(v, region, axis) {
  if (!region) return null;
  const [{ nx, ny, nz, samples, cache }] = v.volumes.layers;
  if (cache.inside?.region !== region)
    cache.inside = { region, nx, ny, nz, samples: Uint8Array.from(samples, (_, at) => (isIn(region, at) ? 255 : 0)), cache: {} };
  const cut = axis === "xy" ? sentPlane(v, cache.inside) : layerSection(v, cache.inside, axis);
  const [finerX, finerY] = finerBy(v, axis);
  if (finerX * finerY === 1) return cut;
  const [width, height] = cutSize(v, axis);
  return Uint8Array.from({ length: width * height }, (_, at) => cut[Math.floor(Math.floor(at / width) / finerY) * nx + Math.floor((at % width) / finerX)]);
}

const OTSU_BINS = 256; // between the lowest and the highest value, as on the pages

// Otsu (1979): the cut that leaves the least variance within the two classes.
function otsuOf({ layers }, index) {
  const layer = layers[index];
  if (layer.kind === "mask") return 0.5;
  return (layer.cache.otsu ??= otsuOfCounts(layer, levelCounts(layer, regionOf(layers, index))));
}

function levelCounts(layer, region) {
  const counts = new Float64Array(layer.levels);
  for (let at = 0; at < layer.samples.length; at++) if (isIn(region, at)) counts[layer.samples[at]]++;
  return counts;
}

function otsuOfCounts(layer, levels) {
  const least = Math.max(0, levels.findIndex((count) => count > 0));
  const most = Math.max(least + 1, levels.findLastIndex((count) => count > 0));
  const counts = new Float64Array(OTSU_BINS);
  for (let level = least; level <= most; level++)
    counts[Math.min(OTSU_BINS - 1, Math.floor(((level - least) / (most - least)) * OTSU_BINS))] += levels[level];
  const total = counts.reduce((sum, count) => sum + count, 0);
  const moment = counts.reduce((sum, count, bin) => sum + bin * count, 0);
  let [below, belowMoment, best, bestBin] = [0, 0, -1, 0];
  for (let bin = 0; bin < OTSU_BINS - 1; bin++) {
    below += counts[bin];
    belowMoment += bin * counts[bin];
    if (!below || below === total) continue;
    const gap = belowMoment / below - (moment - belowMoment) / (total - below);
    const between = below * (total - below) * gap * gap;
    if (between > best) [best, bestBin] = [between, bin];
  }
  return valueOf(layer, least + ((bestBin + 0.5) / OTSU_BINS) * (most - least));
}

const thresholdOf = (v, index) => v.s.thresholds[index] ?? otsuOf(v.volumes, index);

// The lowest sample that lies strictly above a threshold. Eight bits are an image's own grey values, or as coarse as
// they are. Sixteen are rounded: a value that equals the threshold may come out a step above it.
function firstAbove(layer, threshold) {
  const at = (threshold - layer.low) / layer.step;
  return clamp(Math.floor(at + (layer.bits === 16 ? 0.5 : 1e-6)) + 1, 0, layer.levels);
}

// 1 for samples strictly above the threshold.
function aboveTable(layer, threshold) {
  const first = firstAbove(layer, threshold);
  if (layer.cache.above?.first === first) return layer.cache.above.table;
  const table = new Uint8Array(layer.levels).fill(1, first);
  layer.cache.above = { first, table };
  return table;
}

function agreementBitmap(v, axis) {
  const { a, b } = v.s;
  const { layers } = v.volumes;
  const alone = single(v);
  const backdrop = layerTable(v, a, { name: "gray", gain: 0.5 });
  const [cutA, cutB] = [firstAbove(layers[a], thresholdOf(v, a)), alone ? 0 : firstAbove(layers[b], thresholdOf(v, b))];
  const key = `${cutKey(v, axis)} ${backdrop.key} ${a} ${b} ${cutA} ${cutB}`;
  return bitmap(v, "agreement", axis, key, (pixels) => {
    const samplesA = cutOf(v, layers[a], axis);
    const aboveA = aboveTable(layers[a], thresholdOf(v, a));
    const samplesB = alone ? samplesA : cutOf(v, layers[b], axis);
    const aboveB = alone ? new Uint8Array(layers[a].levels) : aboveTable(layers[b], thresholdOf(v, b));
    const missed = alone ? SINGLE_MASK : AGREEMENT.missed;
    const tables = [backdrop.table, ...[missed, AGREEMENT.extra, AGREEMENT.both].map((colour) => tintTable(v, a, colour))];
    const inside = insideCut(v, regionOf(layers, a) ?? (alone ? null : regionOf(layers, b)), axis);
    for (let at = 0; at < pixels.length; at++) {
      const marked = inside && !inside[at] ? 0 : aboveA[samplesA[at]] | (aboveB[samplesB[at]] << 1);
      pixels[at] = tables[marked][samplesA[at]];
    }
  });
}

// How often each pair of 8-bit samples occurs, summed from the upper end: any two thresholds are then one look-up.
function jointCounts(v) {
  const { a, b, t } = v.s;
  const { layers } = v.volumes;
  const [one, two] = [layers[a], layers[b]];
  const key = `${a} ${b} ${t}`;
  if (v.joint?.key === key) return v.joint;
  const [rows, columns] = [one.levels + 1, two.levels + 1];
  const counts = new Uint32Array(rows * columns);
  const size = one.nx * one.ny * one.nz;
  const region = regionOf(layers, a) ?? regionOf(layers, b);
  for (let at = t * size; at < (t + 1) * size; at++)
    if (isIn(region, at)) counts[one.samples[at] * columns + two.samples[at]]++;
  for (let row = rows - 2; row >= 0; row--) {
    let rest = 0;
    for (let column = columns - 2; column >= 0; column--) {
      rest += counts[row * columns + column];
      counts[row * columns + column] = rest + counts[(row + 1) * columns + column];
    }
  }
  v.joint = { key, counts, columns };
  return v.joint;
}

// Stacks sent with 16 bits are small enough to count voxel by voxel. Bins would swallow a whole grey value of the
// camera at the threshold, and Dice would be another than on the page.
function directCounts(v, [firstA, firstB]) {
  const { a, b, t } = v.s;
  const { layers } = v.volumes;
  const key = `${a} ${b} ${t} ${firstA} ${firstB}`;
  if (v.counted?.key === key) return v.counted;
  const [one, two] = [layers[a].samples, layers[b].samples];
  const size = layers[a].nx * layers[a].ny * layers[a].nz;
  const region = regionOf(layers, a) ?? regionOf(layers, b);
  let [both, inA, inB] = [0, 0, 0];
  for (let at = t * size; at < (t + 1) * size; at++) {
    if (!isIn(region, at)) continue;
    const [isA, isB] = [one[at] >= firstA, two[at] >= firstB];
    if (isA) inA++;
    if (isB) inB++;
    if (isA && isB) both++;
  }
  v.counted = { key, both, inA, inB };
  return v.counted;
}

function countsAbove(v) {
  const { a, b } = v.s;
  const { layers } = v.volumes;
  const firsts = [firstAbove(layers[a], thresholdOf(v, a)), firstAbove(layers[b], thresholdOf(v, b))];
  if (layers[a].bits === 16 || layers[b].bits === 16) return directCounts(v, firsts);
  const { counts, columns } = jointCounts(v);
  return { both: counts[firsts[0] * columns + firsts[1]], inA: counts[firsts[0] * columns], inB: counts[firsts[1]] };
}

// What the page found for the thresholds that are shown, where it did: from the original values.
function measuredAgreement(v) {
  const { a, b } = v.s;
  const { layers } = v.volumes;
  const { measured } = v;
  if (!measured || layers[a].role !== "observed" || layers[b].role !== "predicted") return null;
  const same = (index, threshold) => Math.abs(thresholdOf(v, index) - threshold) <= 1e-6 * (layers[index].high - layers[index].low);
  return same(a, measured.threshold_observed) && same(b, measured.threshold) ? measured : null;
}

function agreementOf(v) {
  const measured = measuredAgreement(v);
  if (measured) return { ...measured, exact: true };
  const { both, inA, inB } = countsAbove(v);
  const either = inA + inB - both;
  const exact = [v.s.a, v.s.b].every((index) => holdsItsValues(v.volumes, index));
  return { dice: either ? (2 * both) / (inA + inB) : null, iou: either ? both / either : null, exact };
}

// Whether what was sent is fine enough to be counted: every voxel, as it is or with 16 bits.
function holdsItsValues({ layers, steps }, index) {
  const { bits, kind, low, step } = layers[index];
  return steps.every((size) => size === 1) && (bits === 16 || kind === "mask" || (low === 0 && step === 1));
}

const inOneUnit = (layers) => layers.every((layer) => layer.units === layers[0].units);
const differenceLayers = (v) => [v.s.a, v.s.b].map((index) => v.volumes.layers[index]);

// A z-score less a score is no number of anything. In different units, the share of each one's window is subtracted:
// 0 is its black, 1 its white, and what lies beyond counts as black or white, as on Compare.
function differenceTable(v, index) {
  const layer = v.volumes.layers[index];
  const { lo, hi } = v.s.per[index];
  const shares = !inOneUnit(differenceLayers(v));
  const key = shares ? `${lo} ${hi}` : "values";
  if (layer.cache.difference?.key === key) return layer.cache.difference;
  const part = (value) => (shares ? clamp((value - lo) / (hi - lo), 0, 1) : value);
  const table = Float32Array.from({ length: layer.levels }, (_, sample) => part(valueOf(layer, sample)));
  return (layer.cache.difference = { key, table });
}

const differenceTables = (v) => [differenceTable(v, v.s.a), differenceTable(v, v.s.b)];
const percentText = (share) => minus(`${Math.round(100 * share)} %`);

function differenceText(v, value, sign = "") {
  const layers = differenceLayers(v);
  return inOneUnit(layers) ? withUnits(sign + formatValue(value), layers[0]) : `${sign}${percentText(value)} of each window`;
}

// A range that the largest 0.2 % of the differences exceed, from an evenly spaced sample.
function differenceReach(v) {
  const [first, second] = differenceTables(v);
  const key = `${v.s.a} ${v.s.b} ${first.key} ${second.key}`;
  if (v.reach?.key === key) return v.reach.value;
  const [one, two] = differenceLayers(v);
  const stride = Math.max(1, Math.floor(one.samples.length / 100000)) | 1;
  const sizes = [];
  for (let at = 0; at < one.samples.length; at += stride)
    sizes.push(Math.abs(first.table[one.samples[at]] - second.table[two.samples[at]]));
  sizes.sort((small, large) => small - large);
  v.reach = { key, value: sizes[Math.floor(0.998 * (sizes.length - 1))] || first.table[1] - first.table[0] || 1 };
  return v.reach.value;
}

// Shares differ by 100 % at most, whatever range was kept from images in one unit.
function differenceRange(v) {
  const range = v.s.differenceRange ?? differenceReach(v);
  return inOneUnit(differenceLayers(v)) ? range : Math.min(range, 1);
}

function differenceBitmap(v, axis) {
  const range = differenceRange(v);
  const [first, second] = differenceTables(v);
  const key = `${cutKey(v, axis)} ${v.s.a} ${v.s.b} ${range} ${first.key} ${second.key}`;
  return bitmap(v, "difference", axis, key, (pixels) => {
    const [samplesA, samplesB] = differenceLayers(v).map((layer) => cutOf(v, layer, axis));
    const map = colourMap("diverging");
    const colours = Uint32Array.from({ length: 256 }, (_, at) => pixel(map[3 * at], map[3 * at + 1], map[3 * at + 2]));
    const [valuesA, valuesB, gain] = [first.table, second.table, 127.5 / range];
    for (let at = 0; at < pixels.length; at++) {
      const level = (valuesA[samplesA[at]] - valuesB[samplesB[at]]) * gain + 128;
      pixels[at] = colours[level < 0 ? 0 : level > 255 ? 255 : level | 0];
    }
  });
}
