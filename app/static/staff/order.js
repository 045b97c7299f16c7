// /staff/orders/{number}: the panel, the order's papers, and who did what to it.
import { fileUrl, get } from './api.js';
import { price, words } from './order-panel.js';
import { el, moment } from './shell.js';

const panel = document.querySelector('ic-order-panel');
const order = panel && encodeURIComponent(panel.getAttribute('order-id'));
const trail = document.getElementById('op-trail');
const papers = document.getElementById('op-papers');

const failed = (problem) => el('p', { class: 'st-problem', role: 'alert' }, problem.message);

async function showTrail() {
  try {
    const page = await get(`/v1/staff/orders/${order}/trail?limit=30`);
    const list = el('ol', { class: 'op-trail' }, ...page.items.map(step));
    trail.replaceChildren(page.items.length ? list : el('p', { class: 'muted' }, 'Nothing yet.'));
    more(page.next_cursor, list);
  } catch (problem) {
    trail.replaceChildren(failed(problem));
  }
}

function more(cursor, list) {
  if (!cursor) return;
  const button = el('button', { type: 'button' }, 'Show earlier');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const page = await get(`/v1/staff/orders/${order}/trail?limit=30&cursor=${encodeURIComponent(cursor)}`);
      list.append(...page.items.map(step));
      button.remove();
      more(page.next_cursor, list);
    } catch (problem) {
      button.disabled = false;
      button.after(failed(problem));
    }
  });
  trail.append(button);
}

function step(one) {
  const details = one.details.map((fact) => `${fact.label}: ${fact.value}`).join(' · ');
  return el(
    'li',
    {},
    el('p', {}, el('strong', {}, one.who), ` · ${one.what}`),
    details && el('p', { class: 'small' }, details),
    el('p', { class: 'muted small' }, el('time', { datetime: one.at }, moment(one.at))),
  );
}

async function showPapers() {
  const link = (path, text) => el('li', {}, el('a', { href: fileUrl(path), target: '_blank', rel: 'noopener' }, text));
  try {
    const { items } = await get(`/v1/orders/${order}/documents`);
    papers.replaceChildren(
      el(
        'ul',
        { class: 'op-papers' },
        link(`/v1/orders/${order}/receipt?format=pdf`, 'Receipt as it stands now'),
        ...items.map((one) => link(`/v1/orders/${order}/documents/${one.id}?format=pdf`, `${words(one.kind)} ${one.number}, ${price(one.total)}`)),
      ),
    );
  } catch (problem) {
    papers.replaceChildren(failed(problem));
  }
}

if (panel) {
  panel.addEventListener('ic-changed', () => { showTrail(); showPapers(); });
  showTrail();
  showPapers();
}
