// The previews and what to expect follow what is filled in; without this, "Show me" does the same.
(() => {
  const form = document.querySelector("form.launch");
  if (!form) return;
  const LOOK = ["template", "brand", "primary", "accent", "theme", "headline", "button", "body", "link", "offer", "off", "code", "pool"];
  const WAIT_MS = 500;
  const plan = document.getElementById("plan");
  let timer = 0, asked = 0;

  const filled = (names) => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (name !== "token" && value && (!names || names.includes(name))) query.append(name, value);
    }
    return query.toString();
  };

  const fit = () => {
    const isMessage = form.elements.template.value === "message";
    form.querySelectorAll(".only-message").forEach((one) => { one.hidden = !isMessage; });
    form.querySelectorAll(".only-products").forEach((one) => { one.hidden = isMessage; });
    const model = form.elements.model && form.elements.model.value;
    form.querySelectorAll(".only-cpa").forEach((one) => { one.hidden = model !== "cpa"; });
  };

  let shown = filled(LOOK);
  const refresh = async () => {
    const look = filled(LOOK);
    if (look !== shown) {
      shown = look;
      form.querySelectorAll(".looks iframe").forEach((one) => { one.src = `${one.src.split("?")[0]}?${look}`; });
    }
    if (!plan) return;
    const turn = ++asked;
    plan.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${form.dataset.plan}?${filled(null)}`);
      if (turn === asked && answer.ok && !answer.redirected) plan.innerHTML = await answer.text();
    } finally {
      if (turn === asked) plan.removeAttribute("aria-busy");
    }
  };

  form.addEventListener("input", () => { fit(); clearTimeout(timer); timer = setTimeout(refresh, WAIT_MS); });
  fit();
})();
