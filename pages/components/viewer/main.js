// Where Streamlit comes in: called at mount and at every rerun that changes something.

const LEAVING_EVENTS = ["pointerdown", "keydown"];

function createViewer(host) {
  const v = { root: host.querySelector(".lfv"), bitmaps: new Map(), phase: 0 };
  buildFrame(v);
  listenPointer(v);
  listenKeys(v);
  listenOpening(v);
  v.observer = new ResizeObserver(([entry]) => {
    v.stageSize = { width: Math.floor(entry.contentRect.width), height: Math.floor(entry.contentRect.height) };
    if (v.s) repaint(v);
  });
  v.observer.observe(v.controls.stage);
  v.outsideClick = (event) => {
    noticeLeaving(v, event);
    dismiss(v, event);
  };
  for (const kind of LEAVING_EVENTS) window.addEventListener(kind, v.outsideClick, { capture: true });
  v.outsideMove = (event) => noticeTravelling(v, event);
  window.addEventListener("pointermove", v.outsideMove, { passive: true });
  return v;
}

// The same content again is a rerun: the view stays exactly as it is.
async function receive(v, bytes) {
  const { header, body } = readHeader(bytes);
  askHeight(v, header.heightPx);
  const known = v.volumes && header.content === v.content;
  if (header.part === "plane" || header.part === "view") {
    if (!known || v.volumes.partial) {
      askFor(v, "volumes", { content: header.content }); // drawn anew by the browser, without what it had
      return;
    }
    if (header.part === "plane") await takePlane(v, header, body);
  } else if (!known || v.volumes.partial) {
    const token = (v.token = (v.token ?? 0) + 1);
    const volumes = await decodeVolumes(header, body);
    if (token !== v.token || v.gone) return;
    if (known && !volumes.partial) completeVolumes(v, header, volumes);
    else if (!known) takeVolumes(v, header, volumes);
    if (volumes.partial) askFor(v, "volumes");
  }
  v.measured = header.measured;
  if (v.s && header.order !== v.order) {
    v.header = header;
    v.order = header.order;
    applyStart(v, header.start);
    switchMode(v, v.s.mode);
  }
  repaint(v);
}

function takeVolumes(v, header, volumes) {
  const before = v.s;
  const sameGrid = before && JSON.stringify(volumes.fullShape) === JSON.stringify(v.volumes.fullShape);
  v.header = header;
  v.volumes = volumes;
  v.content = header.content;
  v.bitmaps.clear();
  v.joint = v.counted = v.reach = v.fullPlanes = v.nextPlane = v.waitsFor = null;
  clearInterval(v.playTimer);
  v.s = freshState(volumes);
  if (sameGrid && header.order === v.order) {
    // Other images of the same place: look at the same place.
    const { mode, t, z, zoom, cx, cy, cursor, projection, z0, z1, sections, drawer, line } = before;
    Object.assign(v.s, { t, z, zoom, cx, cy, cursor, projection, z0, z1, sections, drawer, line });
    if (header.modes.includes(mode)) v.s.mode = mode;
  } else applyStart(v, header.start);
  if (!header.modes.includes(v.s.mode)) v.s.mode = header.modes[0] ?? "side";
  v.order = header.order;
  v.reported = JSON.stringify(reportOf(v));
  buildForVolumes(v);
  syncPartial(v);
  restartBlink(v, v.s.mode === "blink" && !calm());
}

function destroy(v) {
  v.gone = true;
  v.s = null;
  for (const timer of [v.reportTimer, v.askTimer, v.liveTimer, v.toldTimer, v.planeTimer]) clearTimeout(timer);
  for (const timer of [v.playTimer, v.blinkTimer]) clearInterval(timer);
  cancelAnimationFrame(v.frame);
  v.observer.disconnect();
  window.removeEventListener("wheel", v.outsideWheel, { capture: true });
  for (const kind of LEAVING_EVENTS) window.removeEventListener(kind, v.outsideClick, { capture: true });
  window.removeEventListener("pointermove", v.outsideMove);
  closeVolume(v);
  v.volumes = null;
  v.bitmaps.clear();
}

export default function show({ data, parentElement, setStateValue, setTriggerValue }) {
  let v = parentElement.labelfreeViewer;
  if (!v || v.gone || !v.root.isConnected) {
    if (v) destroy(v);
    v = parentElement.labelfreeViewer = createViewer(parentElement);
  }
  v.send = (view) => setStateValue("view", view);
  v.ask = (what) => setTriggerValue("want", what);
  receive(v, data).catch((problem) => {
    v.controls.busy.hidden = false;
    setText(v.controls.busy, `The image could not be shown: ${problem.message}. Reload the page.`);
  });
  return () => destroy(v);
}
