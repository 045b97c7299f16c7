// The server's time, learned from its Date header: countdowns must not trust the device's clock.
let skew = 0;
let surest = Infinity;

/** Takes the answer with the shortest round trip; the header has whole seconds, hence the half. */
export function learnTime(dateHeader, sentAt, receivedAt) {
  const roundTrip = receivedAt - sentAt;
  if (!dateHeader || roundTrip > surest) return;
  surest = roundTrip;
  skew = Date.parse(dateHeader) + 500 - (sentAt + receivedAt) / 2;
}

export const serverNow = () => Date.now() + skew;
