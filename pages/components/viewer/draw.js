// Painting the stage: bitmaps with crisp pixels, cross-hair, scale bar, swipe handle, line.

const GROUND = "#000";
const ACCENT = "#ffd166";

function repaint(v) {
  if (v.frame) return;
  v.frame = requestAnimationFrame(() => {
    v.frame = 0;
    if (!v.s || !v.canvas.isConnected) return;
    paintNow(v);
  });
}

function paintNow(v) {
  const { canvas } = v;
  showDrawer(v);
  if (!v.stageSize || v.stageSize.width < 10) return;
  // Before the first paint all controls show and may leave no room; painting hides those that don't belong.
  const box = { ...v.stageSize, height: Math.max(10, v.stageSize.height) };
  if (fitHeight(v, box)) return; // the changed size paints again
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  v.layout = layoutOf(v, box.width, box.height);
  if (v.keptInside) keepInside(v);
  if (v.s.mode === "3d") openVolume(v); // first, because the controls say what to do without WebGL2
  syncControls(v);
  if (v.s.mode === "3d") {
    paintVolume(v);
  } else {
    const context = v.context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, box.width, box.height); // the page's own background shows around the images
    for (const panel of v.layout.panels) paintPanel(v, context, panel, ratio);
  }
  hover(v);
  shareTouch(v);
  v.frames = (v.frames ?? 0) + 1;
  askFullPlane(v);
}

function paintPanel(v, context, panel, ratio) {
  for (const area of panel.areas) {
    if (v.volumes.partial && area.axis !== "xy") continue;
    context.save();
    context.beginPath();
    context.rect(area.x, area.y, area.w, area.h);
    context.clip();
    paintGround(v, context, area);
    for (const item of panel.items) paintItem(v, context, area, item, ratio);
    if (v.s.sections) paintCrossHair(v, context, area);
    if (area.axis === "xy" && v.s.line) paintLine(v, context, area);
    if (area.axis === "xy" && v.ring) paintRing(v, context, area);
    context.restore();
  }
  const [plane] = panel.areas;
  paintScaleBar(v, context, plane);
  if (panel.swipe) paintSwipe(v, context, panel);
  if (v.s.sections) paintAxes(context, panel);
}

// Images that are blended or added need black under them, whatever the theme.
function paintGround(v, context, area) {
  const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
  const [across, down] = gridSize(v, area.axis);
  context.fillStyle = GROUND;
  context.fillRect(x0, y0, across * px, down * py);
}

function paintItem(v, context, area, item, ratio) {
  const place = placement(v, area, v.layout.fit);
  const { x0, y0 } = place;
  const canvas = item.canvas(area.axis);
  const [finerX, finerY] = finerBy(v, area.axis);
  const [px, py] = [place.px / finerX, place.py / finerY];
  // Only what is visible: a strongly enlarged plane stays as cheap as the whole one.
  const left = clamp(Math.floor((area.x - x0) / px), 0, canvas.width);
  const right = clamp(Math.ceil((area.x + area.w - x0) / px), 0, canvas.width);
  const top = clamp(Math.floor((area.y - y0) / py), 0, canvas.height);
  const bottom = clamp(Math.ceil((area.y + area.h - y0) / py), 0, canvas.height);
  if (right <= left || bottom <= top) return;
  context.save();
  if (item.swipe) {
    const edge = swipeEdge(v, area);
    context.beginPath();
    context.rect(edge, area.y, area.x + area.w - edge, area.h);
    context.clip();
  }
  context.globalAlpha = item.alpha ?? 1;
  context.globalCompositeOperation = item.op ?? "source-over";
  // Never blurred when enlarged; averaged when there are fewer screen pixels than voxels.
  context.imageSmoothingEnabled = px * ratio < 1;
  context.drawImage(canvas, left, top, right - left, bottom - top, x0 + left * px, y0 + top * py, (right - left) * px, (bottom - top) * py);
  context.restore();
}

const swipeEdge = (v, area) => area.x + v.s.swipe * area.w;

function paintSwipe(v, context, panel) {
  const [area] = panel.areas;
  const edge = Math.round(swipeEdge(v, area));
  context.fillStyle = "rgba(0,0,0,.45)";
  context.fillRect(edge - 2, area.y, 4, area.h);
  context.fillStyle = "#fff";
  context.fillRect(edge - 1, area.y, 2, area.h);
  context.beginPath();
  context.arc(edge, area.y + area.h / 2, 11, 0, 7);
  context.fill();
  context.fillStyle = "#222";
  const middle = area.y + area.h / 2;
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(edge + side * 7, middle);
    context.lineTo(edge + side * 2.5, middle - 4);
    context.lineTo(edge + side * 2.5, middle + 4);
  }
  context.fill();
  const [nameA, nameB] = panel.values.map((index) => v.volumes.layers[index].name);
  paintTag(context, nameA, area.x + 8, area.y + 8, "left");
  paintTag(context, nameB, area.x + area.w - 8, area.y + 8, "right");
}

function paintTag(context, text, x, y, align) {
  context.font = "600 12px system-ui, sans-serif";
  const width = Math.min(context.measureText(text).width, 220) + 12;
  const left = align === "left" ? x : x - width;
  context.fillStyle = "rgba(0,0,0,.6)";
  context.beginPath();
  context.roundRect(left, y, width, 20, 4);
  context.fill();
  context.fillStyle = "#fff";
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(text, left + 6, y + 10.5, width - 12);
}

function paintCrossHair(v, context, area) {
  const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
  const { cursor, z } = v.s;
  const across = area.axis === "yz" ? z : cursor.x;
  const down = area.axis === "xz" ? z : cursor.y;
  const [x, y] = [Math.round(x0 + (across + 0.5) * px) + 0.5, Math.round(y0 + (down + 0.5) * py) + 0.5];
  context.strokeStyle = "rgba(255,209,102,.75)";
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, area.y);
  context.lineTo(x, area.y + area.h);
  context.moveTo(area.x, y);
  context.lineTo(area.x + area.w, y);
  context.stroke();
}

const SMALLEST_RING_PX = 12;

function paintRing(v, context, area) {
  const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
  const radius = Math.max(SMALLEST_RING_PX, (v.ring.wide * px) / 2);
  for (const [colour, width] of [["rgba(0,0,0,.7)", 4], [ACCENT, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x0 + v.ring.x * px, y0 + v.ring.y * py, radius, 0, 7);
    context.stroke();
  }
}

function paintAxes(context, panel) {
  for (const area of panel.areas.slice(1)) paintTag(context, area.axis.toUpperCase(), area.x + 3, area.y + 3, "left");
}

function paintLine(v, context, area) {
  const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
  const { line } = v.s;
  const ends = [
    [x0 + line.x0 * px, y0 + line.y0 * py],
    [x0 + line.x1 * px, y0 + line.y1 * py],
  ];
  for (const [colour, width] of [["rgba(0,0,0,.7)", 4], [ACCENT, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...ends[0]);
    context.lineTo(...ends[1]);
    context.stroke();
  }
  context.fillStyle = ACCENT;
  for (const [x, y] of ends) {
    context.beginPath();
    context.arc(x, y, 4.5, 0, 7);
    context.fill();
  }
}

function paintScaleBar(v, context, area) {
  const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
  const pixelsPerUm = px / v.volumes.um.x;
  const image = v.volumes.nx * px;
  const um = roundLength(Math.min(0.3 * area.w, 140, 0.6 * image) / pixelsPerUm);
  const width = um * pixelsPerUm;
  context.font = "600 12px system-ui, sans-serif";
  const text = lengthText(um);
  const box = { w: Math.max(width, context.measureText(text).width) + 12, h: 28 };
  // On the image, not beside it; on a small one at least within its panel.
  const within = (end, start, size, length) => clamp(end - 6 - length, start, Math.max(start, start + size - length));
  box.x = within(Math.min(area.x + area.w, x0 + image), area.x, area.w, box.w);
  box.y = within(Math.min(area.y + area.h, y0 + v.volumes.ny * py), area.y, area.h, box.h);
  context.fillStyle = "rgba(0,0,0,.66)";
  context.beginPath();
  context.roundRect(box.x, box.y, box.w, box.h, 4);
  context.fill();
  context.fillStyle = "#fff";
  const middle = box.x + box.w / 2;
  context.fillRect(Math.round(middle - width / 2), box.y + 20, Math.round(width), 3);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(text, middle, box.y + 15);
}
