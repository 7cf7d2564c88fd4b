// All boxes at once, and how many are ticked; without scripts each is ticked by hand.
const form = document.getElementById("decide");
if (form) {
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const head = form.querySelector("thead th");
  const label = document.createElement("label");
  const all = document.createElement("input");
  all.type = "checkbox";
  label.append(all, head.querySelector("span"));
  head.classList.add("pick");
  head.append(label);
  const count = () => {
    const ticked = boxes.filter((one) => one.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.addEventListener("change", () => { boxes.forEach((one) => { one.checked = all.checked; }); });
  form.addEventListener("change", count);
  count();
}
