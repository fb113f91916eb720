/** Guessing is slowed until it is hopeless, and nobody is locked out by a stranger's guessing: waits grow, and end. */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import type { StaffStore } from './staff-store.ts'

/** How a kind of key is counted: failures that cost no wait, the longest wait, and the quiet after which all is forgotten; ms. */
type Measure = { readonly free: number; readonly longest: number; readonly forgotten: number }
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/**
 * `here` counts guesses at one name from one address, `account` those from everywhere: the first slows the guesser, and
 * leaves the owner elsewhere alone; the second bounds a guesser with many addresses, and is too short to shut anybody out.
 * `device` counts instead of both at a browser from which that account has signed in before, whose owner so waits for no
 * stranger (OWASP, Slow Down Online Guessing Attacks with Device Cookies). `address` counts whoever tries name after name.
 */
const measures = {
  here: { free: 5, longest: 15 * MINUTE, forgotten: DAY },
  account: { free: 20, longest: 2 * MINUTE, forgotten: DAY },
  device: { free: 5, longest: 15 * MINUTE, forgotten: DAY },
  address: { free: 30, longest: MINUTE, forgotten: 60 * MINUTE },
} as const satisfies Readonly<Record<string, Measure>>

export type Counted = { readonly kind: keyof typeof measures; readonly of: string }

/** Keys remembered; beyond them the quietest are forgotten, so that names made up by a stranger do not fill the disk. */
const MOST = 20_000

const Row = z.object({ failures: z.int(), wait_until: z.int(), last: z.int() })

export type Attempts = {
  /**
   * Counts an attempt as failed before it is judged, so that a hundred at once are not one. Gives 0, or the milliseconds
   * still to wait, in which case it is not to be judged and is not counted.
   */
  take(keys: readonly Counted[], now: number): number
  /** It was good: forgets the failures, and takes the one of the address back. */
  good(keys: readonly Counted[]): void
}

export function attempts({ db, secret, transaction }: StaffStore): Attempts {
  const find = db.prepare('SELECT failures, wait_until, last FROM attempt WHERE key = ?')
  const put = db.prepare('INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?)')
  const forget = db.prepare('DELETE FROM attempt WHERE key = ?')
  const less = db.prepare('UPDATE attempt SET failures = max(failures - 1, 0), wait_until = 0 WHERE key = ?')
  const trim = db.prepare(
    'DELETE FROM attempt WHERE key IN (SELECT key FROM attempt ORDER BY last DESC LIMIT -1 OFFSET ?)',
  )
  // Kept as a keyed hash: what was typed for a name may be a password.
  const nameOf = ({ kind, of }: Counted) => `${kind} ${createHmac('sha256', secret).update(of).digest('base64url')}`
  return {
    take: (keys, now) =>
      transaction(() => {
        const counted = keys.map(key => {
          const row = Row.optional().parse(find.get(nameOf(key)))
          const measure = measures[key.kind]
          const known = row !== undefined && row.last + measure.forgotten > now
          return { key, measure, failures: known ? row.failures : 0, until: known ? row.wait_until : 0 }
        })
        const wait = Math.max(0, ...counted.map(({ until }) => until - now))
        if (wait > 0) return wait
        for (const { key, measure, failures } of counted)
          put.run(nameOf(key), failures + 1, now + pause(failures + 1, measure), now)
        trim.run(MOST)
        return 0
      }),
    good: keys =>
      transaction(() => {
        for (const key of keys) (key.kind === 'address' ? less : forget).run(nameOf(key))
      }),
  }
}

/** 1, 2, 4, 8 … seconds from the first failure that is not free. */
function pause(failures: number, { free, longest }: Measure): number {
  return failures <= free ? 0 : Math.min(longest, 1_000 * 2 ** Math.min(failures - free - 1, 20))
}
