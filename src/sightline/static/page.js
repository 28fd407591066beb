// What every page can do more with JavaScript: search while one types, the keyboard, pictures that are dropped or pasted.
// Pages are asked for as they are, and their #found takes the place of this one's: the server alone knows what is shown.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const root = document.documentElement;
const box = $("#q");
const PAUSE = 180; // ms without a key after which a search begins
const PATIENCE = 200; // ms of a search after which the page says that it is at work: mostly it is done before

root.classList.add("js");

/** Tells screen readers, and with `loud` everybody. */
export function say(text, { loud = false } = {}) {
  const line = $("#say");
  line.textContent = text;
  line.classList.toggle("sr", !loud);
  line.classList.toggle("loud", loud);
}

// ---- finding without leaving the page ----------------------------------------------------------------------------

let asking = null; // the request under way; a newer one ends it
let shown = location.pathname + location.search;

async function load(address, { history: step = "push", keep = false, focus = keep, options = {} } = {}) {
  if (!$("#found") && !options.method) {
    location.assign(address);
    return;
  }
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
  const slow = setTimeout(() => root.classList.add("busy"), PATIENCE);
  try {
    const answer = await fetch(address, { headers: { accept: "text/html" }, ...options, signal: mine.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asking) return;
    const is_found = $("#found", page);
    if (is_found && is_found.dataset.at !== $("#found")?.dataset.at) {
      location.assign(answer.url);
      return;
    }
    if (!is_found && keep) return say("There is more, but it did not come.", { loud: focus }); // what is shown stays
    if (!is_found) step = "none"; // what went wrong has no address
    show(page, answer.url, step, keep, focus);
  } catch (error) {
    if (error.name !== "AbortError") say("The server does not answer.", { loud: true });
  } finally {
    clearTimeout(slow);
    if (mine === asking) {
      asking = null;
      root.classList.remove("busy");
    }
  }
}

function show(page, address, step, keep, focus) {
  const from = $("#found", page);
  if (!from) {
    const main = $("#main", page);
    if (!main) throw new Error("no page of ours");
    $("#main").replaceChildren(...[...main.childNodes].map((node) => document.adoptNode(node)));
    return;
  }
  if (keep && $("#found .grid")) {
    const was_at_the_end = $("#found .end")?.contains(document.activeElement);
    const first = extend($("#found"), from);
    if (focus || was_at_the_end) first?.focus({ preventScroll: true });
  } else {
    $("#found").replaceWith(document.adoptNode(from));
    if (step !== "none") window.scrollTo(0, 0);
  }
  watch_end();
  say($("[role=alert]", from)?.textContent.replace(/\s+/g, " ").trim() ?? counted(from));
  document.title = page.title;
  const theirs = $("#search", page);
  for (const old of $$("#search input[type=hidden]")) old.remove();
  for (const hidden of $$("input[type=hidden]", theirs)) $("#search").append(document.adoptNode(hidden));
  if (document.activeElement !== box) box.value = $("#q", theirs).value;
  $("#to-map").href = $("#to-map", page).href; // what is searched for is shown there too
  if (step !== "none" && address !== location.href) history[`${step}State`]({}, "", address);
  shown = location.pathname + location.search;
}

/** More of the same: what is there stays, with its focus and its open menu. Gives the first picture that is new. */
function extend(found, more) {
  const grid = $(".grid", found);
  const there = new Map($$(".grid > .shot", found).map((shot) => [$(".pic", shot).id, shot]));
  let here = grid.firstElementChild;
  let first = null;
  for (const shot of $$(".grid > .shot", more)) {
    const known = there.get($(".pic", shot).id);
    if (known && known === here) {
      here = here.nextElementSibling;
      continue;
    }
    grid.insertBefore(known ?? document.adoptNode(shot), here);
    if (!known) first ??= $(".pic", shot);
  }
  while (here) {
    const next = here.nextElementSibling;
    here.remove(); // gone from the collection
    here = next;
  }
  $("h1", found).replaceWith(document.adoptNode($("h1", more)));
  $(".end", found)?.remove();
  const end = $(".end", more);
  if (end) grid.after(document.adoptNode(end));
  Object.assign(found.dataset, more.dataset);
  return first;
}

// Who comes near the end gets more without asking, up to a point; then there is the button.
const BY_THEMSELVES = 288;
const near_end = new IntersectionObserver(
  (seen) => {
    const link = seen.find((one) => one.isIntersecting)?.target;
    if (link?.isConnected && !asking && $$(".pic").length < BY_THEMSELVES) load(link.href, { history: "replace", keep: true, focus: false });
  },
  { rootMargin: "0px 0px 200px" },
);

function watch_end() {
  near_end.disconnect();
  const more = $("#found .end [data-swap=keep]");
  if (more) near_end.observe(more);
}

function counted(found) {
  const count = Number(found.dataset.count);
  if (!count) return "Nothing found that fits";
  return `${count}${found.dataset.more && "+"} picture${count === 1 ? "" : "s"}`;
}

function address_of_search() {
  const given = new URLSearchParams(new FormData($("#search")));
  given.delete("k");
  for (const [name, value] of [...given]) if (!value.trim()) given.delete(name);
  return `${$("#search").getAttribute("action")}${given.size ? "?" + given : ""}`;
}

watch_end();

let pause = 0;
let typing = false; // the first search of a while of typing gets an entry in the history, the others take its place

if ($("#found")) {
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      load(address_of_search(), { history: typing ? "replace" : "push" });
      typing = true;
    }, PAUSE);
  });
  box.addEventListener("change", () => (typing = false));
  $("#search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    load(address_of_search(), { history: typing ? "replace" : "push" });
    typing = false;
  });
  addEventListener("popstate", () => {
    if (shown === location.pathname + location.search) return; // another place on this page
    box.blur();
    load(location.href, { history: "none" });
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || !$("#found") || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  box.blur();
  load(link.href, { keep: link.dataset.swap === "keep" });
});

// ---- menus: one is open at a time, and none of it lies outside the window --------------------------------------------

document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.(".menu") || !menu.open) return;
    const pop = $(".pop", menu);
    pop.classList.remove("flip", "rise");
    const place = pop.getBoundingClientRect();
    pop.classList.toggle("flip", place.left < 4);
    pop.classList.toggle("rise", place.bottom > innerHeight - 4 && menu.getBoundingClientRect().top > place.height + 90);
  },
  true,
);
document.addEventListener("pointerdown", (event) => {
  for (const menu of $$(".menu[open]")) if (!menu.contains(event.target) || event.target === menu) menu.open = false;
});

// ---- the keyboard: / to search, arrows through the pictures, Enter opens, Esc goes back ----------------------------------

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") return escape(event);
  const typingIn = event.target.closest("input, textarea, select");
  if (event.key === "ArrowDown" && event.target === box && $(".pic")) {
    event.preventDefault();
    first_seen($$(".pic")).focus();
    return;
  }
  if (typingIn) return;
  if (event.key === "/") {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") {
    walk(event);
  }
});

function escape(event) {
  const open = $(".menu[open]");
  if (open) {
    open.open = false;
    $("summary", open).focus();
  } else if (event.target.closest("input, textarea, select")) {
    if (event.target !== box || !box.value) event.target.blur();
  } else if ($("#back")) {
    $("#back").click();
  }
}

function walk(event) {
  const pictures = $$("main .pic");
  const here = document.activeElement.closest(".shot");
  const at = pictures.indexOf(here && $(".pic", here));
  if (at < 0 && $("#back")) {
    const step = { ArrowLeft: "#before", ArrowRight: "#after" }[event.key];
    if (step && $(step)) $(step).click();
    return;
  }
  if (!pictures.length || (at < 0 && event.key !== "ArrowDown" && event.key !== "ArrowRight")) return;
  const next = at < 0 ? first_seen(pictures) : neighbour(pictures, at, event.key);
  if (!next) {
    if (event.key === "ArrowUp" && $("#found")) box.focus();
    return;
  }
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function first_seen(pictures) {
  return pictures.find((one) => one.getBoundingClientRect().top > 60) ?? pictures[0];
}

function neighbour(pictures, at, key) {
  if (key === "ArrowLeft") return pictures[at - 1];
  if (key === "ArrowRight") return pictures[at + 1];
  if (key === "Home") return pictures[0];
  if (key === "End") return pictures.at(-1);
  const here = pictures[at].getBoundingClientRect();
  const middle = here.left + here.width / 2;
  const places = pictures.map((one) => [one, one.getBoundingClientRect()]);
  const onward = places.filter(([, place]) => (key === "ArrowDown" ? place.top > here.top + 4 : place.top < here.top - 4));
  if (!onward.length) return undefined;
  const rows = onward.map(([, place]) => place.top);
  const row = key === "ArrowDown" ? Math.min(...rows) : Math.max(...rows);
  const away = ([, place]) => Math.abs(place.left + place.width / 2 - middle);
  return onward.filter(([, place]) => Math.abs(place.top - row) < 4).sort((a, b) => away(a) - away(b))[0][0];
}

// ---- pictures that are dropped, pasted or chosen ---------------------------------------------------------------------

function search_by(file) {
  const form = new FormData();
  form.set("picture", file);
  form.set("at", $("#search").getAttribute("action"));
  box.blur(); // so that it shows what is asked now
  say("Searching by the picture");
  load("/picture", { options: { method: "POST", body: form } });
}

const drop = $("#drop");
const is_files = (event) => event.dataTransfer?.types.includes("Files");

addEventListener("dragenter", (event) => {
  if (!is_files(event)) return;
  event.preventDefault();
  drop.hidden = false;
});
addEventListener("dragover", (event) => {
  if (!is_files(event)) return;
  event.preventDefault();
  const zone = event.target.closest?.("[data-drop]");
  for (const one of $$("[data-drop]")) one.classList.toggle("over-it", one === zone);
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.hidden = true;
});
addEventListener("drop", (event) => {
  if (!is_files(event)) return;
  event.preventDefault();
  drop.hidden = true;
  const zones = $$("[data-drop]");
  const zone = event.target.closest?.("[data-drop]") ?? (zones.length === 1 ? zones[0] : null);
  const files = [...event.dataTransfer.files];
  if (!zone || !files.length) return;
  if (zone.dataset.drop === "search") search_by(files[0]);
  else add(files);
});

async function add(files) {
  if ($("#add")) {
    document.dispatchEvent(new CustomEvent("sightline-add", { detail: files }));
    return;
  }
  const { add_all } = await import(drop.dataset.add);
  const { added, troubles } = await add_all(files, (done) => {
    say(`Adding ${Math.min(done + 1, files.length)} of ${files.length} …`, { loud: true });
  });
  if (added && !troubles.length) location.assign("/?q=added%3Atoday");
  else say([`${added} added.`, ...troubles].join(" "), { loud: true });
}

addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  search_by(file);
});

$("#by-picture")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const input = $("input[form=by-picture]");
  $(".by").open = false;
  search_by(input.files[0]);
  input.value = "";
});
$("input[form=by-picture]")?.addEventListener("change", () => $("#by-picture").requestSubmit());
