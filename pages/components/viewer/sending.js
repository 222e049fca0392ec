// What is still to come from the page: the other planes after the first, then planes in full resolution.

const FULL_PLANES_KEPT = 16;
const FULL_PLANE_AFTER_MS = 250;

const planeName = (t, z) => `${t} ${z}`;

function askFor(v, part, more = {}) {
  clearTimeout(v.askTimer);
  if (leaving(v)) v.askTimer = setTimeout(() => askFor(v, part, more), LEAVING_MS);
  else v.ask?.({ part, content: v.content, n: (v.asks = (v.asks ?? 0) + 1), ...more });
}

// All layers of the plane that is shown, in full resolution, where they have arrived.
function fullPlane(v) {
  const { projection, t, z } = v.s;
  return projection === "plane" && !v.volumes.partial ? v.fullPlanes?.get(planeName(t, z)) : undefined;
}

// Asked for only when the person rests at a plane, so that moving never waits.
function askFullPlane(v) {
  const { s, volumes } = v;
  const [, sy, sx] = volumes.steps;
  const wanted = sy * sx > 1 && !volumes.partial && s.projection === "plane" && s.mode !== "3d" && !fullPlane(v);
  const name = planeName(s.t, s.z);
  if (!wanted || v.waitsFor === name) return;
  clearTimeout(v.planeTimer);
  v.waitsFor = name;
  v.planeTimer = setTimeout(() => {
    const gone = !v.s || v.s.playing || planeName(v.s.t, v.s.z) !== name;
    if (gone) v.waitsFor = null;
    else askFor(v, "plane", { t: v.s.t, z: v.s.z });
  }, FULL_PLANE_AFTER_MS);
}

async function takePlane(v, header, body) {
  const layers = await Promise.all(header.layers.map(async ({ parts: [[start, end]] }) => new Uint8Array(await inflate(body.subarray(start, end)))));
  if (!v.volumes || header.content !== v.content) return;
  const name = planeName(...header.at);
  if (v.waitsFor === name) v.waitsFor = null;
  v.fullPlanes ??= new Map();
  v.fullPlanes.delete(name);
  v.fullPlanes.set(name, layers);
  if (v.fullPlanes.size > FULL_PLANES_KEPT) v.fullPlanes.delete(v.fullPlanes.keys().next().value);
  repaint(v);
}

// The volumes after their first plane: what the person has done meanwhile stays.
function completeVolumes(v, header, volumes) {
  v.header = header;
  v.volumes = volumes;
  v.bitmaps.clear();
  v.joint = v.counted = v.reach = null;
  buildForVolumes(v);
  syncPartial(v);
  if (v.nextPlane != null) setPlane(v, v.nextPlane);
  v.nextPlane = null;
}

// Before the volumes are here, only what one plane can tell is offered.
function syncPartial(v) {
  const { controls: c, volumes } = v;
  for (const part of [c.modes, c.tools, c.options]) part.inert = Boolean(volumes.partial);
  c.busy.classList.toggle("corner", Boolean(volumes.partial));
  c.busy.hidden = !volumes.partial;
  if (volumes.partial) setText(c.busy, "The other planes are on their way …");
}
