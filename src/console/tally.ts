/** How many questions went in and out in each of the last hours, by peer, purpose and outcome: counts alone, and not many of them. */
import type { Entry } from '#ledger/entry.ts'
import type { Recorded } from '#ledger/ledger.ts'

const HOUR = 3_600_000
/** Hours that are kept; older ones are forgotten as newer ones come. */
const HOURS = 48
/** Lines of one hour. A peer may make up purposes without end; what is more is counted together, as purpose `…`. */
const LINES = 1_000

/** What is counted together. */
type Line = {
  readonly direction: 'in' | 'out'
  /** The other city; `*` where a question to all of them was declined at home. */
  readonly peer: string
  /** Of our own questions: who asked. */
  readonly department?: string
  readonly purpose: string
  /** `declined`: refused at home, nothing was sent. `unknown`: no answer that could be believed came back. */
  readonly outcome: 'answered' | 'refused' | 'unknown' | 'declined'
  /** Why it was not answered: a code of the table of refusals. */
  readonly code?: string
}

export type Count = Line & {
  /** Start of the hour, epoch milliseconds; hours of Asia/Shanghai begin with those of UTC. */
  readonly hour: number
  readonly questions: number
  readonly subjects: number
}

export type Tally = {
  /** Counts an entry; each is to be shown once. Kinds that are no question are passed over. */
  see(recorded: Recorded): void
  /** The lines of every hour that begins within [from, until), both epoch milliseconds; the oldest hour first. */
  counts(from: number, until: number): readonly Count[]
}

/** A tally of the last 48 hours before the newest entry that it was shown. Never throws. */
export function openTally(): Tally {
  const hours = new Map<number, Map<string, Count>>()
  let newest = 0
  return {
    see({ entry }) {
      const line = lineOf(entry)
      if (line === undefined) return
      const hour = Math.floor(Date.parse(entry.at) / HOUR) * HOUR
      if (hour <= newest - HOURS * HOUR) return
      if (hour > newest) {
        newest = hour
        for (const each of hours.keys()) if (each <= newest - HOURS * HOUR) hours.delete(each)
      }
      const lines = hours.get(hour) ?? new Map<string, Count>()
      hours.set(hour, lines)
      const wanted = keyOf(line)
      const folded = lines.has(wanted) || lines.size < LINES ? line : { ...line, purpose: '…' }
      const key = folded === line ? wanted : keyOf(folded)
      const { questions, subjects } = lines.get(key) ?? { questions: 0, subjects: 0 }
      lines.set(key, { ...folded, hour, questions: questions + 1, subjects: subjects + askedAbout(entry) })
    },
    counts: (from, until) =>
      [...hours]
        .filter(([hour]) => from <= hour && hour < until)
        .sort(([a], [b]) => a - b)
        .flatMap(([, lines]) => [...lines.values()]),
  }
}

function askedAbout(entry: Entry): number {
  return 'subjects' in entry ? (entry.subjects?.length ?? 0) : 0
}

function keyOf({ direction, peer, department = '', purpose, outcome, code = '' }: Line): string {
  return [direction, peer, department, purpose, outcome, code].join(' ')
}

/** Our own question counts when its outcome is known: what a crash cut off has none, and the log shows it. */
function lineOf(entry: Entry): Line | undefined {
  switch (entry.kind) {
    case 'answered':
      return { direction: 'in', peer: entry.peer, purpose: entry.purpose, outcome: 'answered' }
    case 'refused':
      return { direction: 'in', peer: entry.peer, purpose: entry.purpose, outcome: 'refused', code: entry.code }
    case 'outcome': {
      const { peer, department, purpose, outcome, code } = entry
      return { direction: 'out', peer, department, purpose, outcome, ...(code !== undefined && { code }) }
    }
    case 'declined': {
      const { peer, department, purpose, code } = entry
      return { direction: 'out', peer, department, purpose, outcome: 'declined', code }
    }
    default:
      return undefined
  }
}
