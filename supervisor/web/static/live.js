// Keeps the page true while it is seen: at each event it asks for the page again, and shows that.
"use strict";
(() => {
  const said = document.getElementById("live");
  let source = null, timer = 0;

  const main = () => document.getElementById("main");

  async function renew() {
    timer = 0;
    const open = [...document.querySelectorAll("details")].map((one) => one.open);
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    main().replaceWith(page.getElementById("main"));
    document.querySelector("footer").replaceWith(page.querySelector("footer"));
    document.title = page.title;
    document.querySelectorAll("details").forEach((one, place) => {
      if (place in open) one.open = open[place];
    });
  }

  function soon() {
    if (!timer) timer = setTimeout(() => renew().catch(() => { said.textContent = "not live"; }), 300);
  }

  function follow() {
    source = new EventSource("/live?after=" + encodeURIComponent(main().dataset.last));
    source.onopen = () => { said.textContent = "live"; };
    source.onmessage = soon;
    source.onerror = () => { said.textContent = "not live"; soon(); };
  }

  function seen() {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      said.textContent = "";
    } else if (!source) {
      soon();
      follow();
    }
  }

  document.addEventListener("visibilitychange", seen);
  if (!document.hidden) follow();
})();
