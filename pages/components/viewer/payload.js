// The payload: "LFV1", length of the header, JSON header, then some gzip streams a layer.

function readHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "LFV1") throw new Error("not a viewer payload");
  const end = 8 + view.getUint32(4, true);
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, end))), body: bytes.subarray(end) };
}

async function inflate(part) {
  const stream = new Blob([part]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function decodeLayer(about, body) {
  const parts = await Promise.all(about.parts.map(([start, end]) => inflate(body.subarray(start, end))));
  const region = about.region ? new Uint8Array(parts.pop()) : null; // one bit a voxel
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  const samples = about.bits === 8 ? bytes : new Uint16Array(bytes.buffer);
  const levels = about.bits === 8 ? 256 : 65536;
  const [nt, nz, ny, nx] = about.shape;
  return {
    ...about,
    samples,
    region,
    levels,
    shift: about.bits === 8 ? 0 : 6, // histograms of 16-bit samples have 1024 bins
    step: (about.high - about.low) / (levels - 1),
    nt,
    nz,
    ny,
    nx,
    cache: {},
  };
}

async function decodeVolumes(header, body) {
  const layers = await Promise.all(header.layers.map((about) => decodeLayer(about, body)));
  const [nt, nz, ny, nx] = header.sent;
  const um = header.voxelSizeUm.map((size, axis) => size * header.steps[axis]);
  const partial = header.part === "preview"; // one plane of each layer
  return { layers, nt, nz, ny, nx, partial, steps: header.steps, fullShape: header.shape, um: { z: um[0], y: um[1], x: um[2] } };
}

const valueOf = (layer, sample) => layer.low + sample * layer.step;
const sampleOf = (layer, value) => clamp((value - layer.low) / layer.step, 0, layer.levels - 1);
const binsOf = (layer) => layer.levels >> layer.shift;
