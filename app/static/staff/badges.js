// How much waits, beside the words of the navigation, on every page; and in the title of a page that nobody looks at.
import { headers } from './api.js';
import { me } from './shell.js';

const EVERY_MS = 45_000;
const AWAY_MS = 30 * 60_000; // who has gone home is signed out in time: nothing is asked on their behalf
const queue = document.querySelector('.st-nav a[href="/staff"]');
const approvals = me.role === 'support' ? null : document.querySelector('.st-nav a[href="/staff/approvals"]');
let waiting = 0;
let active = Date.now();
let name = '';

function mark(link, count, words) {
  let badge = link.querySelector('.st-count');
  if (!badge) link.append((badge = Object.assign(document.createElement('span'), { className: 'st-count num' })));
  badge.hidden = count === 0;
  badge.textContent = count > 99 ? '99+' : String(count);
  link.title = count ? `${count} ${words}` : '';
}

function counted(counts) {
  waiting = counts.waiting;
  if (queue) mark(queue, waiting, 'wait for the shop');
  retitle();
}

function retitle() {
  name = document.title.replace(/^\(\d+\) /, '');
  document.title = document.hidden && waiting ? `(${waiting}) ${name}` : name;
}

/** Asked quietly: who is signed out hears of it when they do something themselves. */
const ask = (path) => fetch(path, { headers }).then((answer) => (answer.ok ? answer.json() : null), () => null);

async function look() {
  if (Date.now() - active > AWAY_MS) return;
  const [counts, page] = await Promise.all([ask('/v1/cases/counts'), approvals && ask('/v1/staff/approvals?limit=1')]);
  if (counts) counted(counts);
  if (page) mark(approvals, page.waiting, 'wait for a decision');
}

for (const sign of ['keydown', 'pointerdown', 'focus']) addEventListener(sign, () => { active = Date.now(); }, { passive: true });
document.addEventListener('visibilitychange', retitle);
document.addEventListener('ic-counts', ({ detail }) => counted(detail));
setInterval(look, EVERY_MS);
look();
