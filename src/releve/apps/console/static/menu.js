// On a narrow screen the header's menu shows the page one is on, and says where there is more of it.
(() => {
  const pages = document.querySelector("nav .pages");
  if (!pages) return;
  const narrow = matchMedia("(max-width: 520px)"); // else nothing is measured: that would draw the page early
  const tell = () => {
    if (!narrow.matches) return;
    const before = pages.scrollLeft, after = pages.scrollWidth - pages.clientWidth - before;
    pages.classList.toggle("more-before", before > 1);
    pages.classList.toggle("more-after", after > 1);
  };
  const here = narrow.matches && pages.querySelector("[aria-current]");
  if (here) {
    const held = pages.getBoundingClientRect();
    const box = here.getBoundingClientRect();
    if (box.left < held.left || box.right > held.right) pages.scrollLeft += box.left - held.left - (held.width - box.width) / 2;
  }
  tell();
  pages.addEventListener("scroll", tell, { passive: true });
  addEventListener("resize", tell, { passive: true });
})();
