// What the person sees, as one plain object; how it starts and how it is reported to the page.

const LEAVING_MS = 1500;
const REPORT_AFTER_MS = 400;
const REPORT_SOON_MS = 40;
const MODE_LABELS = {
  side: "Side by side",
  blink: "Blink",
  swipe: "Swipe",
  blend: "Blend",
  merge: "Merge",
  difference: "Difference",
  threshold: "Threshold",
  "3d": "3-D",
};
const PAIR_MODES = ["blink", "swipe", "blend", "difference", "threshold", "3d"];

function freshState(volumes) {
  const { layers } = volumes;
  const images = layers.map((layer, index) => index).filter((index) => layers[index].kind === "image");
  const pool = images.length ? images : [0];
  const withRole = (role) => pool.find((index) => layers[index].role === role);
  const a = withRole("observed") ?? pool.find((index) => layers[index].role !== "predicted") ?? pool[0];
  const b = withRole("predicted") ?? pool.find((index) => index !== a) ?? layers.findIndex((_, index) => index !== a);
  return {
    mode: "side",
    t: 0,
    z: Math.floor((volumes.nz - 1) / 2),
    zoom: 1,
    cx: volumes.nx / 2,
    cy: volumes.ny / 2,
    cursor: { x: Math.floor(volumes.nx / 2), y: Math.floor(volumes.ny / 2) },
    projection: "plane",
    z0: 0,
    z1: volumes.nz - 1,
    sections: false,
    a,
    b,
    blinkSeconds: 2,
    swipe: 0.5,
    blend: 0.5,
    differenceRange: null,
    thresholds: {},
    playing: false,
    planesPerSecond: 8,
    line: null,
    drawer: false,
    iso: 0.35,
    render: "mip",
    linked: sharedWindow(layers),
    per: layers.map((layer, index) => ({
      visible: true,
      merged: mergedAtFirst(layers, layer),
      lo: firstLimits(layers, index)[0],
      hi: firstLimits(layers, index)[1],
      colormap: layer.colormap,
    })),
  };
}

const comparable = (layer) => layer.role === "observed" || layer.role === "predicted";

// From the page's indices (voxels as given) to the voxels that were sent, and back.
const toSent = (full, step) => full / step;
const toFull = (sent, step) => sent * step;

function applyStart(v, start) {
  const { s, volumes } = v;
  const [sz, sy, sx] = volumes.steps;
  restoreDetails(v, start.details);
  const unshared = s.linked && Boolean(whyOwnScales(volumes.layers)); // saved when this was still offered
  if (unshared) s.linked = false;
  if (v.header.modes.includes(start.mode)) s.mode = start.mode;
  if (start.z != null) s.z = clamp(Math.floor(start.z / sz), 0, volumes.nz - 1);
  if (start.t != null) s.t = clamp(start.t, 0, volumes.nt - 1);
  s.zoom = clamp(start.zoom ?? 1, 0.25, 64);
  if (start.center) [s.cy, s.cx] = [clamp(toSent(start.center[0], sy), 0, volumes.ny), clamp(toSent(start.center[1], sx), 0, volumes.nx)];
  if (start.cursor) placeCursor(v, toSent(start.cursor[1], sx), toSent(start.cursor[0], sy));
  v.ring = start.ring && start.cursor ? { y: toSent(start.cursor[0], sy), x: toSent(start.cursor[1], sx), wide: toSent(start.ring, sx) } : null;
  v.keptInside = Boolean(v.ring);
  s.projection = start.projection ?? "plane";
  if (start.z_range) {
    s.z0 = clamp(Math.floor(start.z_range[0] / sz), 0, volumes.nz - 1);
    s.z1 = clamp(Math.floor(start.z_range[1] / sz), s.z0, volumes.nz - 1);
  }
  s.sections = Boolean(start.sections) && volumes.nz > 1;
  if (start.threshold != null) s.thresholds[single(v) ? s.a : s.b] = start.threshold;
  if (start.threshold_observed != null) s.thresholds[s.a] = start.threshold_observed;
  for (const [name, lo, hi] of start.limits ?? []) {
    const index = volumes.layers.findIndex((layer) => layer.name === name);
    if (index >= 0 && hi > lo && !(unshared && comparable(volumes.layers[index]))) Object.assign(s.per[index], { lo, hi });
  }
}

const single = (v) => v.volumes.layers.length < 2;

function placeCursor(v, x, y) {
  v.s.cursor = { x: clamp(Math.floor(x), 0, v.volumes.nx - 1), y: clamp(Math.floor(y), 0, v.volumes.ny - 1) };
}

const DETAILS = ["blinkSeconds", "swipe", "blend", "differenceRange", "planesPerSecond", "drawer", "iso", "render", "linked"];

function restoreDetails(v, text) {
  if (!text) return;
  let details;
  try {
    details = JSON.parse(text);
  } catch {
    return;
  }
  for (const name of DETAILS) if (typeof details[name] === typeof v.s[name] || name === "differenceRange") v.s[name] = details[name];
  const named = (name) => v.volumes.layers.findIndex((layer) => layer.name === name);
  for (const side of ["a", "b"]) if (named(details[side]) >= 0) v.s[side] = named(details[side]);
  for (const saved of details.layers ?? []) {
    const per = v.s.per[named(saved.name)];
    if (!per) continue;
    per.visible = saved.visible !== false;
    per.merged = saved.merged === true;
    if (saved.colormap in COLOUR_MAPS) per.colormap = saved.colormap;
  }
}

function reportOf(v) {
  const { s, volumes } = v;
  const { layers } = volumes;
  const [sz, sy, sx] = volumes.steps;
  const round = (value) => Math.round(value * 100) / 100;
  const details = Object.fromEntries(DETAILS.map((name) => [name, s[name]]));
  details.a = layers[s.a]?.name;
  details.b = layers[s.b]?.name;
  details.layers = layers.map(({ name }, index) => {
    const { visible, merged, colormap } = s.per[index];
    return { name, visible, merged, colormap };
  });
  const full = (index) => Math.min(toFull(index, sz) + (sz >> 1), volumes.fullShape[1] - 1);
  return {
    order: v.order,
    content: v.content,
    z: full(s.z),
    t: s.t,
    mode: s.mode,
    zoom: Math.round(s.zoom * 1000) / 1000,
    center: [round(toFull(s.cy, sy)), round(toFull(s.cx, sx))],
    cursor: [toFull(s.cursor.y, sy), toFull(s.cursor.x, sx)],
    projection: s.projection,
    z_range: [full(s.z0), full(s.z1)],
    sections: s.sections,
    threshold: s.thresholds[single(v) ? s.a : s.b] ?? null,
    threshold_observed: single(v) ? null : (s.thresholds[s.a] ?? null),
    limits: layers.flatMap((layer, index) => {
      const { lo, hi } = s.per[index];
      const [first, last] = firstLimits(layers, index);
      return lo === first && hi === last ? [] : [[layer.name, lo, hi]];
    }),
    details: JSON.stringify(details),
  };
}

// Report once, some time after the last move; playing or dragging never makes the page run again and again.
function scheduleReport(v, wait = REPORT_AFTER_MS) {
  clearTimeout(v.reportTimer);
  v.reportTimer = setTimeout(() => sendReport(v), wait);
  v.reportWaits = wait === REPORT_AFTER_MS;
}

function sendReport(v) {
  clearTimeout(v.reportTimer);
  v.reportWaits = false;
  if (!v.s || v.s.playing || v.dragging) return;
  const text = JSON.stringify(reportOf(v));
  if (text === v.reported) return;
  if (leaving(v)) return scheduleReport(v, LEAVING_MS);
  v.reported = text;
  v.send?.(JSON.parse(text));
}

// Whoever clicks a link or a button outside may be on the way to another page. What the viewer says after that click
// would be answered for a page that is gone, and break the new one: so it keeps quiet until it is clear who stays.
function noticeLeaving(v, event) {
  if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
  const path = event.composedPath();
  if (path.includes(v.root) || !path.some((part) => part.matches?.("a[href], button"))) return;
  v.leftAt = performance.now();
  if (v.s) scheduleReport(v, LEAVING_MS);
}

// A pointer on its way out may be on its way to the menu. A report that crosses such a click would cost the person
// the new page, so what is still to be said is said while the pointer travels.
function noticeTravelling(v, event) {
  if (v.reportWaits && !event.composedPath().includes(v.root)) scheduleReport(v, REPORT_SOON_MS);
}

const leaving = (v) => performance.now() - (v.leftAt ?? -Infinity) < LEAVING_MS;

function change(v, patch) {
  if ("cx" in patch || "zoom" in patch) v.keptInside = false; // from now on the person leads
  Object.assign(v.s, patch);
  repaint(v);
  scheduleReport(v);
}

function setPlane(v, z) {
  const plane = clamp(Math.round(z), 0, v.volumes.nz - 1);
  if (v.volumes.partial) {
    v.nextPlane = plane; // once it is here
    return;
  }
  if (plane !== v.s.z) change(v, { z: plane });
}

// The wheel and the arrows: planes on, or a projection moved by so many. It stays a projection until the person
// chooses otherwise; one over all planes can't move.
function stepPlanes(v, count) {
  const { projection, z, z0, z1 } = v.s;
  if (projection === "plane") return setPlane(v, z + count);
  const last = v.volumes.nz - 1;
  if (z0 === 0 && z1 === last) return tell(v, "This projection takes in all planes. Narrow it with “from” and “to” to move it, or press M for single planes.");
  const by = clamp(count, -z0, last - z1);
  return by ? change(v, { z0: z0 + by, z1: z1 + by, z: clamp(z + by, 0, last) }) : undefined;
}
