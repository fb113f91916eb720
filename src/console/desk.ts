/** A desk is everything that the console's pages show and do, put together once by the gateway; a page reads nothing else. */
import type { Context, Handler } from 'hono'
import type { Drift } from '#exchange/acquaint.ts'
import type { AskAnswer, AskRequest } from '#exchange/ask.ts'
import type { City } from '#exchange/city.ts'
import type { Gossip } from '#exchange/gossip.ts'
import type { Report, ReportFile, ReportRequest } from '#exchange/report.ts'
import type { Log } from '#ledger/log.ts'
import type { Refusal } from '#protocol/refusal.ts'
import type { Department, Departments } from '#trust/departments.ts'
import type { Kept } from './kept.ts'
import type { Lookout } from './lookout.ts'
import type { Mandates } from './mandates.ts'
import type { Staff, Staffing } from './staff.ts'
import type { Tally } from './tally.ts'
import type { Language } from './words.ts'

/** One condition of readiness, as `health.ts` finds it. `until` is an instant in UTC after which it will no longer hold. */
export type Condition = {
  readonly check: string
  readonly ok: boolean
  readonly detail?: string | undefined
  readonly until?: string | undefined
}

/** One count of a histogram, as prom-client gives it. */
type Measured = {
  readonly metricName?: string
  readonly labels: Readonly<Partial<Record<string, string | number>>>
  readonly value: number
}

/** How the console asks: for whom, counted as every other question of ours, and shown how often it likes. */
export type Asking = {
  readonly mandates: Mandates
  readonly kept: Kept
  /** As the department asks by its key, bounded, counted and logged alike. Both throw what asking throws, and `load.busy`. */
  readonly ask: (request: AskRequest, department: Department, city: City) => Promise<AskAnswer>
  readonly report: (request: ReportRequest, department: Department, city: City) => Promise<ReportFile>
  /** A report as a whole page that prints. */
  readonly reportPage: (report: Report) => Promise<string>
}

export type Desk = {
  /** As it is at this instant: a reload of the configuration puts another in its place, so it is read for each visit. */
  readonly city: City
  readonly drifts: () => readonly Drift[]
  readonly health: () => Promise<readonly Condition[]>
  /** Counts of the last 48 hours, by hour. */
  readonly tally: Tally
  /** What stands out, and by which thresholds. */
  readonly lookout: Lookout
  readonly asking: Asking
  /** Those that have a key; entries know them by their id. */
  readonly departments: Pick<Departments, 'all'>
  /** The folder of the configuration, where agreements' signatures and other cities' mappings lie. */
  readonly config: string
  /** Who may sign in, and what they may do. */
  readonly staff: Staffing
  /** The log that others can hold us to, and what was found of theirs. */
  readonly transparency: {
    readonly log: Pick<Log, 'newest' | 'inclusion' | 'origin' | 'keys'>
    readonly gossip: Pick<Gossip, 'contradictions' | 'againstUs' | 'acknowledge'>
  }
  /** Tells the gateway's own log what went wrong with a page. */
  readonly note: (refusal: Refusal) => void
  /** Seconds from a question's last byte to its answer, by direction: the histogram of the metrics. */
  readonly seconds: { get(): Promise<{ readonly values: readonly Measured[] }> }
}

/** What every page has at hand: `c.get('desk')`, `c.get('language')`, and whoever is signed in. */
export type Console = {
  Variables: { readonly desk: Desk; readonly language: Language; readonly staff: Staff | undefined }
}
export type Visit = Context<Console>
export type Visited = Handler<Console>

/** Where the console is mounted on the inside surface. */
export const BASE = '/console'
