/** What is asked, by whom and why, becomes a `Permission` only where a co-signed agreement in force says so. */
import { LRUCache } from 'lru-cache'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { dayOf } from '#protocol/day.ts'
import { type AgreementRef, limits, type Query, type Want, type Withheld } from '#protocol/message.ts'
import { Refusal, type RefusalCode, refuse } from '#protocol/refusal.ts'
import { readSubject, type Subject, type SubjectKind, subjectKinds, type Uscc } from '#protocol/subject.ts'
import { reaches, type ShareLevel } from '#schema/record.ts'
import { type Vocabulary, validOn } from '#schema/vocabulary.ts'
import type { Verified } from '#trust/verify.ts'
import { type Agreements, type Grant, isConfidential, type Signed } from './agreement.ts'
import { keptBack } from './gates.ts'
import { maskText } from './mask.ts'
import type { Quotas } from './quota.ts'

/** One grant as it bears on one family, for one pair of cities and one purpose. */
export type Clause = {
  readonly clause: string
  readonly kinds: ReadonlySet<SubjectKind>
  readonly level: ShareLevel
  /** Granted, asked for, and open at the clause's level; in the order of RFC 8785. */
  readonly fields: ReadonlySet<string>
  /** Undefined: the family has no lists, or no schemes. */
  readonly lists: ReadonlySet<string> | undefined
  readonly schemes: ReadonlySet<string> | undefined
}

/** What the agreement makes of a want: by family its clauses, and what it withholds, whether or not anything exists. */
export type Scope = {
  /** The city that gives. */
  readonly giver: string
  readonly vocabulary: Vocabulary
  readonly families: ReadonlyMap<string, readonly Clause[]>
  readonly withheld: readonly Withheld[]
  /** The canonical form of `withheld`, which every answer of this scope holds, and its SHA-256, which the ledger keeps. */
  readonly withheldText: string
  readonly withheldDigest: string
}

/** A subject that may be asked about, or the reason why not; in the order of the question. */
export type Judged = { readonly subject: Subject } | { readonly refused: RefusalCode }

declare const granted: unique symbol
/** What may be looked up and given for this question. Only `authorise` makes one. */
export type Permission = {
  readonly agreement: AgreementRef
  readonly purpose: string
  readonly peer: string
  /** Every subject of the question, in its order. */
  readonly judged: readonly Judged[]
  /** Those that may be looked up, and the families in which. */
  readonly subjects: readonly Uscc[]
  readonly families: readonly string[]
  readonly scope: Scope
  /** Epoch milliseconds at which it was granted; the gates judge by it. */
  readonly at: number
  readonly [granted]: true
}

/** What authorisation needs to know of us. */
export type Authority = {
  readonly id: string
  readonly agreements: Pick<Agreements, 'all' | 'find'>
  readonly vocabulary: Vocabulary
  readonly quotas: Quotas
  readonly now: () => number
}

/**
 * Judges a verified question. Rejects with `query.*` for what is not of the shared vocabulary, `agreement.*` for what is not
 * agreed, `load.rate` for what is too much. A subject that may not be asked about is refused for itself alone.
 */
export async function authorise(request: Verified<Query>, us: Authority): Promise<Permission> {
  const { iss, agreement, purpose, matter, subjects, want } = request.claims
  const at = us.now()
  checkQuestion({ purpose, matter, subjects: subjects.length, want }, us.vocabulary, at)
  const signed = inForce(us.agreements, agreement, [iss, us.id], at)
  if (request.sealed !== isConfidential(signed)) throw refuse('agreement.confidential', signed.text.id)
  const scope = scopeOf(signed, { from: us.id, to: iss, purpose, want }, us.vocabulary)
  await us.quotas.take(signed, iss, subjects.length)
  const judged: readonly Judged[] = subjects.map(judge)
  const lawful: readonly Uscc[] = judged.flatMap(each => ('subject' in each ? [each.subject.uscc] : []))
  const families: readonly string[] = [...scope.families.keys()]
  return { agreement, purpose, peer: iss, judged, subjects: lawful, families, scope, at } as Permission
}

/** Throws `query.*` unless the words are of the vocabulary today (`at` is epoch milliseconds) and the matter names no person. */
export function checkQuestion(
  { purpose, matter, subjects, want }: { purpose: string; matter: string; subjects: number; want: readonly Want[] },
  vocabulary: Vocabulary,
  at: number,
): void {
  if (subjects > limits.subjects) throw refuse('query.subjects')
  if (matter.trim() === '' || maskText(matter) !== matter || /[\p{Cc}\p{Bidi_Control}]/u.test(matter))
    throw refuse('query.matter')
  const known = vocabulary.purposes.get(purpose)
  if (known === undefined || !validOn(known, dayOf(at))) throw refuse('query.purpose')
  for (const { family, fields } of want) {
    const fieldsOf = vocabulary.families.get(family)?.fields
    if (fieldsOf === undefined) throw refuse('query.want', 'family')
    for (const field of fields ?? []) if (!fieldsOf.has(field)) throw refuse('query.want', `field of ${family}`)
  }
  if (new Set(want.map(({ family }) => family)).size !== want.length) throw refuse('query.want', 'a family twice')
}

/** The agreement of that name and text, if these parties signed it and it is in force. Throws `agreement.*`. */
export function inForce(
  agreements: Pick<Agreements, 'find'>,
  { id, digest }: AgreementRef,
  parties: readonly string[],
  at: number,
): Signed {
  const signed = agreements.find(id)
  if (signed === undefined || !parties.every(party => signed.text.parties.includes(party)))
    throw refuse('agreement.unknown')
  if (signed.digest !== digest) throw refuse('agreement.digest', `ours is ${signed.digest}`)
  if (at < signed.begins) throw refuse('agreement.not-yet')
  if (at >= signed.ends) throw refuse('agreement.expired')
  return signed
}

type Ask = { readonly from: string; readonly to: string; readonly purpose: string; readonly want: readonly Want[] }

/** The same wants come again and again; what an agreement makes of one is worked out once. Keyed by the signed text itself. */
const scopes = new WeakMap<Signed, LRUCache<string, Scope>>()

/** What `from` may give to `to` for a purpose. Throws `agreement.purpose`, `agreement.family` or `agreement.field` where that is nothing. */
export function scopeOf(signed: Signed, ask: Ask, vocabulary: Vocabulary): Scope {
  const known = scopes.get(signed) ?? new LRUCache<string, Scope>({ max: 1000 })
  scopes.set(signed, known)
  const key = JSON.stringify(ask)
  const scope = known.get(key) ?? workOut(signed, ask, vocabulary)
  known.set(key, scope)
  return scope
}

function workOut({ text }: Signed, { from, to, purpose, want }: Ask, vocabulary: Vocabulary): Scope {
  const grants = text.grants.filter(
    grant => grant.from.includes(from) && grant.to.includes(to) && grant.purposes.includes(purpose),
  )
  if (grants.length === 0) throw refuse('agreement.purpose', `${from} to ${to} for ${purpose}`)
  const families = new Map<string, readonly Clause[]>()
  const withheld: Withheld[] = []
  let familyGranted = false
  for (const { family, fields } of want) {
    const clauses = grants.flatMap(grant => clauseOf(grant, family, vocabulary))
    if (clauses.length === 0) {
      withheld.push({ family, rule: 'agreement.family' })
      continue
    }
    familyGranted = true
    const { fields: known, listField, schemeField } = vocabulary.families.get(family) ?? {}
    // Of which list, in which scheme: without it nobody could tell what was given.
    const told = [listField, schemeField].filter(field => field !== undefined)
    const asked = (fields === undefined ? [...(known?.keys() ?? [])] : [...new Set([...fields, ...told])]).sort()
    const open = clauses
      .map(clause => ({
        ...clause,
        fields: new Set(
          asked.filter(field => clause.fields.has(field) && reaches(clause.level, known?.get(field)?.level)),
        ),
      }))
      // A clause that gives nothing of what is asked for gives no record either, not even that there is one.
      .filter(clause => clause.fields.size > 0)
    if (open.length > 0) families.set(family, open)
    withheld.push(...withheldOf(family, asked, clauses, open, vocabulary))
  }
  if (!familyGranted) throw refuse('agreement.family', want.map(({ family }) => family).join(', '))
  if (families.size === 0) throw refuse('agreement.field')
  const withheldText = canonical(withheld)
  return { giver: from, vocabulary, families, withheld, withheldText, withheldDigest: sha256(withheldText) }
}

function clauseOf({ clause, kinds, shareLevel, families }: Grant, family: string, vocabulary: Vocabulary): Clause[] {
  const permitted = families[family]
  const known = vocabulary.families.get(family)
  if (permitted === undefined || known === undefined) return []
  return [
    {
      clause,
      kinds: new Set(kinds),
      level: shareLevel,
      fields: new Set(permitted.fields),
      lists: known.listField === undefined ? undefined : new Set(permitted.lists),
      schemes: known.schemeField === undefined ? undefined : new Set(permitted.schemes),
    },
  ]
}

/** Says by rule what a question of this kind never gets. It says the same whatever the source holds, so it betrays nothing. */
function withheldOf(
  family: string,
  asked: readonly string[],
  granted: readonly Clause[],
  open: readonly Clause[],
  vocabulary: Vocabulary,
): Withheld[] {
  const missing = asked.filter(field => !granted.some(clause => clause.fields.has(field)))
  const closed = asked.filter(field => !missing.includes(field) && !open.some(clause => clause.fields.has(field)))
  const kinds = subjectKinds.filter(kind => !open.some(clause => clause.kinds.has(kind)))
  const said: Withheld[] = []
  if (missing.length > 0) said.push({ family, fields: missing, rule: 'agreement.field' })
  if (closed.length > 0) said.push({ family, fields: closed, rule: 'agreement.share-level' })
  if (kinds.length > 0) said.push({ family, kinds, rule: 'agreement.family' })
  said.push({ family, records: keptBack(family, vocabulary) })
  return said
}

/** Reads one subject of a question; what may not be asked about becomes its reason. */
export function judge(text: string): Judged {
  try {
    return { subject: readSubject(text) }
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.code }
    throw error
  }
}
