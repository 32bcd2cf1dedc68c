// Shows how far the call is; without it the page says so when it is loaded again.
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  let shown = "";
  const look = async () => {
    let told;
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      told = answer.ok ? await answer.text() : "";
    } catch {
      told = "";
    }
    if (told && told !== shown) live.innerHTML = told;
    if (!told && shown !== "away") {
      const line = document.createElement("p");
      line.className = "wrong";
      line.setAttribute("role", "alert");
      line.textContent = live.dataset.away;
      live.replaceChildren(line);
    }
    shown = told || "away";
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
})();
