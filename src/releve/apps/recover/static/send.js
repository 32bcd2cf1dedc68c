// Sends files one after the other and says what became of each. Without it everything else works.
(() => {
  const words = document.getElementById("send");
  const said = document.getElementById("said");
  if (!words) return;

  const say = (key, name, kind) => {
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = words.dataset[key].replace("{name}", name);
    said.replaceChildren(line);
    return line;
  };

  const send = (file, input) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const line = say("sending", file.name, "note-box");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", line.textContent);
    line.append(bar);
    request.upload.onprogress = (event) => { if (event.total) bar.value = event.loaded / event.total; };
    request.onerror = request.ontimeout = () => { say("failed", file.name, "wrong"); resolve(false); };
    request.onload = () => {
      if (request.status === 200) {
        const told = JSON.parse(request.responseText);
        say(told.beside ? "beside" : "done", told.name, told.beside ? "note-box" : "card done");
        resolve(true);
      } else {
        const key = { 507: "full", 400: "failed", 503: "failed" }[request.status] || "refused";
        say(key, file.name, "wrong");
        resolve(false);
      }
    };
    request.open("PUT", input.dataset.to);
    request.setRequestHeader("x-csrf", words.dataset.csrf);
    request.setRequestHeader("content-type", "application/octet-stream");
    if (input.dataset.base) request.setRequestHeader("x-base", input.dataset.base);
    else request.setRequestHeader("x-name", encodeURIComponent(file.name.normalize("NFC")));
    request.send(file);
  });

  const begin = async (input) => {
    let all = input.files.length > 0;
    for (const file of input.files) all = (await send(file, input)) && all;
    input.value = "";
    if (all) await renew();
  };

  // The list is asked for again; what was said stays to be read.
  const renew = async () => {
    const page = await fetch(location.href, { credentials: "same-origin" });
    if (!page.ok) return;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
    const before = document.querySelector("table.files tbody");
    const after = fresh.querySelector("table.files tbody");
    if (before && after) {
      before.replaceWith(after);
      watch(after);
    } else if (after) location.reload();
  };

  const watch = (part) => {
    for (const input of part.querySelectorAll("input[type=file][data-to]")) {
      input.closest("label").hidden = false;
      input.addEventListener("change", () => begin(input));
    }
  };
  watch(document);
})();
