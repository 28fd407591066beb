// The map: a canvas of points that one moves about on. It stands on the page /map and in a file of its own
// (`sightline map --save map.html`); what differs between the two is in `served` and `filed` at the end.

const THUMBS = { wide: 70, narrow: 54 }; // px across; thumbnails keep this distance, and 0.72 of it up and down
const REACH = 16; // px around the pointer in which a point is found
const MOST_HELD = 500;
const AT_ONCE = 6; // thumbnails that are asked for at a time
const DEEPEST = 60; // times as large as the whole map
const NONE = -1;
const ASIDE = [0, -24, 24, -40, 40]; // px that a name may stand above or below the middle of its region
const PALETTES = {
  light: ["#0a6b58", "#c2571a", "#3565b0", "#96388b", "#857200", "#b3263b", "#4d7d1e", "#6a5acd"],
  dark: ["#74d4bd", "#f0a064", "#8db4f0", "#dd92d3", "#d8c64a", "#f48a98", "#a8d073", "#b5a8f5"],
};
const RAMP = ["#404688", "#2a788e", "#22a884", "#7ad151", "#fde725"]; // old to new; after viridis
const QUIET = { light: "#a9b2af", dark: "#4c5653" };

const $ = (selector, within = document) => within.querySelector(selector);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const is_dark = matchMedia("(prefers-color-scheme: dark)");

export class MapView {
  /** `sea` is the element around the canvas; `host` gives thumbnails and captions, and opens pictures. */
  constructor(sea, data, host) {
    this.sea = sea;
    this.canvas = $("canvas", sea);
    this.context = this.canvas.getContext("2d");
    this.host = host;
    this.data = data;
    this.colouring = "plain";
    this.focused = NONE;
    this.bitmaps = new Map(); // by id: what `host.thumb` gave, null where there is none
    this.loading = new Set();
    this.spreads = new Map(); // by level of zoom: which points show their thumbnail
    this.frames = []; // ms of the last drawings
    this.mark({ hits: [], spot: null, label: "" });
    this.#listen();
    this.resize();
    this.fit();
  }

  /** Shows a search: `hits` are [id, x, y, fits], best first; `spot` is where the query lies. */
  mark(marks) {
    const { ids, x, y } = this.data;
    this.marks = marks;
    const known = (this.known ??= new Map(ids.map((id, at) => [id, at])));
    const others = marks.hits.filter(([id]) => !known.has(id)); // a large collection's map is a sample
    this.ids = others.length ? ids.concat(others.map(([id]) => id)) : ids;
    this.x = Float32Array.from(others.length ? x.concat(others.map(([, at]) => at)) : x);
    this.y = Float32Array.from(others.length ? y.concat(others.map(([, , at]) => at)) : y);
    const place = new Map(others.map(([id], at) => [id, ids.length + at]));
    this.hits = marks.hits.map(([id]) => known.get(id) ?? place.get(id));
    this.fits = new Map(marks.hits.map(([, , , fits], rank) => [this.hits[rank], fits ?? 1 - rank / marks.hits.length]));
    this.is_asked = marks.hits.length > 0;
    this.spreads.clear();
    this.grid = null;
    this.#colour();
    this.draw();
  }

  // ---- where things are: the map is from -1 to 1 both ways, `scale` is px for 1 --------------------------------

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.ratio = clamp(devicePixelRatio || 1, 1, 2);
    const middle = this.width ? this.to_map(this.width / 2, this.height / 2) : null;
    this.width = width;
    this.height = height;
    this.thumb = width < 500 ? THUMBS.narrow : THUMBS.wide;
    this.spreads.clear();
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    if (middle) this.#put(middle, width / 2, height / 2);
    this.draw();
  }

  fit() {
    const [left, right, top, bottom] = this.#bounds();
    const room = 2 * Math.min(44, this.width / 8);
    this.whole = Math.min((this.width - room) / (right - left || 1), (this.height - room) / (bottom - top || 1));
    this.scale = this.whole;
    this.#put([(left + right) / 2, (top + bottom) / 2], this.width / 2, this.height / 2);
    this.draw();
  }

  zoom(factor, at_x = this.width / 2, at_y = this.height / 2) {
    const here = this.to_map(at_x, at_y);
    this.scale = clamp(this.scale * factor, this.whole / 2, this.whole * DEEPEST);
    this.#put(here, at_x, at_y);
    this.draw();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.draw();
  }

  to_map(px, py) {
    return [(px - this.left) / this.scale, (py - this.top) / this.scale];
  }

  at(point) {
    return [this.x[point] * this.scale + this.left, this.y[point] * this.scale + this.top];
  }

  #put([x, y], px, py) {
    this.left = px - x * this.scale;
    this.top = py - y * this.scale;
  }

  #bounds() {
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let at = 0; at < this.x.length; at++) {
      left = Math.min(left, this.x[at]);
      right = Math.max(right, this.x[at]);
      top = Math.min(top, this.y[at]);
      bottom = Math.max(bottom, this.y[at]);
    }
    return left > right ? [-1, 1, -1, 1] : [left, right, top, bottom];
  }

  // ---- drawing -------------------------------------------------------------------------------------------------

  draw() {
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      const begun = performance.now();
      this.#draw();
      this.frames.push(performance.now() - begun);
      if (this.frames.length > 600) this.frames.shift();
    });
  }

  #draw() {
    if (!this.width || !this.scale) return;
    const paint = this.context;
    paint.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    paint.clearRect(0, 0, this.width, this.height);
    this.#dots(paint);
    const drawn = this.#thumbs(paint);
    if (this.marks.spot) this.#threads(paint);
    this.#names(paint, drawn);
    if (this.marks.spot) this.#query(paint);
    this.#focus(paint);
  }

  /**
   * The points, from a layer that reaches beyond the window. While one moves or zooms it is only moved and scaled; once it
   * would show what it does not have, or has been scaled for a moment, it is drawn anew.
   */
  #dots(paint) {
    const layer = (this.layer ??= { canvas: document.createElement("canvas"), key: "" });
    const key = [this.width, this.height, this.ratio, this.painted].join();
    let by = this.scale / layer.scale;
    const [x, y] = [this.left - layer.left * by, this.top - layer.top * by];
    const is_whole = x <= 0 && y <= 0 && x + layer.width * by >= this.width && y + layer.height * by >= this.height;
    clearTimeout(this.sharpening);
    if (layer.key !== key || by < 0.5 || by > 2.5 || !is_whole) {
      this.#layer(layer, key);
      by = 1;
    } else if (by !== 1) {
      this.sharpening = setTimeout(() => {
        layer.key = "";
        this.draw();
      }, 140);
    }
    const [left, top] = [this.left - layer.left * by, this.top - layer.top * by];
    paint.drawImage(layer.canvas, left, top, layer.width * by, layer.height * by);
  }

  /** Draws the points of the window and of half a window around it. `left` and `top`: where 0, 0 of the map is on it. */
  #layer(layer, key) {
    const wide = Math.round(2 * this.width * this.ratio);
    const tall = Math.round(2 * this.height * this.ratio);
    const [left, top] = [this.left + this.width / 2, this.top + this.height / 2];
    Object.assign(layer, { key, scale: this.scale, left, top, width: wide / this.ratio, height: tall / this.ratio });
    if (layer.canvas.width !== wide || layer.canvas.height !== tall) Object.assign(layer.canvas, { width: wide, height: tall });
    const paint = layer.canvas.getContext("2d");
    paint.clearRect(0, 0, wide, tall);
    const size = this.#size();
    for (const [colour, points] of this.groups) {
      const stamp = this.#stamp(colour, size);
      const half = stamp.width / 2;
      for (const point of points) {
        const px = (this.x[point] * this.scale + left) * this.ratio - half;
        const py = (this.y[point] * this.scale + top) * this.ratio - half;
        if (px > -20 && py > -20 && px < wide && py < tall) paint.drawImage(stamp, px | 0, py | 0);
      }
    }
  }

  #size() {
    const crowd = Math.sqrt(800 / Math.max(this.x.length, 200));
    return clamp(3.2 * crowd * Math.sqrt(this.scale / Math.max(this.whole, 420)), 1.6, 5);
  }

  #stamp(colour, size) {
    const radius = size * this.ratio;
    const stamp = document.createElement("canvas");
    stamp.width = stamp.height = Math.ceil(2 * radius) + 2;
    const paint = stamp.getContext("2d");
    paint.fillStyle = colour;
    paint.globalAlpha = 0.85;
    paint.beginPath();
    paint.arc(stamp.width / 2, stamp.width / 2, radius, 0, 2 * Math.PI);
    paint.fill();
    return stamp;
  }

  /** Draws thumbnails of points that lie apart, and asks for those that are not here yet. Which were drawn, and where. */
  #thumbs(paint) {
    const drawn = [];
    const wanted = [];
    for (const point of this.#spread()) {
      const [px, py] = this.at(point);
      if (px < -this.thumb || py < -this.thumb || px > this.width + this.thumb || py > this.height + this.thumb) continue;
      const bitmap = this.bitmaps.get(this.ids[point]);
      if (bitmap) drawn.push({ point, px, py, bitmap });
      else if (bitmap === undefined) wanted.push([point, Math.hypot(px - this.width / 2, py - this.height / 2)]);
    }
    for (const one of drawn.reverse()) this.#thumb(paint, one); // better ones over others
    this.wanted = wanted.sort(([, a], [, b]) => a - b).map(([point]) => point);
    this.#load();
    this.drawn = drawn;
    return drawn;
  }

  #thumb(paint, one, size = this.thumb * 0.94) {
    const { bitmap, px, py, point } = one;
    const by = size / Math.max(bitmap.w, bitmap.h);
    one.w = bitmap.w * by;
    one.h = bitmap.h * by;
    const [x, y] = [px - one.w / 2, py - one.h / 2];
    const is_hit = this.is_asked && (this.fits.get(point) ?? 0) >= 0.5;
    paint.fillStyle = is_hit ? this.colours.accent : this.colours.card;
    const edge = is_hit ? 2.5 : 1.5;
    paint.beginPath();
    paint.roundRect(x - edge, y - edge, one.w + 2 * edge, one.h + 2 * edge, 6);
    paint.fill();
    paint.save();
    paint.beginPath();
    paint.roundRect(x, y, one.w, one.h, 5);
    paint.clip();
    if (this.is_asked && !is_hit) paint.globalAlpha = 0.5;
    paint.drawImage(bitmap.image, bitmap.x, bitmap.y, bitmap.w, bitmap.h, x, y, one.w, one.h);
    paint.restore();
  }

  /** Points whose thumbnails leave each other room at this zoom, the first ones first; the hits where there are any. */
  #spread() {
    const level = Math.floor(2 * Math.log2(this.scale));
    if (this.spreads.has(level)) return this.spreads.get(level);
    const across = (this.thumb * 1.04) / 2 ** (level / 2);
    const down = across * 0.72;
    const cells = new Map();
    const chosen = [];
    const best = this.hits.filter((at) => this.fits.get(at) >= 0.5);
    const is_near = 2 ** (level / 2) > 2 * this.whole; // near enough for what else there is
    for (const point of !this.is_asked ? this.x.keys() : is_near ? [...best, ...this.x.keys()] : best) {
      const [column, row] = [Math.floor(this.x[point] / across), Math.floor(this.y[point] / down)];
      let free = true;
      for (let c = column - 1; free && c <= column + 1; c++)
        for (let r = row - 1; free && r <= row + 1; r++)
          for (const other of cells.get(c * 65_536 + r) ?? [])
            if (Math.abs(this.x[other] - this.x[point]) < across && Math.abs(this.y[other] - this.y[point]) < down) free = false;
      if (!free) continue;
      const cell = column * 65_536 + row;
      if (cells.has(cell)) cells.get(cell).push(point);
      else cells.set(cell, [point]);
      chosen.push(point);
    }
    this.spreads.set(level, chosen);
    return chosen;
  }

  async #load() {
    while (this.loading.size < AT_ONCE && this.wanted.length) {
      const id = this.ids[this.wanted.shift()];
      if (this.bitmaps.has(id) || this.loading.has(id)) continue;
      this.loading.add(id);
      this.host
        .thumb(id)
        .catch(() => null)
        .then((bitmap) => {
          this.loading.delete(id);
          this.bitmaps.set(id, bitmap);
          if (this.bitmaps.size > MOST_HELD) this.bitmaps.delete(this.bitmaps.keys().next().value);
          this.draw();
        });
    }
  }

  #threads(paint) {
    const [sx, sy] = this.#spot();
    paint.strokeStyle = this.colours.accent;
    paint.globalAlpha = 0.45;
    paint.lineWidth = 1.5;
    paint.beginPath();
    for (const point of this.hits.slice(0, 6)) {
      paint.moveTo(sx, sy);
      paint.lineTo(...this.at(point));
    }
    paint.stroke();
    paint.globalAlpha = 1;
  }

  #spot() {
    const [x, y] = this.marks.spot;
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  #query(paint) {
    const [px, py] = this.#spot();
    paint.fillStyle = this.colours.query;
    paint.strokeStyle = this.colours.card;
    paint.lineWidth = 2.5;
    paint.lineJoin = "round";
    paint.beginPath();
    for (let at = 0; at < 10; at++) {
      const far = at % 2 ? 6 : 14;
      const turn = (at * Math.PI) / 5 - Math.PI / 2;
      paint.lineTo(px + far * Math.cos(turn), py + far * Math.sin(turn));
    }
    paint.closePath();
    paint.stroke();
    paint.fill();
    if (this.marks.label) this.#pill(paint, this.marks.label, px, py + 30, { bold: true, fill: this.colours.query, ink: this.colours.card });
  }

  /** What lies where: larger regions first as one comes from afar, then smaller ones; none on another. */
  #names(paint, drawn) {
    const near = this.scale / this.whole;
    const level = near < 1.7 ? 0 : near < 4 ? 1 : 2;
    const taken = this.marks.spot ? [this.#label_box(paint)] : [];
    const pictures = drawn.map((one) => [one.px - one.w / 2, one.py - one.h / 2, one.w, one.h]);
    const order = [...this.data.names].filter((name) => name.level <= level).sort((a, b) => b.level - a.level);
    for (const name of level ? order : this.data.names.filter((one) => one.level <= 1)) {
      let px = name.x * this.scale + this.left;
      const middle = name.y * this.scale + this.top;
      if (px < -80 || middle < -20 || px > this.width + 80 || middle > this.height + 20) continue;
      paint.font = this.#font(!name.level);
      const wide = paint.measureText(name.text).width + 18;
      if (px > 0 && px < this.width) px = clamp(px, wide / 2, Math.max(this.width - wide / 2, wide / 2));
      const box = (dy) => [px - wide / 2, middle + dy - 13, wide, 26];
      const clear = (boxes) => ASIDE.find((dy) => !boxes.some((other) => overlap(box(dy), other)));
      const aside = clear([...taken, ...pictures]) ?? (this.is_asked ? undefined : clear(taken));
      if (aside === undefined) continue;
      const py = middle + aside;
      taken.push(box(aside));
      this.#pill(paint, name.text, px, py, { bold: !name.level, fill: this.colours.card, ink: this.is_asked ? this.colours.soft : this.colours.ink });
    }
  }

  #label_box(paint) {
    const [px, py] = this.#spot();
    paint.font = this.#font(true);
    const wide = paint.measureText(this.marks.label).width + 24;
    return [px - wide / 2, py - 16, wide, 62];
  }

  #font(bold) {
    return `${bold ? 650 : 500} 13px ${this.colours.font}`;
  }

  #pill(paint, text, px, py, { bold, fill, ink }) {
    paint.font = this.#font(bold);
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    const wide = paint.measureText(text).width + 16;
    paint.globalAlpha = 0.88;
    paint.fillStyle = fill;
    paint.beginPath();
    paint.roundRect(px - wide / 2, py - 12, wide, 24, 8);
    paint.fill();
    paint.globalAlpha = 1;
    paint.fillStyle = ink;
    paint.fillText(text, px, py + 1);
  }

  #focus(paint) {
    if (this.focused === NONE) return;
    const [px, py] = this.at(this.focused);
    const one = this.drawn?.find(({ point }) => point === this.focused);
    paint.strokeStyle = this.colours.accent;
    paint.lineWidth = 3;
    paint.beginPath();
    if (one) paint.roundRect(px - one.w / 2 - 4, py - one.h / 2 - 4, one.w + 8, one.h + 8, 8);
    else paint.arc(px, py, 8, 0, 2 * Math.PI);
    paint.stroke();
  }

  // ---- colours -------------------------------------------------------------------------------------------------

  colour_by(what) {
    this.colouring = what;
    this.#colour();
    this.draw();
  }

  /** Points by colour, those that matter last, and the legend: [colour, words]. */
  #colour() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(name).trim();
    this.colours = { card: named("--card"), ink: named("--ink"), soft: named("--soft"), accent: named("--accent"), query: named("--query"), font: style.fontFamily };
    this.scheme = is_dark.matches ? "dark" : "light";
    const quiet = QUIET[this.scheme];
    const [by, legend] = this[`_${this.colouring}`](PALETTES[this.scheme], quiet);
    const groups = new Map([[quiet, []]]);
    const by_relevance = this.colouring === "relevance" || this.colouring === "plain";
    for (let point = 0; point < this.x.length; point++) {
      const colour = this.is_asked && !by_relevance && !this.fits.has(point) ? quiet : by(point);
      if (groups.has(colour)) groups.get(colour).push(point);
      else groups.set(colour, [point]);
    }
    this.groups = groups;
    this.legend = legend;
    this.painted = (this.painted ?? 0) + 1;
    this.told?.(this);
  }

  _plain(palette, quiet) {
    if (!this.is_asked) return [() => palette[0], []];
    return [(point) => ((this.fits.get(point) ?? 0) >= 0.5 ? this.colours.accent : quiet), []];
  }

  _relevance(_, quiet) {
    const steps = [quiet, ...(this.scheme === "dark" ? RAMP.slice(1) : RAMP.slice(0, 4).reverse())]; // what fits stands out
    const by = (point) => (this.fits.has(point) ? steps[clamp(1 + Math.floor(4 * this.fits.get(point)), 1, 4)] : quiet);
    return [by, [[quiet, "not near"], [steps[1], "hardly"], [steps[2], ""], [steps[3], ""], [steps[4], "fits"]]];
  }

  _date() {
    const quiet = QUIET[this.scheme];
    const dated = [...this.data.taken].filter((one) => one !== null).sort((a, b) => a - b);
    if (!dated.length) return [() => quiet, []];
    const steps = RAMP.map((_, at) => dated[Math.floor((at * dated.length) / RAMP.length)]); // as many in each
    const by = (point) => {
      const when = this.data.taken[point] ?? null;
      return when === null ? quiet : RAMP[Math.max(steps.findLastIndex((from) => when >= from), 0)];
    };
    const said = (seconds) => new Date(1000 * seconds).toLocaleDateString([], { year: "numeric", month: "short" });
    const legend = RAMP.map((colour, at) => [colour, at === 0 ? said(dated[0]) : at === RAMP.length - 1 ? said(dated.at(-1)) : ""]);
    return [by, dated.length < this.data.taken.length ? [[quiet, "no date"], ...legend] : legend];
  }

  _type(palette, quiet) {
    return this.#kinds(this.data.type, this.data.types, palette, quiet);
  }

  _folder(palette, quiet) {
    return this.#kinds(this.data.folder, this.data.folders.map((name) => name || "no folder"), palette, quiet);
  }

  /** The most frequent values get a colour each, all others the quiet one. */
  #kinds(of, names, palette, quiet) {
    const counts = names.map(() => 0);
    for (const kind of of) counts[kind]++;
    const order = [...names.keys()].sort((a, b) => counts[b] - counts[a]).slice(0, palette.length);
    const colours = new Map(order.map((kind, at) => [kind, palette[at]]));
    const legend = order.map((kind) => [colours.get(kind), names[kind]]);
    return [(point) => colours.get(of[point]) ?? quiet, names.length > order.length ? [...legend, [quiet, "others"]] : legend];
  }

  /** What there is to colour by. */
  choices() {
    const { taken, types, folders } = this.data;
    const found = ["plain"];
    if (this.is_asked) found.push("relevance");
    if (new Set(taken.filter((one) => one !== null)).size > 1) found.push("date");
    if (types.length > 1) found.push("type");
    if (folders.length > 1) found.push("folder");
    return found;
  }

  // ---- finding points ------------------------------------------------------------------------------------------

  /** The point at (px, py): that of the thumbnail there, else the nearest within reach. */
  find(px, py) {
    const over = this.drawn?.findLast((one) => Math.abs(one.px - px) <= one.w / 2 && Math.abs(one.py - py) <= one.h / 2);
    if (over) return over.point;
    const [x, y] = this.to_map(px, py);
    let [best, least] = [NONE, (REACH / this.scale) ** 2];
    for (const point of this.#around(x, y, REACH / this.scale)) {
      const far = (this.x[point] - x) ** 2 + (this.y[point] - y) ** 2;
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  /** Points in the cells of a grid that reach into a square. */
  *#around(x, y, reach) {
    const size = 0.04;
    const cell = (value) => Math.floor((value + 2) / size);
    if (!this.grid) {
      this.grid = new Map();
      for (let point = 0; point < this.x.length; point++) {
        const key = cell(this.x[point]) * 1_000 + cell(this.y[point]);
        if (this.grid.has(key)) this.grid.get(key).push(point);
        else this.grid.set(key, [point]);
      }
    }
    for (let c = cell(x - reach); c <= cell(x + reach); c++)
      for (let r = cell(y - reach); r <= cell(y + reach); r++) yield* this.grid.get(c * 1_000 + r) ?? [];
  }

  /** The next point that way: near, and more ahead than aside. Begins with the best hit, or in the middle. */
  next(dx, dy) {
    if (this.focused === NONE) return this.hits[0] ?? this.#middle();
    const [fx, fy] = [this.x[this.focused], this.y[this.focused]];
    let [best, least] = [NONE, Infinity];
    for (const point of this.is_asked ? this.hits : this.x.keys()) {
      const [x, y] = [this.x[point] - fx, this.y[point] - fy];
      const ahead = x * dx + y * dy;
      const aside = Math.abs(x * dy + y * dx);
      if (point === this.focused || ahead < 1e-5 || aside > 1.2 * ahead) continue;
      const far = ahead + 2 * aside;
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  #middle() {
    const [x, y] = this.to_map(this.width / 2, this.height / 2);
    let [best, least] = [NONE, Infinity];
    for (let point = 0; point < this.x.length; point++) {
      const far = (this.x[point] - x) ** 2 + (this.y[point] - y) ** 2;
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  /** Shows what a point is. `by`: mouse, touch or keys; by keys it is brought into the window. */
  focus(point, by = "mouse") {
    if (point === this.focused) return;
    this.focused = point;
    if (point !== NONE && by === "keys") {
      const [px, py] = this.at(point);
      const edge = Math.min(90, this.width / 5);
      const dx = px < edge ? edge - px : px > this.width - edge ? this.width - edge - px : 0;
      const dy = py < edge ? edge - py : py > this.height - edge ? this.height - edge - py : 0;
      if (dx || dy) this.pan(dx, dy);
    }
    this.#card(by);
    this.canvas.classList.toggle("at-one", point !== NONE);
    this.draw();
  }

  async #card(by) {
    const card = $(".mapcard", this.sea);
    const point = this.focused;
    card.hidden = point === NONE;
    if (point === NONE) return;
    const id = this.ids[point];
    card.classList.toggle("stays", by !== "mouse");
    const href = this.host.address(id);
    if (href) card.href = href;
    const [image, text] = [$("img", card), $("span", card)];
    const told = this.host.about(id);
    const src = this.host.src(id);
    image.hidden = !src;
    if (src && image.getAttribute("src") !== src) {
      image.removeAttribute("src");
      image.src = src;
    }
    text.textContent = "…";
    this.#beside(card, point);
    const caption = await Promise.resolve(told).catch(() => "");
    if (this.focused !== point) return;
    text.textContent = caption || "no caption";
    this.#beside(card, point);
    if (by === "keys") this.say?.(caption || "picture without a caption");
  }

  #beside(card, point) {
    const [px, py] = this.at(point);
    const [wide, tall] = [card.offsetWidth, card.offsetHeight];
    const gap = this.thumb / 2 + 14;
    const left = px + gap + wide < this.width ? px + gap : px - gap - wide;
    card.style.left = `${clamp(left, 8, Math.max(this.width - wide - 8, 8))}px`;
    card.style.top = `${clamp(py - tall / 2, 8, Math.max(this.height - tall - 8, 8))}px`;
  }

  open(point) {
    const href = point === NONE ? "" : this.host.address(this.ids[point]);
    if (href) location.assign(href);
  }

  // ---- hands ---------------------------------------------------------------------------------------------------

  #listen() {
    const { canvas } = this;
    const down = new Map(); // by pointer: [x, y, type]
    let moved = 0;
    let apart = 0;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, place(event));
      moved = down.size > 1 ? Infinity : 0; // two fingers never tap
      apart = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const [px, py] = place(event);
      const before = down.get(event.pointerId);
      if (!before) {
        if (event.pointerType === "mouse") this.focus(this.find(px, py));
        return;
      }
      down.set(event.pointerId, [px, py]);
      const fingers = [...down.values()];
      moved += Math.abs(px - before[0]) + Math.abs(py - before[1]);
      if (fingers.length > 1) {
        const [[ax, ay], [bx, by]] = fingers;
        const now = Math.hypot(ax - bx, ay - by);
        if (apart) this.zoom(now / apart, (ax + bx) / 2, (ay + by) / 2);
        apart = now;
        this.pan((px - before[0]) / 2, (py - before[1]) / 2);
      } else if (moved > 4) {
        canvas.classList.add("held");
        this.focus(NONE);
        this.pan(px - before[0], py - before[1]);
      }
    });
    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      apart = 0;
      canvas.classList.remove("held");
      if (moved > 4 || event.type === "pointercancel") return;
      const point = this.find(...place(event));
      if (event.pointerType === "mouse") this.open(point);
      else if (point === this.focused) this.open(point);
      else this.focus(point, "touch");
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !down.size) this.focus(NONE);
    });
    canvas.addEventListener("wheel", (event) => this.#wheel(event, place(event)), { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...place(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.focus(NONE));
    new ResizeObserver(() => this.resize()).observe(canvas);
    is_dark.addEventListener("change", () => {
      this.#colour();
      this.draw();
    });
  }

  #wheel(event, place) {
    event.preventDefault();
    const pixels = event.deltaMode ? 33 * event.deltaY : event.deltaY;
    this.zoom(Math.exp(-clamp(pixels, -300, 300) * (event.ctrlKey ? 0.01 : 0.0022)), ...place);
  }

  #key(event) {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way && event.shiftKey) this.pan(-120 * way[0], -120 * way[1]);
    else if (way) {
      const point = this.next(...way);
      if (point !== NONE) this.focus(point, "keys");
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0" || event.key === "Home") this.fit();
    else if (event.key === "Enter" && this.focused !== NONE) this.open(this.focused);
    else if (event.key === "Escape" && this.focused !== NONE) this.focus(NONE);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function overlap([ax, ay, aw, ah], [bx, by, bw, bh]) {
  return ax < bx + bw && bx < ax + aw && ay < by + bh && by < ay + ah;
}

// ---- what stands around the canvas -------------------------------------------------------------------------------------

const WORDS = { plain: "one colour", relevance: "how well it fits", date: "date", type: "kind", folder: "folder" };

function furnish(view) {
  const select = $("select", view.sea);
  const legend = $(".legend", view.sea);
  view.told = () => {
    const choices = view.choices();
    if (!choices.includes(view.colouring)) return view.colour_by("plain");
    select.replaceChildren(...choices.map((name) => new Option(WORDS[name], name, false, name === view.colouring)));
    select.parentElement.hidden = choices.length < 2;
    legend.replaceChildren(...view.legend.map(swatch));
    return undefined;
  };
  select.addEventListener("change", () => view.colour_by(select.value));
  const hands = { in: () => view.zoom(1.6), out: () => view.zoom(1 / 1.6), whole: () => view.fit() };
  for (const button of view.sea.querySelectorAll("[data-do]")) button.addEventListener("click", hands[button.dataset.do]);
  view.told(view);
}

function swatch([colour, words]) {
  const item = document.createElement("li");
  const spot = document.createElement("i");
  spot.style.background = colour;
  item.append(spot, words);
  return item;
}

// ---- the page: points from the API, pictures as they are needed --------------------------------------------------------

async function served(sea) {
  const data = await known(sea);
  if (!data) return;
  const captions = new Map();
  const about = async (id) => {
    if (!captions.has(id)) {
      const answer = await fetch(`/api/items/${id}`);
      const { text, name } = answer.ok ? await answer.json() : { text: "", name: "" };
      captions.set(id, text.split("\n").find((line) => line.trim()) ?? name);
    }
    return captions.get(id);
  };
  const thumb = async (id) => {
    const answer = await fetch(`/thumb/${id}`);
    if (!answer.ok) return null;
    const image = await createImageBitmap(await answer.blob());
    return { image, x: 0, y: 0, w: image.width, h: image.height };
  };
  const search = () => (location.search && $("#found")?.dataset.marks ? location.search : "");
  const view = new MapView(sea, data, { about, thumb, src: (id) => `/thumb/${id}`, address: (id) => `/item/${id}${search()}` });
  view.say = (text) => ($("#say").textContent = text);
  furnish(view);
  const follow = () => view.mark(marks_of($("#found")));
  follow();
  new MutationObserver(follow).observe($("#main"), { childList: true, subtree: false });
  sea.classList.add("ready");
  sea.view = view; // for those who measure it
}

/** The points, once they are laid out; until then how far that is. */
async function known(sea) {
  const wait = $(".wait", sea);
  const [words, bar] = [$("p", wait), $("progress", wait)];
  let waited = false;
  for (;;) {
    const answer = await fetch(sea.dataset.src).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (answer?.status === 200 && told.ids && waited) location.reload(); // what stands beside the map needs it too
    if (answer?.status === 200 && told.ids) {
      wait.hidden = true;
      return told.ids.length ? told : null;
    }
    if (answer?.status === 202) {
      bar.value = told.progress;
      waited = true;
    }
    if (answer?.status !== 202 && answer?.status !== 503) {
      words.textContent = told?.message ? `${told.message}.` : "The server does not answer.";
      bar.hidden = true;
      return null;
    }
    await new Promise((after) => setTimeout(after, 700));
  }
}

function marks_of(found) {
  const { marks, spot, label } = found?.dataset ?? {};
  return { hits: marks ? JSON.parse(marks) : [], spot: spot ? spot.split(",").map(Number) : null, label: label ?? "" };
}

// ---- the file: points, captions and small pictures are in it -----------------------------------------------------------

function filed(sea, data) {
  const place = new Map(data.ids.map((id, at) => [id, at]));
  const sheets = data.sheets.map((src) => {
    const image = new Image();
    image.src = src;
    return image;
  });
  const { shown, tile } = data;
  const tiles = new Map(shown.map(([id, w, h], at) => [id, { at, w, h }]));
  const thumb = async (id) => {
    const found = tiles.get(id);
    if (!found) return null;
    const each = tile.columns * tile.rows;
    const image = sheets[Math.floor(found.at / each)];
    await image.decode();
    const at = found.at % each;
    return { image, x: (at % tile.columns) * tile.width, y: Math.floor(at / tile.columns) * tile.height, w: found.w, h: found.h };
  };
  const others = new Map(data.marks.texts ?? []);
  const about = (id) => data.captions[place.get(id)] ?? others.get(id) ?? "";
  const view = new MapView(sea, data, { about, thumb, src: () => "", address: () => "" });
  furnish(view);
  view.mark(data.marks);
  sea.classList.add("ready");
  sea.view = view;
}

const sea = $("#map");
const inside = $("#atlas");
if (sea && inside) filed(sea, JSON.parse(inside.textContent));
else if (sea) served(sea);
