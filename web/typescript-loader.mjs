// Lets node run the TypeScript sources as they are (`node --import ./typescript-loader.mjs`), without a bundle in between:
// `.ts` loses its types, `.wasm` becomes its bytes, as in the build.
import { register } from 'node:module';
import { readFile, access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

if (!import.meta.url.endsWith('?hooks')) register(`${import.meta.url}?hooks`);

export async function resolve(specifier, context, next) {
  if (specifier.startsWith('.') && context.parentURL) {
    const wanted = new URL(specifier, context.parentURL);
    for (const candidate of candidates(wanted.href)) {
      if (await exists(candidate)) return { url: candidate, shortCircuit: true };
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (url.endsWith('.ts')) {
    const { transform } = await import('esbuild');
    const file = fileURLToPath(url);
    const source = await readFile(file, 'utf8');
    const { code } = await transform(source, { loader: 'ts', target: 'node20', sourcefile: file, sourcemap: 'inline' });
    return { format: 'module', source: code, shortCircuit: true };
  }
  if (url.endsWith('.wasm')) {
    const base64 = (await readFile(fileURLToPath(url))).toString('base64');
    const source = `export default new Uint8Array(Buffer.from('${base64}', 'base64'));`;
    return { format: 'module', source, shortCircuit: true };
  }
  return next(url, context);
}

function candidates(href) {
  if (href.endsWith('.js')) return [href, `${href.slice(0, -3)}.ts`];
  return /\.[a-z]+$/.test(href) ? [href] : [`${href}.ts`, `${href}/index.ts`];
}

async function exists(href) {
  return access(fileURLToPath(href)).then(() => true, () => false);
}
