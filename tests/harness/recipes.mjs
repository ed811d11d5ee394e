// The recipes of docs/recipes, run as they stand there: only addresses and passwords are put in.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { compileScript, parse } from 'vue/compiler-sfc';
import { PASSWORD } from './server.mjs';

const DOCS = new URL('../../docs/recipes/', import.meta.url);
const LIBRARY = new URL('../../web/dist/library/', import.meta.url);

/** The code of a recipe, block by block. */
export async function blocksOf(recipe) {
  const text = await readFile(new URL(`${recipe}.md`, DOCS), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, kind, code]) => ({ kind, code }));
}

function filledIn(code, server) {
  return code
    .replaceAll('https://example.com/library/', '/library/')
    .replaceAll('wss://example.com/sip', server.webSocket)
    .replaceAll('sip:alice@example.com', 'sip:alice@127.0.0.1')
    .replace(/(['"])secret\1/g, `$1${PASSWORD}$1`);
}

/** The files of a recipe, bundled as its readers would: the last one is where it begins. */
async function bundled(files) {
  const entry = [...files.keys()].at(-1);
  const recipe = {
    name: 'recipe',
    setup(builder) {
      builder.onResolve({ filter: /^sipweb$/ }, () => ({ path: new URL('sipweb.js', LIBRARY).pathname }));
      builder.onResolve({ filter: /^\.\// }, ({ path }) => (files.has(path.slice(2)) ? { path: path.slice(2), namespace: 'recipe' } : undefined));
      builder.onLoad({ filter: /.*/, namespace: 'recipe' }, ({ path }) => ({
        contents: path.endsWith('.vue') ? component(files.get(path)) : files.get(path),
        loader: path.endsWith('.jsx') ? 'jsx' : 'js',
        resolveDir: new URL('..', import.meta.url).pathname,
      }));
    },
  };
  const made = await build({
    stdin: { contents: `import './${entry}';`, resolveDir: new URL('..', import.meta.url).pathname },
    bundle: true, format: 'esm', write: false, jsx: 'automatic', plugins: [recipe], logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  });
  return made.outputFiles[0].text;
}

function component(source) {
  const { descriptor, errors } = parse(source);
  if (errors.length > 0) throw errors[0];
  return compileScript(descriptor, { id: 'phone', inlineTemplate: true }).content;
}

/** Serves a recipe on loopback; `names` are the files that its blocks stand for, none for a whole page. Returns the page's address. */
export async function serveRecipe(test, recipe, server, names) {
  const blocks = (await blocksOf(recipe)).map(({ code }) => filledIn(code, server));
  if (names && names.length !== blocks.length) throw new Error(`${recipe}: ${blocks.length} blocks for ${names.join(', ')}`);
  const script = names && (await bundled(new Map(names.map((name, at) => [name, blocks[at]]))));
  const page = script ? '<!doctype html><meta charset="utf-8"><title>recipe</title><div id="app"></div><script type="module" src="/app.js"></script>' : blocks[0];
  const site = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    if (pathname === '/') return response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
    const found = pathname === '/app.js' ? script : pathname === '/library/sipweb.js' && (await readFile(new URL('sipweb.js', LIBRARY)));
    return found ? response.setHeader('content-type', 'text/javascript; charset=utf-8').end(found) : response.writeHead(404).end();
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  test.after(() => new Promise((resolve) => {
    site.closeAllConnections();
    site.close(resolve);
  }));
  return `http://127.0.0.1:${site.address().port}/`;
}
