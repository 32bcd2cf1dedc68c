// Brings the page's pictures, and says whether it is live; everything else is the server's.
(() => {
  // htmx has nothing to look for: reading a page for its attributes keeps a slow phone busy for nothing.
  document.addEventListener("htmx:before:process", (event) => event.preventDefault());
  const line = document.getElementById("line");
  if (!line) return;
  const say = (state) => document.body.setAttribute("data-live", state);
  const heard = () => say("on");
  line.addEventListener("htmx:sse:after:connection", heard);
  // Each piece of a picture in a task of its own: a slow phone answers its user between two of them.
  line.addEventListener("htmx:sse:before:message", (event) => event.detail.waitUntil(new Promise((go) => window.setTimeout(go))));
  line.addEventListener("htmx:sse:after:message", heard);
  line.addEventListener("htmx:sse:close", () => say("off"));
  line.addEventListener("htmx:sse:error", (event) => {
    say("off");
    // The session is over: the door says so better than a picture that no longer moves.
    if (event.detail && event.detail.status === 401) window.location.assign("/login");
  });
  // In a task of its own, for the same reason.
  window.setTimeout(() => htmx.ajax("GET", line.getAttribute("hx-sse:connect"), { source: line }));
})();
