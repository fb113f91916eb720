/** Ready means that a question arriving now would be answered; each condition is looked at for itself and named. */
import type { City } from '#exchange/city.ts'
import { Refusal } from '#protocol/refusal.ts'
import { TRANSPORT } from '#trust/certificate.ts'
import type { Keys } from '#trust/keys.ts'
import { proveKey, provePath } from '#trust/members.ts'
import type { Metrics } from './metrics.ts'

export type Check = {
  readonly check: string
  readonly ok: boolean
  readonly detail?: string
  /** UTC instant after which it will no longer hold. */
  readonly until?: string
}

/** Every condition of readiness, in a fixed order. Never throws. */
export async function checkHealth(city: City, keys: Keys): Promise<readonly Check[]> {
  const now = city.now()
  return [
    ...(await Promise.all([
      checked('signing-certificate', () => until(proveKey(own(city), keys.signing, city.members.anchors, now))),
      checked('transport-certificate', () =>
        until(provePath(city.id, keys.transport.chain, city.members.anchors, now, TRANSPORT, keys.transport.file)),
      ),
      checked('ledger', async () => {
        await city.ledger.writable()
        return {}
      }),
      checked('agreements', () => inForceUntil(city, now)),
    ])),
    ...(await city.sources.check()).map(({ name, fault }) => ({
      check: `source:${name}`,
      ok: fault === undefined,
      ...(fault && { detail: fault }),
    })),
  ]
}

type Found = { readonly until?: string }

async function checked(check: string, look: () => Found | Promise<Found>): Promise<Check> {
  try {
    return { check, ok: true, ...(await look()) }
  } catch (error) {
    return { check, ok: false, detail: error instanceof Refusal ? error.message : 'failed' }
  }
}

function own(city: City) {
  const us = city.members.find(city.id)
  if (us === undefined) throw new Error('we are not a member')
  return us
}

function until(epochMilliseconds: number): Found {
  return { until: new Date(epochMilliseconds).toISOString() }
}

/** Ready with at least one agreement in force; says when the first of them ends. */
function inForceUntil({ agreements }: City, now: number): Found {
  const current = agreements.all.filter(({ begins, ends }) => begins <= now && now < ends)
  if (current.length === 0) throw new Error('no agreement is in force')
  return until(Math.min(...current.map(({ ends }) => ends)))
}

/** Shows the checks as metrics. */
export function show(checks: readonly Check[], metrics: Metrics): void {
  for (const { check, ok, until } of checks) {
    metrics.ready.set({ check }, ok ? 1 : 0)
    if (until !== undefined) metrics.until.set({ what: check }, Date.parse(until) / 1000)
  }
}
