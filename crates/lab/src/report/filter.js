"use strict";
const buttons = document.querySelectorAll("button.count");
const claims = document.querySelectorAll("tr.claim");
for (const button of buttons) {
  button.addEventListener("click", () => {
    const chosen = button.getAttribute("aria-pressed") === "true" ? null : button.dataset.verdict;
    for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.verdict === chosen));
    for (const claim of claims) claim.hidden = chosen !== null && claim.dataset.verdict !== chosen;
  });
}
