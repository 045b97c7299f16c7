// A small, safe markdown: text becomes Lit templates, never HTML. Bold, emphasis, code, lists, links to our origin or by https.
import { html } from '../vendor/lit-3.3.3.min.js';

const INLINE = /\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;
const BULLET = /^\s*[-*•]\s+(.*)$/;
const NUMBER = /^\s*(\d{1,3})[.)]\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;

export function markdown(text) {
  return blocks(text.replaceAll('\r', '').split('\n'));
}

function blocks(lines) {
  const parts = [];
  let open = null; // the list or paragraph that the next line may continue
  for (const line of lines) {
    const [kind, value, start] = kindOf(line);
    if (kind === 'blank') open = null;
    else if (open?.kind === kind && kind !== 'heading') open.lines.push(value);
    else parts.push((open = { kind, start, lines: [value] }));
  }
  return parts.map(block);
}

function kindOf(line) {
  let match;
  if (!line.trim()) return ['blank'];
  if ((match = BULLET.exec(line))) return ['bullets', match[1]];
  if ((match = NUMBER.exec(line))) return ['numbers', match[2], match[1]];
  if ((match = HEADING.exec(line))) return ['heading', match[1]];
  return ['paragraph', line];
}

function block({ kind, lines, start }) {
  const rows = () => lines.map((line) => html`<li>${inline(line)}</li>`);
  if (kind === 'bullets') return html`<ul>${rows()}</ul>`;
  if (kind === 'numbers') return html`<ol start=${start}>${rows()}</ol>`;
  if (kind === 'heading') return html`<p><strong>${inline(lines[0])}</strong></p>`;
  return html`<p>${lines.map((line, index) => (index ? html`<br />${inline(line)}` : inline(line)))}</p>`;
}

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, bold, emphasis, code, label, address] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + all.length;
    if (bold) parts.push(html`<strong>${inline(bold)}</strong>`);
    else if (emphasis) parts.push(html`<em>${emphasis}</em>`);
    else if (code) parts.push(html`<code>${code}</code>`);
    else parts.push(link(label, address));
  }
  parts.push(text.slice(end));
  return parts;
}

function link(label, address) {
  const url = URL.canParse(address, location.origin) && new URL(address, location.origin);
  if (url && url.origin === location.origin) return html`<a href=${url.pathname + url.search + url.hash}>${label}</a>`;
  if (!url || url.protocol !== 'https:' || url.username) return label;
  return html`<a href=${url.href} target="_blank" rel="noopener noreferrer">${label}</a>`;
}
