/** A password is kept as its Argon2id hash (RFC 9106) alone, with salt and cost in the one text that other programs read too. */
import { argon2, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { refuse } from '#protocol/refusal.ts'

/**
 * OWASP's first choice (Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane) and not RFC 9106's 64 MiB: this machine
 * answers questions meanwhile, and a one-time code stands beside every password.
 */
const COST = { memory: 19_456, passes: 2, parallelism: 1 }
const SALT = 16
const TAG = 32
/** Hashes waited for at once; one is worked out at a time, so that a crowd costs 19 MiB and one core. */
const WAITING = 32

/** Characters that a chosen password has at least and at most (NIST SP 800-63B, section 3.1.1.2, asks for 8 beside another factor). */
export const length = { least: 12, most: 256 }

const FORM = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/
/** Small letters and digits without those that are mistaken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'

/** A random password of 99 bits in four groups. */
export function newPassword(): string {
  const group = () => Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: 4 }, group).join('-')
}

/** The hash of a password, in PHC form: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT)
  return phc(salt, await tagOf(password, salt, COST))
}

/** A hash that no password has, and that takes as long to find wrong as any. */
export function nobodysHash(): string {
  return phc(randomBytes(SALT), randomBytes(TAG))
}

/** Whether this is the password of that hash. Throws `load.busy` where too many wait, and TypeError for a text that is no hash. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', tag = ''] = FORM.exec(hash) ?? []
  if (memory === undefined) throw new TypeError('not an Argon2id hash')
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) }
  return timingSafeEqual(await tagOf(password, Buffer.from(salt, 'base64'), cost), Buffer.from(tag, 'base64'))
}

function phc(salt: Buffer, tag: Buffer): string {
  const plain = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${plain(salt)}$${plain(tag)}`
}

let waiting = 0
let last: Promise<unknown> = Promise.resolve()

async function tagOf(password: string, nonce: Buffer, cost: typeof COST): Promise<Buffer> {
  if (waiting >= WAITING) throw refuse('load.busy', 'too many sign in at once')
  waiting += 1
  const before = last
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  // Whoever comes next waits for this one, however it ends.
  last = promise.catch(() => undefined)
  await before
  // One spelling of what looks the same, whatever keyboard it was typed on (RFC 8265).
  const message = password.normalize('NFKC')
  argon2('argon2id', { message, nonce, tagLength: TAG, ...cost }, (error, tag) =>
    error === null ? resolve(tag) : reject(error),
  )
  return promise.finally(() => {
    waiting -= 1
  })
}
