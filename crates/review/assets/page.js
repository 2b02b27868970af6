"use strict";
// Everything a model wrote enters the document through text nodes. Nothing here parses markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const filters = ["q", "category", "rule", "arm"];
const armNames = data.arms.map((arm) => arm.name);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Characters that hide, or turn text around, are shown by their number.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

function appendText(parent, text, query) {
  for (const piece of text.split(new RegExp(`(${HIDDEN.source})`))) {
    if (piece.length === 1 && HIDDEN.test(piece)) {
      const number = piece.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      parent.append(element("span", "control", `U+${number}`));
    } else {
      appendMarked(parent, piece, query);
    }
  }
}

function appendMarked(parent, text, query) {
  const lower = text.toLowerCase();
  // Lower case can change a text's length; marks would then be off, so there are none.
  if (!query || lower.length !== text.length) {
    parent.append(text);
    return;
  }
  let from = 0;
  for (let at = lower.indexOf(query); at >= 0; at = lower.indexOf(query, from)) {
    parent.append(text.slice(from, at), element("mark", "", text.slice(at, at + query.length)));
    from = at + query.length;
  }
  parent.append(text.slice(from));
}

const haystacks = data.pairs.map((pair) =>
  [pair.prompt, ...pair.answers.flatMap((answer) => (answer ? [answer.think ?? "", answer.text] : []))]
    .join("\n").toLowerCase());

const findingsOf = (pair, arm) =>
  pair.answers.flatMap((answer, index) => (answer && (arm === "" || armNames[index] === arm) ? answer.findings : []));

function worst(pair) {
  const found = findingsOf(pair, "").map((finding) => finding.severity);
  return found.includes("error") ? "error" : found.includes("warning") ? "warning" : "";
}

// --- What is shown: the address holds it, so that a view can be kept and passed on.
const state = { q: "", category: "", rule: "", arm: "", n: 0, think: false };

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of filters) state[name] = given.get(name) ?? "";
  state.n = Number.parseInt(given.get("n") ?? "0", 10) || 0;
  state.think = given.has("think");
}

function writeAddress() {
  const kept = new URLSearchParams();
  for (const name of filters) if (state[name]) kept.set(name, state[name]);
  if (state.n) kept.set("n", state.n);
  if (state.think) kept.set("think", "1");
  history.replaceState(null, "", `#${kept}`);
}

function shown() {
  const query = state.q.trim().toLowerCase();
  const keep = (pair, index) =>
    (!state.category || pair.category === state.category) &&
    (!query || haystacks[index].includes(query)) &&
    (!state.arm || pair.answers[armNames.indexOf(state.arm)]) &&
    (!state.rule || findingsOf(pair, state.arm).some((finding) => state.rule === "*" || finding.rule === state.rule));
  return data.pairs.flatMap((pair, index) => (keep(pair, index) ? [index] : []));
}

let visible = [];

function drawList() {
  visible = shown();
  if (!visible.includes(state.n)) state.n = visible[0] ?? -1;
  byId("count").textContent = `${visible.length} of ${data.pairs.length} prompts`;
  byId("list").replaceChildren(...visible.map((index) => {
    const pair = data.pairs[index];
    const item = element("li", worst(pair));
    const button = element("button");
    button.type = "button";
    button.dataset.index = index;
    const words = element("span");
    appendText(words, pair.prompt.slice(0, 200), "");
    button.append(words, element("small", "", `${index + 1} · ${pair.category}`));
    item.append(button);
    return item;
  }));
  drawPair();
}

function drawPair() {
  const article = byId("pair");
  for (const button of byId("list").querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
  writeAddress();
  if (state.n < 0 || !data.pairs[state.n]) {
    article.replaceChildren(element("p", "absent", "No prompt matches."));
    return;
  }
  const current = byId("list").children[visible.indexOf(state.n)]?.firstChild;
  current?.setAttribute("aria-current", "true");
  current?.scrollIntoView({ block: "nearest" });
  const pair = data.pairs[state.n];
  const query = state.q.trim().toLowerCase();
  const prompt = element("p", "prompt");
  appendText(prompt, pair.prompt, query);
  const facts = [`${state.n + 1} of ${data.pairs.length}`, pair.category, pair.sub_theme].filter(Boolean).join(" · ");
  const arms = element("div", "arms");
  pair.answers.forEach((answer, index) => {
    if (!state.arm || armNames[index] === state.arm) arms.append(drawAnswer(armNames[index], answer, query));
  });
  article.replaceChildren(prompt, element("p", "facts", facts), arms);
  article.scrollTop = 0;
}

function drawAnswer(arm, answer, query) {
  const section = element("section");
  section.dataset.arm = arm;
  section.append(element("h3", "", arm));
  if (!answer) {
    section.append(element("p", "absent", "This arm has no row for the prompt."));
    return section;
  }
  const facts = [`line ${answer.line}`, answer.finish_reason, `${answer.tokens} tokens`];
  if (answer.thoughts !== null) facts.push(`${answer.thoughts} hidden`);
  if (answer.attempts > 1) facts.push(`${answer.attempts} attempts`);
  section.append(element("p", "facts", facts.join(" · ")));
  section.append(...answer.findings.map(drawBadge));
  if (answer.think !== null) {
    const details = element("details");
    details.open = state.think || (query !== "" && answer.think.toLowerCase().includes(query));
    details.append(element("summary", "", `thinking, ${answer.think.length.toLocaleString("en")} characters`));
    const text = element("p", "text");
    appendText(text, answer.think, query);
    details.append(text);
    section.append(details);
  }
  const text = element("p", "text");
  text.dir = "auto";
  appendText(text, answer.text, query);
  section.append(text);
  return section;
}

function drawBadge(finding) {
  const badge = element("span", `badge ${finding.severity}`);
  badge.append(element("b", "", finding.rule), ": ");
  appendText(badge, finding.message, "");
  return badge;
}

// --- The frame: drawn once.
function options(select, entries) {
  select.replaceChildren(...entries.map(([value, label]) => {
    const option = element("option", "", label);
    option.value = value;
    return option;
  }));
}

function drawFrame() {
  const verdict = byId("verdict");
  verdict.textContent = data.verdict;
  verdict.className = data.verdict;
  byId("figures").textContent = data.arms.map((arm) => `${arm.name}: ${arm.rows} rows, ${arm.findings} findings`).join("  ·  ");
  for (const note of data.notes) document.querySelector("header").append(drawBadge(note));
  const counts = new Map();
  for (const pair of data.pairs) counts.set(pair.category, (counts.get(pair.category) ?? 0) + 1);
  options(byId("category"), [["", "every category"], ...[...counts].map(([name, count]) => [name, `${name} (${count})`])]);
  options(byId("rule"), [["", "with or without findings"], ["*", "any finding"],
    ...data.rules.map((rule) => [rule.name, `${rule.name} (${rule.failures})`])]);
  options(byId("arm"), [["", "both arms"], ...armNames.map((name) => [name, `only ${name}`])]);
}

function syncControls() {
  for (const name of filters) byId(name).value = state[name];
}

function step(by) {
  const at = visible.indexOf(state.n);
  const next = visible[Math.min(visible.length - 1, Math.max(0, at + by))];
  if (next !== undefined && next !== state.n) {
    state.n = next;
    drawPair();
  }
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

const keys = {
  j: () => step(1), ArrowRight: () => step(1),
  k: () => step(-1), ArrowLeft: () => step(-1),
  t: () => { state.think = !state.think; drawPair(); },
  d: toggleTheme,
  "/": () => byId("q").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement.blur();
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
for (const name of filters) {
  byId(name).addEventListener("input", () => { state[name] = byId(name).value; drawList(); });
}
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("theme").addEventListener("click", toggleTheme);
byId("list").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) { state.n = Number(button.dataset.index); drawPair(); }
});
addEventListener("hashchange", () => { readAddress(); syncControls(); drawList(); });

readAddress();
drawFrame();
syncControls();
drawList();
