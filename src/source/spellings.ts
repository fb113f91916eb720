/** Before a table is first read its spellings are known, and they are learned again while it is read; what is not known is never taken for nothing. */
import { refuse } from '#protocol/refusal.ts'
import { learn, type Spellings } from './keys.ts'
import type { Source, Table } from './source.ts'

/** Learning a table may take one part in so many of the time. */
const SHARE = 100
/** So long a question waits for a table that was never read whole; milliseconds. */
const PATIENCE_MS = 1_500

type State = {
  known?: Spellings
  /** Epoch milliseconds between which what is known is taken as it is. */
  since: number
  until: number
  learning?: Promise<Spellings> | undefined
}

/**
 * The spellings of a table as they were `lifetimeMs` ago at the most, or, in a large one, as long as learning them takes a
 * hundred times. Older ones serve while the next are learned; those as old again do not. Rejects with a Refusal of a source's
 * fault where none are known.
 */
export function openSpellings(lifetimeMs: number, now: () => number) {
  const states = new Map<Table, State>()

  const begin = (source: Source, table: Table, state: State): Promise<Spellings> => {
    const begun = performance.now()
    state.learning ??= learn(source, table)
      .then(spellings => {
        state.known = spellings
        state.since = now()
        state.until = state.since + Math.max(lifetimeMs, (performance.now() - begun) * SHARE)
        return spellings
      })
      .finally(() => {
        state.learning = undefined
      })
    return state.learning
  }

  return (source: Source, table: Table): Spellings | Promise<Spellings> => {
    const state = states.get(table) ?? { since: 0, until: 0 }
    states.set(table, state)
    const at = now()
    if (state.known !== undefined && at < state.until) return state.known
    const learning = begin(source, table, state)
    if (state.known === undefined || at >= 2 * state.until - state.since) return inTime(learning, source)
    learning.catch(() => undefined)
    return state.known
  }
}

async function inTime(learning: Promise<Spellings>, { name }: Source): Promise<Spellings> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(refuse('source.slow', `${name}: not yet read whole`)), PATIENCE_MS)
  timer.unref()
  try {
    return await Promise.race([learning, late])
  } finally {
    clearTimeout(timer)
    learning.catch(() => undefined)
  }
}
