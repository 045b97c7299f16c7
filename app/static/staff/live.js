// Streams of the console: followed while the page is seen, taken up again where they ended.
import { followLog } from '../ui/stream.js';
import { headers, toSignIn } from './api.js';

/** Follows `path`; calls on.event(data, seq) and on.state('live' | 'lost' | 'hidden'). Returns its end. */
export function follow(path, on) {
  let last = 0;
  let running = null;
  const heard = {
    event: (seq, event) => on.event(event, (last = seq)),
    state: (state) => on.state?.(state),
    gone: (status) => (status === 401 ? toSignIn() : on.state?.('lost')),
  };
  const change = () => {
    if (document.hidden && running) {
      running.abort();
      running = null;
      on.state?.('hidden');
    } else if (!document.hidden && !running) {
      running = new AbortController();
      followLog(path, last, heard, running.signal, headers);
    }
  };
  document.addEventListener('visibilitychange', change);
  change();
  return () => {
    document.removeEventListener('visibilitychange', change);
    running?.abort();
  };
}

/** News of the desk: on({changed, counts, present}), and on(null) when something may have been missed. */
export function followDesk(on) {
  let missed = false;
  return follow('/v1/staff/events', {
    event: (news) => {
      document.dispatchEvent(new CustomEvent('ic-counts', { detail: news.counts }));
      on(news);
    },
    state: (state) => {
      if (state === 'live' && missed) on(null);
      missed = state !== 'live';
    },
  });
}
