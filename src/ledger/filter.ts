/** One meaning of a filter: every engine's index may only be faster than this, and finds what it finds. */
import type { Entry } from './entry.ts'
import type { Filter } from './ledger.ts'

/** Whether all that the filter names holds of the entry. What an entry has no word on does not fit a filter that asks it. */
export function matches(entry: Entry, filter: Filter): boolean {
  const { from, until, kinds, subject, matter, outcome } = filter
  return (
    (from === undefined || entry.at >= from) &&
    (until === undefined || entry.at < until) &&
    (kinds === undefined || kinds.includes(entry.kind)) &&
    (['peer', 'purpose', 'department'] as const).every(
      name => filter[name] === undefined || said(entry, name) === filter[name],
    ) &&
    (matter === undefined || ('matter' in entry && entry.matter.includes(matter))) &&
    (outcome === undefined || outcomesOf(entry).includes(outcome)) &&
    (subject === undefined || ('subjects' in entry && (entry.subjects ?? []).some(each => each === subject)))
  )
}

function said(entry: Entry, name: 'peer' | 'purpose' | 'department'): string | undefined {
  if (name === 'peer') return 'peer' in entry ? entry.peer : undefined
  if (name === 'purpose') return 'purpose' in entry ? entry.purpose : undefined
  return 'department' in entry ? entry.department : undefined
}

/** What came of it, in the words of a filter: `answered`, `refused` or `unknown`, and the code where there is one. */
export function outcomesOf(entry: Entry): readonly string[] {
  const code = 'code' in entry && entry.code !== undefined ? [entry.code] : []
  if (entry.kind === 'answered') return ['answered']
  if (entry.kind === 'refused' || entry.kind === 'declined') return ['refused', ...code]
  return entry.kind === 'outcome' ? [entry.outcome, ...code] : []
}
