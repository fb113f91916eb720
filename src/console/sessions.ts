/** A session is a random id that its browser alone holds; it ends by itself, by its owner, and with what it rested on. */
import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import type { Role, Staff } from './staff.ts'
import type { StaffStore } from './staff-store.ts'

/** Milliseconds after which a session ends, however busy; and without a request. OWASP, Session Management Cheat Sheet. */
const ends = { absolute: 8 * 3_600_000, idle: 30 * 60_000 }
/** Milliseconds between two notes that a session is in use: one write a minute, not one for each page. */
const NOTED = 60_000

/**
 * What a session rests on. `realm` is where the name was proved: an account here, or one provider under one set of rules.
 * `epoch` changes with an account's role and credentials; a provider's realm has none.
 */
export type Proved = {
  readonly name: string
  readonly role: Role
  readonly realm: string
  readonly epoch: string
}

/** The realm of the accounts of this gateway. */
export const LOCAL = 'local'

const Row = z.object({
  name: z.string(),
  role: z.enum(['viewer', 'auditor', 'operator']),
  realm: z.string(),
  epoch: z.string(),
  began: z.int(),
  seen: z.int(),
  account_epoch: z.string().nullable(),
})

export type Sessions = {
  /** Begins a session at an instant in epoch milliseconds, and gives its id, which is kept nowhere. */
  begin(proved: Proved, now: number): string
  /** Who this is now; undefined where the session is over, was never, or rests on what is no more. */
  find(id: string | undefined, now: number): Staff | undefined
  end(id: string | undefined): void
}

/** Sessions outlive a restart: they lie in the store. Only those of `realm` hold. */
export function sessions({ db }: StaffStore, realm: string): Sessions {
  const insert = db.prepare('INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)')
  const select = db.prepare(
    'SELECT s.*, a.epoch AS account_epoch FROM session s LEFT JOIN account a ON a.name = s.name WHERE hash = ?',
  )
  const touch = db.prepare('UPDATE session SET seen = ? WHERE hash = ?')
  const remove = db.prepare('DELETE FROM session WHERE hash = ?')
  const sweep = db.prepare('DELETE FROM session WHERE began < ? OR seen < ?')
  return {
    begin({ name, role, realm, epoch }, now) {
      sweep.run(now - ends.absolute, now - ends.idle)
      const id = randomBytes(32).toString('base64url')
      insert.run(sha256(id), name, role, realm, epoch, now, now)
      return id
    },
    find(id, now) {
      if (id === undefined) return undefined
      const hash = sha256(id)
      const row = Row.optional().parse(select.get(hash))
      if (row === undefined) return undefined
      const stands = row.realm === realm && (realm !== LOCAL || row.account_epoch === row.epoch)
      if (!stands || row.began + ends.absolute <= now || row.seen + ends.idle <= now) {
        remove.run(hash)
        return undefined
      }
      if (row.seen + NOTED <= now) touch.run(now, hash)
      return { name: row.name, role: row.role, csrf: formToken(id) }
    },
    end(id) {
      if (id !== undefined) remove.run(sha256(id))
    },
  }
}

/** The token that a form of this session carries. It is worked out from the id, which it does not give away. */
export function formToken(id: string): string {
  return createHmac('sha256', id).update('form').digest('base64url')
}
