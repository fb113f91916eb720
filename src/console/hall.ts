/** All ways to sign in pass through one hall: forms are held to their browser, guessing is slowed, and who comes in is recorded. */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import { type Accounts, accountName } from './accounts.ts'
import type { Attempts, Counted } from './attempts.ts'
import type { Cookies } from './cookies.ts'
import { BASE, type Visit } from './desk.ts'
import { isOurForm } from './form.ts'
import { seal, unseal } from './sealed.ts'
import { formToken, type Proved, type Sessions } from './sessions.ts'
import type { Role } from './staff.ts'
import type { StaffStore } from './staff-store.ts'
import { addressOf } from './wire.ts'

/** Seconds for which a browser is known as one from which an account has signed in. */
const DEVICE_KNOWN = 180 * 86_400

const Device = z.strictObject({ name: z.string(), epoch: z.string(), id: z.string() })

type Parts = {
  readonly store: StaffStore
  readonly sessions: Sessions
  readonly attempts: Attempts
  readonly cookies: Cookies
  readonly now: () => number
  readonly record: (
    who: { readonly name: string; readonly role: Role },
    action: 'signed-in' | 'sign-in-refused',
    page: string,
  ) => Promise<void>
  readonly log: Pick<Logger, 'warn'>
  /** The accounts of this gateway, where no provider vouches. */
  readonly accounts: Accounts | undefined
}

export type Hall = Pick<Parts, 'cookies' | 'now' | 'log' | 'accounts'> & {
  /** Whether whoever this is has signed in already. */
  isIn(c: Visit): boolean
  /** The token for a form of somebody who has not signed in; holds it to the browser by a cookie. */
  visitToken(c: Visit): string
  /** Whether a form is one of ours, given to this browser. */
  isOurVisit(c: Visit): Promise<boolean>
  /** The keys under which an attempt is counted; `name` as it was typed, where one was. */
  counted(c: Visit, name?: string): readonly Counted[]
  /** Milliseconds to wait before an attempt is judged; 0 where it may be, and then it is counted. */
  wait(keys: readonly Counted[]): number
  /** Records a sign-in and begins its session under a fresh id. Throws `ledger.unavailable`, and then nobody is in. */
  admit(c: Visit, proved: Proved, keys: readonly Counted[]): Promise<void>
  /** Records a refused sign-in: under the name where it is known to be somebody's, else as `unknown`. */
  turnAway(name: string | undefined): Promise<void>
  seal(use: string, value: unknown, until: number): string
  /** What was sealed for this use, the first time it is brought back. */
  unsealOnce<T>(use: string, sealed: string | undefined, form: z.ZodType<T>): T | undefined
}

export function openHall({ store, sessions, attempts, cookies, now, record, log, accounts }: Parts): Hall {
  const spend = store.db.prepare('INSERT OR IGNORE INTO spent VALUES (?, ?)')
  const sweep = store.db.prepare('DELETE FROM spent WHERE until < ?')

  /** The browser's own counter, where this account has signed in from it before. */
  const deviceOf = (c: Visit, name: string): Counted | undefined => {
    const account = accounts?.find(name)
    const device = unseal(store.secret, 'device', cookies.get(c, 'device') ?? '', Device, now())
    const isKnown = account !== undefined && device?.name === account.name && device.epoch === account.epoch
    return isKnown ? { kind: 'device', of: device.id } : undefined
  }

  return {
    cookies,
    now,
    log,
    accounts,
    isIn: c => sessions.find(cookies.get(c, 'session'), now()) !== undefined,
    visitToken(c) {
      const known = cookies.get(c, 'visit')
      const id = known ?? randomBytes(32).toString('base64url')
      if (known === undefined) cookies.set(c, 'visit', id)
      return formToken(id)
    },
    async isOurVisit(c) {
      const id = cookies.get(c, 'visit')
      return id !== undefined && (await isOurForm(c, formToken(id)))
    },
    counted(c, name) {
      const address = addressOf(c)
      if (name === undefined) return [{ kind: 'address', of: address }]
      // Counted under the name as it is read, so that no spelling of it is another account.
      const read = accountName(name) ?? name
      const device = deviceOf(c, read)
      if (device !== undefined) return [device]
      return [
        { kind: 'address', of: address },
        { kind: 'account', of: read },
        { kind: 'here', of: `${address} ${read}` },
      ]
    },
    wait: keys => attempts.take(keys, now()),
    async admit(c, proved, keys) {
      await record(proved, 'signed-in', 'sign-in')
      attempts.good(keys)
      // Whatever id the browser came with was there before the proof, and may be known to another.
      sessions.end(cookies.get(c, 'session'))
      cookies.set(c, 'session', sessions.begin(proved, now()))
      cookies.drop(c, 'visit')
      const { name, epoch } = proved
      const device = { name, epoch, id: randomBytes(16).toString('base64url') }
      const until = now() + DEVICE_KNOWN * 1000
      if (accounts !== undefined) cookies.set(c, 'device', seal(store.secret, 'device', device, until), DEVICE_KNOWN)
    },
    turnAway: name => record({ name: name ?? 'unknown', role: 'viewer' }, 'sign-in-refused', 'sign-in'),
    seal: (use, value, until) => seal(store.secret, use, value, until),
    unsealOnce(use, sealed, form) {
      const value = unseal(store.secret, use, sealed ?? '', form, now())
      if (sealed === undefined || value === undefined) return undefined
      sweep.run(now())
      // Nothing that is sealed for one use serves for longer than an hour.
      return spend.run(sha256(sealed), now() + 3_600_000).changes === 1 ? value : undefined
    },
  }
}

/** A path of the console to go on to, or its first page: what a link says is followed to no other place. */
export function wayBack(text: string | undefined): string {
  const isOurs = text !== undefined && text.length <= 2000 && /^\/console(?:[/?][\w\-.~%!$&'()*+,;=:@/?]*)?$/.test(text)
  const leadsHere = isOurs && !/^\/console\/sign-/.test(text)
  return leadsHere ? text : BASE
}
