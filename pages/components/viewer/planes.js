// Samples of what is looked at: a plane, a section, a projection over z; and the bitmaps painted from them.

const planeKey = ({ projection, t, z, z0, z1 }) => (projection === "plane" ? `${t} ${z}` : `${projection} ${t} ${z0} ${z1}`);

function layerPlane(v, layer) {
  const full = fullPlane(v);
  if (full) return full[v.volumes.layers.indexOf(layer)];
  return v.volumes.partial ? layer.samples : sentPlane(v, layer);
}

function sentPlane(v, layer) {
  const { s } = v;
  const size = layer.nx * layer.ny;
  const volume = s.t * layer.nz;
  if (s.projection === "plane") return layer.samples.subarray((volume + s.z) * size, (volume + s.z + 1) * size);
  const key = planeKey(s);
  if (layer.cache.projection?.key !== key) {
    const planes = layer.samples.subarray((volume + s.z0) * size, (volume + s.z1 + 1) * size);
    layer.cache.projection = { key, samples: s.projection === "max" ? maxOf(planes, size) : meanOf(planes, size) };
  }
  return layer.cache.projection.samples;
}

function maxOf(planes, size) {
  const top = planes.slice(0, size);
  for (let start = size; start < planes.length; start += size)
    for (let at = 0; at < size; at++) if (planes[start + at] > top[at]) top[at] = planes[start + at];
  return top;
}

function meanOf(planes, size) {
  const sum = new Float32Array(size);
  for (let start = 0; start < planes.length; start += size)
    for (let at = 0; at < size; at++) sum[at] += planes[start + at];
  const count = planes.length / size;
  return planes.constructor.from(sum, (value) => Math.round(value / count));
}

function layerSection(v, layer, axis) {
  const { s } = v;
  const { nx, ny, nz, samples } = layer;
  const at = axis === "xz" ? s.cursor.y : s.cursor.x;
  const key = `${s.t} ${at}`;
  const known = layer.cache[axis];
  if (known?.key === key) return known.samples;
  const length = axis === "xz" ? nx : ny;
  const cut = known?.samples ?? new samples.constructor(length * nz);
  for (let z = 0; z < nz; z++) {
    const plane = (s.t * nz + z) * nx * ny;
    if (axis === "xz") cut.set(samples.subarray(plane + at * nx, plane + (at + 1) * nx), z * nx);
    else for (let y = 0; y < ny; y++) cut[y * nz + z] = samples[plane + y * nx + at]; // z runs to the right
  }
  layer.cache[axis] = { key, samples: cut };
  return cut;
}

const cutKey = (v, axis) => (axis === "xy" ? `${planeKey(v.s)} ${finerBy(v, axis)}` : `${axis} ${v.s.t} ${axis === "xz" ? v.s.cursor.y : v.s.cursor.x}`);
const cutOf = (v, layer, axis) => (axis === "xy" ? layerPlane(v, layer) : layerSection(v, layer, axis));

// Samples across and down for one voxel of the grid that was sent.
const finerBy = (v, axis) => (axis === "xy" && fullPlane(v) ? [v.volumes.steps[2], v.volumes.steps[1]] : [1, 1]);

function cutSize(v, axis) {
  const [across, down] = gridSize(v, axis);
  const [finerX, finerY] = finerBy(v, axis);
  return [across * finerX, down * finerY];
}

function gridSize(v, axis) {
  const { nx, ny, nz } = v.volumes;
  return axis === "xy" ? [nx, ny] : axis === "xz" ? [nx, nz] : [nz, ny];
}

// A bitmap is painted again only if its key changed: zooming and panning never touch samples.
function bitmap(v, id, axis, key, paint) {
  const name = `${id} ${axis}`;
  let bm = v.bitmaps.get(name);
  const [width, height] = cutSize(v, axis);
  if (bm?.canvas.width !== width || bm.canvas.height !== height) {
    const canvas = make("canvas", { width, height });
    const context = canvas.getContext("2d", { alpha: id.startsWith("drawn") });
    const image = context.createImageData(width, height);
    bm = { canvas, context, image, pixels: new Uint32Array(image.data.buffer), key: null };
    v.bitmaps.set(name, bm);
  }
  if (bm.key !== key) {
    paint(bm.pixels);
    bm.context.putImageData(bm.image, 0, 0);
    bm.key = key;
  }
  return bm.canvas;
}

function layerBitmap(v, index, axis, table, id = "layer") {
  const layer = v.volumes.layers[index];
  return bitmap(v, `${id} ${index}`, axis, `${cutKey(v, axis)} ${table.key}`, (pixels) => {
    const samples = cutOf(v, layer, axis);
    const colours = table.table;
    for (let at = 0; at < pixels.length; at++) pixels[at] = colours[samples[at]];
  });
}

// At a place in the grid that was sent, which may lie between its voxels.
function sampleAt(v, layer, axis, across, down) {
  const [width] = cutSize(v, axis);
  const [finerX, finerY] = finerBy(v, axis);
  return cutOf(v, layer, axis)[Math.floor(down * finerY) * width + Math.floor(across * finerX)];
}

const valueAt = (v, layer, ...place) => valueOf(layer, sampleAt(v, layer, ...place));
