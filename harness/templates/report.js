"use strict";
(() => {
  const form = document.getElementById("search");
  if (!form) return;
  const query = document.getElementById("query");
  const hits = document.getElementById("hits");
  const box = document.getElementById("lines");
  const lines = [...box.children].map((element) => [element, element.textContent]);
  let marks = [];
  let at = -1;

  const mark = (element, text, wanted) => {
    const parts = [];
    let from = 0;
    for (const match of text.matchAll(wanted)) {
      const found = document.createElement("mark");
      found.textContent = match[0];
      parts.push(text.slice(from, match.index), found);
      marks.push(found);
      from = match.index + match[0].length;
    }
    element.replaceChildren(...parts, text.slice(from));
  };

  const search = () => {
    const words = query.value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const wanted = words ? new RegExp(words, "gi") : null;
    marks = [];
    at = -1;
    for (const [element, text] of lines) {
      if (wanted) mark(element, text, wanted);
      else element.textContent = text;
    }
    hits.textContent = wanted ? `${marks.length} found` : "";
  };

  const next = (event) => {
    event.preventDefault();
    if (!marks.length) return;
    marks[at]?.classList.remove("here");
    at = (at + 1) % marks.length;
    marks[at].classList.add("here");
    marks[at].scrollIntoView({ block: "nearest" });
    hits.textContent = `${at + 1} of ${marks.length}`;
  };

  box.scrollTop = box.scrollHeight;
  form.hidden = false;
  query.addEventListener("input", search);
  form.addEventListener("submit", next);
})();
