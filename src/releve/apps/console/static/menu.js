// On a narrow screen the header's menu shows the page one is on, and says where there is more of it.
// It looks after the page was laid out: what is measured before has the whole page laid out in a script's time.
(() => {
  const pages = document.querySelector("nav .pages");
  if (!pages) return;
  const tell = () => {
    const before = pages.scrollLeft, after = pages.scrollWidth - pages.clientWidth - before;
    pages.classList.toggle("more-before", before > 1);
    pages.classList.toggle("more-after", after > 1);
  };
  let here = pages.querySelector("[aria-current]");
  new ResizeObserver(() => {
    if (here) {
      const held = pages.getBoundingClientRect();
      const box = here.getBoundingClientRect();
      if (box.left < held.left || box.right > held.right) pages.scrollLeft += box.left - held.left - (held.width - box.width) / 2;
      here = null;
    }
    tell();
  }).observe(pages); // never of a wide screen's menu, which has no box of its own
  pages.addEventListener("scroll", tell, { passive: true });
})();
