/** What leaves is what every gate lets pass and a clause names, field by field; all else stays, and the rule is said. */
import { dayOf } from '#protocol/day.ts'
import {
  type AnswerBody,
  type Disclosure,
  digestId,
  type Freshness,
  type Result,
  type Value,
  type WireRecord,
} from '#protocol/message.ts'
import { holdsPersonalNumber, type Subject, type SubjectKind } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import type { SharedFamily } from '#schema/translate.ts'
import type { Field, Vocabulary } from '#schema/vocabulary.ts'
import type { Clause, Judged, Permission, Scope } from './authorise.ts'
import { admits, type Circumstances, gates, isUndetermined, marksOf, stoppedBy } from './gates.ts'
import { publicUntil } from './publicity.ts'

/**
 * Makes the body of the answer: a result for each subject in the order of the question. Where a family could not be
 * read, or its source is stale, the subject's status says so, whatever else came.
 *
 * Every object here is made with its members in the order of RFC 8785, so that the engine's own JSON is the canonical
 * text: a canonical writer costs several times as much. A property test holds the two to each other.
 */
export function disclose(found: readonly SharedFamily[], permission: Permission): Disclosure {
  const { agreement, purpose, scope, at } = permission
  const today = dayOf(at)
  const shared = found.map(family => ({ ...family, freshness: freshnessToday(family.freshness, today, scope) }))
  const unknown = shared.flatMap(({ family, unknown: rule, freshness: { status } }) => {
    if (rule !== undefined) return [{ family, rule }]
    return status === 'fresh' ? [] : [{ family, rule: 'source.stale' as const }]
  })
  const status = shared.some(family => family.unknown !== undefined)
    ? 'unknown'
    : unknown.length > 0
      ? 'stale'
      : 'answered'
  const give = giverOf(shared, scope, today)
  const resultOf = (each: Judged): Result => {
    if ('refused' in each) return { records: [], rule: each.refused, status: 'refused' }
    const { uscc, doubt } = each.subject
    const { records, unclear } = give(each.subject)
    const untold = unclear.length === 0 ? unknown : [...unknown, ...unclear.map(undetermined)]
    return {
      ...(doubt !== undefined && { doubt }),
      records,
      status: unclear.length === 0 ? status : 'unknown',
      subject: uscc,
      ...(untold.length > 0 && { unknown: untold }),
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

function undetermined(family: string) {
  return { family, rule: 'record.undetermined' as const }
}

const ageings = gates.filter(gate => 'ages' in gate)

/** How fresh a family is by the rules as well as by its city’s own word; `today` is a day YYYY-MM-DD in Asia/Shanghai. */
export function freshnessToday(
  freshness: Freshness,
  today: string,
  { vocabulary }: Pick<Scope, 'vocabulary'>,
): Freshness {
  const old = freshness.status === 'fresh' && ageings.some(({ ages }) => ages(freshness, today, vocabulary))
  return old ? { ...freshness, status: 'stale' } : freshness
}

/** Where records are given: what is granted, by whom, in which words. */
export type Ground = Pick<Scope, 'families' | 'giver' | 'vocabulary'>

/** What is told of a subject. */
type Given = {
  /** The records that no gate keeps back, with the fields that are granted. */
  readonly records: WireRecord[]
  /**
   * The families in which something stands of which it cannot be told whether it may leave. It does not; and that nothing
   * else came says nothing, so the family is unknown. Those that are unknown as a whole are not among them.
   */
  readonly unclear: readonly string[]
}

/** What the gates let be told of a subject; `today` as above. */
export function given(subject: Subject, shared: readonly SharedFamily[], ground: Ground, today: string): Given {
  return giverOf(shared, ground, today)(subject)
}

/** `given` for many subjects of one question: what is the same for all of them is worked out once. */
function giverOf(shared: readonly SharedFamily[], ground: Ground, today: string): (subject: Subject) => Given {
  const { giver, vocabulary } = ground
  const planned = (kind: SubjectKind) =>
    shared.map(({ family, records, unknown }) => {
      const plan = planOf(ground, family, kind)
      const at = { today, clauses: plan.clauses, giver, vocabulary }
      return { family, records, plan, at, isKnown: unknown === undefined }
    })
  const byKind = new Map<SubjectKind, ReturnType<typeof planned>>()
  return ({ uscc, kind }) => {
    const leaving: WireRecord[] = []
    let unclear = NO_FAMILY
    const families = byKind.get(kind) ?? planned(kind)
    byKind.set(kind, families)
    for (const { family, records, plan, at, isKnown } of families) {
      for (const record of records.get(uscc) ?? NONE) {
        if (stoppedBy(record, at) === undefined) leaving.push(leave(record, at, fieldsOf(record, plan)))
        else if (isKnown && unclear.at(-1) !== family && isUndetermined(record, at)) unclear = [...unclear, family]
      }
    }
    return { records: leaving, unclear }
  }
}

const NONE: readonly SharedRecord[] = []
const NO_FAMILY: readonly string[] = []

/** What a family gives about a kind of subject: the clauses that cover it, and the fields of each choice among them. */
type Plan = { readonly clauses: readonly Clause[]; readonly fields: Map<number, readonly string[]> }

/** Worked out once for what is granted, and good for all that is asked under it. */
const plans = new WeakMap<Ground['families'], Map<string, Plan>>()

function planOf({ families }: Ground, family: string, kind: SubjectKind): Plan {
  let known = plans.get(families)
  if (known === undefined) {
    known = new Map<string, Plan>()
    plans.set(families, known)
  }
  const key = `${family} ${kind}`
  const ready = known.get(key)
  if (ready !== undefined) return ready
  const plan = { clauses: (families.get(family) ?? []).filter(({ kinds }) => kinds.has(kind)), fields: new Map() }
  known.set(key, plan)
  return plan
}

/** The fields that any clause gives of this record, sorted. */
function fieldsOf(record: SharedRecord, { clauses, fields }: Plan): readonly string[] {
  let choice = 0
  for (let i = 0; i < clauses.length; i++) {
    const clause = clauses[i]
    // Beyond 53 clauses their choice is no number any more.
    if (clause !== undefined && admits(clause, record)) choice += i < 53 ? 2 ** i : Number.NaN
  }
  const known = fields.get(choice)
  if (known !== undefined && !Number.isNaN(choice)) return known
  const admitting = clauses.filter(clause => admits(clause, record))
  const named = [...new Set(admitting.flatMap(clause => [...clause.fields]))].sort()
  fields.set(choice, named)
  return named
}

const mask = gates
  .filter(gate => 'masks' in gate)
  .map(({ masks }) => masks)
  .reduce((first, second) => (value, field, kind) => second(first(value, field, kind), field, kind))

function leave(record: SharedRecord, at: Circumstances, names: readonly string[]): WireRecord {
  const fields: Record<string, Value> = {}
  let masked: string[] | undefined
  for (const name of names) {
    const value = name === 'publishedUntil' ? endOf(record, at) : record.fields[name]
    if (value === undefined) continue
    const open = mask(value, name, record.kind)
    if (open !== value) {
      masked ??= []
      masked.push(name)
    }
    fields[name] = open
  }
  const wire: WireRecord = { family: record.family, fields, id: idOf(record) }
  if (masked !== undefined) wire.masked = masked
  for (const mark of marksOf(record, at)) wire[mark] = true
  return wire
}

/** Until when it is public by the rule, where that is before what its city states; nobody may use it for longer. */
function endOf(record: SharedRecord, { today, vocabulary }: Circumstances): Value | undefined {
  const stated = record.fields['publishedUntil']
  if (typeof stated === 'object') return stated
  const last = publicUntil(record, today, vocabulary)
  return last === undefined || last === 'indefinite' || (stated !== undefined && stated <= last) ? stated : last
}

/** An id made of a column may hold the number of a person in groups; then its digest says as well which record it is. */
function idOf({ id }: SharedRecord): string {
  return id.length >= 11 && holdsPersonalNumber(id) ? digestId(id) : id
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
