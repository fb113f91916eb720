/** What left, or came, by which clause, and what was kept back by which rule: worked out of the entry, the agreement and what was signed. */
import { type Scope, scopeOf } from '#agreement/authorise.ts'
import type { City } from '#exchange/city.ts'
import type { Entry } from '#ledger/entry.ts'
import { isBody } from '#ledger/evidence.ts'
import type { Evidence, Recorded } from '#ledger/ledger.ts'
import { Answer, AnswerBody, Query, type Want, type Withheld } from '#protocol/message.ts'

/** An entry of a message that went over the wire. */
export type Exchanged = Extract<Entry, { readonly questionHash: string }>

/** A family of which something was given: how many records in all, and each field with the clauses that let it go. */
export type Left = {
  readonly family: string
  readonly records: number
  readonly fields: readonly { readonly name: string; readonly clauses: readonly string[] }[]
}

export type View = {
  readonly want: readonly Want[] | undefined
  /** Undefined where what was given is no longer, or not yet, known. */
  readonly left: readonly Left[] | undefined
  readonly withheld: readonly Withheld[] | undefined
  /** Whether the agreement of then is still held, so that the clauses are those of then. */
  readonly isAgreementHeld: boolean
}

export function isExchanged(entry: Entry): entry is Exchanged {
  return 'questionHash' in entry
}

/**
 * Gives the entry of our own question for its outcome, or the other way round; undefined where there is none yet. They lie
 * within the time that a peer may take.
 */
export async function counterpart({ entry }: Recorded, { ledger }: City): Promise<Recorded | undefined> {
  if (entry.kind !== 'asked' && entry.kind !== 'outcome') return undefined
  const at = Date.parse(entry.at)
  const around = { from: new Date(at - AROUND).toISOString(), until: new Date(at + AROUND).toISOString() }
  const { peer, matter, purpose, department } = entry
  const kinds = [entry.kind === 'asked' ? ('outcome' as const) : ('asked' as const)]
  const { entries } = await ledger.search({ ...around, kinds, peer, matter, purpose, department }, { limit: 500 })
  return entries.find(({ entry: other }) => 'jti' in other && other.jti === entry.jti)
}

const AROUND = 120_000

/** Reads the claims of a token that this ledger holds; undefined where it is none. Nothing is proved by it. */
export function claimsOf(token: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

/** The view of an exchange; `held` has the question and the answer as far as they are still there. */
export function viewOf(entry: Exchanged, held: Evidence, city: City): View {
  const want = Query.safeParse(claimsOf(held.question)).data?.want ?? (entry.kind === 'asked' ? entry.want : undefined)
  const body = bodyOf(held.answer)
  const isIn = entry.kind === 'answered' || entry.kind === 'refused'
  const [from, to] = isIn ? [city.id, entry.peer] : [entry.peer, city.id]
  const families =
    entry.kind === 'answered' ? Object.keys(entry.disclosed) : (body?.freshness ?? []).map(({ family }) => family)
  const scope = scopeThen(entry, from, to, want ?? families.map(family => ({ family })), city)
  const isSame = scope !== undefined && entry.kind === 'answered' && scope.withheldDigest === entry.withheldDigest
  return {
    want,
    left: entry.kind === 'answered' ? leftOf(entry, scope) : body && cameOf(body, scope),
    withheld: body?.withheld ?? (isSame ? scope.withheld : undefined),
    isAgreementHeld: scope !== undefined,
  }
}

function bodyOf(answer: string | undefined): AnswerBody | undefined {
  if (answer === undefined) return undefined
  if (isBody(answer)) {
    try {
      return AnswerBody.safeParse(JSON.parse(answer)).data
    } catch {
      return undefined
    }
  }
  return Answer.safeParse(claimsOf(answer)).data?.answer
}

/** What the agreement made of the question, if it is still the one of then. */
function scopeThen(
  { agreement, purpose }: Exchanged,
  from: string,
  to: string,
  want: readonly Want[],
  city: City,
): Scope | undefined {
  const signed = city.agreements.find(agreement.id)
  if (signed?.digest !== agreement.digest || want.length === 0) return undefined
  try {
    return scopeOf(signed, { from, to, purpose, want }, city.vocabulary)
  } catch {
    return undefined
  }
}

function leftOf({ disclosed }: Extract<Entry, { kind: 'answered' }>, scope: Scope | undefined): Left[] {
  return Object.entries(disclosed).map(([family, { fields, records }]) => ({
    family,
    records: records.reduce((sum, n) => sum + n, 0),
    fields: fields.map(name => ({ name, clauses: clausesOf(scope, family, name) })),
  }))
}

function cameOf({ results }: AnswerBody, scope: Scope | undefined): Left[] {
  const records = results.flatMap(({ records }) => records)
  return [...Map.groupBy(records, ({ family }) => family)].map(([family, of]) => ({
    family,
    records: of.length,
    fields: [...new Set(of.flatMap(({ fields }) => Object.keys(fields)))]
      .sort()
      .map(name => ({ name, clauses: clausesOf(scope, family, name) })),
  }))
}

function clausesOf(scope: Scope | undefined, family: string, field: string): string[] {
  const clauses = scope?.families.get(family) ?? []
  return [...new Set(clauses.filter(({ fields }) => fields.has(field)).map(({ clause }) => clause))]
}
