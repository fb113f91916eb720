/** Ready means that a question arriving now would be answered; each condition is looked at for itself and named. */
import { z } from 'zod'
import { DRIFT, type Drift } from '#exchange/acquaint.ts'
import type { City } from '#exchange/city.ts'
import { CityId, Instant } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { newestLists, proveKey, provePath } from '#trust/anchors.ts'
import { TRANSPORT } from '#trust/certificate.ts'
import type { Metrics } from './metrics.ts'
import type { Running, Standing } from './reload.ts'

const Check = z
  .strictObject({
    check: z.string().meta({ description: 'the condition 条件' }),
    ok: z.boolean(),
    detail: z.string().optional().meta({ description: 'what is wrong, or soon will be 说明' }),
    until: Instant.optional().meta({ description: 'after this instant it will no longer hold 有效期至' }),
  })
  .readonly()
  .meta({ id: 'Check' })
export type Check = z.infer<typeof Check>

/** What `/health/ready` answers. */
export const Readiness = z
  .strictObject({ ready: z.boolean(), city: CityId, checks: z.array(Check) })
  .meta({ id: 'Readiness' })

/**
 * Every condition of readiness, in a fixed order. Never throws. Why one is not met is told to `note` in the words of the
 * system, which may be more than the surface shows.
 */
export async function checkHealth(
  running: Pick<Running, 'city' | 'standing'>,
  drifts: readonly Drift[],
  note: (check: string, detail: string) => void,
  processes?: () => Processes,
): Promise<readonly Check[]> {
  const city = running.city()
  const now = city.now()
  const { signing, transport } = city.keys()
  const { anchors, roll } = city.members
  const checked = async (check: string, look: () => Found | Promise<Found>): Promise<Check> => {
    try {
      return { check, ok: true, ...(await look()) }
    } catch (error) {
      note(check, error instanceof Error ? error.message : String(error))
      return { check, ok: false, detail: said(error) }
    }
  }
  return [
    ...(await Promise.all([
      checked('signing-certificate', () => until(proveKey(city.id, signing, anchors, now))),
      checked('transport-certificate', () => until(provePath(city.id, transport.chain, anchors, now, TRANSPORT))),
      checked('roll', () => rollUntil(city, roll, now)),
      checked('revocation-lists', () => listsUntil(city, now)),
      checked('clock', () => clockDetail(drifts)),
      checked('ledger', async () => {
        await city.ledger.writable()
        return {}
      }),
      checked('agreements', () => inForceUntil(city, now)),
      checked('configuration', () => configurationDetail(running.standing())),
      ...(processes === undefined ? [] : [checked('workers', () => processesDetail(processes()))]),
    ])),
    ...(await sources(city, note)),
  ]
}

async function sources(city: City, note: (check: string, detail: string) => void): Promise<Check[]> {
  try {
    const states = await city.sources.check()
    for (const { name, fault, detail } of states) if (fault !== undefined) note(`source:${name}`, detail ?? fault)
    return states.map(({ name, fault }) => ({
      check: `source:${name}`,
      ok: fault === undefined,
      ...(fault && { detail: fault }),
    }))
  } catch (error) {
    note('source', error instanceof Error ? error.message : String(error))
    return [{ check: 'source', ok: false, detail: said(error) }]
  }
}

type Found = { readonly until?: string; readonly detail?: string }

function said(error: unknown): string {
  return error instanceof Refusal ? error.message : 'failed'
}

/** The roll names us and has not ended. */
function rollUntil({ id, members }: City, { number, until: end }: City['members']['roll'], now: number): Found {
  if (members.find(id) === undefined)
    throw refuse('token.issuer', now < end ? 'we are not on the roll' : 'the roll has ended')
  return { ...until(end), detail: `number ${number}` }
}

/**
 * The list that has to be renewed first among those in use. One that has outlived its nextUpdate is still taken for as long as the
 * federation's rules say, and that is said here before it ends.
 */
function listsUntil({ members: { anchors } }: City, now: number): Found {
  const [first] = newestLists(anchors).toSorted((a, b) => +a.nextUpdate - +b.nextUpdate)
  if (first === undefined) throw refuse('token.certificate', 'there is no revocation list')
  const end = +first.nextUpdate + anchors.grace()
  if (now > end) throw refuse('token.certificate', `the list of ${first.issuer.text} has ended`)
  if (now <= +first.nextUpdate) return until(+first.nextUpdate)
  return {
    ...until(end),
    detail: `in grace: the list of ${first.issuer.text} ended at ${first.nextUpdate.toISOString()}`,
  }
}

/** Clocks that differ by more than half of what a message may differ by; it is said, and does not stop us. */
function clockDetail(drifts: readonly Drift[]): Found {
  const far = drifts.filter(({ seconds }) => Math.abs(seconds) > DRIFT)
  if (far.length === 0) return {}
  return {
    detail: far.map(({ peer, seconds }) => `${peer} ${seconds > 0 ? '+' : ''}${Math.round(seconds)} s`).join(', '),
  }
}

function until(epochMilliseconds: number): Found {
  return { until: new Date(epochMilliseconds).toISOString() }
}

/** Ready with at least one agreement in force; says when the first of them ends, and which are not in force. */
function inForceUntil({ agreements }: City, now: number): Found {
  const resting = agreements.idle.map(({ id, why }) => `${id} rests: ${why}`)
  const idle = agreements.all.flatMap(({ text, begins, ends }) => {
    if (now < begins) return [`${text.id} begins on ${text.validFrom}`]
    return now < ends ? [] : [`${text.id} ended on ${text.validTo}`]
  })
  const detail = [...idle, ...resting].join(', ')
  const current = agreements.all.filter(({ begins, ends }) => begins <= now && now < ends)
  if (current.length === 0) throw refuse('agreement.unknown', `none is in force${detail && `: ${detail}`}`)
  return { ...until(Math.min(...current.map(({ ends }) => ends))), ...(detail && { detail }) }
}

/** How many processes answer peers, and how many should. */
export type Processes = { readonly open: number; readonly wanted: number }

function processesDetail({ open, wanted }: Processes): Found {
  if (open < wanted) throw refuse('load.busy', `${open} of ${wanted} workers answer`)
  return { detail: `${open} of ${wanted}` }
}

/** Which one holds, since when; and that what lies on disk was not taken, which does not stop us. */
function configurationDetail({ digest, since, refused }: Standing): Found {
  const holds = `${digest.slice(0, 12)} since ${new Date(since).toISOString()}`
  return { detail: refused === undefined ? holds : `${holds}; what is on disk is not taken: ${refused}` }
}

/** Shows the checks as metrics. */
export function show(checks: readonly Check[], metrics: Metrics): void {
  for (const { check, ok, until } of checks) {
    metrics.ready.set({ check }, ok ? 1 : 0)
    if (until !== undefined) metrics.until.set({ what: check }, Date.parse(until) / 1000)
  }
}
