/** A running gateway shows its ledger to its peers as a log that only grows, watches theirs, and stops where it cannot show it. */
import type { Logger } from 'pino'
import { Gauge } from 'prom-client'
import { type Gossip, openGossip } from '#exchange/gossip.ts'
import type { Post } from '#exchange/post.ts'
import { openWitness, type Witness } from '#exchange/witness.ts'
import { verifierKey } from '#ledger/checkpoint.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { type Contradiction, type Log, type LogStore, openLog } from '#ledger/log.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { Keys } from '#trust/keys.ts'
import type { Members } from '#trust/members.ts'
import type { LogMetadata } from '#trust/statement.ts'
import type { Metrics } from './metrics.ts'

export type Transparency = {
  readonly log: Log
  readonly witness: Witness
  /** What was found of all logs; what the console shows, and where an operator acknowledges it. */
  readonly gossip: Gossip
  /** What we say of our log in our own statement. */
  readonly published: LogMetadata
  /** The ledger, which takes nothing more once it is known not to be the one that was published: `ledger.contradicted`. */
  readonly ledger: Ledger
  /** Begins to follow the ledger and to ask the peers every so many milliseconds; what it gives ends both. */
  begin(round: number): { readonly stop: () => Promise<void> }
}

export type TransparencyOptions = {
  readonly city: string
  readonly ledger: Ledger
  readonly store: LogStore
  readonly keys: Pick<Keys, 'log'>
  readonly members: Members
  readonly post: Post
  readonly acquaint: (city: string) => Promise<void>
  readonly now: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Whether this process serves the inside, and so does what has to be done once: signs checkpoints, and asks the peers. */
  readonly inside: boolean
}

/** Milliseconds between two looks at whether the ledger has grown. */
const TICK = 1_000

/**
 * Opens the log of a ledger. Throws `ledger.contradicted` where the ledger is not the one of its own last checkpoint, or of a
 * checkpoint that a peer has cosigned; a peer that cannot be reached does not keep it from opening.
 */
export async function openTransparency(options: TransparencyOptions): Promise<Transparency> {
  const { city: us, ledger, store, keys, members, post, acquaint, now, log: lines, metrics, inside } = options
  const log = openLog({ store, city: us, id: ledger.id, key: keys.log, now })
  /** Why nothing more may be recorded. */
  let against: string | undefined

  const alarm = ({ city, name, detail }: Contradiction) =>
    lines.error({ of: city, contradiction: name, detail }, 'a log contradicts what it said before')
  const witness = openWitness({
    store,
    log,
    members,
    acquaint,
    now,
    contradicted: found => gossip.contradicted(found),
    suspected: city => void gossip.look(city),
  })
  const note = ({ code, detail, cause }: Refusal, peer: string) => {
    if (code === 'fault') lines.error({ peer, detail, err: cause }, 'while comparing logs')
    // Told once a minute already, by those who ask what peers have to say of themselves.
    else lines[code.startsWith('peer.un') || code === 'peer.slow' ? 'debug' : 'warn']({ peer, code, detail }, 'log')
  }
  const gossip: Gossip = openGossip({ us, store, log, witness, members, post, acquaint, now, alarm, note })

  /** Every process judges for itself: who signs the next checkpoint would find it too, but that is one of them. */
  const judged = async () => (await gossip.againstUs()) ?? (await againstEntries(log, store))
  /** Never throws. What cannot be read or written now is tried again; what is contradicted stays so until it no longer is. */
  const tick = async () => {
    try {
      const found = await judged()
      if (found !== undefined && against === undefined) lines.error({ detail: found }, 'nothing more is recorded')
      // A checkpoint more would be one more that cannot be true.
      if (found === undefined && inside && (await ledger.leads())) await log.integrate()
      against = found
    } catch (error) {
      if (error instanceof Refusal && error.code === 'ledger.contradicted') against = error.detail
      lines.error({ err: error }, 'while the log follows the ledger')
    }
  }
  against = await judged()
  if (inside) {
    if (against !== undefined) throw refuse('ledger.contradicted', against)
    await log.integrate()
    await gossip.continues()
    countContradictions(gossip, metrics)
  }

  const stopped = () => {
    if (against !== undefined) throw refuse('ledger.contradicted', against)
  }
  return {
    log,
    witness,
    gossip,
    published: { origin: log.origin, key: verifierKey(log.keys.log) },
    ledger: {
      ...ledger,
      append: async (entry, evidence) => {
        stopped()
        return await ledger.append(entry, evidence)
      },
      writable: async () => {
        stopped()
        await ledger.writable()
      },
    },
    begin(round) {
      const ticks = repeatedly(TICK, tick)
      const rounds = inside ? repeatedly(round, gossip.round) : undefined
      return {
        async stop() {
          await Promise.all([ticks.stop(), rounds?.stop()])
        },
      }
    },
  }
}

/**
 * Why the entries are not those of our last checkpoint, in words, as far as the tree shows it: of each level it reads what is not
 * in a full tile. Throws `ledger.contradicted` where that checkpoint is not ours.
 */
async function againstEntries(log: Log, store: LogStore): Promise<string | undefined> {
  const newest = await log.newest()
  if (newest === undefined) return undefined
  const { size, root } = newest
  const count = await store.count()
  if (count < size) return `there are ${count} entries, and the last checkpoint is of ${size}`
  const isWhole = Buffer.compare(await log.rootAt(size), root) === 0
  return isWhole ? undefined : `the entries are not those of the checkpoint of ${size} any more`
}

/** Works now and again every so many milliseconds, but never twice at once: what is slow becomes rarer. `work` never throws. */
function repeatedly(milliseconds: number, work: () => Promise<void>) {
  let running: Promise<void> | undefined
  const go = () => {
    running ??= work().finally(() => {
      running = undefined
    })
  }
  go()
  const timer = setInterval(go, milliseconds).unref()
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}

/** `xinqiao_log_contradiction{city}`: how many contradictions of a city's log nobody has acknowledged. */
function countContradictions(gossip: Gossip, { registry }: Metrics): void {
  new Gauge({
    name: 'xinqiao_log_contradiction',
    help: 'Contradictions found in the log of a city and not acknowledged by an operator',
    labelNames: ['city'] as const,
    registers: [registry],
    async collect() {
      this.reset()
      // Kept beside the ledger: while that cannot be read there are no samples, and readiness says why.
      for (const { city, acknowledged } of await gossip.contradictions().catch(() => [])) {
        if (acknowledged === undefined) this.inc({ city })
        else this.inc({ city }, 0)
      }
    },
  })
}
