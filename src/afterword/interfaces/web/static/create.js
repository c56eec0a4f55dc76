// Sliders beside the shares of variants: moving one moves the others, so that the sum stays.
"use strict";

(() => {
  const WHOLE = 10000;
  const read = (input) => Math.round((parseFloat(input.value) || 0) * 100);
  const write = (input, hundredths) => { input.value = String(hundredths / 100); };

  const fieldsOf = (group) => [...group.querySelectorAll("input[data-share]")];

  const show = (group) => {
    const fields = fieldsOf(group);
    const sum = fields.reduce((total, field) => total + read(field), 0);
    const told = group.querySelector("[data-sum]");
    if (told) { told.textContent = String(sum / 100); told.parentElement.classList.toggle("off", sum !== WHOLE); }
    for (const field of fields) if (field.slider) field.slider.value = String(read(field) / 100);
  };

  // What one share gains the others that may move lose, in proportion; hundredths that are left go to the largest.
  const share = (group, moved) => {
    const fields = fieldsOf(group);
    const fixed = fields.filter((field) => field !== moved && (field.readOnly || field.dataset.share === "control"));
    const others = fields.filter((field) => field !== moved && !fixed.includes(field));
    const free = WHOLE - fixed.reduce((total, field) => total + read(field), 0);
    const own = Math.min(read(moved), free);
    write(moved, others.length ? own : free);
    const left = free - own, before = others.reduce((total, field) => total + read(field), 0);
    let given = 0;
    others.forEach((field, at) => {
      const last = at === others.length - 1;
      const part = last ? left - given : Math.round(before ? left * read(field) / before : left / others.length);
      write(field, Math.max(0, part));
      given += part;
    });
    show(group);
  };

  const prepare = () => {
    for (const group of document.querySelectorAll("[data-shares]")) {
      for (const field of fieldsOf(group)) {
        if (field.readOnly || (field.slider && field.slider.isConnected)) continue;
        const slider = document.createElement("input");
        Object.assign(slider, { type: "range", min: "0", max: "100", step: "1" });
        slider.setAttribute("aria-label", `${field.labels[0].textContent} as a slider`);
        slider.addEventListener("input", () => { field.value = slider.value; share(group, field); });
        field.slider = slider;
        field.after(slider);
      }
      show(group);
    }
  };

  document.addEventListener("input", (event) => {
    const group = event.target.matches("input[data-share]") && event.target.closest("[data-shares]");
    if (group) show(group);
  });
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:after:swap", prepare);
  if (document.readyState !== "loading") prepare();
})();

// While a button's answer is awaited nothing is typed that the answer would replace.
(() => {
  const wait = (waiting) => (event) => {
    if (!event.target.matches?.("#step button[name=do]")) return;
    document.getElementById("step").inert = waiting;
  };
  document.addEventListener("htmx:before:request", wait(true));
  document.addEventListener("htmx:finally:request", wait(false));
})();

// The id that a name suggests shows while it is typed; the server makes it where the field is left empty.
document.addEventListener("input", (event) => {
  if (event.target.id !== "name") return;
  const id = document.querySelector(".create input#id:not([readonly])");
  if (id) id.placeholder = event.target.value.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").normalize("NFC").replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
});

// Cards of conversion events can be dragged into another order, by a grip; the buttons beside it do the same.
(() => {
  const cards = () => [...document.querySelectorAll(".card.event")];
  let dragged = null;
  const prepare = () => {
    if (cards().length < 2) return;
    for (const card of cards()) {
      if (card.querySelector(".grip")) continue;
      const grip = document.createElement("span");
      Object.assign(grip, { className: "grip", draggable: true, title: "Drag into another order", textContent: "⠿" });
      grip.setAttribute("aria-hidden", "true");
      card.querySelector(".event-head h2").before(grip);
    }
  };
  const mark = (card) => { for (const one of cards()) one.classList.toggle("over", one === card && card !== dragged); };
  document.addEventListener("dragstart", (event) => {
    if (!event.target.matches?.(".grip")) return;
    dragged = event.target.closest(".event");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setDragImage(dragged, 20, 20);
  });
  document.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    mark(event.target.closest?.(".card.event"));
  });
  document.addEventListener("drop", (event) => {
    const onto = event.target.closest?.(".card.event"), order = cards();
    if (!dragged || !onto || onto === dragged) return;
    event.preventDefault();
    const button = dragged.querySelector("button[value^='up-event:'], button[value^='down-event:']");
    button.value = `place-event:${order.indexOf(dragged)}.${order.indexOf(onto)}`;
    button.click();
  });
  document.addEventListener("dragend", () => { mark(null); dragged = null; });
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:after:swap", prepare);
  if (document.readyState !== "loading") prepare();
})();
