// The volume in 3-D: a small WebGL2 ray-marcher on the same samples. Few steps while turning, more at rest.

const STEPS_TURNING = 56;
const STEPS_AT_REST = 220;
const REST_MS = 180;
const TURNING_MS = 25;
const AT_REST_MS = 1200;
const TEXTURE_VOXELS = 16e6;

function openVolume(v) {
  if (v.gl || v.noWebgl) return v.gl;
  const gl = v.canvas3d.getContext("webgl2", { antialias: false, powerPreference: "high-performance" });
  if (!gl) {
    v.noWebgl = true;
    return null;
  }
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    v.noWebgl = true;
    return null;
  }
  gl.useProgram(program);
  const known = {};
  v.gl = gl;
  v.place = (name) => (known[name] ??= gl.getUniformLocation(program, name));
  v.textures = [];
  v.camera ??= { ...HOME };
  v.canvas3d.addEventListener("webglcontextlost", () => closeVolume(v), { once: true });
  return gl;
}

// 8-bit samples go up as they are; 16-bit ones within their window, because a texture has 256 levels here.
function volumeSamples(v, index, limit) {
  const layer = v.volumes.layers[index];
  const { lo, hi } = v.s.per[index];
  const { nx, ny, nz } = layer;
  let step = 1;
  while (Math.max(nx, ny, nz) / step > limit || (nx * ny * nz) / step ** 3 > TEXTURE_VOXELS) step++;
  const size = [nx, ny, nz].map((n) => Math.ceil(n / step));
  const all = layer.samples.subarray(v.s.t * nx * ny * nz, (v.s.t + 1) * nx * ny * nz);
  if (step === 1 && layer.bits === 8) return { size, samples: all };
  const table = layer.bits === 8 ? null : Uint8Array.from({ length: layer.levels }, (_, q) => 255 * clamp((valueOf(layer, q) - lo) / (hi - lo), 0, 1));
  const samples = new Uint8Array(size[0] * size[1] * size[2]);
  let at = 0;
  for (let z = 0; z < nz; z += step)
    for (let y = 0; y < ny; y += step)
      for (let x = 0; x < nx; x += step) {
        const q = all[(z * ny + y) * nx + x];
        samples[at++] = table ? table[q] : q;
      }
  return { size, samples };
}

function loadChannel(v, slot, index) {
  const { gl } = v;
  const { bits } = v.volumes.layers[index];
  const { lo, hi } = v.s.per[index];
  const key = `${v.content} ${index} ${v.s.t} ${bits === 16 ? `${lo} ${hi}` : ""}`;
  gl.activeTexture(gl.TEXTURE0 + slot);
  if (v.textures[slot]?.key === key) return;
  if (v.textures[slot]) gl.deleteTexture(v.textures[slot].texture);
  const texture = gl.createTexture();
  const { size, samples } = volumeSamples(v, index, gl.getParameter(gl.MAX_3D_TEXTURE_SIZE));
  gl.bindTexture(gl.TEXTURE_3D, texture);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texImage3D(gl.TEXTURE_3D, 0, gl.R8, ...size, 0, gl.RED, gl.UNSIGNED_BYTE, samples);
  for (const name of ["MIN_FILTER", "MAG_FILTER"]) gl.texParameteri(gl.TEXTURE_3D, gl[`TEXTURE_${name}`], gl.LINEAR);
  for (const side of ["S", "T", "R"]) gl.texParameteri(gl.TEXTURE_3D, gl[`TEXTURE_WRAP_${side}`], gl.CLAMP_TO_EDGE);
  v.textures[slot] = { key, texture };
}

const volumeChannels = (v) => (single(v) ? [v.s.a] : [v.s.a, v.s.b]);

const volumeColour = (v, slot) => colourAt(single(v) ? "gray" : MERGE_MAPS[slot], 1);

function channelWindow(v, index) {
  const layer = v.volumes.layers[index];
  if (layer.bits === 16) return [0, 1];
  const { lo, hi } = v.s.per[index];
  return [sampleOf(layer, lo) / 255, Math.max(sampleOf(layer, hi) / 255, sampleOf(layer, lo) / 255 + 0.002)];
}

// What one sample of one ray costs here decides the resolution: a laptop without a GPU turns smoothly too.
function volumeRatio(v, steps, milliseconds, finest) {
  const { width, height } = v.stageSize;
  if (!v.rayCost) return 0.2;
  return clamp(Math.sqrt(milliseconds / (v.rayCost * width * height * steps)), 0.2, finest);
}

function paintVolume(v) {
  if (!openVolume(v)) return showFallback(v);
  clearTimeout(v.restTimer);
  const { width, height } = v.stageSize;
  const turning = performance.now() - (v.turnedAt ?? -1e9) < REST_MS || !v.rayCost;
  const [steps, budget] = turning ? [STEPS_TURNING, TURNING_MS] : [STEPS_AT_REST, AT_REST_MS];
  const ratio = volumeRatio(v, steps, budget, window.devicePixelRatio || 1);
  const { s, camera, content, volumes } = v;
  const key = JSON.stringify([content, camera, s.t, s.a, s.b, s.iso, s.render, s.per, steps, ratio, width, height, volumes.nx]);
  if (key !== v.volumeKey) {
    const started = performance.now();
    drawVolume(v, width, height, ratio, steps);
    if (turning) measureRays(v, started, steps);
    v.volumeKey = key;
  }
  paintBox(v, width, height, window.devicePixelRatio || 1);
  if (turning) v.restTimer = setTimeout(() => repaint(v), REST_MS + 10);
  return undefined;
}

function measureRays(v, started, steps) {
  const { gl, canvas3d } = v;
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits until the picture is there
  const cost = (performance.now() - started) / (canvas3d.width * canvas3d.height * steps);
  v.rayCost = v.rayCost ? 0.7 * v.rayCost + 0.3 * cost : cost;
}

function drawVolume(v, width, height, ratio, steps) {
  const { gl, s, canvas3d, camera } = v;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas3d.width !== size[0] || canvas3d.height !== size[1]) [canvas3d.width, canvas3d.height] = size;
  gl.viewport(0, 0, ...size);
  const channels = volumeChannels(v);
  channels.forEach((index, slot) => loadChannel(v, slot, index));
  gl.uniform1i(v.place("first"), 0);
  gl.uniform1i(v.place("second"), channels.length > 1 ? 1 : 0);
  gl.uniform2fv(v.place("windows"), channels.length > 1 ? [...channelWindow(v, channels[0]), ...channelWindow(v, channels[1])] : [...channelWindow(v, channels[0]), 0, 1]);
  const paint = channels.map((_, slot) => volumeColour(v, slot).map((part) => part / 255));
  gl.uniform3fv(v.place("colours"), [...paint[0], ...(paint[1] ?? [0, 0, 0])]);
  gl.uniform3fv(v.place("halfSize"), halfBox(v));
  gl.uniformMatrix3fv(v.place("turn"), false, turnMatrix(camera));
  const scale = volumeScale(v, width, height);
  // Screen up is image up: rows of an image run downwards.
  gl.uniform2f(v.place("view"), width / 2 / scale, -height / 2 / scale);
  gl.uniform1f(v.place("iso"), s.iso);
  gl.uniform1i(v.place("steps"), steps);
  gl.uniform1i(v.place("channels"), channels.length);
  gl.uniform1i(v.place("surface"), s.render === "iso" ? 1 : 0);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

function paintVolumeShot(v, context, width, height) {
  if (!v.gl) return;
  const ratio = volumeRatio(v, STEPS_AT_REST, 2 * AT_REST_MS, SNAPSHOT_RATIO);
  drawVolume(v, width, height, ratio, STEPS_AT_REST);
  v.volumeKey = "";
  const { behind, before } = boxLines(v, width, height);
  paintLines(context, behind, BEHIND);
  context.drawImage(v.canvas3d, 0, 0, width, height);
  paintLines(context, before, BEFORE);
  repaint(v);
}

// Without WebGL2: say so, and show the brightest voxels along each of the three axes.
function showFallback(v) {
  const { fallback } = v.controls;
  const key = `${v.content} ${volumeChannels(v)} ${v.s.t}`;
  if (fallback.dataset.key === key) return;
  fallback.dataset.key = key;
  const shown = volumeChannels(v).flatMap((index) => ["z", "y", "x"].map((axis) => projectionFigure(v, index, axis)));
  fallback.replaceChildren(
    make("p", {}, "This browser can't draw in 3-D (WebGL2 is missing or switched off). These are the brightest voxels along z, y and x instead; the other views work as always."),
    make("div", { class: "figures" }, ...shown),
  );
}

function projectionFigure(v, index, axis) {
  const layer = v.volumes.layers[index];
  const { nx, ny, nz } = layer;
  const [width, height] = axis === "z" ? [nx, ny] : axis === "y" ? [nx, nz] : [nz, ny];
  const top = new layer.samples.constructor(width * height);
  const start = v.s.t * nx * ny * nz;
  for (let z = 0; z < nz; z++)
    for (let y = 0; y < ny; y++)
      for (let x = 0; x < nx; x++) {
        const to = axis === "z" ? y * nx + x : axis === "y" ? z * nx + x : y * nz + z;
        const q = layer.samples[start + (z * ny + y) * nx + x];
        if (q > top[to]) top[to] = q;
      }
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const { table } = layerTable(v, index);
  new Uint32Array(image.data.buffer).set(Uint32Array.from(top, (q) => table[q]));
  context.putImageData(image, 0, 0);
  return make("figure", {}, canvas, make("figcaption", {}, `${layer.name}, along ${axis}`));
}

function closeVolume(v) {
  clearTimeout(v.restTimer);
  v.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  v.gl = null;
  v.volumeKey = "";
}
