(() => {
  "use strict";
  var body = document.body, gone = document.querySelector(".gone");

  // Nothing is asked of a server: what is closed is gone at once, and stays so until the page is loaded anew.
  document.querySelector(".close").addEventListener("click", () => {
    var why = document.querySelector(".why").href;
    gone.querySelectorAll("a").forEach((link) => { link.href = why; });
    document.querySelector("header").hidden = document.querySelector("main").hidden = true;
    gone.hidden = false;
    gone.focus();
    if (window.parent !== window) {
      window.parent.postMessage({ slot: "closed", width: body.offsetWidth, height: body.offsetHeight }, "*");
    }
  });
})();
