/** Members, keys and revocation lists stay those of now while the gateway runs, from disk and from the peers; no restart. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Acquaintance, DRIFT } from '#exchange/acquaint.ts'
import { ConfigurationError, type Fault, readForm } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import { readLists } from '#trust/anchors.ts'
import { type Keys, notePublished, readKeys } from '#trust/keys.ts'
import type { LiveMembers } from '#trust/members.ts'
import { Bundle } from '#trust/statement.ts'
import type { Settings } from './settings.ts'
import { watch } from './watch.ts'

/** Milliseconds between two rounds in which every member is asked what it has to say of itself. */
export const ROUND = 60_000

/** The longest that a timer can wait; milliseconds. It goes off early, looks, and waits again. */
const LONGEST = 2 ** 31 - 1

export type Current = {
  /** Our keys of this instant. */
  readonly keys: () => Keys
  /** Calls with the new keys whenever they have changed. */
  onKeys(changed: (keys: Keys) => void): void
  /** Begins to watch and to ask; what it gives ends both. */
  begin(acquaintance: Acquaintance, round: number): { readonly stop: () => Promise<void> }
}

/**
 * Owns the keys of a running gateway; `first` are those it started with. `notes` is for the one of its processes that writes down
 * what it has published and learnt.
 */
export function keepCurrent(
  settings: Settings,
  members: LiveMembers,
  first: Keys,
  log: Logger,
  now: () => number,
  notes: boolean,
): Current {
  let keys = first
  const listeners: ((keys: Keys) => void)[] = []
  let timer: NodeJS.Timeout | undefined

  const again = () => void renew().catch(error => log.error({ err: error }, 'while taking up our keys'))
  /** Reads our keys anew. What is worse than before is not taken: a folder that is just being filled costs no question. */
  const renew = async () => {
    const faults: Fault[] = []
    const read = await readKeys(settings, settings.city, members, now(), faults)
    if (read === undefined || faults.length > 0) {
      log.error(
        { faults: new ConfigurationError(faults).message },
        'our keys as they are on disk cannot be used; we go on with those we have',
      )
      return
    }
    if (notes) {
      notePublished(settings.data, read, now())
      members.keepLists()
    }
    const before = keys
    keys = read
    if (before.signing.kid !== read.signing.kid) log.warn({ kid: read.signing.kid }, 'we sign with another key now')
    clearTimeout(timer)
    if (read.changesAt !== undefined) timer = setTimeout(again, Math.min(read.changesAt - now() + 1, LONGEST)).unref()
    for (const listener of listeners) listener(read)
  }
  const takeRoll = async () => {
    const path = join(settings.config, 'roll.json')
    if (!existsSync(path)) return
    const faults: Fault[] = []
    const bundle = readForm({ file: 'roll.json', text: readFileSync(path, 'utf8') }, Bundle, faults)
    if (faults.length > 0) log.error({ faults: new ConfigurationError(faults).message }, 'the roll cannot be read')
    if (bundle === undefined) return
    const outcome = await members.take(bundle, now())
    if (outcome === 'older') log.warn('the roll on disk is older than the one that we hold')
  }
  const changed = async (names: ReadonlySet<'lists' | 'roll' | 'keys' | 'certs'>) => {
    try {
      const faults: Fault[] = []
      if (names.has('lists')) readLists(settings.certs, members.anchors.crls, faults)
      if (faults.length > 0)
        log.error({ faults: new ConfigurationError(faults).message }, 'a revocation list cannot be read')
      if (names.has('roll')) await takeRoll()
    } catch (error) {
      // Whatever is wrong with the roll, the keys that changed with it are read all the same.
      log.error(
        error instanceof Refusal ? { code: error.code, detail: error.detail } : { err: error },
        'the roll on disk is not believed; we go on with the one that we hold',
      )
    }
    await renew()
  }
  const surveyed = async (acquaintance: Acquaintance) => {
    await acquaintance.everyone()
    for (const { peer, seconds } of acquaintance.drifts()) {
      if (Math.abs(seconds) > DRIFT)
        log.warn({ peer, seconds: Math.round(seconds) }, 'our clock and this peer’s differ')
    }
  }
  return {
    keys: () => keys,
    onKeys: listener => listeners.push(listener),
    begin(acquaintance, every) {
      const watching = watch(
        {
          lists: join(settings.certs, 'crls'),
          roll: join(settings.config, 'roll.json'),
          keys: settings.keys,
          certs: settings.certs,
        },
        names => changed(names).catch(error => log.error({ err: error }, 'while taking up what changed on disk')),
      )
      let round = Promise.resolve()
      const ask = () =>
        (round = surveyed(acquaintance).catch(error => log.error({ err: error }, 'while asking members')))
      ask()
      const rounds = setInterval(ask, every).unref()
      return {
        async stop() {
          clearInterval(rounds)
          clearTimeout(timer)
          await watching.stop()
          await round
        },
      }
    },
  }
}
