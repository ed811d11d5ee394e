// Waiting for something to become true, with a bound.

export async function until(what, probe, { within = 10_000, every = 50 } = {}) {
  const deadline = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${within} ms in vain for: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

/** Says how long something took. */
export async function timed(test, what, action) {
  const begun = Date.now();
  await action();
  test.diagnostic(`${what}: ${Date.now() - begun} ms`);
}
