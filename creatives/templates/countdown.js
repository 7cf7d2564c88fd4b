(() => {
  "use strict";
  var place = document.querySelector(".ends"), said = place.dataset, began = performance.now();
  var leftAtFirst = Number(document.body.dataset.left), MINUTE = 60000, DAY = 24 * 60 * MINUTE;

  function unit(count, name) {
    return new Intl.NumberFormat(said.locale, { style: "unit", unit: name, unitDisplay: "short" }).format(count);
  }

  function date() {
    return new Intl.DateTimeFormat(said.locale, { day: "numeric", month: "long" }).format(Number(said.ends));
  }

  // A page may stay open for longer: cards with a badge ask again what they asked without the offer.
  function over() {
    place.parentNode.hidden = true;
    document.querySelectorAll(".badge").forEach((badge) => {
      var price = badge.closest(".card").querySelector(".price"), was = price.querySelector("s");
      price.querySelector("b bdi").textContent = was.querySelector("bdi").textContent;
      price.classList.remove("sale");
      was.remove();
      badge.remove();
    });
  }

  // The server's clock at first, and how long we have been here: the visitor's own clock may be wrong or turned.
  function show() {
    var left = leftAtFirst + began - performance.now(), minutes = Math.ceil(left / MINUTE), words;
    if (!(left > 0)) { return over(); }
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
