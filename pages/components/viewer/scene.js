// Which panels a mode shows, where they lie, and how voxels and screen pixels correspond.

const HEADER_PX = 26;
const STACKED_PX = 44;
const BAR_PX = 18;
const LEAST_PANEL_PX = 100;
const GAP_PX = 8;
const SECTION_GAP_PX = 4;
const DEEPEST_SECTION = 0.6;

const names = (v, ...indices) => indices.map((index) => v.volumes.layers[index].name);
const layerItem = (v, index, extra = {}) => ({ canvas: (axis) => layerBitmap(v, index, axis, layerTable(v, index)), ...extra });

function panelsOf(v) {
  const { s } = v;
  const { layers } = v.volumes;
  const { a, b } = s;
  if (single(v) && PAIR_MODES.includes(s.mode) && !["threshold", "3d"].includes(s.mode)) return sidePanels(v);
  if (s.mode === "blink") {
    const shown = v.phase ? b : a;
    return [{ title: layers[shown].name, bar: { layers: [shown] }, values: [a, b], items: [layerItem(v, shown)] }];
  }
  if (s.mode === "swipe")
    return [{ title: "", bar: { layers: [a, b] }, values: [a, b], swipe: true, items: [layerItem(v, a), layerItem(v, b, { swipe: true })] }];
  if (s.mode === "blend")
    return [{ title: names(v, a, b).join(" → "), bar: { layers: [a, b] }, values: [a, b], items: [layerItem(v, a), layerItem(v, b, { alpha: s.blend })] }];
  if (s.mode === "merge") {
    const shown = layers.map((_, index) => index).filter((index) => s.per[index].merged);
    return [{ title: "", bar: { merge: shown }, values: shown, items: mergedItems(v, shown) }];
  }
  if (s.mode === "difference")
    return [{ title: names(v, a, b).join(" − "), bar: { difference: true }, values: [a, b], items: [{ canvas: (axis) => differenceBitmap(v, axis) }] }];
  if (s.mode === "threshold")
    return [{ title: "", bar: { agreement: true }, values: single(v) ? [a] : [a, b], items: [{ canvas: (axis) => agreementBitmap(v, axis) }] }];
  if (s.mode === "3d") return [{ title: boxText(v), bar: { volume: volumeChannels(v) }, values: [], items: [] }];
  return sidePanels(v);
}

// Images are added up; drawings lie over them.
function mergedItems(v, shown) {
  const { layers } = v.volumes;
  const image = (index) => ({ canvas: (axis) => layerBitmap(v, index, axis, mergeTable(v, index), "merge"), op: "lighter" });
  const drawing = (index) => ({ canvas: (axis) => layerBitmap(v, index, axis, drawnTable(v, index), "drawn") });
  const drawn = shown.filter((index) => isDrawn(layers[index]));
  return [...shown.filter((index) => !drawn.includes(index)).map(image), ...drawn.map(drawing)];
}

function boxText({ volumes: { nx, ny, nz, um } }) {
  return [[nx, um.x], [ny, um.y], [nz, um.z]].map(([count, size]) => (count * size).toPrecision(3)).join(" × ") + " µm";
}

function sidePanels(v) {
  const { layers } = v.volumes;
  const shown = layers.map((_, index) => index).filter((index) => v.s.per[index].visible);
  return (shown.length ? shown : [0]).map((index) => ({
    title: layers[index].name,
    bar: { layers: [index] },
    values: [index],
    items: [layerItem(v, index)],
  }));
}

// What a name and so many colour bars need in one line; a legend instead of bars takes as much as one and a half.
const headWidth = (bars) => 140 + 240 * (bars || 1.5);

const stackedWidth = (bars) => (bars > 1 ? 440 : 180);

// A panel too narrow for its name beside its colour bars gets them below each other.
function headPx(panel, width) {
  const bars = panel.bar.difference ? 1 : (panel.bar.layers?.length ?? 0);
  if (!bars || width >= headWidth(bars)) return HEADER_PX;
  return bars > 1 && panel.title && width < stackedWidth(bars) ? STACKED_PX + BAR_PX : STACKED_PX;
}

const aspect = (v) => ({ ky: v.volumes.um.y / v.volumes.um.x, kz: v.volumes.um.z / v.volumes.um.x });

// Parts of one panel: the plane, and on request the two sections beside and below it.
function areasOf(v, x, y, w, h) {
  const { nx, ny, nz } = v.volumes;
  if (!v.s.sections || nz < 2) return [{ axis: "xy", x, y, w, h }];
  const { ky, kz } = aspect(v);
  const fit = Math.min((w - SECTION_GAP_PX - 2) / (nx + nz * kz), (h - SECTION_GAP_PX - 2) / (ny * ky + nz * kz));
  // True to scale; a stack several times as tall as its plane leaves the plane some room, and follows z instead.
  const depth = Math.round(clamp(nz * kz * fit + 2, 28, DEEPEST_SECTION * Math.min(w, h)));
  const gap = SECTION_GAP_PX;
  return [
    { axis: "xy", x, y, w: w - depth - gap, h: h - depth - gap },
    { axis: "yz", x: x + w - depth, y, w: depth, h: h - depth - gap },
    { axis: "xz", x, y: y + h - depth, w: w - depth - gap, h: depth },
  ];
}

function fitScale(v, area) {
  const { nx, ny } = v.volumes;
  return Math.min(area.w / nx, area.h / (ny * aspect(v).ky));
}

function layoutOf(v, width, height) {
  const panels = panelsOf(v);
  const rects = (columns) => {
    const rows = Math.ceil(panels.length / columns);
    const w = (width - GAP_PX * (columns - 1)) / columns;
    const h = (height - GAP_PX * (rows - 1)) / rows;
    return panels.map((panel, index) => {
      const x = Math.round((index % columns) * (w + GAP_PX));
      const y = Math.round(Math.floor(index / columns) * (h + GAP_PX));
      const head = headPx(panel, w);
      const areas = areasOf(v, x, y + head, Math.floor(w), Math.floor(h - head));
      return { ...panel, x, y, w: Math.floor(w), h: Math.floor(h), head, areas };
    });
  };
  let best = null;
  // One row, as eyes compare best; more only where they make the images clearly larger. Rows are equally long, but for
  // the last, and no panel is too narrow for its numbers.
  for (const columns of new Set(panels.map((_, row) => Math.ceil(panels.length / (row + 1))))) {
    if (columns > 1 && width / columns < LEAST_PANEL_PX) continue;
    const candidate = rects(columns);
    const fit = fitScale(v, candidate[0].areas[0]);
    if (!best || fit > best.fit * 1.25) best = { fit, panels: candidate };
  }
  return { ...best, panels: drawnTogether(v, best, width), width, height };
}

// Images lower than the stage would stand far apart with empty bands between them: bring their panels together.
// Zooming in widens the panels again, up to their share of the stage.
function drawnTogether(v, { panels, fit }, width) {
  const [first] = panels;
  const columns = panels.filter((panel) => panel.y === first.y).length;
  const image = v.volumes.nx * fit;
  const plane = first.areas.find((area) => area.axis === "xy");
  const used = Math.ceil(image * Math.max(1, v.s.zoom)) + (first.w - plane.w);
  const bars = first.bar.difference ? 1 : (first.bar.layers?.length ?? 0);
  const least = first.head > HEADER_PX ? stackedWidth(bars) : headWidth(bars);
  const w = Math.min(first.w, Math.max(used, least));
  if (w >= first.w || v.s.mode === "3d") return panels;
  const left = Math.floor((width - columns * w - (columns - 1) * GAP_PX) / 2);
  return panels.map((panel, index) => {
    const x = left + (index % columns) * (w + GAP_PX);
    const areas = panel.areas.map((area) => {
      if (area.axis === "yz") return { ...area, x: x + w - area.w };
      return { ...area, x, w: area.w - (panel.w - w) };
    });
    return { ...panel, x, w, areas };
  });
}

const SHORTEST_STAGE_PX = 240;
const SHORTEST_ROW_PX = 130;

// Many panels on a narrow screen need several rows, and more height than the page offers.
function shortestStage(v, width) {
  const columns = Math.max(1, Math.floor(width / LEAST_PANEL_PX));
  return Math.max(SHORTEST_STAGE_PX, SHORTEST_ROW_PX * Math.ceil(panelsOf(v).length / columns));
}

const LEAST_VIEWER_PX = 480;
const MENU_PX = 76;

// The page asks for a height once; the same request at a rerun must not undo the fit below. More than the window shows
// would put the controls out of sight.
function askHeight(v, heightPx) {
  if (v.askedPx === heightPx) return;
  v.askedPx = heightPx;
  v.heightPx = Math.min(heightPx, Math.max(LEAST_VIEWER_PX, window.innerHeight - MENU_PX));
  v.root.style.setProperty("--lfv-height", `${v.heightPx}px`);
}

// The height that the images fill at this width: what the page allows, less the empty bands above and below.
function filledHeight(v, width, height) {
  const { panels, fit } = layoutOf(v, width, height);
  const rows = new Set(panels.map((panel) => panel.y)).size;
  const spare = panels[0].areas[0].h - v.volumes.ny * aspect(v).ky * fit;
  return Math.max(shortestStage(v, width), Math.ceil(height - rows * Math.max(0, spare)));
}

// True where the stage was given another height. On a narrow screen, a full-height stage would be mostly empty.
function fitHeight(v, box) {
  if (v.root.matches(":fullscreen")) return false;
  const { s } = v;
  // What opens beside or below the images never moves the page.
  const situation = JSON.stringify([s.mode, v.root.offsetWidth, v.heightPx, v.volumes.layers.map((_, index) => s.per[index].visible)]);
  if (s.drawer && v.situation === situation) return false;
  v.situation = situation;
  const around = v.root.offsetHeight - box.height - (v.spare ?? 0);
  const full = Math.max(v.heightPx - around, shortestStage(v, box.width));
  const wanted = s.mode === "3d" ? full : filledHeight(v, box.width, full);
  const spare = spareRoom(v, box.width, around, wanted);
  const changed = Math.abs(wanted - box.height) > 2;
  if (!changed && Math.abs(spare - (v.spare ?? 0)) <= 2) return false;
  v.spare = spare;
  v.root.style.setProperty("--lfv-spare", `${spare}px`);
  v.root.style.setProperty("--lfv-height", `${wanted + around + spare}px`);
  return changed;
}

// A place at the edge of the field would leave half of its panel empty: look beside it, as far as the image goes.
function keepInside(v) {
  const [plane] = v.layout.panels[0].areas;
  const scale = v.layout.fit * v.s.zoom;
  const within = (middle, count, shown) => (shown < count ? clamp(middle, shown / 2, count - shown / 2) : count / 2);
  v.s.cx = within(v.s.cx, v.volumes.nx, plane.w / scale);
  v.s.cy = within(v.s.cy, v.volumes.ny, plane.h / (scale * aspect(v).ky));
}

// Where voxel (0, 0) of an area lies on the screen, and how many pixels one voxel takes along both axes.
function placement(v, area, fit) {
  const { s } = v;
  const { ky, kz } = aspect(v);
  const scale = fit * s.zoom;
  const depth = area.axis === "yz" ? area.w : area.h;
  const middleZ = v.volumes.nz * kz * scale <= depth + 1 ? v.volumes.nz / 2 : s.z + 0.5;
  const across = area.axis === "yz" ? { size: kz * scale, middle: middleZ } : { size: scale, middle: s.cx };
  const down = area.axis === "xz" ? { size: kz * scale, middle: middleZ } : { size: ky * scale, middle: s.cy };
  return {
    px: across.size,
    py: down.size,
    x0: area.x + area.w / 2 - across.middle * across.size,
    y0: area.y + area.h / 2 - down.middle * down.size,
  };
}

// Which panel, area and voxel lie under a point of the stage.
function hit(v, x, y) {
  for (const panel of v.layout?.panels ?? [])
    for (const area of panel.areas) {
      if (x < area.x || y < area.y || x >= area.x + area.w || y >= area.y + area.h) continue;
      const { px, py, x0, y0 } = placement(v, area, v.layout.fit);
      const [across, down] = [(x - x0) / px, (y - y0) / py];
      const [width, height] = gridSize(v, area.axis);
      const inside = across >= 0 && down >= 0 && across < width && down < height;
      return { panel, area, across, down, inside };
    }
  return null;
}

// The voxel (x, y, z) of a hit, in the grid that was sent.
function voxelOf(v, { area, across, down }) {
  const { cursor, z } = v.s;
  if (area.axis === "xz") return { x: across, y: cursor.y + 0.5, z: down };
  if (area.axis === "yz") return { x: cursor.x + 0.5, y: down, z: across };
  return { x: across, y: down, z: z + 0.5 };
}
