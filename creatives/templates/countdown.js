(function () {
  "use strict";
  var place = document.querySelector(".ends"), said = place.dataset, began = performance.now();
  var leftAtFirst = Number(document.body.dataset.left), MINUTE = 60000, DAY = 24 * 60 * MINUTE;

  function unit(count, name) {
    return new Intl.NumberFormat(said.locale, { style: "unit", unit: name, unitDisplay: "short" }).format(count);
  }

  function date() {
    return new Intl.DateTimeFormat(said.locale, { day: "numeric", month: "long" }).format(Number(said.ends));
  }

  // The server's clock at first, and how long we have been here: the visitor's own clock may be wrong or turned.
  function show() {
    var left = leftAtFirst - (performance.now() - began), minutes = Math.ceil(left / MINUTE), words;
    if (!(left > 0)) {
      place.hidden = true;
      if (!place.parentNode.querySelector(".code")) { place.parentNode.hidden = true; }
      return;
    }
    if (left > 2 * DAY) {
      words = said.on.replace("{date}", date());
    } else {
      var hours = Math.floor(minutes / 60), parts = hours ? [unit(hours, "hour")] : [];
      if (minutes % 60 || !hours) { parts.push(unit(minutes % 60, "minute")); }
      words = said.in.replace("{time}", parts.join(" "));
    }
    place.textContent = words;
    place.hidden = false;
    setTimeout(show, Math.min(left % MINUTE || MINUTE, left));
  }
  show();
})();
