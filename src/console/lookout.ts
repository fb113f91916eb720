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

/** Thresholds, and whether they are the city's own; else those shipped hold. */
export type Watched = { readonly thresholds: Thresholds; readonly own: boolean }

export type Lookout = AsyncDisposable & {
  readonly tally: Tally
  readonly unusual: Unusual
  readonly own: boolean
  /** Whether both have seen all that stands in the ledger now; waits so many milliseconds for it, and no longer. */
  caughtUp(ms: number): Promise<boolean>
  /**
   * Goes by other thresholds from now on. Reads back as at a start, so that the same entries give the same alerts whenever the
   * thresholds came; what was told to the log is not told again.
   */
  goBy(watched: Watched): Promise<void>
}

/**
 * Begins as far back as alerts are shown, and what they are compared with before that. Counts alerts in the registry, and
 * tells the log of each new one: who, by which rule, how many, never about whom or for what.
 */
export function openLookout(
  ledger: Ledger,
  first: Watched,
  registry: Registry,
  log: Logger,
  now: () => number,
): Lookout {
  const begin = ({ thresholds, own }: Watched, told: ReadonlySet<string>) => {
    const tally = openTally()
    const unusual = openUnusual(thresholds, now, ({ id, asker, measured, since, until }) => {
      if (told.has(id) || Date.parse(until) < now() - NEWS) return
      log.warn({ ...asker, ...countsOf(measured), since }, 'unusual use')
    })
    if (!own) log.warn({ file: THRESHOLDS }, 'there is no such file: the shipped thresholds of unusual use hold')
    const following = follow(
      ledger,
      now() - (thresholds.volume.days + SHOWN_DAYS) * DAY,
      recorded => {
        tally.see(recorded)
        unusual.see(recorded)
      },
      error => log.error({ err: error }, 'the ledger cannot be followed'),
    )
    return { tally, unusual, own, following }
  }
  let current = begin(first, new Set())
  new Gauge({
    name: 'xinqiao_unusual_use',
    help: 'Alerts of unusual use that nobody has acknowledged, by who asks and by which rule',
    labelNames: ['direction', 'asker', 'rule'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const { asker, measured, acknowledged } of current.unusual.alerts()) {
        if (acknowledged === undefined) this.inc({ direction: asker.direction, asker: asker.name, rule: measured.rule })
      }
    },
  })
  return {
    get tally() {
      return current.tally
    },
    get unusual() {
      return current.unusual
    },
    get own() {
      return current.own
    },
    async caughtUp(ms) {
      const late = Promise.withResolvers<boolean>()
      const timer = setTimeout(late.resolve, ms, false)
      const seen = current.following.caughtUp().then(() => true)
      return Promise.race([seen, late.promise]).finally(() => clearTimeout(timer))
    },
    async goBy(watched) {
      const { following, unusual } = current
      current = begin(watched, new Set(unusual.alerts().map(({ id }) => id)))
      await following[Symbol.asyncDispose]()
    },
    [Symbol.asyncDispose]: () => current.following[Symbol.asyncDispose](),
  }
}

/** What was measured but for the words of the asker. */
function countsOf(measured: Alert['measured']): Readonly<Record<string, unknown>> {
  if (measured.rule !== 'same-matter') return measured
  const { matter: _, ...counts } = measured
  return counts
}
