// One door to the server: JSON in and out, idempotency keys on every write, problems as errors.
import { learnTime } from './clock.js';

const RETRY_AFTER_MS = [400, 1600];
const TEMPORARY = new Set([502, 503, 504]);

let shop = '';

/** Of which shop this page is, where one host has several: the browser is somebody in each. */
export const isOf = (slug) => {
  shop = slug;
};

/** RFC 9457 problem. `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.code = body.code || '';
  }
}

export const get = (path) => request(path, { method: 'GET' });

/** A write. The same key may be sent again: the server answers it once. */
export const post = (path, body, key = crypto.randomUUID()) =>
  request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(body),
  });

export async function request(path, options) {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await once(path, options).catch((error) => (error instanceof Problem ? error : new Problem(0)));
    if (!(outcome instanceof Problem)) return outcome;
    if (attempt >= RETRY_AFTER_MS.length || !mayPass(outcome)) throw outcome;
    await new Promise((resolve) => setTimeout(resolve, outcome.waitMs ?? RETRY_AFTER_MS[attempt]));
  }
}

async function once(path, options) {
  const sentAt = Date.now();
  const headers = { ...options.headers, ...(shop && { 'X-Shop': shop }) };
  const response = await fetch(path, { ...options, headers });
  learnTime(response.headers.get('Date'), sentAt, Date.now());
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const problem = new Problem(response.status, body);
  const seconds = Number(response.headers.get('Retry-After'));
  if (seconds > 0 && seconds <= 5) problem.waitMs = seconds * 1000;
  throw problem;
}

const mayPass = (problem) => problem.status === 0 || TEMPORARY.has(problem.status) || problem.waitMs !== undefined;
