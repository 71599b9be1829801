"use strict";
// What pages do better with a script; each of them can be read without. Nothing from users is ever run or put in as HTML.

(() => {
  const DAY = 86_400_000;
  const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

  function ago(milliseconds) {
    for (const [unit, size] of [["day", DAY], ["hour", 3_600_000], ["minute", 60_000]]) {
      if (Math.abs(milliseconds) >= size) return RELATIVE.format(-Math.round(milliseconds / size), unit);
    }
    return milliseconds >= 0 ? "just now" : "in a moment";
  }

  // Recent moments as how long ago they were, others by the clock of whoever reads; the exact one is the title.
  function tellTimes() {
    const now = Date.now();
    for (const each of document.querySelectorAll("time[datetime]")) {
      const at = new Date(each.dateTime);
      if (!each.title) each.title = `${at.toLocaleString()} (${each.dateTime})`;
      const since = now - at.getTime();
      const text = each.hasAttribute("data-exact") ? at.toLocaleTimeString() : Math.abs(since) < 2 * DAY ? ago(since) : at.toLocaleString();
      if (each.textContent !== text) each.textContent = text;
    }
  }

  // What was opened stays open when a part of the page comes anew.
  const opened = new Set();
  document.addEventListener("toggle", (event) => {
    const id = event.target.id;
    if (id) event.target.open ? opened.add(id) : opened.delete(id);
  }, true);
  function settle() {
    tellTimes();
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  }

  function showTicks() {
    for (const all of document.querySelectorAll("[data-all]")) {
      all.hidden = false;
      all.addEventListener("change", () => {
        for (const each of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) each.checked = all.checked;
      });
    }
  }

  // `runfold dev` prints an address with its key behind a #, which no server is ever sent.
  function signIn() {
    const key = decodeURIComponent(location.hash.slice(1));
    if (!key.startsWith("tr_")) return;
    history.replaceState(null, "", location.pathname + location.search);
    const form = document.getElementById("sign-in");
    if (!form) return;
    form.elements.key.value = key;
    const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    if (here && key.startsWith("tr_dev_")) form.requestSubmit();
  }

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.dataset.submits !== undefined) event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:sseMessage", settle);
  document.addEventListener("htmx:afterSettle", settle);
  setInterval(tellTimes, 10_000);
  settle();
  showTicks();
  signIn();
})();
