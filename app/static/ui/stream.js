// Reading a thread's event log: server-sent events over fetch, resumed after the last sequence number seen.
const SILENCE_MS = 45_000;
const SLOWEST_RETRY_MS = 4_000;

/** Follows `path` until `signal` aborts. Calls on.event(seq, event), on.state("live"|"lost"), on.gone(status). */
export async function followLog(path, after, on, signal, headers = {}) {
  for (let failures = 0; !signal.aborted; failures += 1) {
    const attempt = new AbortController();
    const drop = () => attempt.abort();
    let silence = setTimeout(drop, SILENCE_MS);
    signal.addEventListener('abort', drop);
    self.addEventListener('offline', drop);
    try {
      const response = await fetch(`${path}${path.includes('?') ? '&' : '?'}after=${after}`, {
        headers: { Accept: 'text/event-stream', ...headers },
        cache: 'no-store',
        signal: attempt.signal,
      });
      if ([401, 403, 404].includes(response.status)) return on.gone(response.status);
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      failures = 0;
      on.state('live');
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(drop, SILENCE_MS);
      };
      for await (const { id, data } of frames(response.body, heard)) {
        if (!data || !(id > after)) continue;
        after = id;
        on.event(id, JSON.parse(data));
      }
    } catch {
      // Falls through to the pause: every failure is answered by asking again after the last number.
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', drop);
      self.removeEventListener('offline', drop);
    }
    if (signal.aborted) return undefined;
    on.state('lost');
    await pause(Math.min(250 * 2 ** failures, SLOWEST_RETRY_MS) * (0.75 + Math.random() / 2), signal);
  }
  return undefined;
}

async function* frames(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const parts = (text + value).replaceAll('\r\n', '\n').split('\n\n');
    text = parts.pop();
    for (const part of parts) yield frame(part);
  }
}

function frame(part) {
  const fields = { id: 0, data: '' };
  for (const line of part.split('\n')) {
    if (line.startsWith('id:')) fields.id = Number(line.slice(3));
    else if (line.startsWith('data:')) fields.data += line.slice(5).trimStart();
  }
  return fields;
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      self.removeEventListener('online', wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    self.addEventListener('online', wake);
    signal.addEventListener('abort', wake);
  });
}

/** Subscribes this tab: through the worker that all tabs share, or on its own. Returns a function that ends it. */
export function subscribe(path, after, on) {
  return throughWorker(path, after, on) ?? whileVisible(path, after, on);
}

function throughWorker(path, after, on) {
  const worker = startWorker();
  if (!worker) return null;
  let last = after;
  const leave = () => worker.port.postMessage({ leave: true });
  let end = leave;
  const join = () => worker.port.postMessage({ join: path, after: last });
  worker.port.onmessage = ({ data }) => {
    if (data.state) on.state(data.state);
    else if (data.gone) on.gone(data.gone);
    else if (data.seq > last) on.event((last = data.seq), data.event);
  };
  worker.onerror = () => {
    end = whileVisible(path, last, on);
  };
  const back = (event) => event.persisted && join();
  addEventListener('pagehide', leave);
  addEventListener('pageshow', back);
  join();
  return () => {
    removeEventListener('pagehide', leave);
    removeEventListener('pageshow', back);
    end();
  };
}

function startWorker() {
  try {
    workerUrl ??= trusted(new URL('./sse-worker.js', import.meta.url).href);
    return new SharedWorker(workerUrl, { type: 'module', name: 'icommerce-log' });
  } catch {
    return null; // no SharedWorker here, or a policy that does not allow it
  }
}
let workerUrl;

/** Trusted Types guard worker addresses too: this policy passes exactly one. */
function trusted(source) {
  const rules = { createScriptURL: (url) => (url === source ? url : null) };
  return self.trustedTypes?.createPolicy('icommerce-worker', rules).createScriptURL(source) ?? source;
}

/** Without a worker each tab has its own connection, and browsers allow six: a hidden tab gives its one back. */
function whileVisible(path, after, on) {
  let last = after;
  let running = null;
  const remember = { ...on, event: (seq, event) => on.event((last = seq), event) };
  const change = () => {
    if (document.hidden) {
      running?.abort();
      running = null;
    } else if (!running) {
      running = new AbortController();
      followLog(path, last, remember, running.signal);
    }
  };
  document.addEventListener('visibilitychange', change);
  change();
  return () => {
    document.removeEventListener('visibilitychange', change);
    running?.abort();
  };
}
