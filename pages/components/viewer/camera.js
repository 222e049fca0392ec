// The 3-D view's camera: how large the box is drawn, and the twelve lines around it.

const HOME = { yaw: 0.5, pitch: 0.45, zoom: 1 };
// Room around the box: the names and colours stand above it.
const ROOM_PX = { across: 16, down: HEADER_PX + 6 };
// How strongly the lines show that lie behind the volume and before it.
const BEHIND = 0.35;
const BEFORE = 0.6;
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [bits & 1, (bits >> 1) & 1, bits >> 2].map((bit) => 2 * bit - 1));
const EDGES = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((from) => [1, 2, 4].filter((bit) => !(from & bit)).map((bit) => [from, from | bit]));

function turnMatrix({ yaw, pitch }) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  // Columns: where the screen's right, down and depth point to in the volume.
  return [cy, 0, -sy, sy * sp, cp, cy * sp, sy * cp, -sp, cy * cp];
}

// Half of each side of the box; half of the longest one is 1.
function halfBox({ volumes: { um, nx, ny, nz } }) {
  const box = [nx * um.x, ny * um.y, nz * um.z];
  return box.map((side) => side / Math.max(...box));
}

// The box's corners as seen: to the right, down and away from the eye.
function cornersOf(v, camera) {
  const half = halfBox(v);
  const turned = turnMatrix(camera);
  const along = (corner, column) => corner.reduce((sum, side, axis) => sum + side * half[axis] * turned[3 * column + axis], 0);
  return CORNERS.map((corner) => [0, 1, 2].map((column) => along(corner, column)));
}

// Screen pixels for half of the longest side. At zoom 1 the box fills the stage as it is first seen.
function volumeScale(v, width, height) {
  const corners = cornersOf(v, HOME);
  const reach = (axis) => Math.max(...corners.map((corner) => Math.abs(corner[axis])));
  const fit = Math.min((width / 2 - ROOM_PX.across) / reach(0), (height / 2 - ROOM_PX.down) / reach(1));
  return Math.max(fit, 1) * v.camera.zoom;
}

// Every edge of the box as [x, y, x, y] in screen pixels: those behind the volume, and those before it.
function boxLines(v, width, height) {
  const scale = volumeScale(v, width, height);
  const corners = cornersOf(v, v.camera);
  const farthest = corners.reduce((best, corner, at) => (corner[2] > corners[best][2] ? at : best), 0);
  const place = ([right, down]) => [width / 2 + right * scale, height / 2 + down * scale];
  const lines = (edges) => edges.map(([from, to]) => [...place(corners[from]), ...place(corners[to])]);
  const [behind, before] = [EDGES.filter((edge) => edge.includes(farthest)), EDGES.filter((edge) => !edge.includes(farthest))];
  return { behind: lines(behind), before: lines(before) };
}

function paintLines(context, lines, opacity) {
  context.strokeStyle = `rgb(255 255 255 / ${opacity})`;
  context.lineWidth = 1.25;
  context.lineCap = "round";
  context.beginPath();
  for (const [x0, y0, x1, y1] of lines) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

// Crisp at any resolution of the volume, which lies between the two canvases.
function paintBox(v, width, height, ratio) {
  v.box = boxLines(v, width, height);
  for (const [context, lines, opacity] of [[v.context, v.box.behind, BEHIND], [v.contextBefore, v.box.before, BEFORE]]) {
    const { canvas } = context;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    paintLines(context, lines, opacity);
  }
}

function turn(v, dx, dy) {
  if (!v.camera) return;
  v.camera.yaw -= dx / 140;
  v.camera.pitch = clamp(v.camera.pitch - dy / 140, -1.57, 1.57);
  redrawVolume(v);
}

function zoomVolume(v, ratio) {
  if (!v.camera) return;
  v.camera.zoom = clamp(v.camera.zoom * ratio, 0.4, 12);
  redrawVolume(v);
}

function turnHome(v) {
  v.camera = { ...HOME };
  redrawVolume(v);
}

function redrawVolume(v) {
  v.turnedAt = performance.now();
  repaint(v);
}
