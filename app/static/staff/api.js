// The console's door to `/v1`: the staff's cookie, an idempotency key on every write, problems in words.
const RETRY_AFTER_MS = [400, 1600];
const TEMPORARY = new Set([502, 503, 504]);
const WORDS = {
  0: 'No answer from the server. Check your connection and try again.',
  401: 'You are signed out. Sign in again to go on.',
  403: 'Your role may not do this.',
  404: 'This is not there, or not yours to see.',
  429: 'That was too often. Wait a moment and try again.',
};

/** RFC 9457 problem. `status` 0 means that no answer came. `message` is fit to be shown. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || WORDS[status] || body.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code || '';
    this.body = body;
  }
}

/** Headers that every request of the console carries; for those who fetch by themselves (streams). */
export const headers = Object.freeze({ 'X-Staff': '1' });

/** The address of a file or picture that no script fetches. */
export const fileUrl = (path) => `${path}${path.includes('?') ? '&' : '?'}as=staff`;

export const get = (path, options = {}) => request(path, { method: 'GET', ...options });
export const post = (path, body = {}, key = crypto.randomUUID()) => write('POST', path, body, key);
export const patch = (path, body = {}, key = crypto.randomUUID(), more = {}) => write('PATCH', path, body, key, more);
export const put = (path, body = {}, key = crypto.randomUUID()) => write('PUT', path, body, key);
export const remove = (path, key = crypto.randomUUID()) => write('DELETE', path, undefined, key);

/** The same key may be sent again: the server answers it once. */
function write(method, path, body, key, more = {}) {
  const sent = { ...more, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), 'Idempotency-Key': key };
  return request(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) });
}

async function request(path, options) {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await once(path, options).catch((error) => {
      if (error.name === 'AbortError') throw error;
      return error instanceof Problem ? error : new Problem(0);
    });
    if (!(outcome instanceof Problem)) return outcome;
    if (outcome.status === 401) toSignIn();
    if (attempt >= RETRY_AFTER_MS.length || !mayPass(outcome)) throw outcome;
    await new Promise((resolve) => setTimeout(resolve, outcome.waitMs ?? RETRY_AFTER_MS[attempt]));
  }
}

async function once(path, options) {
  const response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const problem = new Problem(response.status, body);
  const seconds = Number(response.headers.get('Retry-After'));
  if (seconds > 0 && seconds <= 5) problem.waitMs = seconds * 1000;
  throw problem;
}

const mayPass = (problem) => problem.status === 0 || TEMPORARY.has(problem.status) || problem.waitMs !== undefined;

/** The session is over: to the sign-in, and back here afterwards. */
export function toSignIn() {
  location.assign(`/staff/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}
