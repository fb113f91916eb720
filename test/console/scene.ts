/** A console with something to show: a running federation in which questions were asked, answered and refused, and staff of each role. */
import { join } from 'node:path'
import { accounts } from '../../src/console/accounts.ts'
import type { Role } from '../../src/console/staff.ts'
import { openStaffStore } from '../../src/console/staff-store.ts'
import { type Running, runFederation } from '../federation.ts'
import { newPerson, type Person, signIn } from './door.ts'
import { type Visitor, visitor } from './visitor.ts'

export const roles = ['viewer', 'auditor', 'operator'] as const satisfies readonly Role[]

/** In the demo: the enterprise with records in several cities. */
export const USCC = '91320281250344877K'

export type Scene = AsyncDisposable & {
  readonly running: Running
  /** Of the console's server, without a path. */
  readonly url: string
  /** Who has signed in, by role. */
  readonly staff: Readonly<Record<Role, Visitor>>
  /** Somebody with an account who has not signed in yet. */
  newcomer(role: Role): Promise<Person>
}

/** Names as they stand in the ledger, by role. */
export const names: Readonly<Record<Role, string>> = { viewer: '陈静', auditor: '李伟', operator: '王敏' }

export async function openScene(
  options: Parameters<typeof runFederation>[0] & {
    readonly play?: (running: Running) => Promise<void>
  } = {},
): Promise<Scene> {
  const { play = async () => {}, ...federation } = options
  await using opened = new AsyncDisposableStack()
  const running = opened.use(await runFederation(federation))
  const gateway = running.gateway('jiangyin')
  await play(running)
  const { data } = running.federation.city('jiangyin').settings
  const store = opened.use(openStaffStore(data))
  const known = accounts(store)
  const entered = async (role: Role) => {
    const who = visitor(gateway.insideUrl)
    const { status, text } = await signIn(who, await newPerson(known, names[role], role), Date.now())
    if (status !== 303) throw new Error(`${role} did not get in: ${status} ${text}`)
    return who
  }
  const staff = {
    viewer: await entered('viewer'),
    auditor: await entered('auditor'),
    operator: await entered('operator'),
  }
  const kept = opened.move()
  const newcomer = (role: Role) => newPerson(known, `新来的${role}`, role)
  return { running, url: gateway.insideUrl, staff, newcomer, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** The day of an office: questions from two cities, one of them beyond its agreement, and ours to all. */
export async function usualDay(running: Running, subject: string = USCC): Promise<void> {
  const want = [{ family: 'licence' }, { family: 'penalty' }, { family: 'list' }, { family: 'rating' }]
  for (const [i, purpose] of ['tendering', 'tendering', 'procurement', 'tendering'].entries()) {
    await running.query('huizhou', 'jiangyin', { want, purpose, subjects: [subject], matter: `惠招〔2026〕01${i}号` })
  }
  await running.query('huizhou', 'jiangyin', {
    want,
    matter: '惠招〔2026〕018号',
    subjects: [subject, '91320281MA1W7XUN8M', '91441300618891434X'],
  })
  await running.query('huizhou', 'jiangyin', { purpose: 'awards', subjects: [subject], matter: '惠评〔2026〕7号' })
  const ask = (peer: string, purpose: string, matter: string) =>
    running.ask('jiangyin', { peer, subjects: [subject], purpose, matter })
  await ask('huizhou', 'tendering', '澄招〔2026〕00123号')
  await ask('*', 'tendering', '澄招〔2026〕00124号')
  await ask('huizhou', 'awards', '澄评〔2026〕3号')
}

/** Where the file with the mandates of staff lies. */
export function mandatesOf(running: Running): string {
  return join(running.federation.city('jiangyin').settings.data, 'mandates.json')
}
