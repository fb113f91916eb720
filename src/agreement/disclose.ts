/** What leaves is what every gate lets pass and a clause names, field by field; all else stays, and the rule is said. */
import type { AnswerBody, Disclosure, Result, Value, WireRecord } from '#protocol/message.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { maskPersonalNumbers, type Subject } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import type { SharedFamily } from '#schema/translate.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { type Clause, type Judged, type Permission, reaches, type Scope } from './authorise.ts'

type Circumstances = { readonly subject: Subject; readonly today: string; readonly clauses: readonly Clause[] }

/**
 * The gates, in order; a record leaves only if none stops it. Each rule of the law or the agreement is one line here
 * and one test.
 */
export const gates: readonly {
  readonly rule: RefusalCode
  readonly stops: (record: SharedRecord, at: Circumstances) => boolean
}[] = [
  { rule: 'record.person', stops: record => record.aboutPerson !== false },
  { rule: 'record.ended', stops: record => record.state !== 'normal' && record.state !== 'objection' },
  {
    rule: 'record.ended',
    stops: (record, { today }) => record.publishedUntil !== undefined && record.publishedUntil < today,
  },
  { rule: 'record.ended', stops: (record, { today }) => record.endedOn !== undefined && record.endedOn <= today },
  { rule: 'agreement.family', stops: (_, { clauses }) => clauses.length === 0 },
  { rule: 'agreement.list', stops: (record, { clauses }) => !clauses.some(clause => admitsList(clause, record)) },
  { rule: 'agreement.scheme', stops: (record, { clauses }) => !clauses.some(clause => admitsScheme(clause, record)) },
  { rule: 'agreement.share-level', stops: (record, { clauses }) => !clauses.some(clause => admits(clause, record)) },
]

function admitsList({ lists }: Clause, { list }: SharedRecord): boolean {
  return lists === undefined || (list !== undefined && lists.has(list))
}

function admitsScheme({ schemes }: Clause, { scheme }: SharedRecord): boolean {
  return schemes === undefined || (scheme !== undefined && schemes.has(scheme))
}

/** Whether one and the same clause lets the record pass; clauses do not lend each other their parts. */
function admits(clause: Clause, record: SharedRecord): boolean {
  return reaches(clause.level, record.level) && admitsList(clause, record) && admitsScheme(clause, record)
}

/** The rule that stops a record, or undefined where it may leave. */
export function stoppedBy(record: SharedRecord, at: Circumstances): RefusalCode | undefined {
  return gates.find(gate => gate.stops(record, at))?.rule
}

/**
 * Makes the body of the answer: a result for each subject in the order of the question. Where a family could not be
 * read, or its source is stale, the subject's status says so, whatever else came.
 */
export function disclose(shared: readonly SharedFamily[], permission: Permission): Disclosure {
  const today = new Date(permission.at + 8 * 3_600_000).toISOString().slice(0, 10)
  const unknown = shared.flatMap(({ family, unknown }) => (unknown === undefined ? [] : [{ family, rule: unknown }]))
  const stale = shared.flatMap(({ family, unknown, freshness }) =>
    unknown === undefined && freshness.status !== 'fresh' ? [{ family, rule: 'source.stale' as const }] : [],
  )
  const status = unknown.length > 0 ? 'unknown' : stale.length > 0 ? 'stale' : 'answered'
  const said = [...unknown, ...stale]
  const resultOf = (each: Judged): Result => {
    if ('refused' in each) return { status: 'refused', rule: each.refused, records: [] }
    const { subject } = each
    const result: Result = { subject: subject.uscc, status, records: recordsOf(subject, shared, permission, today) }
    if (subject.doubt !== undefined) result.doubt = subject.doubt
    if (said.length > 0) result.unknown = said
    return result
  }
  return {
    agreement: permission.agreement,
    purpose: permission.purpose,
    withheld: permission.scope.withheld,
    freshness: shared.map(({ freshness }) => freshness),
    results: permission.judged.map(resultOf),
  } as Disclosure
}

function recordsOf(
  subject: Subject,
  shared: readonly SharedFamily[],
  { scope }: Permission,
  today: string,
): WireRecord[] {
  const leaving: WireRecord[] = []
  for (const { family, records } of shared) {
    const found = records.get(subject.uscc)
    if (found === undefined) continue
    const clauses = (scope.families.get(family) ?? []).filter(clause => clause.kinds.has(subject.kind))
    const at = { subject, today, clauses }
    for (const record of found) {
      if (stoppedBy(record, at) === undefined) leaving.push(given(record, clauses))
    }
  }
  return leaving
}

function given(record: SharedRecord, clauses: readonly Clause[]): WireRecord {
  const fields: Record<string, Value> = {}
  const masked: string[] = []
  for (const clause of clauses) {
    if (!admits(clause, record)) continue
    for (const [field, value] of Object.entries(record.fields)) {
      if (!clause.fields.has(field) || Object.hasOwn(fields, field)) continue
      fields[field] = mask(value, () => masked.push(field))
    }
  }
  const leaving: WireRecord = { id: record.id, family: record.family, fields }
  if (record.state === 'objection') leaving.objection = true
  if (masked.length > 0) leaving.masked = masked
  return leaving
}

/** Free text may hold what no field is meant to: identity and telephone numbers of persons. */
function mask(value: Value, note: () => void): Value {
  if (typeof value === 'string') {
    const text = maskPersonalNumbers(value)
    if (text !== value) note()
    return text
  }
  if ('untranslated' in value) {
    const untranslated = maskPersonalNumbers(value.untranslated)
    if (untranslated === value.untranslated) return value
    note()
    return { untranslated }
  }
  return value
}

/**
 * The same agreement, read from the asking side: names everything in an answer that the peer was not permitted to give
 * us. An answer with any excess is not used at all: who gives too much of one thing has not looked at the rest.
 */
export function excess(answer: AnswerBody, asked: readonly Subject[], scope: Scope, vocabulary: Vocabulary): string[] {
  if (answer.results.length !== asked.length) return ['results for other subjects than asked']
  return answer.results.flatMap(({ subject: uscc, records, status }, i) => {
    const subject = asked[i]
    if (status === 'refused')
      return records.length > 0 || uscc !== undefined ? [`results[${i}] refused and yet told`] : []
    if (subject === undefined || uscc !== subject.uscc) return [`results[${i}] about another subject`]
    return records.flatMap((record, j) => {
      const clauses = (scope.families.get(record.family) ?? []).filter(
        clause => clause.kinds.has(subject.kind) && namedBy(clause, record, vocabulary),
      )
      if (clauses.length === 0) return [`results[${i}].records[${j}] of ${record.family}`]
      return Object.keys(record.fields)
        .filter(field => !clauses.some(clause => clause.fields.has(field)))
        .map(field => `results[${i}].records[${j}].${field}`)
    })
  })
}

/** Whether a clause covers the list or scheme that a record says it is of; one that does not say so is of none. */
function namedBy({ lists, schemes }: Clause, { family, fields }: WireRecord, vocabulary: Vocabulary): boolean {
  const { listField, schemeField } = vocabulary.families.get(family) ?? {}
  const named = (names: ReadonlySet<string> | undefined, field: string | undefined) => {
    if (names === undefined || field === undefined) return true
    const value = fields[field]
    return typeof value === 'object' && 'code' in value && names.has(value.code)
  }
  return named(lists, listField) && named(schemes, schemeField)
}
