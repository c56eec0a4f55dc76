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
