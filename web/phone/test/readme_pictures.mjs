// The two pictures of the README: `node phone/test/readme_pictures.mjs` writes docs/images/phone.png and phone-call.png.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchBrowser, servePage } from './fake/server.mjs';
import { prepare, stored } from './sample.mjs';

const OUT = fileURLToPath(new URL('../../../docs/images', import.meta.url));

await mkdir(OUT, { recursive: true });
const kept = stored();
for (const each of kept.conversations) each.messages = each.messages.filter((message) => message.state === 'done');
const server = await servePage();
const browser = await launchBrowser(['--use-fake-ui-for-media-stream']);
await picture('phone.png', { width: 1120, height: 760 }, 'light', async (page) => {
  await page.click('[data-testid=tab-messages]');
  await page.click('[data-testid=conversation-row]');
});
await picture('phone-call.png', { width: 360, height: 780 }, 'dark', async (page) => {
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen Ruiz'); });
  await page.click('[data-testid=call-answer]');
  await page.waitForSelector('[data-phase=talking]');
  await page.evaluate(() => { phone.call.talkingSince -= 83_000; phone.change.signal(); });
});
await browser.close();
server.close();

async function picture(name, viewport, look, act) {
  const page = await browser.newPage();
  await page.setViewport({ ...viewport, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: look }]);
  await page.evaluateOnNewDocument(prepare, { language: 'en', kept });
  await page.goto(`${server.url}#alice:secret`);
  await page.evaluate(() => window.ready);
  await page.waitForFunction(() => phone.line.state === 'registered'); // The page before it gives the phone up a moment later.
  await act(page);
  await page.mouse.move(0, 0);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await page.screenshot({ path: join(OUT, name) });
  await page.close();
}
