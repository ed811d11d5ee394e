// Pages that hold somebody else's SIP library, unmodified, as their users would bundle it.
import { createServer } from 'node:http';
import { build } from 'esbuild';

async function bundle(entry) {
  const made = await build({
    entryPoints: [new URL(`../pages/${entry}`, import.meta.url).pathname],
    bundle: true,
    format: 'iife',
    write: false,
    define: { global: 'window' },
    logLevel: 'error',
  });
  return made.outputFiles[0].text;
}

/** Serves `pages/<entry>` on loopback and returns the page's address. */
export async function servePage(test, entry) {
  const script = await bundle(entry);
  const server = createServer((request, response) => {
    if (request.url === '/page.js') return response.setHeader('content-type', 'text/javascript').end(script);
    if (request.url !== '/') return response.writeHead(404).end();
    return response
      .setHeader('content-type', 'text/html; charset=utf-8')
      .end('<!doctype html><meta charset="utf-8"><title>library</title><audio id="remote" autoplay></audio><script src="/page.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  }));
  return `http://127.0.0.1:${server.address().port}/`;
}
