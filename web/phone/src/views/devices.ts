/** Which microphone, which speaker, and where it rings. */
import { h, fill, show } from '../dom.ts';
import { text } from '../text/index.ts';
import type { DeviceKind } from '../media/devices.ts';
import type { Phone } from '../model/phone.ts';
import type { View } from './view.ts';

/** `place` keeps the ids of two instances on the page apart. */
export function deviceView(phone: Phone, kinds: readonly DeviceKind[], place: string): View {
  const rows = kinds.map((kind) => {
    const id = `${place}-${kind}`;
    const select = h('select', { 'id': id, 'data-testid': id, 'on': { change: () => choose(kind, select.value) } });
    return { kind, select, shown: '', element: h('div', { class: 'field' }, h('label', { for: id }, text(kind)), h('div', { class: 'field-box select-box' }, select)) };
  });
  const noSpeaker = h('p', { class: 'hint' }, text('noSpeakerChoice'));

  function choose(kind: DeviceKind, id: string): void {
    phone.devices.choose(kind, id);
    if (kind === 'microphone') void phone.calls.changeMicrophone();
    if (kind === 'camera') void phone.call?.changeCamera();
  }

  return {
    element: h('div', { class: 'devices' }, ...rows.map((row) => row.element), noSpeaker),
    update() {
      const { devices } = phone;
      show(noSpeaker, !devices.canChooseSpeaker);
      for (const row of rows) {
        show(row.element, row.kind === 'microphone' || (row.kind === 'camera' ? devices.of('camera').length > 0 : devices.canChooseSpeaker));
        const options = devices.of(row.kind).map((device, at) => [
          device.deviceId,
          device.label || text('deviceNumber', { kind: text(row.kind), number: at + 1 }),
        ] as const);
        const key = JSON.stringify(options);
        if (key !== row.shown) {
          row.shown = key;
          fill(row.select, h('option', { value: '' }, text('systemDevice')), ...options.map(([value, label]) => h('option', { value }, label)));
        }
        row.select.value = devices.choice[row.kind] ?? '';
        if (row.select.selectedIndex < 0) row.select.value = '';
      }
    },
  };
}
