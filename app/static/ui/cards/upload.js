// One file on its way: how far it is, and what became of it. One key: what was lost may be sent again.
import { texts } from '../texts.js';

export class Upload {
  key = crypto.randomUUID();
  part = 0;

  constructor(name, changed) {
    Object.assign(this, { name, changed });
  }

  fail(error) {
    this.error = error;
    this.changed();
  }

  /** fetch tells nothing about how far it is. */
  send(path) {
    const request = new XMLHttpRequest();
    this.fail('');
    request.upload.onprogress = ({ loaded, total }) => {
      this.part = loaded / total;
      this.changed();
    };
    request.onload = () => this.#answered(request);
    request.onerror = () => this.fail(texts.notApplied);
    request.open('POST', path);
    request.setRequestHeader('Content-Type', 'application/json');
    request.setRequestHeader('Idempotency-Key', this.key);
    request.send(JSON.stringify({ name: this.name || 'picture', content: this.data.split(',')[1] }));
  }

  #answered({ status, responseText }) {
    let body = {};
    try {
      body = JSON.parse(responseText);
    } catch {
      // Not ours: the words below say what is known.
    }
    if (status !== 201) return this.fail(body.detail || texts.notApplied);
    this.id = body.id;
    return this.changed();
  }
}
