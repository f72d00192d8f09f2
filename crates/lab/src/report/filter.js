"use strict";
// One verdict at a time: rows of other verdicts are hidden, and sections that have none left.
const buttons = document.querySelectorAll("button.count");
const claims = document.querySelectorAll("tr.claim");
const sections = document.querySelectorAll("section.experiment");
const shown = document.getElementById("shown");

function show(verdict) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  for (const claim of claims) claim.hidden = verdict !== null && claim.dataset.verdict !== verdict;
  for (const section of sections) {
    section.hidden = verdict !== null && section.querySelector("tr.claim:not([hidden])") === null;
  }
  const left = document.querySelectorAll("tr.claim:not([hidden])").length;
  shown.textContent = verdict === null
    ? shown.dataset.rest
    : `Below are ${left} of ${claims.length} claims. Press the verdict again to see all.`;
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    show(button.getAttribute("aria-pressed") === "true" ? null : button.dataset.verdict);
  });
}

// A link to what the filter hides shows it again.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (target && target.closest("[hidden]")) show(null);
});

// Paper unfolds nothing.
window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
