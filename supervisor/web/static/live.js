// Keeps the page true while it is seen: at each event it asks for the page again, and takes over
// what differs. What a person opened, chose or stands on stays as it is.
"use strict";
(() => {
  const said = document.getElementById("live");
  const main = () => document.getElementById("main");
  let source = null, timer = 0, pause = 300;

  document.documentElement.classList.add("js");

  function takeOver(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = fresh.data;
    } else {
      for (const { name } of [...old.attributes]) {
        if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
      }
      for (const { name, value } of fresh.attributes) {
        if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
      }
      let at = old.firstChild;
      for (const one of [...fresh.childNodes]) {
        const match = counterpart(at, one);
        if (!match) {
          old.insertBefore(one, at);
          continue;
        }
        while (at !== match) at = dropped(at);
        at = match.nextSibling;
        takeOver(match, one);
      }
      while (at) at = dropped(at);
    }
  }

  // What has an id is found wherever it is now; all else only in its place.
  function counterpart(at, one) {
    if (!one.id) return at && !at.id && at.nodeName === one.nodeName ? at : null;
    while (at && at.id !== one.id) at = at.nextSibling;
    return at;
  }

  function dropped(one) {
    const next = one.nextSibling;
    one.remove();
    return next;
  }

  async function renew() {
    const begun = performance.now();
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (fresh.dataset.version !== main().dataset.version) return location.reload();
    takeOver(main(), fresh);
    takeOver(document.querySelector("footer"), page.querySelector("footer"));
    document.title = page.title;
    pause = Math.max(300, 5 * (performance.now() - begun));  // a page of many apps, less often
  }

  function soon() {
    if (timer || document.hidden) return;
    timer = setTimeout(() => {
      timer = 0;
      renew().catch(() => { said.textContent = "not live"; });
    }, pause);
  }

  function follow() {
    source = new EventSource("/live?after=" + encodeURIComponent(main().dataset.last));
    let lost = false;
    source.onmessage = soon;
    source.addEventListener("version", (one) => {  // first of all, once the daemon is there
      if (one.data !== main().dataset.version) location.reload();
      said.textContent = "live";
      if (lost) soon();
      lost = false;
    });
    source.onerror = () => {
      said.textContent = "not live";
      if (!lost) soon();
      lost = true;
    };
  }

  function seen() {
    if (document.hidden) {
      if (source) source.close();
      clearTimeout(timer);
      source = null;
      timer = 0;
      said.textContent = "";
    } else if (!source && main().dataset.last) {
      soon();
      follow();
    }
  }

  async function copy(button) {
    const code = button.parentNode.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {  // which is only there where the page came over TLS, or from this machine
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    said.textContent = "copied";
  }

  document.addEventListener("click", (click) => {
    const button = click.target.closest("button.copy");
    if (button) copy(button);
  });
  document.addEventListener("visibilitychange", seen);
  if (!document.hidden && main().dataset.last) follow();
})();
