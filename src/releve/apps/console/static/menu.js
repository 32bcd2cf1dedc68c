// On a narrow screen the header's menu shows the page one is on; nothing else moves.
(() => {
  const pages = document.querySelector("nav .pages");
  const here = pages && pages.querySelector("[aria-current]");
  if (!here) return;
  const held = pages.getBoundingClientRect();
  const box = here.getBoundingClientRect();
  if (box.left < held.left || box.right > held.right) pages.scrollLeft += box.left - held.left - (held.width - box.width) / 2;
})();
