// Carries what the server asks to the authenticator and its answer back; the server judges it.
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const asked = (options) => {
    const wanted = { ...options, challenge: bytes(options.challenge) };
    if (options.user) wanted.user = { ...options.user, id: bytes(options.user.id) };
    if (options.excludeCredentials) wanted.excludeCredentials = named(options.excludeCredentials);
    if (options.allowCredentials) wanted.allowCredentials = named(options.allowCredentials);
    return { publicKey: wanted };
  };

  const said = (credential) => {
    const from = credential.response, response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (from[part]) response[part] = text(from[part]);
    }
    if (from.getTransports) response.transports = from.getTransports();
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  };

  for (const part of document.querySelectorAll("[data-passkey-part]")) part.hidden = false;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = form.querySelector(".wrong"), button = form.querySelector("button");
      wrong.hidden = true;
      button.disabled = true;
      try {
        const body = new URLSearchParams(new FormData(form));
        const answer = await fetch(form.dataset.ask, { method: "POST", body, redirect: "error" });
        if (!answer.ok) throw new Error(String(answer.status));
        const options = asked(await answer.json());
        form.elements.credential.value = said(await navigator.credentials[form.dataset.passkey](options));
        form.submit();
      } catch {
        wrong.hidden = false;
        button.disabled = false;
      }
    });
  }
})();
