// A folder of the test's own, removed when the test ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryFolder(test, name) {
  const folder = mkdtempSync(join(tmpdir(), `sipweb-${name}-`));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
