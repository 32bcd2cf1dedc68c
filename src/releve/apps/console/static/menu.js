// On a narrow screen the header's menu shows the page one is on, and says where there is more of it.
(() => {
  const pages = document.querySelector("nav .pages");
  if (!pages) return;
  const tell = () => {
    const left = pages.scrollWidth - pages.clientWidth - pages.scrollLeft;
    pages.classList.toggle("more-before", pages.scrollLeft > 1);
    pages.classList.toggle("more-after", left > 1);
  };
  const here = pages.querySelector("[aria-current]");
  if (here) {
    const held = pages.getBoundingClientRect();
    const box = here.getBoundingClientRect();
    if (box.left < held.left || box.right > held.right) pages.scrollLeft += box.left - held.left - (held.width - box.width) / 2;
  }
  tell();
  pages.addEventListener("scroll", tell, { passive: true });
  addEventListener("resize", tell, { passive: true });
})();
