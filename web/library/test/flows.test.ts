/** Two flows of one page through two edges (RFC 5626), over the real core. Needs the WebAssembly module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from './support/clock.ts';
import { FarEnd, type Sip, all, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, library, options } from './support/scene.ts';
import { sdp } from './support/webrtc.ts';

const DIGEST = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"';

class Edge extends FarEnd {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
    this.url = `ws://${name}.example`;
  }

  /** The registrar behind this edge accepts. */
  register(): Sip {
    const register = this.take('REGISTER');
    const path = [`<sip:${this.name}.example;lr>`, `<sip:token@${this.name}.example:8080;lr;ob>`].map((value) => `Path: ${value}`);
    this.respond(register, 200, 'OK', ['Require: outbound', `Contact: ${one(register, 'Contact')};expires=600`, ...path]);
    return register;
  }
}

async function twoEdges() {
  const edges = [new Edge('one'), new Edge('two')] as [Edge, Edge];
  const scene = new Scene({ sockets: edges, flows: 2, register: true });
  scene.ua.start();
  await settle();
  const registers = edges.map((edge) => edge.register());
  await settle();
  return { scene, edges, registers };
}

test('A page with two flows registers over both, and tells of it once', options, async () => {
  const { scene, registers } = await twoEdges();
  assert.match(one(registers[0]!, 'Contact'), /;reg-id=1;/);
  assert.match(one(registers[1]!, 'Contact'), /;reg-id=2;/);
  const instance = (each: Sip) => /\+sip\.instance="[^"]+"/.exec(one(each, 'Contact'))?.[0];
  assert.equal(instance(registers[0]!), instance(registers[1]!));
  assert.deepEqual(scene.news(), ['connected', 'registered']);
});

test('Each flow answers its own challenge', options, async () => {
  const edges = [new Edge('one'), new Edge('two')] as [Edge, Edge];
  const scene = new Scene({ sockets: edges, flows: 2, register: true });
  scene.ua.start();
  await settle();
  for (const edge of edges) {
    edge.respond(edge.take('REGISTER'), 401, 'Unauthorized', [DIGEST]);
    assert.match(one(edge.register(), 'Authorization'), /username="alice"/);
  }
  assert.equal(scene.ua.isRegistered(), true);
});

test('The loss of one edge is none of the page: it stays connected and registered, and comes back by itself', options, async () => {
  const { scene, edges } = await twoEdges();
  scene.news();
  edges[0].drop();
  assert.equal(scene.ua.isConnected(), true);
  assert.equal(scene.ua.isRegistered(), true);
  await scene.clock.advance(31_000);
  const again = edges[0].register();
  assert.match(one(again, 'Contact'), /;reg-id=1;/);
  assert.deepEqual(scene.news(), []);
  edges[0].drop();
  edges[1].drop();
  assert.deepEqual(scene.news(), ['disconnected', 'unregistered']);
  assert.equal(scene.ua.isRegistered(), false);
});

test('A call whose edge dies is hung up over the other edge, past the dead one', options, async () => {
  const { scene, edges } = await twoEdges();
  scene.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
  await settle();
  const first = edges.findIndex((edge) => edge.inbox.some((message) => message.method === 'INVITE'));
  const [edge, other] = first === 0 ? edges : [edges[1], edges[0]];
  const invite = edge.take('INVITE');
  const record = ['<sip:core.example;lr>', `<sip:${edge.name}.example;lr>`, `<sip:seal@${edge.name}.example:8080;lr>`];
  edge.respond(invite, 200, 'OK', [CONTACT, ...record.map((value) => `Record-Route: ${value}`)], sdp(), 'bobs');
  await settle();
  assert.equal(all(edge.take('ACK'), 'Route').length, 3);
  edge.drop();
  assert.deepEqual(all(other.take('ACK'), 'Route'), ['<sip:core.example;lr>'], 'the first one may have died with the edge');
  assert.equal(scene.session.isEstablished(), true);
  scene.session.terminate();
  assert.deepEqual(all(other.take('BYE'), 'Route'), ['<sip:core.example;lr>']);
});

test('A call that comes over the second flow is answered there', options, async () => {
  const { scene, edges } = await twoEdges();
  edges[1].ask('INVITE', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>', 'Call-ID: in', 'CSeq: 1 INVITE', CONTACT,
  ], sdp());
  await settle();
  assert.deepEqual(edges[1].inbox.map((message) => message.start), ['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing']);
  assert.deepEqual(edges[0].inbox, []);
});

test('Leaving takes both flows back', options, async () => {
  const { scene, edges } = await twoEdges();
  void scene.ua.stop();
  for (const edge of edges) {
    const farewell = edge.take('REGISTER');
    assert.equal(one(farewell, 'Expires'), '0');
    edge.respond(farewell, 200, 'OK');
  }
  await scene.clock.advance(3000);
  assert.equal(scene.ua.isConnected(), false);
});

test('As many flows as sockets at most, and no Route that would name one server on the way to another', options, () => {
  const make = (more: object) => () => new library!.UA({ sockets: [new Edge('one'), new Edge('two')] as any, uri: 'sip:alice@example.com', ...more });
  for (const flows of [0, 3, 1.5, '2']) {
    assert.throws(make({ flows }), /flows/);
  }
  assert.throws(make({ flows: 2, use_preloaded_route: true }), /use_preloaded_route/);
});

test('Leaving while no server can be reached is told once', options, async () => {
  const { scene, edges } = await twoEdges();
  for (const edge of edges) {
    edge.reachable = false;
    edge.drop();
  }
  scene.news();
  void scene.ua.stop();
  await scene.clock.advance(3000);
  assert.deepEqual(scene.news(), ['disconnected']);
});
