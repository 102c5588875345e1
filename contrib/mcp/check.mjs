// SPDX-License-Identifier: ISC
// What clients.mjs and http.mjs say of what they found, a line each.
let failed = 0;

export function ok(good, name) {
  console.log(`${good ? 'ok' : 'not ok'} - ${name}`);
  if (!good) failed++;
  return good;
}

export function is(got, want, name) {
  if (!ok(got === want, name))
    console.log(`# got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The value of fn once it is true; undefined in time.
export async function until(fn, name, ms = 15000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (Date.now() > end) {
      ok(false, name);
      return undefined;
    }
    await pause(50);
  }
}

// Runs it all, and ends the process with what was found.
export function run(main) {
  main().catch((e) => ok(false, e.stack)).finally(() => {
    process.exit(failed > 0 ? 1 : 0);
  });
}
