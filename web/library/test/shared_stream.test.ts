/** A stream of the page's own: what a call does to its tracks, and what another call with the same stream hears of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePeerConnection, Page, settle } from './support/page.ts';
import { FakeStream, type FakeTrack } from './support/webrtc.ts';

/** What a call sends. */
const sentBy = (connection: any): FakeTrack[] => (connection as FakePeerConnection).getSenders().map(({ track }) => track!);

test('Who is held hears nothing of a second call that sends the same stream; each call is muted by itself', async () => {
  const page = new Page().connect();
  const stream = new FakeStream('audio');
  const first = page.ua.call('bob', { mediaStream: stream as any });
  await settle();
  page.answered();
  await settle();
  page.core.fire({ type: 'confirmed', call: 1, originator: 'local', request: null, body: '' });
  await settle();
  assert.equal(first.hold(), true);
  const second = page.ua.call('carol', { mediaStream: stream as any });
  await settle();
  const [held, heard] = [sentBy(first.connection)[0]!, sentBy(second.connection)[0]!];
  assert.deepEqual([held.enabled, heard.enabled], [false, true]);
  second.mute();
  assert.equal(heard.enabled, false);
  void second.terminate();
  assert.deepEqual([held.enabled, held.readyState, heard.readyState], [false, 'live', 'ended']);
  void first.terminate();
  assert.deepEqual([held.enabled, held.readyState], [true, 'live'], 'the page has its stream back as it gave it');
});

test('A track that the page has switched off stays off when a call begins, and when another kind is muted', async () => {
  const page = new Page().connect();
  const stream = new FakeStream('audio', 'video');
  const [audio, video] = stream.getTracks() as [FakeTrack, FakeTrack];
  video.enabled = false;
  const session = page.ua.call('bob', { mediaStream: stream as any });
  await settle();
  assert.equal(video.enabled, false);
  session.mute();
  session.unmute({ audio: true });
  assert.deepEqual([audio.enabled, video.enabled], [true, false]);
});
