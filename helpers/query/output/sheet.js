"use strict";
// Lets a person correct what was found, and saves the list from the page: no server, no network.
const sheet = JSON.parse(document.getElementById("list").textContent);
const NOT_A_CARD = "none";
const cards = [...document.querySelectorAll("article[data-find]")];
let saved = true;

// The line of the list for a find; null if it is not a card.
function line(card) {
  const find = sheet.finds[card.dataset.find];
  const chosen = card.querySelector("select").value;
  if (chosen === "") return find.row;
  if (chosen === NOT_A_CARD) return null;
  const row = ["1", ...find.choices[chosen], ...find.row.slice(1 + find.choices[chosen].length)];
  row[sheet.columns.indexOf("Verdict")] = "corrected";
  row[sheet.columns.indexOf("Printing")] = "sure";
  return row;
}

function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// The lines of the list: what counts, and what is unsure.
function lines() {
  const rows = cards.map(line).filter((row) => row !== null);
  return [rows.filter((row) => row[0] === "1"), rows.filter((row) => row[0] !== "1")];
}

// The list as CSV (RFC 4180).
function csv() {
  return [sheet.columns, ...lines().flat()].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function show(card) {
  const select = card.querySelector("select");
  const corrected = select.value !== "";
  card.classList.toggle("corrected", corrected);
  card.classList.toggle("no-card", select.value === NOT_A_CARD);
  card.querySelector(".badge").textContent = corrected
    ? `corrected: ${select.selectedOptions[0].textContent} (${select.options[0].textContent})`
    : "";
}

function summary() {
  const [counted, unsure] = lines();
  const corrected = cards.filter((card) => card.classList.contains("corrected")).length;
  document.getElementById("summary").textContent =
    `${counted.length} in the list, ${unsure.length} unsure, ${corrected} corrected`;
}

function changed(card) {
  saved = false;
  show(card);
  summary();
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "cards.csv";
  link.click();
  URL.revokeObjectURL(link.href);
  saved = true;
}

for (const card of cards) {
  const select = card.querySelector("select");
  select.addEventListener("change", () => changed(card));
  for (const button of card.querySelectorAll("button[data-choice]")) {
    button.addEventListener("click", () => {
      select.value = button.dataset.choice;
      changed(card);
    });
  }
  show(card); // a browser keeps what was chosen when the page is loaded again
}
document.getElementById("save").addEventListener("click", save);
window.addEventListener("beforeunload", (event) => {
  if (!saved) event.preventDefault();
});
summary();
