(function () {
  "use strict";
  var list = document.querySelector(".cards"), cards = Array.prototype.slice.call(list.children);
  var main = document.querySelector("main"), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  var DWELL_MS = 2200, REST_MS = 14000, held = false, taken = false, began = 0, timer = 0;

  function startOf(card) {
    var rtl = document.dir === "rtl", own = card.getBoundingClientRect(), all = list.getBoundingClientRect();
    return rtl ? own.right - all.right : own.left - all.left;
  }

  function views() { return Math.max(1, Math.round(list.clientWidth / cards[0].offsetWidth)); }

  function last() { return Math.max(0, shown().length - views()); }

  function shown() { return cards.filter(function (card) { return card.offsetWidth; }); }

  function current() {
    var nearest = 0;
    cards.forEach(function (card, place) {
      if (Math.abs(startOf(card)) < Math.abs(startOf(cards[nearest]))) { nearest = place; }
    });
    return nearest;
  }

  function turnTo(place) {
    var goal = place < 0 ? last() : place > last() ? 0 : place;
    list.scrollBy({ left: startOf(cards[goal]), behavior: still ? "auto" : "smooth" });
  }

  // Forward through all, and home to the first, the best one; then it rests (within fifteen seconds).
  function step() {
    if (taken || held) { return; }
    var home = performance.now() - began + DWELL_MS > REST_MS;
    var next = home ? 0 : current() + 1;
    turnTo(next);
    if (!home && next <= last()) { timer = setTimeout(step, DWELL_MS); }
  }

  function hold() { held = true; clearTimeout(timer); }

  function release() {
    if (!held || main.matches(":hover") || main.contains(document.activeElement)) { return; }
    held = false;
    if (performance.now() - began < REST_MS) { timer = setTimeout(step, DWELL_MS); }
  }

  // Whoever turns it by hand has it to themselves from then on.
  function take() { taken = true; clearTimeout(timer); }

  function begin() {
    if (began || document.visibilityState === "hidden") { return; }
    began = performance.now();
    if (!held && !taken) { timer = setTimeout(step, DWELL_MS); }
  }

  main.classList.toggle("still", last() === 0);
  document.querySelector(".turn.back").addEventListener("click", function () { take(); turnTo(current() - 1); });
  document.querySelector(".turn.on").addEventListener("click", function () { take(); turnTo(current() + 1); });
  list.addEventListener("pointerdown", take);
  list.addEventListener("wheel", take, { passive: true });
  if (still || last() === 0) { return; }
  main.addEventListener("mouseenter", hold);
  main.addEventListener("mouseleave", release);
  main.addEventListener("focusin", hold);
  main.addEventListener("focusout", function () { setTimeout(release); });
  document.addEventListener("visibilitychange", begin);
  begin();
})();
