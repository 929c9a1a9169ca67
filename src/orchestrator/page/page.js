// The page works without this script. With it, the page does not reload: each second it fetches the part that
// changes, and changes only what differs, so that focus, scroll positions and open tables stay as they are.
'use strict';

const find = (selector, inside = document) => inside.querySelector(selector);
const root = document.documentElement;
const EVERY_MS = 1000;
const TICK_MS = 500;
const SILENT_TICKS = 6;

// The token stays in this tab: no cookie carries it, so no other site can use it.
const token = () => sessionStorage.getItem('token');
const headers = () => ({ Accept: 'text/html', ...(token() && { Authorization: `Bearer ${token()}` }) });

function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
}

function toggleTheme() {
  const byDefault = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  setTheme((root.dataset.theme || byDefault) === 'dark' ? 'light' : 'dark');
  localStorage.setItem('theme', root.dataset.theme);
}

// Makes `old` like `fresh`. Elements with the same data-keep are the reader's: what was typed there stays.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.dataset.keep && old.dataset.keep === fresh.dataset.keep) return;
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    const isOurs = (name === 'open' && old.nodeName === 'DETAILS') || old.className === 'plot';
    if (!fresh.hasAttribute(name) && !isOurs) old.removeAttribute(name);
  }
  morphChildren(old, fresh);
}

// Elements with an id are found again wherever they are, and never moved: that would take the focus away.
function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const ids = new Set(wanted.map((node) => node.id).filter(Boolean));
  for (const node of [...old.childNodes]) if (node.id && !ids.has(node.id)) node.remove();
  wanted.forEach((node, at) => {
    const same = node.id && [...old.childNodes].find((other) => other.id === node.id);
    while (same && old.childNodes[at] !== same && !old.childNodes[at].id) old.childNodes[at].remove();
    const here = old.childNodes[at];
    if (here && (here === same || !here.id)) morph(here, node);
    else old.insertBefore(node, here || null);
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

// Ticks without an answer. A tab or a computer that slept has not waited: it did not tick.
let silent = 0;

function show(text) {
  const fresh = find('#live', new DOMParser().parseFromString(text, 'text/html'));
  if (!fresh || !find('#live')) return;
  silent = 0;
  morph(find('#live'), document.adoptNode(fresh));
  showState();
  point();
}

// The status region changes only when the state does: a screen reader announces nothing else.
function showState() {
  const lost = find('#lost');
  lost.hidden = silent < SILENT_TICKS;
  lost.textContent = `no answer for ${Math.floor((silent * TICK_MS) / 1000)} s`;
  const text = lost.hidden ? find('#live').dataset.status : 'The orchestrator does not answer.';
  const status = find('#status');
  if (status.textContent !== text) status.textContent = text;
}

function tick() {
  silent = document.hidden ? 0 : silent + 1;
  showState();
}

async function refresh() {
  try {
    const signal = AbortSignal.timeout(5 * EVERY_MS);
    const response = await fetch(`/dashboard/live${location.search}`, { headers: headers(), signal });
    if (response.status === 401) forget();
    else if (response.ok) show(await response.text());
  } catch {
    // Shown as "no answer".
  }
}

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, EVERY_MS);
}

function forget() {
  sessionStorage.removeItem('token');
  const problem = find('#token-problem');
  if (!problem) return;
  problem.hidden = false;
  problem.textContent = 'This is not the token of this orchestrator.';
  find('#token-value').focus();
}

async function submit(event) {
  const form = event.target;
  // Not form.id and form.method: the form has fields of these names.
  if (form.matches('#token')) {
    event.preventDefault();
    sessionStorage.setItem('token', find('#token-value').value.trim());
    await refresh();
    find('#plan-url')?.focus();
  } else if (form.matches('[method=post]') && find('#live')) {
    event.preventDefault();
    if (form.matches('.stop') && !confirm('Stop the test? What is in flight is aborted.')) return;
    await send(form);
  }
}

// A plan with problems comes back as a page with the problems beside their fields.
async function send(form) {
  const button = find('button', form);
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.getAttribute('action'), { method: 'POST', body, headers: headers() });
    if (response.status === 401) return void location.reload();
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const answer = find('#plan', page);
    if (form.matches('#plan') && answer) {
      find('[autofocus]', answer)?.removeAttribute('autofocus');
      form.replaceWith(document.adoptNode(answer));
    }
    (find('#plan [aria-invalid]') || find('#plan-problem') || find('#live h2')).focus();
    if (response.ok) scrollTo({ top: 0 });
    await refresh();
  } catch {
    showState();
  } finally {
    button.disabled = false;
  }
}

// The crosshair: one time in all plots, with the figures of each plot's own table.
let pointed = null;

// `12 s`, `3:05` or `1:02:03`
const seconds = (text) => text.split(':').reduce((sum, part) => 60 * sum + parseInt(part, 10), 0);
const range = (plot) => plot.dataset.x.split(' ').map(Number);

function point() {
  for (const figure of document.querySelectorAll('.fig')) {
    const rows = [...figure.querySelectorAll('tbody tr')];
    const row = pointed === null ? null : rows.find((row) => seconds(row.cells[0].textContent) >= pointed);
    const heads = [...figure.querySelectorAll('th')].map((head) => head.textContent);
    const named = (cell, at) => (at ? `${heads[at]} ${cell.textContent}` : cell.textContent);
    const cells = [...(row?.cells ?? [])].map(named);
    const caption = find('figcaption', figure);
    const readout = find('.readout', caption) || caption.appendChild(document.createElement('p'));
    readout.className = 'readout';
    readout.textContent = cells.join(' · ');
    for (const plot of figure.querySelectorAll('svg[data-x]')) cross(plot, row);
  }
}

function cross(plot, row) {
  const [from, to] = range(plot);
  const share = row ? (pointed - from) / (to - from) : -1;
  // With the arrow keys, a focused plot moves the crosshair.
  Object.assign(plot.parentNode, { tabIndex: 0, role: 'group', ariaLabel: plot.getAttribute('aria-label') });
  let line = find('line.cross', plot);
  if (share < 0 || share > 1) return void line?.remove();
  if (!line) {
    line = plot.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'line'));
    line.setAttribute('class', 'cross');
    line.setAttribute('y2', '100%');
  }
  for (const x of ['x1', 'x2']) line.setAttribute(x, `${100 * share}%`);
}

function move(event) {
  const plot = event.target.closest?.('.plot')?.querySelector('svg[data-x]');
  const before = pointed;
  pointed = null;
  if (plot) {
    const box = plot.getBoundingClientRect();
    const [from, to] = range(plot);
    const share = (event.clientX - box.left) / box.width;
    if (share >= 0 && share <= 1) pointed = Math.max(from + 1, Math.ceil(from + share * (to - from)));
  }
  if (pointed !== before) point();
}

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest('input, textarea, select')) return;
  const plot = find('svg[data-x]');
  const [from, to] = plot ? range(plot) : [0, 0];
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key === 't') toggleTheme();
  else if (event.key === 's') find('#stop')?.click();
  else if (event.key === 'n' && find('#plan-url')) find('#plan-url').focus();
  else if (event.key in steps && event.target.closest('.fig')) {
    pointed = Math.min(to, Math.max(from + 1, (pointed ?? from) + steps[event.key]));
    point();
  } else return;
  event.preventDefault();
}

setTheme(localStorage.getItem('theme'));
document.addEventListener('DOMContentLoaded', () => {
  find('#theme').addEventListener('click', toggleTheme);
  document.addEventListener('submit', submit);
  document.addEventListener('keydown', key);
  if (!find('#live')) return;
  document.addEventListener('pointermove', move);
  document.addEventListener('visibilitychange', () => document.hidden || refresh());
  setInterval(tick, TICK_MS);
  poll();
});
