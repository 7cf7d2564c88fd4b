// Copies what is to be pasted, and shows what arrives and how far an import has come without loading the page again.
const PAUSE_MS = 350, MOST_ROWS = 100, WATCH_MS = 5 * 60_000;

document.querySelectorAll("button[data-copy]").forEach((button) => {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {  // the browser forbids it: it stands marked, to be copied by hand
      getSelection().selectAllChildren(code);
      return;
    }
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
});

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

const watch = async (live) => {
  const rows = live.querySelector("tbody[data-news]"), state = live.querySelector("[role=status]");
  const goOn = live.querySelector(".go-on"), nothing = live.querySelector(".nothing");
  const say = (what) => { if (state.textContent !== state.dataset[what]) state.textContent = state.dataset[what]; };
  const until = Date.now() + WATCH_MS;
  goOn.hidden = true;
  while (Date.now() < until) {
    if (document.hidden) { await pause(PAUSE_MS); continue; }
    try {
      const answer = await fetch(`${rows.dataset.news}?after=${rows.dataset.newest}`);
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.status);
      const more = await answer.text();
      if (more.trim()) {
        rows.insertAdjacentHTML("afterbegin", more);
        rows.querySelectorAll("tr").forEach((row) => { if (Number(row.dataset.number) > Number(rows.dataset.newest)) row.classList.add("new"); });
        rows.dataset.newest = answer.headers.get("X-Newest");
        while (rows.rows.length > MOST_ROWS) rows.deleteRow(-1);
        nothing.hidden = true;
      }
      say("watching");
      await pause(PAUSE_MS);
    } catch {  // the server is away, or starts anew: the next look makes up for it
      say("lost");
      await pause(3000);
    }
  }
  say("paused");
  goOn.hidden = false;
};

document.querySelectorAll(".live").forEach((live) => {
  live.querySelector(".go-on").addEventListener("click", () => watch(live));
  watch(live);
});

document.querySelectorAll("[data-progress]").forEach(async (place) => {
  while (place.querySelector("progress")) {
    await pause(1000);
    const answer = await fetch(place.dataset.progress);
    if (answer.redirected || !answer.ok) return;
    const told = await answer.text();
    if (told.trim()) place.innerHTML = told;
    else location.reload();
  }
});
