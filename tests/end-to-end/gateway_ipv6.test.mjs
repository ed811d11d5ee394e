// A phone that has IPv6 only, and a page that finds the server over either family: they hear each other.
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import { hearEachOther, pageAndPhone, pageCalls, pageHangsUp, phoneCalls, phoneHangsUp } from '../harness/page_and_phone.mjs';

const IPV4 = '127.0.0.1';
const IPV6 = '[::1]';

const hasIpv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');
const skip = !hasIpv6 && 'nothing of this was tested: this machine has no IPv6, not even ::1 on its loopback';

for (const [family, pageAt] of [['IPv4', IPV4], ['IPv6', IPV6]]) {
  describe(`a phone over IPv6, and a page that came over ${family}`, () => {
    test('the page calls and then the phone: both hear each other in each call', { skip }, async (t) => {
      const both = await pageAndPhone(t, { addresses: [IPV4, IPV6], pageAt, address: IPV6 });
      await pageCalls(both);
      await hearEachOther(both);
      await phoneHangsUp(both);
      await phoneCalls(both);
      await hearEachOther(both);
      await pageHangsUp(both);
    });
  });
}
