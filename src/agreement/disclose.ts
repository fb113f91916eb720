/** What leaves is what every gate lets pass and a clause names, field by field; all else stays, and the rule is said. */
import { dayOf } from '#protocol/day.ts'
import type { AnswerBody, Disclosure, Result, Value, WireRecord } from '#protocol/message.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import { maskPersonalNumbers, type Subject } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import type { SharedFamily } from '#schema/translate.ts'
import type { Field, Vocabulary } from '#schema/vocabulary.ts'
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
 *
 * Every object here is made with its members in the order of RFC 8785, so that the engine's own JSON is the canonical
 * text: a canonical writer costs several times as much. A property test holds the two to each other.
 */
export function disclose(shared: readonly SharedFamily[], permission: Permission): Disclosure {
  const { agreement, purpose, scope, at } = permission
  const today = dayOf(at)
  const unknown = shared.flatMap(({ family, unknown: rule, freshness: { status } }) => {
    if (rule !== undefined) return [{ family, rule }]
    return status === 'fresh' ? [] : [{ family, rule: 'source.stale' as const }]
  })
  const status = shared.some(family => family.unknown !== undefined)
    ? 'unknown'
    : unknown.length > 0
      ? 'stale'
      : 'answered'
  const resultOf = (each: Judged): Result => {
    if ('refused' in each) return { records: [], rule: each.refused, status: 'refused' }
    const { uscc, doubt } = each.subject
    return {
      ...(doubt !== undefined && { doubt }),
      records: recordsOf(each.subject, shared, scope, today),
      status,
      subject: uscc,
      ...(unknown.length > 0 && { unknown }),
    }
  }
  const changing = {
    agreement: { digest: agreement.digest, id: agreement.id },
    freshness: shared.map(({ freshness: { asOf, family, status } }) => ({
      ...(asOf !== undefined && { asOf }),
      family,
      status,
    })),
    purpose,
    results: permission.judged.map(resultOf),
  }
  // `withheld` is last in the order, and the same for every answer of this scope: written once.
  const text = `${JSON.stringify(changing).slice(0, -1)},"withheld":${scope.withheldText}}`
  const body: AnswerBody = { ...changing, withheld: [...scope.withheld] }
  return { body, text } as Disclosure
}

function recordsOf(subject: Subject, shared: readonly SharedFamily[], scope: Scope, today: string): WireRecord[] {
  const leaving: WireRecord[] = []
  for (const { family, records } of shared) {
    const found = records.get(subject.uscc)
    if (found === undefined) continue
    const clauses = (scope.families.get(family) ?? []).filter(clause => clause.kinds.has(subject.kind))
    const at = { subject, today, clauses }
    for (const record of found) {
      if (stoppedBy(record, at) === undefined) leaving.push(leave(record, clauses))
    }
  }
  return leaving
}

function leave(record: SharedRecord, clauses: readonly Clause[]): WireRecord {
  const fields: Record<string, Value> = {}
  const masked: string[] = []
  for (const field of permittedFields(record, clauses)) {
    const value = record.fields[field]
    if (value === undefined) continue
    const open = mask(value)
    if (open !== value) masked.push(field)
    fields[field] = open
  }
  return {
    family: record.family,
    fields,
    id: record.id,
    ...(masked.length > 0 && { masked }),
    ...(record.state === 'objection' && { objection: true as const }),
  }
}

/** The fields that any clause gives of this record, sorted. */
function permittedFields(record: SharedRecord, clauses: readonly Clause[]): Iterable<string> {
  const admitting = clauses.filter(clause => admits(clause, record))
  const [only] = admitting
  if (admitting.length === 1 && only !== undefined) return only.fields
  return [...new Set(admitting.flatMap(({ fields }) => [...fields]))].sort()
}

/** Free text may hold what no field is meant to: identity and telephone numbers of persons. The same value where it holds none. */
function mask(value: Value): Value {
  if (typeof value === 'string') return maskPersonalNumbers(value)
  if (!('untranslated' in value)) return value
  const untranslated = maskPersonalNumbers(value.untranslated)
  return untranslated === value.untranslated ? value : { untranslated }
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

/**
 * Names everything in which an answer contradicts itself, or speaks of what was not asked: each family asked for has its
 * freshness, an answer that lacks one says so, and each value is of its field's kind. Without this, an answer that vouches
 * for nothing could be read as one that found nothing.
 */
export function contradictions(answer: AnswerBody, scope: Scope, vocabulary: Vocabulary): string[] {
  const families = answer.freshness.map(({ family }) => family)
  const asked = [...scope.families.keys()]
  const found: string[] = []
  if (families.length !== asked.length || !asked.every(family => families.includes(family))) found.push('freshness')
  if (answer.withheld.some(({ family }) => !vocabulary.families.has(family))) found.push('withheld')
  const fresh = answer.freshness.every(({ status }) => status === 'fresh')
  for (const [i, { status, records, unknown = [] }] of answer.results.entries()) {
    if (status === 'refused') continue
    if ((status === 'answered') !== (fresh && unknown.length === 0)) found.push(`results[${i}].status`)
    if (!unknown.every(({ family }) => scope.families.has(family))) found.push(`results[${i}].unknown`)
    for (const [j, { family, fields }] of records.entries()) {
      const known = vocabulary.families.get(family)?.fields
      for (const [name, value] of Object.entries(fields)) {
        if (!fits(value, known?.get(name), vocabulary)) found.push(`results[${i}].records[${j}].${name}`)
      }
    }
  }
  return found
}

const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$|^indefinite$/
const DECIMAL = /^-?[0-9]+(\.[0-9]+)?$/

/** Whether a value is of the field's type, and its codes of the field's set; what was not translated there is of any. */
function fits(value: Value, field: Field | undefined, vocabulary: Vocabulary): boolean {
  if (field === undefined) return false
  if (typeof value === 'string') {
    if (field.type === 'date') return DATE.test(value)
    return field.type === 'decimal' ? DECIMAL.test(value) : field.type === 'text'
  }
  if ('untranslated' in value) return field.type !== 'text'
  if ('amount' in value) return field.type === 'money'
  const known = vocabulary.sets.get(field.set ?? '')
  const codes = 'code' in value ? [value.code] : value.codes
  return (field.type === 'code' || field.type === 'codes') && codes.every(code => known?.has(code))
}
