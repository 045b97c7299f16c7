// SharedWorker: one stream per thread however many tabs show it.
import { followLog } from './stream.js';

const KEPT_EVENTS = 2000;
const logs = new Map(); // path → {ports, events, after, state, stop}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    leave(port);
    if (data.join) join(port, data.join, data.after);
  };
};

function join(port, path, after) {
  let log = logs.get(path);
  if (!log || after < log.after) log = open(path, after, log);
  log.ports.add(port);
  port.postMessage({ state: log.state });
  for (const kept of log.events) if (kept.seq > after) port.postMessage(kept);
}

function open(path, after, former) {
  former?.stop.abort();
  const log = { ports: former?.ports ?? new Set(), events: [], after, state: 'live', stop: new AbortController() };
  logs.set(path, log);
  const tell = (message) => log.ports.forEach((port) => port.postMessage(message));
  const on = {
    event: (seq, event) => {
      log.events.push({ seq, event });
      if (log.events.length > KEPT_EVENTS) log.after = log.events.shift().seq;
      tell({ seq, event });
    },
    state: (state) => tell({ state: (log.state = state) }),
    gone: (status) => {
      logs.delete(path);
      tell({ gone: status });
    },
  };
  followLog(path, after, on, log.stop.signal);
  return log;
}

function leave(port) {
  for (const [path, log] of logs) {
    if (!log.ports.delete(port) || log.ports.size) continue;
    log.stop.abort();
    logs.delete(path);
  }
}
