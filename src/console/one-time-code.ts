/** A one-time code is six digits of a shared secret and the half minute (RFC 6238); each is taken for one step of time, once. */
import { Secret, TOTP } from 'otpauth'

/** What authenticator apps all know: SHA-1, six digits, 30 seconds. HMAC does not rest on what SHA-1 has lost. */
const FORM = { algorithm: 'SHA1', digits: 6, period: 30 }
/** Steps to either side: a clock that is half a minute off, or a slow hand. */
const WINDOW = 1

/** A fresh secret of 160 bits (RFC 4226, section 4), in Base32. */
export function newCodeSecret(): string {
  return new Secret({ size: 20 }).base32
}

/** The secret as an `otpauth://` URI that an authenticator app reads from a QR code. */
export function codeUri(secret: string, account: string, issuer: string): string {
  return new TOTP({ ...FORM, secret: Secret.fromBase32(secret), issuer, label: account }).toString()
}

/** The code of an instant, in epoch milliseconds: what an authenticator app shows. */
export function codeAt(secret: string, now: number): string {
  return TOTP.generate({ ...FORM, secret: Secret.fromBase32(secret), timestamp: now })
}

/** The step of time whose code this is; undefined where it is none of about now. The comparison takes the same time for each. */
export function stepOf(code: string, secret: string, now: number): number | undefined {
  const token = /^[0-9]{6}$/.test(code) ? code : '      '
  const delta = TOTP.validate({ ...FORM, token, secret: Secret.fromBase32(secret), timestamp: now, window: WINDOW })
  return delta === null ? undefined : TOTP.counter({ period: FORM.period, timestamp: now }) + delta
}
