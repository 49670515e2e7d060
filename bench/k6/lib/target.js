// Where the load goes: this machine, unless told otherwise.

const BASE = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/$/, '');
const ADMIN = (__ENV.ADMIN_URL || 'http://127.0.0.1:8081').replace(/\/$/, '');

// The whole URL must match: a user part (`http://127.0.0.1@elsewhere`) or a name that only begins like
// an address (`127.0.0.1.elsewhere`) is not this machine.
const LOOPBACK = /^https?:\/\/(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/;

for (const [name, url] of Object.entries({ BASE_URL: BASE, ADMIN_URL: ADMIN })) {
  if (!LOOPBACK.test(url) && __ENV.ALLOW_REMOTE !== 'yes') {
    throw new Error(`${name}=${url} is not this machine; ALLOW_REMOTE=yes sends the load there all the same`);
  }
}

export const base = BASE;
export const admin = ADMIN;

// A redirect must not carry the load elsewhere either.
export const noRedirects = { maxRedirects: 0 };
