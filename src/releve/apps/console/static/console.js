// Says whether the page is live; everything else is the server's.
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const say = (state) => document.body.setAttribute("data-live", state);
  const heard = () => say("on");
  live.addEventListener("htmx:sse:after:connection", heard);
  live.addEventListener("htmx:sse:after:message", heard);
  live.addEventListener("htmx:sse:close", () => say("off"));
  live.addEventListener("htmx:sse:error", (event) => {
    say("off");
    // The session is over: the door says so better than a picture that no longer moves.
    if (event.detail && event.detail.status === 401) window.location.assign("/login");
  });
})();
