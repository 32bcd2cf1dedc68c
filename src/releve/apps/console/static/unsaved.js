// What is typed and not saved is neither signed nor sent: while there is some, no other form of the page goes off.
(() => {
  const kept = document.querySelector("form[data-unsaved]");
  if (!kept) return;
  const others = [...document.querySelectorAll("main form")].filter((form) => form !== kept);
  const told = document.querySelectorAll("[data-unsaved-note]");
  const look = () => {
    const typed = [...kept.elements].some((field) => "defaultValue" in field && field.value !== field.defaultValue);
    told.forEach((note) => { note.textContent = typed ? note.dataset.unsavedNote : ""; });
    others.forEach((form) => form.querySelectorAll("button").forEach((button) => { button.disabled = typed; }));
  };
  kept.addEventListener("input", look);
  window.addEventListener("pageshow", look); // browsers give back what was typed before
})();
