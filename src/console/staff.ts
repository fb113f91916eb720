/** Nobody sees a page of the console who has not signed in, does what their role does not reach, or is not recorded doing it. */
import type { Hono, MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Logger } from 'pino'
import type { Entry } from '#ledger/entry.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { Code } from '#protocol/message.ts'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import { accounts } from './accounts.ts'
import { attempts } from './attempts.ts'
import { cookies } from './cookies.ts'
import { BASE, type Console, type Visit } from './desk.ts'
import { boundedForms, isOurForm, isSafe } from './form.ts'
import { openHall, wayBack } from './hall.ts'
import { reaches } from './layout.ts'
import { passkeyPages } from './passkey-pages.ts'
import { passkeys } from './passkeys.ts'
import { openProvider, type ProviderSettings } from './provider.ts'
import { providerPages } from './provider-pages.ts'
import { LOCAL, sessions } from './sessions.ts'
import { localPages } from './sign-in.ts'
import { goOnPage, overPage, roleRefusedPage, strangeFormPage } from './sign-in-words.ts'
import { openStaffStore } from './staff-store.ts'

/** Each may do what the one before it may. */
export type Role = 'viewer' | 'auditor' | 'operator'

/** Who has signed in. The name is as it stands in the ledger; `csrf` goes into the hidden field `_csrf` of every form. */
export type Staff = { readonly name: string; readonly role: Role; readonly csrf: string }

type StaffEntry = Extract<Entry, { kind: 'staff' }>
/** What somebody looked at, as the ledger keeps it; see `staff` in `#ledger/entry.ts`. */
type Seen = Partial<Pick<StaffEntry, 'subjects' | 'entries'>> & {
  /** An address: its values are masked here, whatever was typed. */
  readonly filter?: string
  /** What was said instead of looked for; already masked. */
  readonly said?: string
}

export type Staffing = Disposable & {
  /** Adds sign-in, sign-out and what belongs to them. Before the pages, since they are for everybody. */
  routes(app: Hono<Console>): void
  /**
   * Lets on whoever has signed in with this role or a higher one, and sets `c.get('staff')`. A request that may change
   * something has to be a form of this session, sent from a page of ours. Whoever is refused is told so, and recorded.
   */
  require(role: Role): MiddlewareHandler<Console>
  /**
   * Records what somebody is about to be shown or do. Resolves when the entry will survive a crash; rejects with
   * `ledger.unavailable`, and then the page must not be shown. `page` is a word (`enterprise`).
   */
  recorded(staff: Staff, action: StaffEntry['action'], page: string, seen?: Seen): Promise<void>
}

export type StaffingOptions = {
  /** The folder of `staff.sqlite`. */
  readonly data: string
  /** The id of the city. */
  readonly city: string
  readonly ledger: Pick<Ledger, 'append'>
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly log: Pick<Logger, 'warn'>
  /** The address that staff type in, as an origin (`https://credit.example:8080`); without it there are no passkeys. */
  readonly origin: string | undefined
  /** Who vouches for staff. With a provider the local accounts do not hold. */
  readonly provider: ProviderSettings | undefined
}

/** Opens what the console knows of its staff. Throws ConfigurationError where the file or the provider's secret is not sound. */
export function openStaffing({ data, city, ledger, now, log, origin, provider: named }: StaffingOptions): Staffing {
  const store = openStaffStore(data)
  const provider = named && openProvider(named, store.secret)
  const known = sessions(store, provider?.realm ?? LOCAL)
  const jar = cookies(city)

  const record = async (
    { name, role }: Pick<Staff, 'name' | 'role'>,
    action: StaffEntry['action'],
    page: string,
    { subjects = [], entries = [], filter, said }: Seen = {},
  ) => {
    const at = new Date(now()).toISOString()
    const text = said ?? masked(filter ?? '')
    const looked = text === '' ? {} : { filter: text.slice(0, 1000) }
    await ledger.append({ kind: 'staff', at, city, staff: name, role, action, page, subjects, entries, ...looked })
  }
  const hall = openHall({
    store,
    sessions: known,
    attempts: attempts(store),
    cookies: jar,
    now,
    record,
    log,
    accounts: provider === undefined ? accounts(store) : undefined,
  })
  const keys = origin === undefined ? undefined : passkeys(origin, city)

  const guard = (role: Role) =>
    createMiddleware<Console>(async (c, next) => {
      const staff = known.find(jar.get(c, 'session'), now())
      if (staff === undefined) {
        if (!isSafe(c)) return overPage(c)
        const { pathname, search } = new URL(c.req.url)
        // A link in another site's page: what a Strict cookie is kept back from. Our own page asks once more, with it.
        if (c.req.header('sec-fetch-site') === 'cross-site') return goOnPage(c, wayBack(pathname + search))
        return c.redirect(`${BASE}/sign-in?return=${encodeURIComponent(pathname + search)}`, 303)
      }
      c.set('staff', staff)
      if (!isSafe(c) && !(await isOurForm(c, staff.csrf))) {
        log.warn({ staff: staff.name, page: pageOf(c) }, 'a form of another page')
        return strangeFormPage(c)
      }
      if (!reaches(staff.role, role)) {
        await record(staff, 'refused', pageOf(c))
        return roleRefusedPage(c, staff.role, role)
      }
      return next()
    })

  return {
    routes(app) {
      app.use(boundedForms)
      if (provider !== undefined) providerPages(app, hall, provider)
      else localPages(app, hall, keys !== undefined)
      if (provider === undefined && keys !== undefined) passkeyPages(app, hall, keys)
      app.post('/sign-out', guard('viewer'), async c => {
        const staff = c.get('staff')
        // Ended before it is recorded: who wants to go must not be kept by a full disk.
        known.end(jar.get(c, 'session'))
        jar.drop(c, 'session')
        if (staff !== undefined) await record(staff, 'signed-out', 'sign-out')
        return c.redirect(`${BASE}/sign-in?out=1`, 303)
      })
    },
    require: guard,
    recorded: record,
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
}

/** An address with each of its values masked as it was typed: encoded, a number in other digits would not be seen. */
function masked(address: string): string {
  const values = [...new URLSearchParams(address)].map(([name, value]) => [name, maskPersonalNumbers(value)])
  return new URLSearchParams(values).toString()
}

/** The page that a path is of, in a word: its first step. */
function pageOf(c: Visit): string {
  const [, step = ''] = new URL(c.req.url).pathname.slice(BASE.length).split('/')
  const { success, data } = Code.safeParse(step)
  return success ? data : 'today'
}
