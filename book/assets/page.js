// Theme, menu, search, tabs and copy buttons of a page. Without it the page still reads whole.
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

byId("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

byId("menu").addEventListener("click", (event) => {
  const open = byId("sidebar").classList.toggle("open");
  event.currentTarget.setAttribute("aria-expanded", open);
});

const search = new MiniSearch({
  fields: ["heading", "text", "title"], storeFields: ["heading", "title", "url", "text"],
  searchOptions: { boost: { heading: 3, title: 2 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
});
search.addAll(window.BOOK_INDEX.map((entry, id) => ({ id, ...entry })));

byId("search").addEventListener("input", (event) => {
  const words = event.target.value.trim();
  const list = byId("results");
  list.replaceChildren();
  list.hidden = words.length < 2;
  if (list.hidden) return;
  const hits = search.search(words).slice(0, 8);
  for (const hit of hits) {
    const link = document.createElement("a");
    link.href = window.BOOK_UP + hit.url;
    link.textContent = hit.heading || hit.title;
    const found = hit.text.toLowerCase().indexOf(hit.terms[0]);
    const excerpt = document.createElement("small");
    excerpt.textContent = hit.text.slice(Math.max(0, found - 40), Math.max(0, found) + 80);
    const item = document.createElement("li");
    item.append(link, excerpt);
    list.append(item);
  }
  if (!hits.length) list.append("Nothing found.");
});

for (const set of document.querySelectorAll(".panel-tabset")) {
  const tabs = [...set.querySelectorAll(":scope > .tab")];
  const bar = document.createElement("div");
  bar.setAttribute("role", "tablist");
  const buttons = tabs.map((tab) => {
    const button = document.createElement("button");
    button.setAttribute("role", "tab");
    button.append(...tab.querySelector(".tab-title").childNodes);
    tab.querySelector(".tab-title").remove();
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose(buttons.at((buttons.indexOf(button) + step) % buttons.length), true);
    });
    bar.append(button);
    return button;
  });
  const choose = (chosen, focus) => buttons.forEach((button, i) => {
    button.setAttribute("aria-selected", button === chosen);
    button.tabIndex = button === chosen ? 0 : -1;
    tabs[i].hidden = button !== chosen;
    if (button === chosen && focus) button.focus();
  });
  set.prepend(bar);
  choose(buttons[0]);
}

for (const code of document.querySelectorAll("div.sourceCode")) {
  const button = document.createElement("button");
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.querySelector("code").innerText);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  code.append(button);
}

// What scrolls sideways can be scrolled by the keyboard too
for (const part of document.querySelectorAll("main pre, main table, main math[display=block]")) {
  if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
}
