#!/usr/bin/env node
// A real browser on the live page of a real fleet: fills the form, starts a test, watches the plots grow, kills a
// driver, stops, reloads, and compares what it sees with the result. Any message on the browser's console, any request
// to anywhere else and any serious finding of axe-core is a failure.
//
// Usage: node .ci/page.mjs "$(.ci/node-env)" FOLDER HOST:PORT [SCREENSHOTS]
//
// FOLDER contains floodgate-orchestrator, floodgate-driver and floodgate-target; HOST:PORT is a Kafka broker. The
// browser is $CHROMIUM, else Chromium or Chrome from the PATH. Screenshots go to the last folder, if there is one.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [packages, folder, broker, shots] = process.argv.slice(2);
if (!broker) {
  console.error('usage: node .ci/page.mjs "$(.ci/node-env)" FOLDER HOST:PORT [SCREENSHOTS]');
  process.exit(2);
}
const load = createRequire(join(packages, 'package.json'));
const { chromium } = load('playwright-core');
const AXE = load('axe-core').source;
// Far longer than anything that works takes.
const PATIENCE_MS = 60_000;
const TOKEN = 'token-of-this-check';

function browserPath() {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'].filter(Boolean);
  for (const name of names) {
    try {
      return execFileSync('sh', ['-c', 'command -v "$0"', name], { encoding: 'utf8' }).trim();
    } catch {
      // The next one.
    }
  }
  console.error('page.mjs: no browser found: set CHROMIUM, or install one (Debian: apt-get install chromium)');
  process.exit(1);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, found) {
  const deadline = Date.now() + PATIENCE_MS;
  let last;
  for (;;) {
    try {
      last = await found();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`timed out waiting for: ${what} (${last})`);
    await sleep(100);
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const processes = [];

function start(program, ...words) {
  const child = spawn(join(folder, program), words, { stdio: ['ignore', 'ignore', 'pipe'] });
  child.log = '';
  child.stderr.on('data', (data) => (child.log += data));
  processes.push(child);
  return child;
}

const step = (text) => console.log(`page: ${text}`);

// What must never happen while a page is open.
function watch(page, origin, allowed = /^$/) {
  const wrong = [];
  page.on('console', (message) => allowed.test(message.text()) || wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) wrong.push(`request: ${request.url()}`);
  });
  return wrong;
}

async function accessible(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const text = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
  assert.deepEqual(text, [], `axe-core: ${what}`);
}

async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

// The rows of the table below a plot: what the plot shows, as text.
const rows = (page, figure) =>
  page.$$eval(`#${figure} tbody tr`, (all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent).join(' ')));

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);

async function fleet() {
  const prefix = `page${Date.now()}-`;
  const kafka = ['--kafka', broker, '--topic-prefix', prefix];
  const [own, locked, target, slower] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const store = mkdtempSync(join(tmpdir(), 'floodgate-page-'));
  start('floodgate-target', '--listen', `127.0.0.1:${target}`, '--delay', '5ms');
  start('floodgate-target', '--listen', `127.0.0.1:${slower}`, '--delay', '20ms');
  const orchestrator = start('floodgate-orchestrator', ...kafka, '--listen', `127.0.0.1:${own}`, '--store', store);
  const origin = `http://127.0.0.1:${own}`;
  await until(`the orchestrator (${orchestrator.log})`, async () => (await fetch(`${origin}/healthz`)).ok);
  start('floodgate-orchestrator', ...kafka, '--listen', `127.0.0.1:${locked}`, '--token', TOKEN);
  const drivers = [1, 2, 3].map((n) =>
    start('floodgate-driver', ...kafka, '--node-id', `driver-${n}`, '--node-ip', '127.0.0.1',
      '--target', `http://127.0.0.1:${target}/ping`));
  const url = (port) => `http://127.0.0.1:${port}`;
  return { origin, locked: url(locked), target: `${url(target)}/ping`, slower: `${url(slower)}/ping`,
    orchestrator, drivers, store };
}

// A form with mistakes, corrected and sent.
async function fillsTheForm(page, { target }) {
  await page.fill('#plan-rate', 'fast');
  await page.fill('#plan-duration', '40');
  await page.fill('#plan-thresholds', 'p99 > soon');
  await page.click('#plan button[type=submit]');
  await page.waitForSelector('#plan-rate-problem');
  assert.match(await text(page, '#plan-rate-problem'), /Must be a number, like 2000/);
  assert.match(await text(page, '#plan-duration-problem'), /use a number with a unit/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'plan-rate', 'the first field with a problem');
  await accessible(page, 'a form with problems');
  await shoot(page, '1-form');
  await page.fill('#plan-url', target);
  await page.fill('#plan-rate', '300');
  await page.fill('#plan-thresholds', 'p50 > 1ms');
  await page.fill('#plan-duration', '3m');
  await page.click('#plan summary');
  await page.fill('#plan-id', 'page-1');
  // The page goes on fetching: what was typed must stay.
  await sleep(1500);
  assert.equal(await page.inputValue('#plan-id'), 'page-1');
  await page.click('#plan button[type=submit]');
  await page.waitForSelector('.badge:has-text("running")');
  assert.equal(await text(page, '#status'), 'Test page-1 is running.');
}

async function seesThePlotsGrow(page) {
  const before = await until('two seconds', async () => {
    const found = await rows(page, 'rate');
    return found.length >= 2 && found;
  });
  const after = await until('more seconds', async () => {
    const found = await rows(page, 'rate');
    return found.length >= before.length + 3 && found;
  });
  assert.deepEqual(after.slice(0, before.length), before, 'seconds that were shown stay as they were');
  for (const key of [/planned 300/, /sent \d+/]) assert.match(await text(page, '#rate figcaption'), key);
  // The target answers after 5 ms.
  assert.match(await text(page, 'table:has(th:text("fails if")) tbody'), /p50 > 1ms\s*failed/);
  assert.match(await text(page, '#latency'), /p50 > 1ms/, 'a line in the plot');
  for (const figure of ['latency', 'generator']) assert((await rows(page, figure)).length >= 5, figure);
}

async function pointsAtASecond(page) {
  const plot = page.locator('#latency svg[data-x]');
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + 3, box.y + box.height / 2);
  await page.waitForSelector('#rate line.cross', { state: 'attached' });
  assert.match(await text(page, '#rate .readout'), /^1 s · .*sent/);
  await page.locator('#latency .plot').focus();
  await page.keyboard.press('ArrowRight');
  assert.match(await text(page, '#latency .readout'), /^2 s · p50/);
}

async function seesAKilledDriver(page, { drivers }) {
  drivers[1].kill('SIGKILL');
  const row = page.locator('tr', { has: page.locator('td', { hasText: /^driver-2$/ }) });
  await until('the killed driver is marked', async () => /dead|lost/.test(await row.textContent()));
  await page.waitForSelector('.outliers li:has-text("driver-2: lost")');
  assert.match(await text(page, '.verdict'), /driver-2/);
  assert.match(await text(page, '#rate'), /driver-2 lost/);
}

async function stopsByKeyboard(page) {
  page.once('dialog', (dialog) => dialog.dismiss());
  await page.locator('h1 a').focus();
  await page.keyboard.press('s');
  await sleep(1500);
  assert.equal(await text(page, '#status'), 'Test page-1 is running.', 'a dismissed question stops nothing');
  page.once('dialog', (dialog) => dialog.accept());
  await page.keyboard.press('s');
  await page.waitForFunction(() => document.querySelector('#status').textContent === 'Test page-1 is aborted.');
}

// Opened early, opened late, reloaded, and the result: all the same.
async function seesTheWholeRun(page, context, { origin }) {
  const result = await (await fetch(`${origin}/tests/page-1`)).json();
  const early = await rows(page, 'rate');
  const span = await page.getAttribute('#rate svg[data-x]', 'data-x');
  assert.equal(span, `0 ${result.series.length}`, 'from the first second to the last');
  assert(early.length >= 10, `${early.length} rows`);
  await page.reload();
  await page.waitForSelector('#rate tbody tr', { state: 'attached' });
  const late = await context.newPage();
  await late.goto(`${origin}/dashboard`);
  for (const figure of ['rate', 'latency', 'generator']) {
    const shown = await rows(page, figure);
    assert.deepEqual(await rows(late, figure), shown, figure);
    if (figure === 'rate') assert.deepEqual(shown, early);
  }
  await late.close();
}

async function losesAndFindsTheOrchestrator(page, { orchestrator }) {
  orchestrator.kill('SIGSTOP');
  await page.waitForSelector('#lost:not([hidden])');
  assert.match(await text(page, '#lost'), /no answer for \d+ s/);
  orchestrator.kill('SIGCONT');
  await page.waitForSelector('#lost', { state: 'hidden' });
}

async function looksFine(page, what) {
  for (const [width, scheme] of [[1200, 'light'], [1200, 'dark'], [390, 'light'], [390, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    await accessible(page, `${what}, ${width} px, ${scheme}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= width, `${what}: the page is ${wide} px wide on a screen of ${width} px`);
    await shoot(page, `${what}-${width}-${scheme}`);
  }
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.emulateMedia({ colorScheme: null });
}

async function themes(page) {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await paper();
  await page.locator('h1 a').focus();
  await page.keyboard.press('t');
  assert.notEqual(await paper(), before);
  await page.reload();
  assert.notEqual(await paper(), before, 'the choice outlives a reload');
  await page.click('#theme');
  assert.equal(await paper(), before);
}

async function worksWithoutScripts(browser, { origin }) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const wrong = watch(page, origin, /status of 400/);
  await page.goto(`${origin}/dashboard`);
  assert(!(await page.locator('#plan').isVisible()), 'a form on a page that reloads would lose what is typed');
  await page.click('text=Open the form');
  await page.fill('#plan-rate', '-1');
  await page.click('#plan button[type=submit]');
  assert.match(await page.locator('#plan-rate-problem').textContent(), /Must be/);
  assert.equal(await page.inputValue('#plan-rate'), '-1');
  await page.fill('#plan-rate', '50');
  await page.fill('#plan-duration', '3m');
  await page.click('#plan summary');
  await page.fill('#plan-id', 'page-2');
  await page.click('#plan button[type=submit]');
  // The page reloads by itself.
  await page.waitForSelector('.badge:has-text("running")');
  await page.waitForSelector('#rate svg');
  await page.click('#stop');
  await page.waitForSelector('.badge:has-text("aborted")');
  assert.deepEqual(wrong, []);
  await context.close();
}

async function needsTheToken(browser, { locked, target }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const wrong = watch(page, locked, /status of 401/);
  await page.goto(`${locked}/dashboard`);
  await page.waitForSelector('#token');
  assert.equal(await page.locator('#plan, #stop').count(), 0, 'no controls without the token');
  await accessible(page, 'a locked page');
  await page.fill('#token-value', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#token-problem:not([hidden])');
  assert.equal(await page.locator('#plan, #stop').count(), 0);
  await page.fill('#token-value', TOKEN);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#plan');
  await page.fill('#plan-url', target);
  await page.fill('#plan-rate', '100');
  await page.fill('#plan-duration', '3s');
  await page.click('#plan button[type=submit]');
  await page.waitForSelector('.badge:has-text("running")');
  await page.waitForSelector('.badge:has-text("completed")');
  assert((await rows(page, 'rate')).length >= 3, 'a run of 3 s has a plot');
  const cookies = await context.cookies();
  assert.deepEqual(cookies, [], 'the token is in no cookie');
  assert.deepEqual(wrong, []);
  await context.close();
}

// Two targets in one run, from the form to the sentence.
async function comparesTwoTargets(page, { origin, target, slower }) {
  await page.goto(`${origin}/dashboard`);
  const values = { url: target, ab: slower, rate: '200', duration: '11s' };
  for (const [field, value] of Object.entries(values)) await page.fill(`#plan-${field}`, value);
  await page.click('#plan summary');
  await page.fill('#plan-id', 'page-ab');
  await page.click('#plan button[type=submit]');
  await page.waitForSelector('.badge:has-text("running")');
  await page.waitForSelector('.badge:has-text("completed")');
  assert.match(await text(page, '.sentence'), /^B is slower than A: p50 \+/);
  await looksFine(page, '5-ab');
}

// What is saved of the tests: reports and a comparison, none of which needs a script.
async function readsReports(context, { origin }) {
  const pages = { '6-report': '/tests/page-1/report.html', '7-ab-report': '/tests/page-ab/report.html',
    '8-compare': '/compare?a=page-1&b=page-ab' };
  for (const [what, path] of Object.entries(pages)) {
    const page = await context.newPage();
    const wrong = watch(page, origin);
    await page.goto(`${origin}${path}`);
    await looksFine(page, what);
    if (what === '6-report') assert.match(await text(page, 'body'), /driver-2 lost/, 'the killed driver');
    assert.deepEqual(wrong, [], what);
    await page.close();
  }
}

async function refusesOtherSites({ origin, locked }) {
  const post = (to, headers) => fetch(`${to}/dashboard/stop`, { method: 'POST', body: new URLSearchParams(), headers });
  assert.equal((await post(origin, { Origin: 'http://elsewhere.example' })).status, 403);
  assert.equal((await post(origin, { Origin: 'null' })).status, 403);
  assert.equal((await post(locked, { Origin: locked, 'Sec-Fetch-Site': 'same-origin' })).status, 401);
}

async function main() {
  const here = await fleet();
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  // The first plan is sent with mistakes on purpose.
  const wrong = watch(page, here.origin, /status of 400/);
  try {
    await page.goto(`${here.origin}/dashboard`);
    await page.waitForFunction(() => document.querySelectorAll('#live tbody tr').length === 3);
    step('an empty page');
    await looksFine(page, '0-empty');
    await page.evaluate(() => {
      globalThis.spoken = [];
      const status = document.querySelector('#status');
      const heard = new MutationObserver(() => globalThis.spoken.push(status.textContent));
      heard.observe(status, { childList: true, characterData: true, subtree: true });
    });
    step('the form');
    await fillsTheForm(page, here);
    step('the plots grow');
    await seesThePlotsGrow(page);
    await pointsAtASecond(page);
    await looksFine(page, '2-running');
    step('a killed driver is marked');
    await seesAKilledDriver(page, here);
    await looksFine(page, '3-lost');
    step('stop by keyboard');
    await stopsByKeyboard(page);
    const spoken = await page.evaluate(() => globalThis.spoken);
    const states = ['ready', 'running', 'finishing', 'aborted'].map((state) => `Test page-1 is ${state}.`);
    // On a busy machine an answer may take longer than 3 s, which is announced, too.
    const said = spoken.filter((words) => words !== 'The orchestrator does not answer.');
    assert.deepEqual(said.filter((words) => !states.includes(words)), [], 'only states are announced');
    assert(spoken.length > said.length || said.length <= states.length, `announced more than once: ${said}`);
    step('the whole run after a reload, and opened late');
    await seesTheWholeRun(page, context, here);
    await themes(page);
    step('no answer');
    const lost = watch(page, here.origin);
    await losesAndFindsTheOrchestrator(page, here);
    assert.deepEqual(lost, []);
    step('without scripts');
    await worksWithoutScripts(browser, here);
    step('with a token');
    await needsTheToken(browser, here);
    step('other sites');
    await refusesOtherSites(here);
    await page.waitForFunction(() => document.querySelectorAll('input[name=a]').length === 3);
    await looksFine(page, '4-history');
    step('two targets in one run');
    await comparesTwoTargets(page, here);
    step('reports and a comparison');
    await readsReports(context, here);
    assert.deepEqual(wrong, []);
    step('everything is as it should be');
  } catch (error) {
    await shoot(page, 'failed');
    for (const child of processes) console.error(`--- ${child.spawnargs.join(' ')}\n${child.log.slice(-1500)}`);
    console.error(wrong);
    throw error;
  } finally {
    await browser.close();
    processes.forEach((child) => child.kill('SIGKILL'));
    rmSync(here.store, { recursive: true, force: true });
  }
}

await main();
