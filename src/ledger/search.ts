/** What an entry can be looked up by, and what a filter asks of it, in the same terms: the rest is for `matches` to say. */
import type { Entry } from './entry.ts'
import { outcomesOf } from './filter.ts'
import type { Filter } from './ledger.ts'

/** A name and a value of which an entry either has it or has it not: `peer huizhou`, `outcome refused`, `subject 9132…`. */
export type Term = string

/** The terms of an entry, each once. */
export function termsOf(entry: Entry): Term[] {
  const terms = [`kind ${entry.kind}`]
  if ('peer' in entry) terms.push(`peer ${entry.peer}`)
  if ('purpose' in entry) terms.push(`purpose ${entry.purpose}`)
  if ('department' in entry) terms.push(`department ${entry.department}`)
  for (const outcome of outcomesOf(entry)) terms.push(`outcome ${outcome}`)
  if ('subjects' in entry) for (const subject of new Set(entry.subjects)) terms.push(`subject ${subject}`)
  return terms
}

/**
 * What a filter asks of the terms of an entry: one at least of each list; the rarest first, since an index that finds nothing
 * of one need not look for the next. Its instants and its part of the matter are no terms.
 */
export function termsAsked({ subject, outcome, department, peer, purpose, kinds }: Filter): Term[][] {
  const asked = Object.entries({ subject, outcome, department, peer, purpose }).flatMap(([name, value]) =>
    value === undefined ? [] : [[`${name} ${value}`]],
  )
  return kinds === undefined ? asked : [...asked, kinds.map(kind => `kind ${kind}`)]
}

/**
 * A text that stands in the text of every entry whose matter has this part, to pass over the others unread; undefined where
 * there is none. RFC 8785 writes each character of a matter in one way only, so a part of it is written as it is there.
 */
export function writtenPart({ matter }: Filter): string | undefined {
  return matter?.isWellFormed() ? JSON.stringify(matter).slice(1, -1) : undefined
}
