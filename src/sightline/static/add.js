// Adding pictures one by one, with what has come and what was refused. Without JavaScript the form sends them all at once.

const $ = (selector) => document.querySelector(selector);

/** Sends files in turn; `tell` is given how many are done and how much (0 to 1) of the whole has been sent. */
export async function add_all(files, tell = () => {}) {
  const whole = files.reduce((sum, file) => sum + file.size, 0) || 1;
  const troubles = [];
  let sent = 0;
  for (const [at, file] of files.entries()) {
    tell(at, sent / whole);
    const trouble = await send(file, (part) => tell(at, (sent + part) / whole));
    if (trouble) troubles.push(`${file.name}: ${trouble}`);
    sent += file.size;
  }
  tell(files.length, 1);
  return { added: files.length - troubles.length, troubles };
}

/** Sends one; resolves to what is wrong with it, empty where nothing is. fetch does not tell how much has been sent. */
function send(file, tell) {
  const body = new FormData();
  body.set("image", file);
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/items");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => tell(Math.min(event.loaded, file.size)));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve("");
      else resolve(request.response?.message ?? `the server answered ${request.status}`);
    });
    for (const name of ["error", "abort", "timeout"]) request.addEventListener(name, () => resolve("the server does not answer"));
    request.send(body);
  });
}

async function run(files) {
  $("#add").hidden = true;
  $("#progress").hidden = false;
  $("#done").hidden = true;
  $("#troubles").replaceChildren();
  const { added, troubles } = await add_all(files, (done, part) => {
    $("#progress progress").value = part;
    $("#doing").textContent = `${Math.min(done + 1, files.length)} of ${files.length}`;
  });
  $("#doing").textContent = `${added} added${troubles.length ? `, ${troubles.length} could not be used` : ""}.`;
  $("#say").textContent = $("#doing").textContent;
  $("#troubles").replaceChildren(...troubles.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  $("#done").hidden = !added;
  $("#add").hidden = false;
  $("#add").reset();
}

$("#add")?.addEventListener("submit", (event) => {
  event.preventDefault();
  run([...$("#add input[type=file]").files]);
});
$("#add input[type=file]")?.addEventListener("change", () => $("#add").requestSubmit());
document.addEventListener("sightline-add", (event) => run(event.detail));
