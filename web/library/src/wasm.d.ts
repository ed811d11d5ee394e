// The WebAssembly module of the SIP core, inlined by the bundler as bytes (esbuild: loader {'.wasm': 'binary'}).
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
