// Adds a campaign's entries up again in this browser, as replay.py does, and says whether they fit the proof.
const hex = (bytes) => [...new Uint8Array(bytes)].map((one) => one.toString(16).padStart(2, "0")).join("");

async function replay(text, wanted) {
  let head = new Uint8Array(32);
  let balance = 0;
  let number = 0;
  for (const line of text.split("\n").filter(Boolean).slice(0, wanted)) {
    const bytes = new TextEncoder().encode(line);
    const both = new Uint8Array(head.length + bytes.length);
    both.set(head);
    both.set(bytes, head.length);
    head = new Uint8Array(await crypto.subtle.digest("SHA-256", both));
    const entry = JSON.parse(line);
    number += 1;
    if (entry.entry !== number) return null;
    balance += entry.kind === "charge" ? entry.amount_micros : entry.kind === "refund" ? -entry.amount_micros : 0;
  }
  return { entries: number, spent_micros: balance, head: hex(head) };
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  return answer.text();
}

for (const check of document.querySelectorAll(".check")) {
  if (!globalThis.crypto?.subtle) continue;
  check.hidden = false;
  const button = check.querySelector("button");
  const output = check.querySelector("output");
  const say = (what) => { output.textContent = output.dataset[what]; output.className = what; };
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("busy");
    try {
      const proof = JSON.parse(await fetched(check.dataset.proof));
      const found = await replay(await fetched(check.dataset.entries), proof.entries);
      say(found && Object.keys(found).every((name) => found[name] === proof[name]) ? "right" : "wrong");
    } catch {
      say("failed");
    }
    button.disabled = false;
  });
}
