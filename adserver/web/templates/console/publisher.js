// Codes are copied with a click, and a statement is printed with one.
document.querySelectorAll("pre.code").forEach((code) => {
  if (!navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = code.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = code.dataset.copied;
    setTimeout(() => { button.textContent = code.dataset.copy; }, 2500);
  });
  code.after(button);
});
document.querySelectorAll("button[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => print());
});
