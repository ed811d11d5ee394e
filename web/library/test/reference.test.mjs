// docs/api is made from the types: what is committed must be what they say.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { reference } from '../../reference.mjs';

const DOCS = new URL('../../../docs/api/', import.meta.url);
const pages = reference();

test('the committed reference is what the types say; if not, "npm run reference" in web/ writes it', async () => {
  assert.deepEqual((await readdir(DOCS)).sort(), [...pages.keys()].sort());
  for (const [file, text] of pages) assert.equal(await readFile(new URL(file, DOCS), 'utf8'), text, `docs/api/${file}`);
});

test('every link of the reference leads to a heading that is there', () => {
  for (const [, file, anchor] of pages.get('README.md').matchAll(/\]\(([\w]+\.md)#([\w-]+)\)/g)) {
    const seen = new Map();
    const anchors = [...pages.get(file).matchAll(/^## (.+)$/gm)].map(([, heading]) => {
      const name = heading.toLowerCase();
      const times = seen.get(name) ?? 0;
      seen.set(name, times + 1);
      return times === 0 ? name : `${name}-${times}`;
    });
    assert.ok(anchors.includes(anchor), `${file}#${anchor}`);
  }
});

test('what the reference says of a method, an option, an event, and of what is inherited', () => {
  assert.match(pages.get('ua.md'), /### call\(\)\n\n```ts\ncall\(target: string \| URI, options\?: CallOptions\): RTCSession\n```\n\nCalls `target`\.\n\nThrows TypeError/);
  assert.match(pages.get('ua.md'), /- `keep_alive_interval\?: number \| string` {2}\n {2}Seconds of silence/);
  assert.match(pages.get('calls.md'), /- `ended\(event: EndEvent\)` {2}\n {2}A call that had been answered is over\./);
  assert.match(pages.get('calls.md'), /## CallOptions\n[\s\S]*?- `mediaConstraints\?: MediaStreamConstraints`[\s\S]*?## AnswerOptions/);
  assert.doesNotMatch([...pages.values()].join(''), /@internal|announceSession|init_incoming/);
});
