"use strict";
// What pages do better with a script; each of them can be read without. Nothing from users is ever run or put in as HTML.

(() => {
  const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR, PATIENCE = 4_000;
  const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function ago(since) {
    const far = Math.abs(since);
    if (far < MINUTE) return since >= 0 ? "just now" : "in a moment";
    const [unit, size] = far < 59.5 * MINUTE ? ["minute", MINUTE] : ["hour", HOUR];
    return RELATIVE.format(-Math.round(since / size), unit);
  }

  // Recent moments as how long ago they were, others by the clock of whoever reads; the exact one is the title.
  function tellTimes() {
    const now = Date.now();
    for (const each of document.querySelectorAll("time[datetime]")) {
      const at = new Date(each.dateTime);
      if (!each.title) each.title = `${EXACT.format(at)} (${each.dateTime})`;
      const since = now - at.getTime();
      const kind = each.dataset.as;
      const text = kind === "clock" ? at.toLocaleTimeString() : kind === "exact" ? EXACT.format(at)
        : Math.abs(since) < DAY ? ago(since) : SHORT.format(at);
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

  // A page that follows says when it no longer does. What comes back within a moment, as where a proxy ends connections
  // that are quiet, is not worth a word.
  function tellWhetherConnected() {
    const notice = document.getElementById("lost");
    if (!notice || typeof htmx === "undefined") return;
    let waiting = 0;
    const lost = () => {
      if (waiting) return;
      const time = notice.querySelector("time");
      time.dateTime = new Date().toISOString();
      time.title = "";
      waiting = setTimeout(() => { tellTimes(); notice.hidden = false; }, PATIENCE);
    };
    const found = () => {
      clearTimeout(waiting);
      waiting = 0;
      notice.hidden = true;
    };
    htmx.createEventSource = (address) => {
      const source = new EventSource(address);
      source.addEventListener("open", found);
      // The handler of htmx connects again; it writes the event to the console, unless it is given none.
      Object.defineProperty(source, "onerror", { set: (handler) => {
        source.addEventListener("error", () => { lost(); handler(); });
      } });
      return source;
    };
  }

  function showTicks() {
    for (const all of document.querySelectorAll("[data-all]")) {
      all.hidden = false;
      all.addEventListener("change", () => {
        for (const each of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) each.checked = all.checked;
      });
    }
  }

  // A page that the browser kept, and shows again, asks for something new: its forms would be known from before.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const each of document.querySelectorAll('input[name="request"]')) each.value += "+";
  });

  // On a phone the pages are a row that is wider than the window.
  function showWhere() {
    const [row, here] = [document.querySelector(".side nav"), document.querySelector(".side [aria-current]")];
    if (here) row.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - row.clientWidth / 2;
  }

  // `runfold dev` prints an address with its key behind a #, which no server is ever sent.
  function signIn() {
    const key = location.hash.slice(1);
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
  tellWhetherConnected();
  showTicks();
  showWhere();
  signIn();
})();
