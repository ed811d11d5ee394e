// Puts the double of the SIP core in the place of the real one, so that these tests need no WebAssembly.
const FAKE = new URL('./fake_core.ts', import.meta.url).href;

export async function resolve(specifier, context, next) {
  if (specifier === './core.js' && context.parentURL?.includes('/library/src/')) {
    return { url: FAKE, shortCircuit: true };
  }
  if (specifier.endsWith('sipweb_wasm.wasm')) {
    return { url: 'data:text/javascript,export default new Uint8Array()', shortCircuit: true };
  }
  return next(specifier, context);
}
