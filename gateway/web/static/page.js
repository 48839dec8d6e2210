// Keeps the page current: on every change the server tells of, the page asks for itself again and swaps its content.
// Everything works without this script.
(() => {
  "use strict";
  const indicator = () => document.getElementById("live");
  const say = (words, isLive) => {
    const live = indicator();
    if (!live) return;
    live.hidden = false;
    live.classList.toggle("lost", !isLive);
    const text = document.getElementById("live-words");
    if (text.textContent !== words) text.textContent = words;
  };

  // A form is sent once: the second press of an impatient finger does nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.hasAttribute("data-once")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  // Coming back to a page from the browser's memory: its forms may be used again (the key makes it the same vend).
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A paper: the browser's own menu prints it too.
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  // Setting the clock: this telephone's time beside the gateway's, in the site's local time, and with the form when it is sent.
  const clock = document.querySelector("[data-clock]");
  if (clock) {
    const at = Number(clock.dataset.at), offset = Number(clock.dataset.offset), began = Date.now();
    const local = (ms) => new Date(ms + offset * 1000).toISOString().slice(0, 19).replace("T", " ");
    const span = (s) => s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min`
      : s < 172800 ? `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min` : `${Math.floor(s / 86400)} days ${Math.floor(s / 3600) % 24} h`;
    const show = () => {
      const gateway = at + (clock.hasAttribute("data-runs") ? Math.round((Date.now() - began) / 1000) : 0);
      const behind = Math.round(Date.now() / 1000) - gateway;
      clock.querySelector("[data-phone]").textContent = local(Date.now());
      clock.querySelector("[data-difference]").textContent = !clock.hasAttribute("data-known") ? "without a time"
        : Math.abs(behind) < 3 ? "the same" : `${span(Math.abs(behind))} ${behind > 0 ? "behind" : "ahead"}`;
    };
    clock.querySelector("dl").hidden = false;
    for (const typed of clock.querySelectorAll("[data-typed]")) typed.hidden = true;
    clock.querySelector("[data-ours]").hidden = false;
    clock.querySelector("form").addEventListener("submit", () => { clock.querySelector("[name=phone]").value = Date.now(); });
    show();
    setInterval(show, 1000);
  }

  if (!document.body.hasAttribute("data-live") || !window.EventSource) return;

  let wanted = false, busy = false, earliest = 0, timer = 0;

  const isEditing = () => {
    const main = document.getElementById("main");
    const active = document.activeElement;
    if (active && main.contains(active) && active.matches("input, select, textarea")) return true;
    const changed = (field) => field.type !== "hidden" && field.value !== field.defaultValue;
    if ([...main.querySelectorAll("input, textarea")].some(changed)) return true;
    const chosen = (option) => option.selected !== option.defaultSelected;
    const named = [...main.querySelectorAll("select")].filter((select) => select.querySelector("option[selected]"));
    if (named.some((select) => [...select.options].some(chosen))) return true;
    if ([...main.querySelectorAll("select[required]")].some((select) => select.value !== "")) return true;
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && main.contains(selection.anchorNode);
  };

  const swap = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("main");
    const main = document.getElementById("main");
    if (!fresh) return;
    const active = document.activeElement;
    const focused = active && main.contains(active) ? active.id || active.getAttribute("href") : null;
    const [x, y] = [window.scrollX, window.scrollY];
    main.replaceChildren(...fresh.childNodes);
    if (focused) {
      const again = document.getElementById(focused)
        || [...main.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === focused);
      if (again) again.focus({ preventScroll: true });
    }
    window.scrollTo(x, y);
  };

  const refresh = async () => {
    if (busy || document.hidden || isEditing()) return;
    const wait = earliest - performance.now();
    if (wait > 0) {
      clearTimeout(timer);
      timer = setTimeout(refresh, wait);
      return;
    }
    busy = true;
    wanted = false;
    const began = performance.now();
    try {
      const url = new URL(location.href);
      url.searchParams.delete("vended");
      const answer = await fetch(url, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
      if (answer.status === 401) return location.reload();
      const fresh = await answer.text();
      // Asked after the last wait: somebody may have begun to type meanwhile.
      if (answer.ok && !isEditing()) {
        const notice = document.querySelector("#main > .banner.good");
        swap(fresh);
        const said = document.querySelector("#main > .banner.good");
        if (notice && !said && performance.now() < 10000) document.querySelector("#main > .head").after(notice);
      }
    } catch {
      wanted = true;
    } finally {
      busy = false;
      // A slow gateway or phone is asked less often: at most a quarter of the time goes into refreshing.
      earliest = performance.now() + Math.max(1000, 3 * (performance.now() - began));
      if (wanted) {
        clearTimeout(timer);
        timer = setTimeout(refresh, 1000);
      }
    }
  };
  const want = () => { wanted = true; refresh(); };

  const listen = () => {
    const source = new EventSource("/live");
    source.onopen = () => { say("live", true); want(); };
    source.onmessage = want;
    source.onerror = () => {
      say("not live", false);
      if (source.readyState !== EventSource.CLOSED) return;
      // Refused, perhaps because the session is over: asking for the page finds out.
      setTimeout(() => { want(); listen(); }, 5000);
    };
    window.addEventListener("pagehide", () => source.close(), { once: true });
  };
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  document.addEventListener("visibilitychange", () => { if (wanted) refresh(); });
  document.addEventListener("focusout", () => setTimeout(() => { if (wanted) refresh(); }, 300));
  listen();
})();
