// Lets clocks go on that the server told: what stands there without this script was true when it was sent.
(() => {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const begun = new WeakMap();
  const two = (n) => String(n).padStart(2, "0");

  // Only differences of the device's clock count: it may be wrong, or be put back.
  const passed = (clock, told) => {
    const known = begun.get(clock);
    if (!known || known.told !== told || Date.now() < known.at) begun.set(clock, { told, at: Date.now() });
    return Math.floor((Date.now() - begun.get(clock).at) / 1000);
  };

  const show = (clock) => {
    const told = Number(clock.dataset.seconds);
    const gone = passed(clock, told);
    const left = clock.dataset.chrono === "down" ? told - gone : told + gone;
    const seconds = Math.abs(left);
    const minutes = Math.floor(seconds / 60);
    const exact = calm.matches ? "" : `:${two(seconds % 60)}`;
    const time = `${Math.floor(minutes / 60)}\u00a0h\u00a0${two(minutes % 60)}${exact}`;
    const words = left < 0 ? clock.dataset.over : clock.dataset.text;
    const text = words.replace("{time}", time);
    if (clock.textContent !== text) clock.textContent = text;
    if (left < 0) clock.classList.add("mood-down");
  };

  const all = () => document.querySelectorAll("[data-chrono]").forEach(show);
  all();
  window.setInterval(all, 1000);
  document.addEventListener("visibilitychange", all);
  // A live page was drawn anew by the server: before it is painted, its clocks are exact again.
  new MutationObserver(all).observe(document.body, { childList: true, characterData: true, subtree: true });
})();
