// Small help that no page needs: a form says that it is under way, the current section is in sight, code is copied.
document.documentElement.classList.add("scripts");
document.addEventListener("submit", (event) => {
  const button = event.submitter || event.target.querySelector("button:not([type=button])");
  if (!button || event.defaultPrevented) return;
  button.setAttribute("aria-busy", "true");
  setTimeout(() => { button.disabled = true; }, 0);
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.querySelectorAll("button[aria-busy]").forEach((one) => {
    one.disabled = false;
    one.removeAttribute("aria-busy");
  });
});
document.querySelector("header nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
document.addEventListener("click", async (event) => {
  const open = document.querySelector("details.switch[open]");
  if (open && !open.contains(event.target)) open.open = false;
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = button.dataset.copied;
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without HTTPS: what is marked is copied by hand
  }
});
document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.switch[open]");
  if (event.key !== "Escape" || !open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
