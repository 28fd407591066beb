// Answers as they are written: POST /api/ask streams pieces of text and, last, the checked answer with its pictures.
// What comes is put into the page as text, never as HTML.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const form = $("#ask");
const input = $("#question");
const button = $("button", form);
const said = $$(".turn").map((turn) => [$("h2", turn).textContent, turn.dataset.answer ?? ""]);
let writing = null; // of the answer that is being written

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (writing) {
    writing.abort();
    return;
  }
  const question = input.value.trim();
  if (!question) return;
  input.value = "";
  ask(question);
});

async function ask(question) {
  const turn = begin(question);
  writing = new AbortController();
  button.textContent = "Stop";
  let text = "";
  let answer = null;
  try {
    for await (const [name, told] of stream(question, writing.signal)) {
      if (name === "text") paint($(".text", turn), (text += told.text), Infinity);
      else if (name === "answer") answer = told;
      else if (name === "error") trouble(turn, told);
    }
    if (answer) finish(turn, answer);
  } catch (error) {
    if (error.name === "AbortError") note(turn, "Stopped.");
    else trouble(turn, error.told ?? { message: "the server does not answer", hint: "try again in a moment" });
  }
  turn.classList.remove("writing");
  $(".answer", turn).removeAttribute("aria-busy");
  button.textContent = "Ask";
  writing = null;
  said.push([question, answer?.answer ?? text]);
  const asked = said.slice(-8).map(([one]) => ["q", one]);
  history.replaceState({}, "", `/ask?${new URLSearchParams(asked)}`);
  $("#say").textContent = $(".answer", turn).textContent;
}

/** The events of one answer: [name, document]. Throws an error with `told` for a refusal. */
async function* stream(question, signal) {
  const answer = await fetch("/api/ask", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ question, before: said.slice(-8) }),
    signal,
  });
  if (!answer.ok) throw Object.assign(new Error("refused"), { told: await answer.json() });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (name && data) yield [name, JSON.parse(data)];
    }
  }
}

function begin(question) {
  const turn = $("#turn").content.cloneNode(true).firstElementChild;
  $("h2", turn).textContent = question;
  $("#turns").append(turn);
  $(".intro")?.remove();
  $("#talk h1").classList.add("sr");
  turn.scrollIntoView({ block: "start" });
  return turn;
}

/** Text with its citations as links; a number that no picture has stays text. */
function paint(place, text, pictures) {
  const nodes = text.split(/(\[\d{1,4}\])/).map((part) => {
    const number = Number(/^\[(\d+)\]$/.exec(part)?.[1] ?? 0);
    if (!number || number > pictures) return document.createTextNode(part);
    const link = document.createElement("a");
    link.className = "cite";
    link.href = "#";
    link.dataset.n = link.textContent = String(number);
    link.setAttribute("aria-label", `picture ${number}`);
    return link;
  });
  place.replaceChildren(...nodes);
}

function finish(turn, answer) {
  paint($(".text", turn), answer.answer, answer.hits.length);
  $(".answer", turn).classList.toggle("none", answer.abstained);
  if (answer.abstained && answer.reason && answer.reason !== answer.answer) note(turn, answer.reason);
  if (answer.incomplete) note(turn, "The answer broke off here.");
  if (answer.generator) {
    const writer = answer.generator === "extractive" ? "Put together by rules" : `Written by ${answer.generator}`;
    note(turn, `${writer}, from ${answer.hits.length} picture${answer.hits.length === 1 ? "" : "s"}`);
  }
  if (!answer.hits.length) return;
  const grid = $("#pictures").content.cloneNode(true).firstElementChild;
  grid.classList.toggle("few", answer.hits.length < 4);
  grid.replaceChildren(...answer.hits.map((hit, at) => picture(hit, at + 1)));
  turn.append(grid);
}

function picture(hit, number) {
  const shot = $("#shot").content.cloneNode(true).firstElementChild;
  const true_ratio = hit.width && hit.height ? hit.width / hit.height : 4 / 3;
  const caption = hit.text.split("\n")[0];
  shot.classList.add(`r${Math.round(Math.min(Math.max(true_ratio, 0.4), 3) * 20) * 5}`);
  shot.dataset.n = $(".no", shot).textContent = String(number);
  $(".pic", shot).href = `/item/${hit.id}`;
  $("img", shot).src = hit.thumb;
  $("img", shot).alt = caption || "picture without a caption";
  $(".over", shot).textContent = caption;
  $(".said", shot).textContent = caption || "no caption";
  return shot;
}

function note(turn, text) {
  const line = document.createElement("p");
  line.className = "soft";
  line.textContent = text;
  $(".answer", turn).append(line);
}

function trouble(turn, told) {
  note(turn, [told.message, told.hint].filter(Boolean).map((one) => `${one[0].toUpperCase()}${one.slice(1)}.`).join(" "));
}

// ---- a citation and its picture light up together ----------------------------------------------------------------

function pair(target) {
  const turn = target.closest?.(".turn");
  const number = target.closest?.(".cite, .shot")?.dataset.n;
  return turn && number ? $$(`[data-n="${number}"]`, turn) : [];
}

function light(event) {
  for (const lit of $$(".lit")) lit.classList.remove("lit");
  for (const one of pair(event.target)) one.classList.add("lit");
}

for (const name of ["pointerover", "focusin"]) document.addEventListener(name, light);
document.addEventListener("click", (event) => {
  if (!event.target.closest(".cite")) return;
  event.preventDefault();
  const shot = pair(event.target).find((one) => one.matches(".shot"));
  if (!shot) return;
  $(".pic", shot).focus({ preventScroll: true });
  shot.scrollIntoView({ block: "center" });
});
