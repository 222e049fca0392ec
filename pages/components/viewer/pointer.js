// Mouse, pen and fingers on the stage: planes, pan, zoom, cross-hair, swipe, line; and the read-out.

const HANDLE_PX = 14;
// A page that is being scrolled keeps scrolling when the pointer happens to come over the viewer.
const SCROLL_REST_MS = 350;

function listenPointer(v) {
  const { stage } = v.controls;
  v.fingers = new Map();
  const on = (type, act, options) => stage.addEventListener(type, act, options);
  on("pointerdown", (event) => pointerDown(v, event));
  on("pointermove", (event) => pointerMove(v, event));
  on("pointerup", (event) => pointerUp(v, event));
  on("pointercancel", (event) => {
    if (v.s && v.dragging?.kind === "pan") change(v, v.dragging.view); // the page scrolls: nothing was meant here
    pointerUp(v, event);
  });
  on("pointerleave", () => {
    v.pointer = null;
    v.controls.readout.hidden = true;
  });
  on("wheel", (event) => wheel(v, event), { passive: false });
  on("dblclick", () => v.s && fitView(v));
  v.outsideWheel = (event) => {
    if (!event.composedPath().includes(stage)) v.scrolledAt = performance.now();
  };
  window.addEventListener("wheel", v.outsideWheel, { passive: true, capture: true });
}

function stagePoint(v, event) {
  const box = v.controls.stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function pointerDown(v, event) {
  if (!v.s || event.button > 0) return;
  const stage = v.controls.stage;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  const [x, y] = stagePoint(v, event);
  v.fingers.set(event.pointerId, [x, y]);
  const at = hit(v, x, y);
  v.dragging = { x, y, startX: x, startY: y, at, kind: dragKind(v, at, x), view: { cx: v.s.cx, cy: v.s.cy } };
  if (v.dragging.kind === "line") {
    const voxel = voxelOf(v, at);
    v.dragging.lineStart = [voxel.x, voxel.y];
  }
}

function dragKind(v, at, x) {
  if (v.s.mode === "3d") return "turn";
  if (!at) return "none";
  if (v.s.mode === "swipe" && at.area.axis === "xy" && Math.abs(x - swipeEdge(v, at.area)) <= HANDLE_PX) return "swipe";
  if (v.s.line && at.area.axis === "xy") return "line";
  return "pan";
}

function pointerMove(v, event) {
  if (!v.s) return;
  const [x, y] = (v.pointer = stagePoint(v, event));
  if (!v.dragging) return hover(v);
  if (v.fingers.size > 1) return pinch(v, event.pointerId, x, y);
  if (v.fingers.has(event.pointerId)) v.fingers.set(event.pointerId, [x, y]);
  const drag = v.dragging;
  const [dx, dy] = [x - drag.x, y - drag.y];
  [drag.x, drag.y] = [x, y];
  if (Math.hypot(x - drag.startX, y - drag.startY) > 3) drag.moved = true;
  if (drag.kind === "turn") return turn(v, dx, dy);
  if (drag.kind === "swipe") return change(v, { swipe: clamp((x - drag.at.area.x) / drag.at.area.w, 0, 1) });
  if (!drag.moved || drag.kind === "none") return undefined;
  if (drag.kind === "line") {
    const { px, py, x0, y0 } = placement(v, drag.at.area, v.layout.fit);
    const [x0v, y0v] = drag.lineStart;
    return change(v, { line: { x0: x0v, y0: y0v, x1: (x - x0) / px, y1: (y - y0) / py } });
  }
  return pan(v, dx, dy, drag.at.area.axis);
}

function pan(v, dx, dy, axis = "xy") {
  const scale = v.layout.fit * v.s.zoom;
  const { nx, ny } = v.volumes;
  const cx = axis === "yz" ? v.s.cx : clamp(v.s.cx - dx / scale, 0, nx);
  const cy = axis === "xz" ? v.s.cy : clamp(v.s.cy - dy / (scale * aspect(v).ky), 0, ny);
  change(v, { cx, cy });
}

function pointerUp(v, event) {
  v.fingers.delete(event.pointerId);
  const drag = v.dragging;
  if (!drag || v.fingers.size) return;
  v.dragging = null;
  if (!v.s) return;
  if (!drag.moved && drag.at?.inside && v.s.sections) {
    const { x, y, z } = voxelOf(v, drag.at);
    placeCursor(v, x, y);
    if (drag.at.area.axis !== "xy") setPlane(v, Math.floor(z));
  }
  repaint(v);
  scheduleReport(v);
}

// A finger that moves up or down scrolls the page while the whole image is seen; else it moves the image.
function shareTouch(v) {
  const own = v.s.mode === "3d" || v.s.line || v.s.zoom > 1;
  v.controls.stage.style.touchAction = own ? "none" : "pan-y";
}

function pinch(v, id, x, y) {
  const others = [...v.fingers].filter(([finger]) => finger !== id);
  const before = v.fingers.get(id);
  const [, [ox, oy]] = others[0];
  const ratio = Math.hypot(x - ox, y - oy) / Math.max(1, Math.hypot(before[0] - ox, before[1] - oy));
  v.fingers.set(id, [x, y]);
  v.dragging.moved = true;
  zoomAt(v, ratio, (x + ox) / 2, (y + oy) / 2);
}

function zoomAt(v, ratio, x, y) {
  if (v.s.mode === "3d") return zoomVolume(v, ratio);
  const zoom = clamp(v.s.zoom * ratio, 0.25, 64);
  const at = hit(v, x, y);
  if (!at || at.area.axis !== "xy") return change(v, { zoom });
  // The voxel under the pointer stays under the pointer.
  const keep = v.s.zoom / zoom;
  return change(v, {
    zoom,
    cx: clamp(at.across + (v.s.cx - at.across) * keep, 0, v.volumes.nx),
    cy: clamp(at.down + (v.s.cy - at.down) * keep, 0, v.volumes.ny),
  });
}

function wheel(v, event) {
  if (!v.s) return;
  const now = performance.now();
  const zooming = event.ctrlKey || event.metaKey;
  if (!zooming && !document.fullscreenElement && now - (v.scrolledAt ?? -1e9) < SCROLL_REST_MS) {
    v.scrolledAt = now;
    return;
  }
  event.preventDefault();
  const lines = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
  const [x, y] = stagePoint(v, event);
  if (zooming || v.s.mode === "3d" || v.volumes.nz < 2) {
    zoomAt(v, Math.exp(-clamp(lines, -120, 120) / 300), x, y);
    return;
  }
  v.wheelSum = (v.wheelSum ?? 0) + lines;
  const planes = Math.trunc(v.wheelSum / 40) || (Math.abs(lines) >= 40 ? Math.sign(lines) : 0);
  if (!planes) return;
  v.wheelSum = 0;
  stopPlay(v);
  stepPlanes(v, clamp(planes, -3, 3));
}

// What lies under the pointer now: again at each paint, because the plane or the view may change while it rests.
function hover(v) {
  const { readout, stage } = v.controls;
  const flat = v.pointer && v.s.mode !== "3d";
  const at = flat ? hit(v, ...v.pointer) : null;
  readout.hidden = !at?.inside;
  if (!v.dragging) stage.style.cursor = at && dragKind(v, at, v.pointer[0]) === "swipe" ? "ew-resize" : flat && v.s.line ? "crosshair" : "";
  if (at?.inside) setText(readout, readoutText(v, at));
}

function differenceAt(v, { area, across, down }) {
  const [one, two] = differenceLayers(v).map((layer) => sampleAt(v, layer, area.axis, across, down));
  const [first, second] = differenceTables(v);
  return first.table[one] - second.table[two];
}

function readoutText(v, at) {
  const { um, steps } = v.volumes;
  const voxel = voxelOf(v, at);
  const [finerX, finerY] = finerBy(v, at.area.axis);
  const whole = { x: Math.floor(voxel.x * finerX) / finerX, y: Math.floor(voxel.y * finerY) / finerY, z: Math.floor(voxel.z) };
  const flat = v.volumes.nz < 2 || (at.area.axis === "xy" && v.s.projection !== "plane");
  const axes = flat ? ["x", "y"] : ["x", "y", "z"];
  const full = { x: whole.x * steps[2], y: whole.y * steps[1], z: whole.z * steps[0] };
  const where = `${axes.map((axis) => `${axis} ${(whole[axis] * um[axis]).toFixed(2)}`).join("  ")} µm  (${axes.map((axis) => full[axis]).join(", ")})`;
  const values = at.panel.values.map((index) => {
    const layer = v.volumes.layers[index];
    return `${layer.name} ${withUnits(formatValue(valueAt(v, layer, at.area.axis, at.across, at.down)), layer)}`;
  });
  if (at.panel.bar.difference) values.push(`difference ${differenceText(v, differenceAt(v, at))}`);
  return [where, ...values].join("   ·   ");
}
