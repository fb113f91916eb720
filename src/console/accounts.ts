/** A local account is made by a command, never by default; it proves itself by password and one-time code, or by a passkey. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import { newCodeSecret, stepOf } from './one-time-code.ts'
import { hashPassword, isPassword, nobodysHash } from './password.ts'
import { LOCAL, type Proved } from './sessions.ts'
import type { Role } from './staff.ts'
import type { StaffStore } from './staff-store.ts'

/** Milliseconds for which a link to enrol a passkey serves, once. */
const LINK_SERVES = 24 * 3_600_000

const Account = z.object({
  name: z.string(),
  role: z.enum(['viewer', 'auditor', 'operator']),
  epoch: z.string(),
  made: z.int(),
  password: z.string().nullable(),
  code_secret: z.string().nullable(),
  handle: z.string(),
  link_until: z.int().nullable(),
  passkeys: z.int(),
})
type Account = z.infer<typeof Account>

const Passkey = z.object({ id: z.string(), account: z.string(), key: z.instanceof(Uint8Array), counter: z.int() })
export type Passkey = z.infer<typeof Passkey>

/** What an account proves itself by; `password` is one that was chosen, else one is made. */
export type Means = { readonly kind: 'password'; readonly password: string } | { readonly kind: 'passkey' }
/** What is shown once and kept nowhere, or only as a hash. */
export type Shown =
  | { readonly kind: 'password'; readonly codeSecret: string }
  | { readonly kind: 'passkey'; readonly link: string }

export type Accounts = {
  readonly all: () => readonly Account[]
  isEmpty(): boolean
  /** Makes an account; undefined where there is one of that name. */
  make(name: string, role: Role, means: Means, now: number): Promise<Shown | undefined>
  /** Takes away what the account proves itself by, gives it anew, and ends its sessions; undefined where there is none. */
  reset(name: string, means: Means, now: number): Promise<Shown | undefined>
  /** Gives another role and ends the account's sessions. Gives whether there is such an account. */
  change(name: string, role: Role): boolean
  /** Removes the account with its sessions and passkeys. Gives whether there was one. */
  remove(name: string): boolean
  find(name: string): Account | undefined
  /**
   * Who proves to be this by password and code; undefined otherwise, and it takes as long for a name that is unknown. A
   * code that was good once is good no more.
   */
  prove(given: Given, now: number): Promise<Proved | undefined>
  /** The account that a link invites to enrol a passkey; undefined where it is used, over or made up. */
  invited(link: string, now: number): Account | undefined
  /** Uses up a link. Gives false where another was faster. */
  enrol(link: string, passkey: Omit<Passkey, 'account'>, now: number): boolean
  passkey(id: string): { readonly passkey: Passkey; readonly account: Account } | undefined
  /** Notes that a passkey was used, with the count of uses that it told. */
  used(id: string, counter: number): void
}

type Given = { readonly name: string; readonly password: string; readonly code: string }

/**
 * A name as accounts have it: small letters, digits, Chinese; no number of a person, since it stands in the ledger for ever.
 * Undefined where a text is none. `unknown` stands in the ledger for all names that no account has.
 */
export function accountName(text: string): string | undefined {
  const name = text.normalize('NFKC').trim().toLowerCase()
  const isName = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,39}$/u.test(name) && name !== 'unknown'
  return isName && maskPersonalNumbers(name) === name ? name : undefined
}

export function provedBy({ name, role, epoch }: Account): Proved {
  return { name, role, epoch, realm: LOCAL }
}

export function accounts({ db, transaction }: StaffStore): Accounts {
  const columns = 'a.*, (SELECT count(*) FROM passkey p WHERE p.account = a.name) AS passkeys'
  const all = db.prepare(`SELECT ${columns} FROM account a ORDER BY name`)
  const any = db.prepare('SELECT 1 FROM account LIMIT 1')
  const byName = db.prepare(`SELECT ${columns} FROM account a WHERE name = ?`)
  const byLink = db.prepare(`SELECT ${columns} FROM account a WHERE link = ? AND link_until > ?`)
  const insert = db.prepare('INSERT OR IGNORE INTO account (name, role, epoch, made, handle) VALUES (?, ?, ?, ?, ?)')
  const change = db.prepare('UPDATE account SET role = ?, epoch = ? WHERE name = ?')
  const renew = db.prepare(
    'UPDATE account SET epoch = ?, password = ?, code_secret = ?, code_step = 0, link = ?, link_until = ? WHERE name = ?',
  )
  const remove = db.prepare('DELETE FROM account WHERE name = ?')
  const spend = db.prepare('UPDATE account SET code_step = ? WHERE name = ? AND epoch = ? AND code_step < ?')
  const useLink = db.prepare('UPDATE account SET link = NULL, link_until = NULL WHERE link = ? AND link_until > ?')
  const addPasskey = db.prepare('INSERT INTO passkey VALUES (?, ?, ?, ?)')
  const removePasskeys = db.prepare('DELETE FROM passkey WHERE account = ?')
  const passkeyOf = db.prepare('SELECT * FROM passkey WHERE id = ?')
  const count = db.prepare('UPDATE passkey SET counter = ? WHERE id = ?')

  const read = (row: unknown) => Account.optional().parse(row)
  const nobody = { password: nobodysHash(), code: newCodeSecret() }

  /** Writes what the account proves itself by from now on, and gives what is shown of it. */
  async function prepare(means: Means, now: number): Promise<(name: string) => Shown> {
    if (means.kind === 'passkey') {
      const link = randomBytes(32).toString('base64url')
      return name => {
        renew.run(newEpoch(), null, null, sha256(link), now + LINK_SERVES, name)
        return { kind: 'passkey', link }
      }
    }
    const password = await hashPassword(means.password)
    const codeSecret = newCodeSecret()
    return name => {
      renew.run(newEpoch(), password, codeSecret, null, null, name)
      return { kind: 'password', codeSecret }
    }
  }

  return {
    all: () => all.all().map(row => Account.parse(row)),
    isEmpty: () => any.get() === undefined,
    async make(name, role, means, now) {
      const give = await prepare(means, now)
      const handle = randomBytes(32).toString('base64url')
      return transaction(() => {
        const made = insert.run(name, role, newEpoch(), now, handle).changes === 1
        return made ? give(name) : undefined
      })
    },
    async reset(name, means, now) {
      const give = await prepare(means, now)
      return transaction(() => {
        if (read(byName.get(name)) === undefined) return undefined
        removePasskeys.run(name)
        return give(name)
      })
    },
    change: (name, role) => change.run(role, newEpoch(), name).changes === 1,
    remove: name => remove.run(name).changes === 1,
    find: name => read(byName.get(name)),
    async prove({ name, password, code }, now) {
      const account = read(byName.get(name))
      const isRight = await isPassword(password, account?.password ?? nobody.password)
      const step = stepOf(code, account?.code_secret ?? nobody.code, now)
      if (account === undefined || account.code_secret === null || !isRight || step === undefined) return undefined
      // Of two that come with one code at once, one finds it spent.
      return spend.run(step, name, account.epoch, step).changes === 1 ? provedBy(account) : undefined
    },
    invited: (link, now) => read(byLink.get(sha256(link), now)),
    enrol: (link, { id, key, counter }, now) =>
      transaction(() => {
        const account = read(byLink.get(sha256(link), now))
        if (account === undefined || useLink.run(sha256(link), now).changes !== 1) return false
        addPasskey.run(id, account.name, key, counter)
        return true
      }),
    passkey(id) {
      const passkey = Passkey.optional().parse(passkeyOf.get(id))
      const account = passkey && read(byName.get(passkey.account))
      return passkey && account && { passkey, account }
    },
    used: (id, counter) => count.run(counter, id),
  }
}

function newEpoch(): string {
  return randomBytes(16).toString('base64url')
}
