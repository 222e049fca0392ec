// What opens over the page, how it closes again, and where the keys go after a click.

// The menu and the list of keys, each with the button that opens it.
const overlaysOf = ({ controls: c }) => [[c.snapshotMenu, c.camera], [c.shortcuts, c.help]];

const focused = (v) => v.root.getRootNode().activeElement;

function setOpen(v, part, open) {
  if (part.hidden === !open) return;
  const within = part.contains(focused(v));
  if (open) part.returnTo = v.byPointer ? v.controls.stage : focused(v);
  part.hidden = !open;
  if (part.popover) part[open ? "showPopover" : "hidePopover"]();
  const [, opener] = overlaysOf(v).find(([other]) => other === part);
  opener.setAttribute("aria-expanded", String(open));
  if (within && !open) (part.returnTo ?? v.controls.stage).focus({ preventScroll: true });
}

// What opened below the images comes into sight, with the next frame.
function reveal(v, part) {
  const behavior = calm() ? "auto" : "smooth";
  requestAnimationFrame(() => part.scrollIntoView({ block: "nearest", behavior }));
}

// Escape closes what is open, and so does a press anywhere else.
function dismiss(v, event) {
  if (event.type === "keydown" && event.key !== "Escape") return;
  const path = event.composedPath();
  for (const [part, opener] of overlaysOf(v)) {
    const own = event.type === "pointerdown" && (path.includes(part) || path.includes(opener));
    if (!own) setOpen(v, part, false);
  }
}

function listenOpening(v) {
  const { root, controls: c } = v;
  root.addEventListener("pointerdown", () => (v.byPointer = true), { capture: true });
  root.addEventListener("keydown", () => (v.byPointer = false), { capture: true });
  // After a click, keys act on the image again. Whoever uses a control with the keyboard stays on it.
  root.addEventListener("click", (event) => event.target.matches("button, button *, [type=radio], [type=checkbox]") && giveBackKeys(v, event));
  root.addEventListener("change", (event) => event.target.matches("select") && giveBackKeys(v, event));
  c.snapshotMenu.addEventListener("keydown", (event) => moveInMenu(v, event));
}

function giveBackKeys(v, { target }) {
  const now = focused(v);
  if (v.byPointer && (!now || now === target || now.contains(target))) v.controls.stage.focus({ preventScroll: true });
}

function moveInMenu(v, event) {
  const entries = [...v.controls.snapshotMenu.children];
  const at = entries.indexOf(focused(v));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") setOpen(v, v.controls.snapshotMenu, false);
  if (to == null) return;
  entries.at(to % entries.length).focus();
  event.preventDefault();
}
