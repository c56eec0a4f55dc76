// What HTML and htmx do not do by themselves. No page needs it to be read.
"use strict";

// Buttons that copy what stands beside them.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(() => {
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
});

// A form that is sent twice would do twice what it does.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[method=post]") && !event.defaultPrevented) {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 3000);
  }
});

// Fields whose change shows at once, such as filters, send their form.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-send-on-change]");
  if (form) form.requestSubmit();
});

// What cannot be undone is asked for twice.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (button && !window.confirm(button.dataset.ask)) event.preventDefault();
});

// A table as a file: what stands on the page, so that it says no more than the page does. What stands small under a
// number has a column of its own.
const showCsv = () => {
  for (const place of document.querySelectorAll(".under-grid[hidden]")) place.hidden = false;
};
document.addEventListener("DOMContentLoaded", showCsv);
document.addEventListener("htmx:after:swap", showCsv);

const plain = (text) => text.replace(/\s+/g, " ").trim();
const csvText = (text) => {
  const number = plain(text).replace(/\u2212/g, "-");
  // Where 1,234 is another number than in English, it stays as it is written.
  const english = (document.documentElement.dataset.manner || "en").startsWith("en");
  if (english && /^[-+]?\d{1,3}(,\d{3})*(\.\d+)?$/.test(number)) return number.replace(/,/g, "").replace(/^\+/, "");
  // A spreadsheet would run it as a formula.
  const safe = /^[=+\-@\t\r]/.test(plain(text)) ? "'" + plain(text) : plain(text);
  return /[",\n]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
};

const csvOf = (table) => {
  const rows = [...table.rows].map((row) => [...row.cells].map((cell) => {
    const small = cell.querySelector("small");
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small").forEach((one) => one.remove());
    return [copy.textContent, small ? small.textContent : ""];
  }));
  const widest = Math.max(...rows.map((row) => row.length));
  const noted = [...Array(widest).keys()].filter((column) => rows.some((row) => row[column] && row[column][1]));
  return rows.map((row, place) => row.flatMap(([text, note], column) => {
    if (!noted.includes(column)) return [csvText(text)];
    return [csvText(text), place ? csvText(note) : csvText(`${plain(text)} (note)`)];
  }).join(",")).join("\r\n") + "\r\n";
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-csv]");
  if (!button) return;
  const file = document.createElement("a");
  file.href = URL.createObjectURL(new Blob(["\ufeff", csvOf(document.getElementById(button.dataset.csv))], { type: "text/csv" }));
  file.download = `${button.dataset.csv}.csv`;
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 10000);
});
