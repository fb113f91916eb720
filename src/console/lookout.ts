/** One reading of the ledger feeds whoever counts and whoever watches, from the gateway's start to its end. */

import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import type { Ledger } from '#ledger/ledger.ts'
import { follow } from './follow.ts'
import { openTally, type Tally } from './tally.ts'
import { THRESHOLDS, type Thresholds } from './thresholds.ts'
import { type Alert, openUnusual, SHOWN_DAYS, type Unusual } from './unusual.ts'

const DAY = 86_400_000
/** An alert older than this is found again after a restart; whoever reads the log was told of it then. */
const NEWS = 3_600_000

export type Lookout = AsyncDisposable & {
  readonly tally: Tally
  readonly unusual: Unusual
  /** Whether the thresholds are the city's own; else those shipped hold. */
  readonly own: boolean
  /** Whether both have seen all that stands in the ledger now; waits so many milliseconds for it, and no longer. */
  caughtUp(ms: number): Promise<boolean>
}

/**
 * Begins as far back as alerts are shown, and what they are compared with before that. Counts alerts in the registry, and
 * tells the log of each new one: who, by which rule, how many, never about whom or for what.
 */
export function openLookout(
  ledger: Ledger,
  { thresholds, own }: { readonly thresholds: Thresholds; readonly own: boolean },
  registry: Registry,
  log: Logger,
  now: () => number,
): Lookout {
  const tally = openTally()
  const unusual = openUnusual(thresholds, ({ asker, measured, since, until }) => {
    if (Date.parse(until) < now() - NEWS) return
    log.warn({ ...asker, ...countsOf(measured), since }, 'unusual use')
  })
  if (!own) log.warn({ file: THRESHOLDS }, 'there is no such file: the shipped thresholds of unusual use hold')
  new Gauge({
    name: 'xinqiao_unusual_use',
    help: 'Alerts of unusual use that nobody has acknowledged, by who asks and by which rule',
    labelNames: ['direction', 'asker', 'rule'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const { asker, measured, acknowledged } of unusual.alerts()) {
        if (acknowledged === undefined) this.inc({ direction: asker.direction, asker: asker.name, rule: measured.rule })
      }
    },
  })
  const since = now() - (thresholds.volume.days + SHOWN_DAYS) * DAY
  const following = follow(
    ledger,
    since,
    recorded => {
      tally.see(recorded)
      unusual.see(recorded)
    },
    error => log.error({ err: error }, 'the ledger cannot be followed'),
  )
  return {
    tally,
    unusual,
    own,
    async caughtUp(ms) {
      const late = Promise.withResolvers<boolean>()
      const timer = setTimeout(late.resolve, ms, false)
      const seen = following.caughtUp().then(() => true)
      return Promise.race([seen, late.promise]).finally(() => clearTimeout(timer))
    },
    [Symbol.asyncDispose]: () => following[Symbol.asyncDispose](),
  }
}

/** What was measured but for the words of the asker. */
function countsOf(measured: Alert['measured']): Readonly<Record<string, unknown>> {
  if (measured.rule !== 'same-matter') return measured
  const { matter: _, ...counts } = measured
  return counts
}
