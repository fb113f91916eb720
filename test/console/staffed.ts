/** A federation whose first city's console has staff of every role, who have signed in as they would by hand. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Entry } from '#ledger/entry.ts'
import { accounts } from '../../src/console/accounts.ts'
import type { Role } from '../../src/console/staff.ts'
import { openStaffStore } from '../../src/console/staff-store.ts'
import { type Running, runFederation } from '../federation.ts'
import { newPerson, signIn } from './door.ts'
import { type Visitor, visitor } from './visitor.ts'

export type Staffed = AsyncDisposable & {
  readonly running: Running
  /** Who has signed in at Jiangyin, by role; named like it. */
  readonly by: Readonly<Record<Role, Visitor>>
  /** Who asks for which departments of Jiangyin from now on, as JSON or any other text. */
  mandate(file: string): void
  /** Entries of Jiangyin's ledger of one kind, oldest first. */
  entries<K extends Entry['kind']>(kind: K): Promise<readonly Extract<Entry, { kind: K }>[]>
}

type Options = Parameters<typeof runFederation>[0] & {
  /** Statements that change a city's tables before its gateway starts. */
  readonly tables?: Readonly<Record<string, string>>
}

export async function staffed({ tables = {}, ...options }: Options = {}): Promise<Staffed> {
  const stack = new AsyncDisposableStack()
  const running = stack.use(
    await runFederation({
      ...options,
      settle: settings => {
        const change = tables[settings.city]
        const [source = ''] = settings.sources.values()
        if (change !== undefined) {
          using db = new DatabaseSync(source.slice('sqlite:'.length))
          db.exec(change)
        }
        return settings
      },
    }),
  )
  const { data } = running.federation.city('jiangyin').settings
  const mandate = (file: string) => writeFileSync(join(data, 'mandates.json'), file)
  mandate('{"operator":["demo"]}')
  const url = running.gateway('jiangyin').insideUrl
  using store = openStaffStore(data)
  const known = accounts(store)
  const come = async (role: Role) => {
    const who = visitor(url)
    const { status } = await signIn(who, await newPerson(known, role, role), Date.now())
    if (status !== 303) throw new Error(`${role} did not get in: ${status}`)
    return who
  }
  const by = { viewer: await come('viewer'), auditor: await come('auditor'), operator: await come('operator') }
  return {
    running,
    by,
    mandate,
    async entries(kind) {
      const { ledger } = running.gateway('jiangyin').city
      const all = await ledger.entries({ from: 0, limit: 10_000 })
      const is = (entry: Entry): entry is Extract<Entry, { kind: typeof kind }> => entry.kind === kind
      return all.map(({ entry }) => entry).filter(is)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** What a page says, without its marks: for looking whether a text stands in it as a text. */
export function said(page: string): string {
  const words = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  return words
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}
