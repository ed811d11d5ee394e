/** Trying the devices out before a call: hear a tone, see the level of the microphone and the picture of the camera. */
import { h, setText, show } from '../dom.ts';
import { text } from '../text/index.ts';
import { LevelMeter } from '../media/level.ts';
import { MediaError } from '../media/devices.ts';
import type { Phone } from '../model/phone.ts';
import type { Sounds } from '../media/sounds.ts';
import type { View } from './view.ts';

export function deviceTest(phone: Phone, sounds: Sounds): View {
  const bar = h('span', { 'class': 'level test-level', 'role': 'img', 'aria-label': text('yourLevel'), 'data-testid': 'settings-level', 'hidden': true }, h('span', { class: 'level-bar' }));
  const picture = h('video', { 'class': 'test-picture', 'data-testid': 'settings-picture', 'playsinline': true, 'autoplay': true, 'hidden': true, 'aria-label': text('yourVideo') });
  picture.muted = true;
  const tone = button('settings-test-speaker', text('testSpeaker'), () => sounds.test(phone.devices.choice.speaker));
  const microphone = button('settings-test-microphone', text('testMicrophone'), () => void (stop ? end() : begin('microphone')));
  const camera = button('settings-test-camera', text('camPreview'), () => void (stop ? end() : begin('camera')));
  const element = h('div', { class: 'device-test' }, h('div', { class: 'picker-actions' }, tone, microphone, camera), bar, picture);
  let stop: (() => void) | undefined;
  // A call has the devices for itself, and who looks at another part of the page is not to be listened to any more.
  let watchdog: ReturnType<typeof setInterval> | undefined;

  let beginning = false;

  async function begin(kind: 'microphone' | 'camera'): Promise<void> {
    if (beginning) return;
    beginning = true;
    try {
      if (kind === 'microphone') listen(await phone.devices.open(false));
      else watch(await phone.devices.openCamera());
      setText(kind === 'microphone' ? microphone : camera, text('stopTest'));
      watchdog = setInterval(() => { if (!element.checkVisibility() || phone.inCall) end(); }, 250);
    } catch (error) {
      phone.mediaProblem = error instanceof MediaError ? error.problem : 'busy';
      phone.change.signal();
    } finally {
      beginning = false;
    }
  }

  function listen(stream: MediaStream): void {
    const meter = new LevelMeter();
    meter.listen(stream);
    show(bar, true);
    const timer = setInterval(() => bar.style.setProperty('--level', meter.level.toFixed(2)), 120);
    stop = () => {
      clearInterval(timer);
      meter.close();
      for (const track of stream.getTracks()) track.stop();
    };
  }

  function watch(track: MediaStreamTrack | undefined): void {
    if (!track) return;
    picture.srcObject = new MediaStream([track]);
    show(picture, true);
    stop = () => track.stop();
  }

  function end(): void {
    clearInterval(watchdog);
    stop?.();
    stop = undefined;
    picture.srcObject = null;
    show(bar, false);
    show(picture, false);
    setText(microphone, text('testMicrophone'));
    setText(camera, text('camPreview'));
  }

  return {
    element,
    update() {
      show(camera, phone.devices.of('camera').length > 0);
    },
  };
}

function button(id: string, label: string, press: () => void): HTMLButtonElement {
  return h('button', { 'type': 'button', 'class': 'pill', 'data-testid': id, 'on': { click: press } }, label);
}
