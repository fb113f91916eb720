/** What the ledger is told of an exchange: every fact by which it can be judged later, and no text that might name a person. */
import { type Judged, judge, type Permission } from '#agreement/authorise.ts'
import { maskText } from '#agreement/mask.ts'
import type { Entry } from '#ledger/entry.ts'
import type { Evidence } from '#ledger/ledger.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import type { Answer, AnswerBody, Disclosure, Query, Receipt } from '#protocol/message.ts'
import type { Refusal, RefusalCode } from '#protocol/refusal.ts'
import { maskPersonalNumbers } from '#protocol/subject.ts'
import type { Verified } from '#trust/verify.ts'

/** An entry with what was signed; `keeps` says whether the texts may be kept at all. */
export type Entered = { readonly entry: Entry; readonly evidence: Evidence | undefined }

/** A peer's question that is answered. `now` is epoch milliseconds. */
export function disclosed(
  { claims, token, hash }: Verified<Query>,
  disclosure: Disclosure,
  { scope, judged }: Permission,
  now: number,
): Entered {
  const { body, text } = disclosure
  const { common, lawful } = exchanged(claims, claims.aud, claims.iss, hash, now, judged)
  const { at, city, peer, jti, purpose, matter, agreement, subjects, questionHash } = common
  return {
    // In the order of RFC 8785, with the place that the ledger fills: nothing has to be sorted when it is written.
    entry: {
      agreement: { digest: agreement.digest, id: agreement.id },
      answerDigest: sha256(text),
      at,
      city,
      disclosed: left(body),
      heldUntil: undefined,
      jti,
      kind: 'answered',
      matter,
      peer,
      purpose,
      questionHash,
      status: body.results.map(({ status }) => status),
      subjects,
      withheldDigest: scope.withheldDigest,
    },
    evidence: lawful ? { question: token, answer: text } : undefined,
  }
}

type Left = { readonly fields: string[]; readonly ids: string[][]; readonly records: number[] }

/** By family, the fields that left with any record, and for each subject which records and how many. */
function left({ results }: AnswerBody): Record<string, Left> {
  const families = new Map<string, { fields: Set<string>; ids: string[][] }>()
  for (const [i, { records }] of results.entries()) {
    for (const { family, fields, id } of records) {
      let seen = families.get(family)
      if (seen === undefined) {
        seen = { fields: new Set(), ids: results.map(() => []) }
        families.set(family, seen)
      }
      seen.ids[i]?.push(id)
      for (const field in fields) seen.fields.add(field)
    }
  }
  return Object.fromEntries(
    [...families].map(([family, { fields, ids }]) => [
      family,
      { fields: [...fields].sort(), ids, records: ids.map(({ length }) => length) },
    ]),
  )
}

/** A peer's question that is refused, after it was verified. */
export function refused({ claims, token, hash }: Verified<Query>, refusal: Refusal, now: number): Entered {
  const { common, lawful } = exchanged(claims, claims.aud, claims.iss, hash, now)
  const matter = kept(claims.matter)
  return {
    entry: { kind: 'refused', ...common, matter, code: refusal.code },
    evidence: lawful && matter === claims.matter ? { question: token } : undefined,
  }
}

/** Our own question, before it is sent. */
export function asked(claims: Query, department: string, token: string, hash: string, now: number): Entered {
  const { common } = exchanged(claims, claims.iss, claims.aud, hash, now)
  return { entry: { kind: 'asked', ...common, department, want: claims.want }, evidence: { question: token } }
}

/** What came of our question. */
export type Outcome =
  | { readonly outcome: 'answered'; readonly answer: Verified<Answer> }
  | {
      readonly outcome: 'refused' | 'unknown'
      readonly code: RefusalCode
      readonly receipt?: Receipt
      readonly token?: string
    }

export function cameOf(claims: Query, department: string, hash: string, came: Outcome, now: number): Entered {
  const { common } = exchanged(claims, claims.iss, claims.aud, hash, now)
  if (came.outcome === 'answered') {
    const { answer, receipt } = came.answer.claims
    return {
      entry: {
        kind: 'outcome',
        ...common,
        department,
        outcome: 'answered',
        answerDigest: sha256(canonical(answer)),
        receipt,
      },
      evidence: { answer: came.answer.token },
    }
  }
  const { outcome, code, receipt, token } = came
  return {
    entry: { kind: 'outcome', ...common, department, outcome, code, ...(receipt && { receipt }) },
    evidence: token === undefined ? undefined : { answer: token },
  }
}

/** What a department wanted to ask and was not let. */
export function declined(
  { peer, purpose, matter, subjects }: { peer: string; purpose: string; matter: string; subjects: readonly string[] },
  department: string,
  refusal: Refusal,
  city: string,
  now: number,
): Entry {
  return {
    kind: 'declined',
    at: new Date(now).toISOString(),
    city,
    peer,
    department,
    purpose,
    matter: kept(matter),
    subjects: lawful(subjects.map(judge)),
    code: refusal.code,
  }
}

/** What is entered in the place of a matter that may name a person. */
export const NOT_KEPT = '（未保存）not kept'

/** The matter of a question that went no further, as far as it may be kept: by the rule under which an answered one is let pass. */
function kept(matter: string): string {
  return maskText(matter) === matter ? matter : NOT_KEPT
}

/** The codes among the subjects; what is none may be anything, an identity number among them, and is entered as `refused`. */
function lawful(judged: readonly Judged[]) {
  return judged.map(each => ('subject' in each ? each.subject.uscc : ('refused' as const)))
}

/** What all entries of an exchange say. A signed question that holds what may not be kept is not kept, only its hash. */
function exchanged(
  claims: Query,
  city: string,
  peer: string,
  questionHash: string,
  now: number,
  judged: readonly Judged[] = claims.subjects.map(judge),
) {
  const subjects = lawful(judged)
  const matter = maskPersonalNumbers(claims.matter)
  return {
    common: {
      at: new Date(now).toISOString(),
      city,
      peer,
      jti: claims.jti,
      purpose: claims.purpose,
      matter,
      agreement: claims.agreement,
      subjects,
      questionHash,
    },
    lawful: matter === claims.matter && !subjects.includes('refused'),
  }
}
