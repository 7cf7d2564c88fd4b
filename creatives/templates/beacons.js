(() => {
  "use strict";
  var body = document.body, ratio = 0, timer = 0, observer;

  function image(address) { new Image().src = address; }

  function send(address) {
    if (window.fetch && window.Request && "keepalive" in Request.prototype) {
      // no-cors: a sandboxed frame has an opaque origin, and the answer is of no interest.
      fetch(address, { method: "POST", mode: "no-cors", keepalive: true }).catch(function () { image(address); });
    } else if (!navigator.sendBeacon || !navigator.sendBeacon(address)) {
      image(address);
    }
  }

  // What a reader closed within its first second was not seen for a second, though thanks stand in its place.
  function closed() { return document.querySelector("main").hidden; }

  function stop() { clearTimeout(timer); timer = 0; }

  function seen(entries) {
    entries.forEach(function (entry) { ratio = entry.isIntersecting ? entry.intersectionRatio : 0; });
    judge();
  }

  // Half of the pixels, in a visible document, for one second without a break (MRC).
  function judge() {
    if (!observer || ratio < 0.5 || document.visibilityState !== "visible") { stop(); return; }
    if (!timer) { timer = setTimeout(second, 1000); }
  }

  function second() {
    timer = 0;
    var late = observer.takeRecords();
    if (late.length) { seen(late); }
    if (ratio < 0.5 || document.visibilityState !== "visible" || closed()) { return; }
    if (late.some(function (entry) { return entry.intersectionRatio < 0.5; })) { return; }
    stop();
    observer.disconnect();
    observer = null;
    send(body.dataset.viewable);
  }

  function begin() {
    send(body.dataset.impression);
    if (!window.IntersectionObserver) { return; }
    observer = new IntersectionObserver(seen, { threshold: [0, 0.5, 0.75, 1] });
    observer.observe(document.documentElement);
    document.addEventListener("visibilitychange", judge);
  }

  // A background tab draws nothing, so nothing has begun to render there.
  function wake() {
    if (document.visibilityState === "hidden") { return; }
    document.removeEventListener("visibilitychange", wake);
    begin();
  }
  document.addEventListener("visibilitychange", wake);
  wake();

  // To whoever frames us, so that the page may size the frame; that an ad is here is all it says.
  if (window.parent !== window) {
    window.parent.postMessage({ slot: "filled", width: body.offsetWidth, height: body.offsetHeight, page: body.dataset.page }, "*");
  }
})();
