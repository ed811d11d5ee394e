// The states of the page that are pictured: one sentence each, and how to get there from the page of the double.
const signedIn = { signedIn: true };

export const STATES = {
  'sign-in': { says: 'Nobody is signed in.' },
  'sign-in-error': { says: 'A wrong password; the fields for server and domain are open.', run: async (page) => {
    await page.evaluate(() => { fake.onstart = (agent) => queueMicrotask(() => agent.emit('registrationFailed', { cause: 'Authentication Error', response: { status_code: 401 } })); });
    await page.type('#sign-in-user', 'alice');
    await page.type('#sign-in-password', 'wrong');
    await page.keyboard.press('Enter');
    await page.click('[data-testid=sign-in-advanced] summary');
  } },
  'sign-in-busy': { says: 'The server has not answered yet.', run: async (page) => {
    await page.evaluate(() => { fake.onstart = () => {}; });
    await page.type('#sign-in-user', 'alice');
    await page.type('#sign-in-password', 'secret');
    await page.keyboard.press('Enter');
  } },
  'dial-empty': { says: 'Signed in, nothing dialled; beside it, on a wide screen, the recent calls.', ...signedIn },
  'dial-typed': { says: 'The people whose name or address contains what was typed.', ...signedIn, run: (page) => page.keyboard.type('ar') },
  'dial-error': { says: 'What was typed is no name, number or address.', ...signedIn, run: async (page) => { await page.keyboard.type('two words'); await page.keyboard.press('Enter'); } },
  'recents': { says: 'The recent calls: made, taken, missed, not reached.', ...signedIn, run: (page) => page.click('[data-testid=tab-recents]') },
  'contacts': { says: 'Contacts with their lamps: in a call, being called, free, gone, and what they say of themselves.', ...signedIn, run: async (page) => { await page.click('[data-testid=tab-contacts]'); await page.waitForFunction(() => fake.agent.subscriptions.length > 6); await page.evaluate(() => { const dialogs = fake.agent.subscriptions.filter((each) => each.event === 'dialog'); for (const [at, state] of ['confirmed', 'terminated', 'early', 'terminated'].entries()) dialogs[at]?.notify(`<state>${state}</state>`); const there = fake.agent.subscriptions.filter((each) => each.event === 'presence'); there[1]?.notify('<basic>open</basic><activities><away/></activities><note>At lunch until two, then in room 7</note>'); there[3]?.notify('<basic>closed</basic>'); }); } },
  'presence-away': { says: 'Away by choice, with a note for the contacts.', ...signedIn, run: (page) => say(page, 'away') },
  'presence-closed': { says: 'Not to be disturbed; one contact is not either.', ...signedIn, run: async (page) => { await say(page, 'doNotDisturb'); await page.evaluate(() => { fake.agent.subscriptions.filter((each) => each.event === 'presence')[0].notify('<basic>closed</basic><activities><busy/></activities>'); }); } },
  'presence-refused': { says: 'The server does not take what one says of oneself.', ...signedIn, run: async (page) => { await page.evaluate(() => { fake.publishing = 489; }); await say(page, 'busy'); } },
  'contact-edit': { says: 'A contact is changed.', ...signedIn, run: async (page) => { await page.click('[data-testid=tab-contacts]'); await page.click('[data-testid=contact-edit]'); } },
  'no-contacts': { says: 'There are no contacts yet.', ...signedIn, empty: true, run: (page) => page.click('[data-testid=tab-contacts]') },
  'link': { says: 'A link wants to call somebody; the user decides.', ...signedIn, query: '?call=tel:%2B34911234567' },
  'link-sign-in': { says: 'A link wants to sign in somebody else while a call stands; the user decides.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { location.hash = '#carmen:word'; }); await page.waitForSelector('[data-notice=sign-in-link]'); } },
  'sign-out': { says: 'What becomes of contacts, messages and calls when one signs out.', ...signedIn, run: async (page) => { await page.click('[data-testid=tab-settings]'); await page.click('[data-testid=sign-out]'); } },
  'other-tab': { says: 'The phone is open in another tab.', ...signedIn, run: async (page) => { await page.evaluate(() => { phone.seat.state = 'elsewhere'; phone.change.signal(); }); } },
  'other-tab-call': { says: 'Somebody calls the phone in the other tab.', ...signedIn, run: async (page) => { await page.evaluate(() => { phone.seat.state = 'elsewhere'; phone.seat.there = { peer: 'Carmen Ruiz', phase: 'incoming', at: 0 }; phone.change.signal(); }); } },
  'settings-end': { says: 'The end of the settings.', ...signedIn, run: async (page) => { await page.click('[data-testid=tab-settings]'); await page.$eval('.settings', (list) => { list.scrollTop = 10_000; }); } },
  'messages': { says: 'The conversations, one with two unread messages.', ...signedIn, run: (page) => page.click('[data-testid=tab-messages]') },
  'conversation': { says: 'A conversation, with a message that was not sent.', ...signedIn, run: async (page) => { await page.click('[data-testid=tab-messages]'); await page.click('[data-testid=conversation-row]'); } },
  'settings': { says: 'The settings: account, sound and devices.', ...signedIn, run: (page) => page.click('[data-testid=tab-settings]') },
  'nothing-yet': { says: 'There are no messages yet.', ...signedIn, empty: true, run: (page) => page.click('[data-testid=tab-messages]') },
  'calling': { says: 'A call leaves; nobody has answered it yet.', ...signedIn, run: (page) => out(page) },
  'ringing': { says: 'It rings at the other side.', ...signedIn, run: (page) => out(page, 'progress', { response: { status_code: 180 } }) },
  'incoming': { says: 'Somebody calls.', ...signedIn, run: (page) => page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen Ruiz'); }) },
  'incoming-video': { says: 'Somebody calls and offers video.', ...signedIn, run: (page) => page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist', 'm=audio 9 X\r\nm=video 9 X'); }) },
  'in-call': { says: 'A call.', ...signedIn, run: (page) => talk(page) },
  'in-call-muted': { says: 'The microphone is off.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-mute]'); } },
  'in-call-held': { says: 'The other side has put the call on hold.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).emit('hold', { originator: 'remote' }); }); } },
  'in-call-keypad': { says: 'The keypad of a call, with the digits that were sent.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-keypad]'); await page.keyboard.type('4711#'); } },
  'in-call-audio': { says: 'Microphone and speaker are chosen in the call.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-audio]'); } },
  'in-call-transfer': { says: 'The call is to be passed on, to an address that is none.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-transfer]'); await page.keyboard.type('two words'); await page.keyboard.press('Enter'); } },
  'in-call-waiting': { says: 'A second caller waits.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist'); }); } },
  'two-calls': { says: 'One call is talked to, another one is on hold.', ...signedIn, run: (page) => two(page) },
  'two-calls-waiting': { says: 'Two calls, and a third caller waits.', ...signedIn, run: async (page) => { await two(page); await page.evaluate(() => { fake.agent.ring('sip:dora@office.example.org', 'Dora Lindqvist'); }); } },
  'conference': { says: 'Both calls are joined.', ...signedIn, run: async (page) => { await two(page); await page.click('[data-testid=others-merge]'); await page.waitForSelector('[data-testid=conference-member]'); } },
  'in-call-add': { says: 'Somebody else is to be called besides.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-add]'); } },
  'in-call-more': { says: 'What is needed more rarely.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=call-more]'); } },
  'in-call-diagnosis': { says: 'The diagnosis of a call without sound from the other side.', ...signedIn, run: async (page) => { await heard(page, { trouble: 'nothingIn', received: { packets: 0, lost: 0, jitter: 0 } }, 3); await page.evaluate(() => { phone.call.local.getAudioTracks()[0].enabled = true; }); await page.click('[data-testid=call-more]'); await page.click('[data-testid=call-diagnosis]'); } },
  'ended-diagnosis': { says: 'The diagnosis of a call that failed.', ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(488, 'Not Acceptable Here', 'Incompatible SDP', { Warning: ['399 sipweb "SDP-NO-COMMON-CODEC: no codec in common"'] }); }); await page.click('[data-testid=call-end-diagnosis]'); } },
  'in-call-video': { says: 'The other side is seen.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => new Promise((done) => {
    const canvas = document.createElement('canvas');
    const brush = canvas.getContext('2d');
    setInterval(() => { brush.fillStyle = '#357'; brush.fillRect(0, 0, 300, 150); brush.fillStyle = '#fc6'; brush.fillRect(100, 40, 60, 60); }, 50);
    window.phone.call.remote.addTrack(canvas.captureStream(20).getVideoTracks()[0]);
    window.phone.change.signal();
    setTimeout(done, 400);
  })); } },
  'in-call-quality': { says: 'The sound was measured, and is good.', ...signedIn, run: (page) => heard(page) },
  'in-call-quality-open': { says: 'The numbers behind the quality of the sound.', ...signedIn, run: async (page) => { await heard(page); await page.click('[data-testid=quality]'); } },
  'in-call-quality-poor': { says: 'The sound is poor.', ...signedIn, run: (page) => heard(page, { score: 'poor' }) },
  'in-call-silent': { says: 'No sound arrives.', ...signedIn, run: (page) => heard(page, { score: 'none', trouble: 'nothingIn' }, 3) },
  'in-call-microphone': { says: 'The microphone gives no sound.', ...signedIn, run: (page) => heard(page, { trouble: 'microphone' }) },
  'ended-silent': { says: 'The call ended because no sound came from the phone.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).bye({ Reason: ['sipweb;text="MEDIA-NONE-FROM-PHONE: no sound came from the phone"'] }); }); } },
  'ended-lost': { says: 'The call ended because the server stopped.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).bye({ Reason: ['SIP;cause=503;text="SERVER-STOPPED: the server stops; call again"'] }); }); } },
  'failed-codecs': { says: 'The call failed: no format in common.', ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(488, 'Not Acceptable Here', 'Incompatible SDP', { Warning: ['399 sipweb "SDP-NO-COMMON-CODEC: the browser and the phone have no codec in common: the browser has opus, PCMU, the phone has G729"'] }); }); } },
  'call-elsewhere': { says: 'A call goes on while the user reads messages.', ...signedIn, run: async (page) => { await talk(page); await page.click('[data-testid=tab-messages]'); } },
  'ended': { says: 'The other side hung up.', ...signedIn, run: async (page) => { await talk(page); await page.evaluate(() => { fake.agent.sessions.at(-1).emit('ended', { originator: 'remote', cause: 'Terminated' }); }); } },
  'failed-busy': { says: 'The other side is busy.', ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(486, 'Busy Here', 'Busy'); }); } },
  'failed-not-found': { says: 'There is nobody under this address.', ...signedIn, run: async (page) => { await out(page); await page.evaluate(() => { fake.agent.sessions.at(-1).fail(404, 'Not Found', 'Not Found'); }); } },
  'notice-lost': { says: 'The connection to the server is lost.', ...signedIn, run: (page) => page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 7_400 }); }) },
  'notice-microphone': { says: 'The microphone was refused.', ...signedIn, refused: true, run: (page) => out(page) },
  'notice-camera': { says: 'A call with video goes on without the camera, which cannot be had.', ...signedIn, run: async (page) => { await page.evaluate(() => { const { mediaDevices } = navigator; const open = mediaDevices.getUserMedia.bind(mediaDevices); mediaDevices.getUserMedia = (wanted) => (wanted.video ? Promise.reject(new DOMException('', 'NotFoundError')) : open(wanted)); }); await page.type('[data-testid=dial-field]', 'bob'); await page.click('[data-testid=dial-video]'); await page.waitForSelector('[data-notice=camera]'); } },
  'notice-insecure': { says: 'The page was opened without https: no microphone.', ...signedIn, insecure: true },
  'notice-failed': { says: 'The registration is refused by now.', ...signedIn, run: (page) => page.evaluate(() => { fake.agent.emit('registrationFailed', { cause: 'Rejected', response: { status_code: 403 } }); }) },
};

async function say(page, state) {
  await page.click('[data-testid=tab-contacts]');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 6);
  await page.type('[data-testid=presence-note]', 'Back at 4 pm');
  await page.select('[data-testid=presence-state]', state);
}

async function out(page, event, payload) {
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-testid=call]:not([hidden])');
  await page.waitForFunction(() => phone.mediaProblem || fake.agent.sessions.length > 0);
  if (event) await page.evaluate((name, details) => { fake.agent.sessions.at(-1).emit(name, details); }, event, payload);
}

async function talk(page) {
  await out(page, 'accepted', {});
  await page.evaluate(() => { fake.agent.sessions.at(-1).emit('confirmed', {}); phone.call.talkingSince -= 83_000; phone.change.signal(); });
  await page.waitForSelector('[data-phase=talking]');
}

/** Bob is on hold, Carmen is talked to. */
async function two(page) {
  await talk(page);
  await page.click('[data-testid=call-add]');
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await page.evaluate(() => { fake.agent.sessions.at(-1).emit('accepted', {}); fake.agent.sessions.at(-1).emit('confirmed', {}); });
  await page.waitForSelector('[data-testid=other-call]');
}

/** A call whose sound was looked at. */
async function heard(page, quality = {}, looks = 1) {
  await talk(page);
  await page.evaluate(async (found, times) => {
    fake.quality = { score: 'good', trouble: undefined, codec: 'opus', received: { packets: 4150, lost: 3, jitter: 4 }, sent: { packets: 4162, lost: 0 }, roundTrip: 38, pair: { local: '192.168.1.20:53412', remote: '203.0.113.7:40000', protocol: 'udp' }, at: 0, ...found };
    fake.agent.sessions.at(-1).connection = new RTCPeerConnection();
    for (let look = 0; look < times; look += 1) await phone.quality.look();
  }, quality, looks);
}
