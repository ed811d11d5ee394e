// Whom a link wants to call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callLink, linkTarget } from '../src/model/links.ts';

const target = (query: string): string | undefined => linkTarget(new URL(`https://phone.example.com/${query}`));

test('a plus that somebody wrote into a link as it is stays one', () => {
  assert.equal(target('?call=tel:+34911234567'), 'tel:+34911234567');
  assert.equal(target('?call=+34911234567'), '+34911234567');
  assert.equal(target('?call=sip:+34911234567@example.com'), 'sip:+34911234567@example.com');
});

test('a plus that was escaped is one, and one between words is the blank that it stands for', () => {
  assert.equal(target('?call=tel%3A%2B34911234567'), 'tel:+34911234567');
  assert.equal(target('?call=Carmen+Ruiz'), 'Carmen Ruiz');
  assert.equal(target('?call=911+234+567'), '911 234 567');
});

test('the link that the settings copy names whom it is to call', () => {
  assert.equal(linkTarget(new URL(callLink(new URL('https://phone.example.com/'), '+34911234567@example.com'))), '+34911234567@example.com');
});
