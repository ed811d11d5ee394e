/** The classic script's second name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { ALIAS } from '../../classic_script.mjs';

function load(dataset: Record<string, string>, page: Record<string, any> = { document: { currentScript: { dataset } } }): Record<string, any> {
  runInNewContext(`var Sipweb = { UA: 1 };\n${ALIAS}`, page);
  return page;
}

test('A classic script with data-alias="JsSIP" is also JsSIP', () => {
  const page = load({ alias: 'JsSIP' });
  assert.equal(page.JsSIP, page.Sipweb);
  assert.equal('alias' in page, false, 'and leaves no other name behind');
});

test('Without data-alias a JsSIP that is there already stays', () => {
  const theirs = {};
  assert.equal(load({}, { JsSIP: theirs, document: { currentScript: { dataset: {} } } }).JsSIP, theirs);
});

test('A worker, which has no document, loads it all the same', () => {
  assert.equal(load({}, {}).Sipweb.UA, 1);
});

test('A script that is inserted later as text, which has no element, loads it all the same', () => {
  assert.equal('JsSIP' in load({}, { document: { currentScript: null } }), false);
});
