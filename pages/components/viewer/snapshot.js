// A picture for a slide: what is seen, at twice the resolution, with names, colour bars and scale bar.

const SNAPSHOT_RATIO = 2;

function snapshotMenu(v) {
  const entry = (text, act) =>
    make("button", { type: "button", role: "menuitem", onclick: () => choose(v, act) }, text);
  return make(
    "div",
    { class: "menu", hidden: true, role: "menu", "aria-label": "Copy or save as PNG" },
    entry("Copy, on white", () => copySnapshot(v, true)),
    entry("Copy, on dark", () => copySnapshot(v, false)),
    entry("Save PNG, on white", () => saveSnapshot(v, true)),
    entry("Save PNG, on dark", () => saveSnapshot(v, false)),
  );
}

function choose(v, act) {
  setOpen(v, v.controls.snapshotMenu, false);
  act();
}

function toggleSnapshotMenu(v) {
  const menu = v.controls.snapshotMenu;
  setOpen(v, menu, menu.hidden);
  if (!menu.hidden) menu.firstChild.focus();
}

function snapshotCanvas(v, light) {
  const { width, height } = v.layout;
  const canvas = make("canvas", { width: width * SNAPSHOT_RATIO, height: height * SNAPSHOT_RATIO });
  const context = canvas.getContext("2d");
  context.scale(SNAPSHOT_RATIO, SNAPSHOT_RATIO);
  const [ground, ink] = light && v.s.mode !== "3d" ? ["#ffffff", "#111111"] : ["#000000", "#f4f4f4"];
  context.fillStyle = ground;
  context.fillRect(0, 0, width, height);
  if (v.s.mode === "3d") paintVolumeShot(v, context, width, height);
  for (const panel of v.layout.panels) {
    if (v.s.mode !== "3d") paintPanel(v, context, panel, SNAPSHOT_RATIO);
    paintHead(v, context, panel, ink);
  }
  return canvas;
}

function paintHead(v, context, panel, ink) {
  const stacked = panel.head > HEADER_PX;
  const baseline = panel.y + (stacked ? 12 : HEADER_PX / 2);
  context.textBaseline = "middle";
  context.font = "600 14px system-ui, sans-serif";
  context.fillStyle = ink;
  context.textAlign = "left";
  const entries = legendEntries(v, panel.bar);
  if (panel.title) context.fillText(panel.title, panel.x + 2, baseline, panel.w * (stacked ? 0.98 : 0.6));
  let left = panel.x + 2 + (panel.title ? context.measureText(panel.title).width + 18 : 0);
  for (const [colour, text] of entries) {
    context.fillStyle = `rgb(${colour})`;
    context.fillRect(left, baseline - 6, 12, 12);
    context.strokeStyle = ink;
    context.strokeRect(left, baseline - 6, 12, 12);
    context.fillStyle = ink;
    context.fillText(text, left + 17, baseline);
    left += 33 + context.measureText(text).width;
  }
  paintSnapshotBars(v, context, panel, { ink, baseline: stacked ? panel.y + 33 : baseline, strip: stacked ? 40 : 90 });
}

function paintSnapshotBars(v, context, panel, { ink, baseline, strip: width }) {
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  context.fillStyle = ink;
  let right = panel.x + panel.w - 2;
  for (const scale of scalesOf(v, panel.bar).reverse()) {
    context.fillText(scale.high, right, baseline);
    right -= context.measureText(scale.high).width + 6;
    const strip = make("canvas", { width, height: 1 });
    paintBar(strip, (fraction) => colourAt(scale.colormap, fraction));
    context.drawImage(strip, right - width, baseline - 5, width, 10);
    context.fillText(scale.low, right - width - 6, baseline);
    right -= width + 22 + context.measureText(scale.low).width;
  }
}

function saveSnapshot(v, light, text = "Picture saved.") {
  snapshotCanvas(v, light).toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    const { s } = v;
    const plane = s.projection === "plane" ? `z${s.z + 1}` : `${s.projection}-z${s.z0 + 1}-${s.z1 + 1}`;
    make("a", { href: address, download: `view-${s.mode}-${plane}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tell(v, text);
  }, "image/png");
}

// Browsers give pages the clipboard on https and on this computer only, and some ask the person first.
function copySnapshot(v, light) {
  const picture = new Promise((resolve) => snapshotCanvas(v, light).toBlob(resolve, "image/png"));
  const item = () => new ClipboardItem({ "image/png": picture });
  const copied = navigator.clipboard?.write && window.ClipboardItem ? navigator.clipboard.write([item()]) : Promise.reject();
  return copied.then(
    () => tell(v, "Picture copied: paste it into a slide."),
    () => saveSnapshot(v, light, "This browser does not allow copying here, so the picture is saved as a file."),
  );
}

const TOLD_MS = 3500;

// Seen for a moment on the image, and read by a screen reader.
function tell(v, text) {
  const { told, live } = v.controls;
  setText(told, text);
  setText(live, text);
  told.hidden = false;
  clearTimeout(v.toldTimer);
  v.toldTimer = setTimeout(() => (told.hidden = true), TOLD_MS);
}
