(function () {
  "use strict";
  // To whoever frames us: that no ad is shown here, and what the publisher wants done about it.
  var body = document.body;
  var told = { slot: "empty", onEmpty: body.dataset.onEmpty, width: body.offsetWidth, height: body.offsetHeight, page: body.dataset.page };
  if (window.parent !== window) { window.parent.postMessage(told, "*"); }
})();
