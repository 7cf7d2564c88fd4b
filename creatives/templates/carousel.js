(() => {
  "use strict";
  var list = document.querySelector(".cards"), cards = Array.from(list.children);
  var main = document.querySelector("main"), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  var DWELL_MS = 2200, REST_MS = 14000, held = false, taken = false, began = 0, timer = 0, at = 0;

  function startOf(card) {
    var rtl = document.dir === "rtl", own = card.getBoundingClientRect(), all = list.getBoundingClientRect();
    return rtl ? own.right - all.right : own.left - all.left;
  }

  function views() { return Math.max(1, Math.round(list.clientWidth / cards[0].offsetWidth)); }

  function last() { return Math.max(0, shown().length - views()); }

  function shown() { return cards.filter((card) => card.offsetWidth); }

  // A smooth turn takes its time, so that where we are going counts, and not where we are.
  function turnTo(place) {
    at = place < 0 ? last() : place > last() ? 0 : place;
    list.scrollBy({ left: startOf(cards[at]), behavior: still ? "auto" : "smooth" });
  }

  // Forward through all, and home to the first, the best one; then it rests (within fifteen seconds).
  function step() {
    if (taken || held) { return; }
    turnTo(performance.now() - began + DWELL_MS > REST_MS ? 0 : at + 1);
    if (at) { timer = setTimeout(step, DWELL_MS); }
  }

  function hold() { held = true; clearTimeout(timer); }

  function release() {
    if (!held || main.matches(":hover") || main.contains(document.activeElement)) { return; }
    held = false;
    if (performance.now() - began < REST_MS) { timer = setTimeout(step, DWELL_MS); }
  }

  // Whoever turns it by hand has it to themselves from then on.
  function take() { taken = true; clearTimeout(timer); }

  function turnBy(step) {
    var starts = cards.map((card) => Math.abs(startOf(card)));
    if (!taken) { at = starts.indexOf(Math.min.apply(null, starts)); }
    take();
    turnTo(at + step);
  }

  function begin() {
    if (began || document.visibilityState === "hidden") { return; }
    began = performance.now();
    if (!held && !taken) { timer = setTimeout(step, DWELL_MS); }
  }

  // Where all cards are in view there is nothing to turn; a responsive frame may change its mind.
  function fit() { main.classList.toggle("still", last() === 0); }

  fit();
  window.addEventListener("resize", fit);
  document.querySelector(".turn.back").addEventListener("click", () => { turnBy(-1); });
  document.querySelector(".turn.on").addEventListener("click", () => { turnBy(1); });
  list.addEventListener("pointerdown", take);
  if (still || last() === 0) { return; }
  main.addEventListener("mouseenter", hold);
  main.addEventListener("mouseleave", release);
  main.addEventListener("focusin", hold);
  main.addEventListener("focusout", () => { setTimeout(release); });
  document.addEventListener("visibilitychange", begin);
  begin();
})();
