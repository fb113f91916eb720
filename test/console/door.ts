/** The door of the console on a real server: real cookies, a real ledger, accounts as the command makes them, a clock to turn. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import type { Entry } from '#ledger/entry.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/sqlite.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { type Accounts, accounts } from '../../src/console/accounts.ts'
import type { Console } from '../../src/console/desk.ts'
import { codeAt } from '../../src/console/one-time-code.ts'
import type { Role, Staffing, StaffingOptions } from '../../src/console/staff.ts'
import { openStaffing } from '../../src/console/staff.ts'
import { openStaffStore, type StaffStore } from '../../src/console/staff-store.ts'
import { newLedger } from '../ledger/sample.ts'
import { type Answer, type Visitor, visitor } from './visitor.ts'

export const PASSWORD = 'correct horse battery staple'

/** A person with what they know and hold. Each code is asked for once, as an app shows it: the next one half a minute later. */
export type Person = { readonly name: string; readonly role: Role; readonly codeSecret: string }

/** Makes an account as `xinqiao staff new` does. */
export async function newPerson(known: Accounts, name: string, role: Role, now = Date.now()): Promise<Person> {
  const shown = await known.make(name, role, { kind: 'password', password: PASSWORD }, now)
  if (shown?.kind !== 'password') throw new Error(`${name} could not be made`)
  return { name, role, codeSecret: shown.codeSecret }
}

/** Signs in at the console under this address by name, password and code. */
export async function signIn(
  who: Visitor,
  { name, codeSecret }: Person,
  now: number,
  over: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const _csrf = await who.token('/console/sign-in')
  const form = { _csrf, name, password: PASSWORD, code: codeAt(codeSecret, now), return: '', ...over }
  return who.post('/console/sign-in', form)
}

export type Door = AsyncDisposable & {
  /** Reaches the same as `origin`, the address that staff type in. */
  readonly url: string
  readonly origin: string
  readonly data: string
  readonly known: Accounts
  readonly store: StaffStore
  readonly staffing: Staffing
  readonly ledger: Ledger
  /** Epoch milliseconds; turned by the test. */
  readonly clock: { now: number }
  /** Lines of the log. */
  readonly logged: unknown[]
  person(name: string, role?: Role): Promise<Person>
  /** Comes from an address of this machine. */
  visitor(from?: string): Visitor
  /** A visitor who has signed in. */
  inside(person: Person): Promise<Visitor>
  /** What staff did, in the ledger, oldest first. */
  done(): Promise<readonly Extract<Entry, { kind: 'staff' }>[]>
}

type Options = Partial<Pick<StaffingOptions, 'data'>> & {
  /** The provider's settings, where there is one, for a console under this origin. */
  readonly provider?: (origin: string) => StaffingOptions['provider']
  /** Certificate and key of the server, and who certified it. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string }
  readonly ledgerFails?: () => boolean
}

/** Pages behind the door: one that each role reaches, one that does something. */
function pages(staffing: Staffing): Hono<Console> {
  const app = new Hono<Console>()
  staffing.routes(app)
  const role = { '/': 'viewer', '/enterprise': 'auditor', '/ask': 'operator' } as const
  for (const [path, least] of Object.entries(role)) {
    app.get(path, staffing.require(least), async c => {
      const staff = c.get('staff')
      if (staff === undefined) return c.text('nobody', 500)
      await staffing.recorded(staff, 'viewed', path.slice(1) || 'today')
      return c.text(`${staff.name} ${staff.role} ${staff.csrf}`)
    })
    app.post(path, staffing.require(least), async c => c.text(`done ${String((await c.req.parseBody())['what'])}`))
  }
  return app
}

export async function openDoor({ tls, ledgerFails = () => false, ...options }: Options = {}): Promise<Door> {
  const stack = new AsyncDisposableStack()
  const clock = { now: Date.now() }
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'xinqiao-door-'))
  // Deferred first, so done last: when nobody has the store open any more.
  if (options.data === undefined) stack.defer(() => rmSync(data, { recursive: true, force: true }))
  const ledger = stack.use(openLedger(newLedger(), 'jiangyin'))
  const logged: unknown[] = []
  const server = tls === undefined ? createHttp() : createHttps({ key: tls.key, cert: tls.cert })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const scheme = tls === undefined ? 'http' : 'https'
  const origin = `${scheme}://localhost:${port}`
  const failing: Pick<Ledger, 'append'> = {
    append: (entry, evidence) =>
      ledgerFails() ? Promise.reject(refuse('ledger.unavailable', 'the disk is gone')) : ledger.append(entry, evidence),
  }
  const staffing = stack.use(
    openStaffing({
      data,
      city: 'jiangyin',
      ledger: failing,
      now: () => clock.now,
      log: { warn: (line: unknown) => logged.push(line) },
      origin,
      provider: options.provider?.(origin),
    }),
  )
  const store = stack.use(openStaffStore(data))
  const known = accounts(store)
  // What the frame of a page needs of the desk, and no gateway around it.
  const desk = { city: { id: 'jiangyin', members: { find: () => undefined } } }
  const outer = new Hono<{ Variables: { desk: typeof desk; language: 'zh' | 'en' } }>()
  outer.use(async (c, next) => {
    c.set('desk', desk)
    c.set('language', c.req.query('lang') === 'en' ? 'en' : 'zh')
    await next()
  })
  outer.route('/console', pages(staffing))
  // As the inside surface ends what fails.
  outer.onError((error, c) =>
    error instanceof Refusal ? c.text(error.code, error.status) : c.text(String(error), 500),
  )
  server.on('request', getRequestListener(outer.fetch))
  const url = `${scheme}://127.0.0.1:${port}`
  return {
    url,
    origin,
    data,
    known,
    store,
    staffing,
    ledger,
    clock,
    logged,
    person: (name, role = 'viewer') => newPerson(known, name, role, clock.now),
    visitor: from => visitor(url, { ...(tls && { ca: tls.ca }), ...(from && { from }) }),
    async inside(person) {
      const who = visitor(url, tls && { ca: tls.ca })
      const { status } = await signIn(who, person, clock.now)
      if (status !== 303) throw new Error(`${person.name} did not get in: ${status}`)
      return who
    },
    async done() {
      const found = await ledger.entries({ from: 0, limit: 1000 })
      return found.map(({ entry }) => entry).filter(entry => entry.kind === 'staff')
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The token of a session's forms, as its first page shows it. */
export async function csrfOf(who: Visitor): Promise<string> {
  return (await who.get('/console')).text.split(' ')[2] ?? ''
}
