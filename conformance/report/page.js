(() => {
  const form = document.getElementById("filters");
  const rows = [...document.querySelectorAll("#rows > tr")];
  const value = (id) => document.getElementById(id).value;
  const apply = () => {
    const family = value("family"), outcome = value("outcome"), text = value("text").toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const outcomes = [...row.querySelectorAll("td[data-outcome]")].map((c) => c.dataset.outcome);
      const fits = (!family || row.dataset.family === family) &&
        (!outcome || outcomes.includes(outcome)) &&
        (!text || row.textContent.toLowerCase().includes(text));
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${rows.length} requirements`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.violates:not([open]), details.errored:not([open])")];
    opened.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
})();
