/** What the browser keeps for us. Storage may be forbidden or full: then we forget instead of failing. */

export type Keep = 'tab' | 'device';

export function read<Value>(key: string, keep: Keep = 'device'): Value | undefined {
  try {
    const found = store(keep).getItem(`sipweb.${key}`);
    return found === null ? undefined : (JSON.parse(found) as Value);
  } catch {
    return undefined;
  }
}

export function write(key: string, value: unknown, keep: Keep = 'device'): void {
  try {
    store(keep).setItem(`sipweb.${key}`, JSON.stringify(value));
  } catch {
    // Forbidden or full: the page works on without memory.
  }
}

export function forget(key: string, keep: Keep = 'device'): void {
  try {
    store(keep).removeItem(`sipweb.${key}`);
  } catch {
    // Forbidden: then nothing was kept either.
  }
}

function store(keep: Keep): Storage {
  return keep === 'tab' ? sessionStorage : localStorage;
}
