// Folders of the tests' own, removed when the test file ends: by then every program that wrote there is gone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = [];

process.on('exit', () => {
  for (const folder of made) {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    } catch (error) {
      console.error(`${folder} could not be removed: ${error.message}`);
    }
  }
});

export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `sipweb-${name}-`));
  made.push(folder);
  return folder;
}
