/** A department's question goes to one peer or to all; each peer's part of the answer says what is known, or that nothing is. */
import { z } from 'zod'
import { isConfidential, type Signed } from '#agreement/agreement.ts'
import { checkQuestion, inForce, type Judged, judge, type Scope, scopeOf } from '#agreement/authorise.ts'
import { contradictions, excess } from '#agreement/disclose.ts'
import { elsewhere, Offered, offered, vetoPurposes } from '#agreement/measures.ts'
import { type Exchange, Recognition, recognise, Told } from '#agreement/recognise.ts'
import { noVerdict, together, Verdict, verdictOf } from '#agreement/verdict.ts'
import { sha256 } from '#protocol/canonical.ts'
import { dayOf } from '#protocol/day.ts'
import {
  type Answer,
  type AnswerBody,
  CityId,
  Code,
  Freshness,
  limits,
  type Query,
  Receipt,
  Result,
  types,
  Want,
  WireRecord,
  Withheld,
} from '#protocol/message.ts'
import { type PublicRefusal, Refusal, type RefusalCode, refuse, told } from '#protocol/refusal.ts'
import type { Subject } from '#protocol/subject.ts'
import { toLocal } from '#schema/translate.ts'
import type { Department } from '#trust/departments.ts'
import type { Member } from '#trust/members.ts'
import { seal } from '#trust/seal.ts'
import { question, sign } from '#trust/sign.ts'
import { type Verified, verifyAnswer, verifyRefusal } from '#trust/verify.ts'
import type { City } from './city.ts'
import { asked, cameOf, declined, type Outcome } from './entries.ts'

export const AskRequest = z
  .strictObject({
    peer: z
      .union([CityId, z.literal('*')])
      .meta({ description: 'id of the city to ask 城市, or * for every city with an agreement for this purpose' }),
    subjects: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(limits.subjects)
      .meta({ description: 'unified social credit codes 统一社会信用代码' }),
    purpose: Code.meta({ description: 'code of the purpose 查询目的' }),
    matter: z
      .string()
      .min(1)
      .max(200)
      .meta({ description: 'file number of the case that triggers the check 查询事由; never a person' }),
    want: z
      .array(Want)
      .min(1)
      .max(32)
      .optional()
      .meta({ description: 'families and fields; all that the agreement permits where absent' }),
  })
  .meta({ id: 'AskRequest' })
export type AskRequest = z.infer<typeof AskRequest>

const LocalRecord = z
  .strictObject({
    /** Absent: this city keeps no table of the kind, and everything is in `untranslated`. */
    table: z.string().optional(),
    title: z.string().optional(),
    columns: z.record(z.string(), z.string()),
    labels: z.record(z.string(), z.string()),
    meanings: z.record(z.string(), z.strictObject({ original: z.string(), relation: z.string() })),
    untranslated: z
      .array(
        z.strictObject({
          field: z.string(),
          zh: z.string(),
          original: z.string(),
          meaning: z.string().optional(),
          reason: z.string(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'LocalRecord', description: 'the record in the words of this city’s own tables 本市字段' })
type LocalRecord = z.infer<typeof LocalRecord>

const AskRecord = z
  .strictObject({
    shared: WireRecord,
    local: LocalRecord,
    /** Of list entries and ratings alone. */
    recognition: Recognition.optional(),
    /** What follows from it here. */
    measures: z.array(Offered).optional(),
    /** What holds in the other city alone: information. */
    elsewhere: z.array(Offered).optional(),
  })
  .meta({ id: 'AskRecord' })
type AskRecord = z.infer<typeof AskRecord>

const AskResult = z
  .strictObject({
    subject: z.string().optional(),
    status: Result.shape.status.meta({ description: 'unknown and stale never mean that there is nothing' }),
    reason: Told.optional(),
    doubt: Result.shape.doubt,
    records: z.array(AskRecord),
    unknown: z.array(z.strictObject({ family: Code, reason: Told })).optional(),
    /** For a veto purpose: what this city's records alone say. */
    verdict: Verdict.optional(),
  })
  .meta({ id: 'AskResult' })
type AskResult = z.infer<typeof AskResult>

const PeerAnswer = z
  .strictObject({
    peer: CityId,
    outcome: z.enum(['answered', 'refused', 'unknown']),
    reason: Told.optional(),
    agreement: Code.optional(),
    withheld: z.array(Withheld).optional(),
    freshness: z.array(Freshness).optional(),
    /** In the order of the question; always one for each subject. */
    results: z.array(AskResult),
    receipt: Receipt.optional().meta({ description: 'where the ledger of the peer holds this exchange 对方日志回执' }),
    /** Index of the outcome in our own ledger. */
    entry: z.int().optional(),
  })
  .meta({ id: 'PeerAnswer' })
type PeerAnswer = z.infer<typeof PeerAnswer>

export const AskAnswer = z
  .strictObject({
    city: CityId,
    /** Into which mapping the records were put; `assumed` where the city's own tables were not known to who wrote it. */
    schema: z.strictObject({ version: z.string(), assumed: z.boolean() }),
    purpose: Code,
    peers: z.array(PeerAnswer),
    /** For a veto purpose (`veto-purposes`), over all cities asked: one for each subject that may be asked about, in order. */
    verdicts: z
      .array(z.strictObject({ subject: z.string(), ...Verdict.shape }))
      .optional()
      .meta({ description: 'whether the purpose may be granted, subject by subject 核查结论' }),
  })
  .meta({ id: 'AskAnswer' })
export type AskAnswer = z.infer<typeof AskAnswer>

/**
 * Asks on behalf of a department. Throws `department.purpose`, `query.*`, `peer.unknown` and `agreement.*` for what may not
 * be asked at all, and `ledger.unavailable`, for a question that cannot be recorded is not sent. What a peer does or
 * fails to do never throws: it is that peer's outcome.
 */
export async function ask(request: AskRequest, department: Department, city: City): Promise<AskAnswer> {
  const { found, closed } = await permitted(request, department, city)
  const asked = found.map(route => askPeer(route, request, department, city))
  const peers = await Promise.all([...asked, ...closed.map(each => tellClosed(each, request, department, city))])
  const { version, assumed } = city.mapping
  const verdicts = isVeto(request, city) && verdictsOf(request, peers)
  return { city: city.id, schema: { version, assumed }, purpose: request.purpose, peers, ...(verdicts && { verdicts }) }
}

/** Whether the answer has to be yes, no or unknown. */
function isVeto({ purpose }: AskRequest, { vocabulary }: City): boolean {
  return vetoPurposes(vocabulary).has(purpose)
}

/** Of each subject that may be asked about, what all cities together say; a person is none. */
function verdictsOf({ subjects }: AskRequest, peers: readonly PeerAnswer[]): NonNullable<AskAnswer['verdicts']> {
  return subjects.map(judge).flatMap((each, i) => {
    if ('refused' in each) return []
    const verdicts = peers.map(({ results }) => {
      const { verdict, reason } = results[i] ?? {}
      return verdict ?? noVerdict(reason ?? told('peer.answer'))
    })
    return [{ subject: each.subject.uscc, ...together(verdicts) }]
  })
}

/** Whom to ask and under what; a question that may not be asked is recorded with its reason, and not sent. */
async function permitted(request: AskRequest, department: Department, city: City): Promise<Routes> {
  const { purpose, matter, subjects, want = [] } = request
  try {
    if (!department.purposes.includes(purpose)) throw refuse('department.purpose', `${department.id} for ${purpose}`)
    checkQuestion({ purpose, matter, subjects: subjects.length, want }, city.vocabulary, city.now())
    if (!subjects.some(text => 'subject' in judge(text))) throw onlyReason(subjects)
    return routes(request, city)
  } catch (error) {
    if (error instanceof Refusal) await city.ledger.append(declined(request, department.id, error, city.id, city.now()))
    throw error
  }
}

/** A city with which there is an agreement, but none for this question now: said, or its silence would read as "nothing there". */
async function tellClosed(
  { peer, refusal }: Closed,
  request: AskRequest,
  department: Department,
  city: City,
): Promise<PeerAnswer> {
  const entry = declined({ ...request, peer: peer.id }, department.id, refusal, city.id, city.now())
  const { index } = await city.ledger.append(entry)
  const judged = request.subjects.map(judge)
  const reason = told(refusal.code)
  const unknown = unknownFor(judged, reason, isVeto(request, city))
  return { peer: peer.id, outcome: 'refused', reason, results: place(judged, unknown), entry: index }
}

/** Nothing lawful is asked about: the reason of the first subject is the reason of the whole. */
function onlyReason([first = '']: readonly string[]): Refusal {
  const each = judge(first)
  return refuse('refused' in each ? each.refused : 'subject.malformed')
}

/** A peer, and the agreement under which to ask it. */
type Route = { readonly peer: Member; readonly signed: Signed; readonly scope: Scope; readonly want: readonly Want[] }

/** A city that an agreement binds to us, and why it cannot be asked this. */
type Closed = { readonly peer: Member; readonly refusal: Refusal }
type Routes = { readonly found: readonly Route[]; readonly closed: readonly Closed[] }

function routes(request: AskRequest, city: City): Routes {
  if (request.peer !== '*') {
    const peer = city.members.find(request.peer)
    if (peer === undefined || peer.id === city.id) throw refuse('peer.unknown', 'no member of that id but us')
    return { found: [routeTo(peer, request, city)], closed: [] }
  }
  const found: Route[] = []
  const closed: Closed[] = []
  for (const peer of city.members.all) {
    if (peer.id === city.id) continue
    if (!city.agreements.all.some(({ text }) => text.parties.includes(peer.id))) {
      // An agreement that rests is one all the same: its silence would read as nothing there.
      if (city.agreements.idle.some(({ parties }) => parties.includes(peer.id)))
        closed.push({ peer, refusal: refuse('agreement.unknown', 'it rests') })
      continue
    }
    try {
      found.push(routeTo(peer, request, city))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      closed.push({ peer, refusal: error })
    }
  }
  if (found.length === 0) throw closed[0]?.refusal ?? refuse('agreement.unknown', 'with any peer')
  return { found, closed }
}

/** Our own side of the agreement: the one in force that permits most of what is wanted. Throws why there is none. */
function routeTo(peer: Member, { purpose, want }: AskRequest, city: City): Route {
  const at = city.now()
  const all = [...city.vocabulary.families.keys()].map(family => ({ family }))
  let best: Route | undefined
  let reason: unknown = refuse('agreement.unknown', `with ${peer.id}`)
  for (const signed of city.agreements.all) {
    if (!signed.text.parties.includes(peer.id)) continue
    try {
      inForce(city.agreements, { id: signed.text.id, digest: signed.digest }, [peer.id, city.id], at)
      if (isConfidential(signed) && peer.encryption.size === 0) {
        throw refuse('agreement.confidential', `${peer.id} publishes no encryption key`)
      }
      const scope = scopeOf(signed, { from: peer.id, to: city.id, purpose, want: want ?? all }, city.vocabulary)
      const wanted = want ?? [...scope.families.keys()].map(family => ({ family }))
      if (best === undefined || scope.families.size > best.scope.families.size)
        best = { peer, signed, scope, want: wanted }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      reason = error
    }
  }
  if (best === undefined) throw reason
  return best
}

async function askPeer(route: Route, request: AskRequest, department: Department, city: City): Promise<PeerAnswer> {
  const judged = request.subjects.map(judge)
  const subjects = judged.flatMap(each => ('subject' in each ? [each.subject] : []))
  const known = { peer: route.peer.id, agreement: route.signed.text.id }
  const now = city.now()
  const claims = questionOf(route, request, subjects, city, now)
  const { token, signingInput } = sign(question(claims), city.keys().signer)
  const hash = sha256(signingInput)
  const intent = asked(claims, department.id, token, hash, now)
  await city.ledger.append(intent.entry, intent.evidence)
  const came = await outcomeOf(token, { claims, hash, subjects, route }, city)
  const outcome = cameOf(claims, department.id, hash, came, city.now())
  const { index: entry } = await city.ledger.append(outcome.entry, outcome.evidence)
  if (came.outcome === 'answered') {
    const { answer, receipt } = came.answer.claims
    const { withheld, freshness } = answer
    const results = place(
      judged,
      answer.results.map((result, i) => inOurWords(result, subjects[i], { answer, route, request, city })),
    )
    return { ...known, outcome: 'answered', withheld, freshness, results, receipt, entry }
  }
  const reason = told(came.code)
  // Never an empty list: for every subject it is said that nothing is known, and why.
  const unknown = unknownFor(judged, reason, isVeto(request, city))
  return {
    ...known,
    outcome: came.outcome,
    reason,
    results: place(judged, unknown),
    entry,
    ...(came.receipt && { receipt: came.receipt }),
  }
}

function questionOf(
  route: Route,
  { purpose, matter }: AskRequest,
  subjects: readonly Subject[],
  city: City,
  now: number,
): Query {
  const iat = Math.floor(now / 1000)
  return {
    iss: city.id,
    aud: route.peer.id,
    iat,
    nbf: iat,
    exp: iat + 60,
    jti: city.newJti(),
    agreement: { id: route.signed.text.id, digest: route.signed.digest },
    purpose,
    matter,
    subjects: subjects.map(({ uscc }) => uscc),
    want: [...route.want],
  }
}

type Sent = {
  readonly claims: Query
  readonly hash: string
  readonly subjects: readonly Subject[]
  readonly route: Route
}

/** Sends and judges; whatever goes wrong on the way or at the peer becomes an outcome that says so. */
async function outcomeOf(token: string, { claims, hash, subjects, route }: Sent, city: City): Promise<Outcome> {
  try {
    const sealed = isConfidential(route.signed)
    const reply = await city.post.send(route.peer, sealed ? await sealFor(route.peer, token) : token, sealed)
    const sent = { jti: claims.jti, hash, peer: route.peer.id, sealed }
    if (reply.kind === 'answer')
      return {
        outcome: 'answered',
        answer: acceptable(await verifyAnswer(reply.token, sent, city), claims, subjects, route, city),
      }
    const { claims: refusal, token: proof } = await verifyRefusal(reply.token, sent, city)
    return { outcome: 'refused', code: refusal.refusal.code, receipt: refusal.receipt, token: proof }
  } catch (error) {
    const refusal = error instanceof Refusal ? error : refuse('fault', 'while asking', error)
    city.note(refusal, { peer: route.peer.id, jti: claims.jti })
    return { outcome: 'unknown', code: outsideCodes.has(refusal.code) ? refusal.code : 'peer.answer' }
  }
}

function sealFor({ id, encryption }: Member, token: string): Promise<string> {
  const [to] = encryption.values()
  if (to === undefined) throw refuse('agreement.confidential', `${id} publishes no encryption key`)
  return seal(token, types.query, to)
}

/** What may be told of a failure as it is; a fault in the answer's form or proof is told as an answer not to be trusted. */
const outsideCodes: ReadonlySet<RefusalCode> = new Set([
  'peer.unreachable',
  'peer.slow',
  'peer.refused',
  'peer.overdisclosed',
  'fault',
])

function acceptable(
  answer: Verified<Answer>,
  { agreement, purpose }: Query,
  subjects: readonly Subject[],
  { scope }: Route,
  city: City,
) {
  const { answer: body } = answer.claims
  if (body.purpose !== purpose || body.agreement.id !== agreement.id || body.agreement.digest !== agreement.digest) {
    throw refuse('peer.answer', 'answers for another purpose or agreement')
  }
  const over = excess(body, subjects, scope, city.vocabulary)
  if (over.length > 0) throw refuse('peer.overdisclosed', over.slice(0, 20).join(', '))
  const wrong = contradictions(body, scope, city.vocabulary)
  if (wrong.length > 0) throw refuse('peer.answer', `contradicts itself: ${wrong.slice(0, 20).join(', ')}`)
  return answer
}

/** For every lawful subject, that nothing is known of it, and why. */
function unknownFor(judged: readonly Judged[], reason: PublicRefusal, isVeto: boolean): AskResult[] {
  return judged.flatMap(each =>
    'subject' in each
      ? [
          {
            subject: each.subject.uscc,
            status: 'unknown' as const,
            reason,
            records: [],
            ...(isVeto && { verdict: noVerdict(reason) }),
          },
        ]
      : [],
  )
}

/** Puts what came back in the place of each question; what was refused here takes its place with its reason. */
function place(judged: readonly Judged[], results: readonly AskResult[]): AskResult[] {
  let next = 0
  return judged.map(each => {
    if ('refused' in each) return { status: 'refused', reason: told(each.refused), records: [] }
    const result = results[next++]
    if (result === undefined) throw new RangeError('fewer results than subjects')
    return result
  })
}

function ours(shared: WireRecord, mapping: City['mapping']): LocalRecord {
  const { table, ...local } = toLocal(shared, mapping)
  const title = mapping.tables.get(table ?? '')?.zh
  return { ...local, ...(table !== undefined && { table }), ...(title !== undefined && { title }) }
}

/** What an answer is read by: the agreement that it was given under, and what we asked it for. */
type Reading = {
  readonly answer: AnswerBody
  readonly route: Route
  readonly request: AskRequest
  readonly city: City
}

function inOurWords(result: Result, of: Subject | undefined, { answer, route, request, city }: Reading): AskResult {
  const { subject, status, rule, doubt, unknown } = result
  const today = dayOf(city.now())
  const exchange = { agreement: route.signed.text, from: route.peer.id, to: city.id, today }
  const records = result.records.map(shared => judgedRecord(shared, exchange, city))
  const out: AskResult = { status, records }
  if (subject !== undefined) out.subject = subject
  if (rule !== undefined) out.reason = told(rule)
  if (doubt !== undefined) out.doubt = doubt
  if (unknown !== undefined) out.unknown = unknown.map(each => ({ family: each.family, reason: told(each.rule) }))
  if (of !== undefined && status !== 'refused' && isVeto(request, city)) {
    const { purpose } = request
    const { scope } = route
    const { freshness } = answer
    const own = city.measures.get(city.id)
    out.verdict = verdictOf(
      { ...exchange, purpose, subject: of, own, scope, freshness, result, records },
      city.vocabulary,
    )
  }
  return out
}

/** A record in our words, what it is here, and what follows from it. */
function judgedRecord(shared: WireRecord, exchange: Exchange, { mapping, measures, vocabulary }: City): AskRecord {
  const recognition = recognise(shared, exchange, vocabulary)
  const own = offered(shared, recognition, measures.get(exchange.to), exchange.today)
  const theirs = elsewhere(recognition, measures.get(exchange.from), exchange.today)
  return {
    shared,
    local: ours(shared, mapping),
    ...(recognition && { recognition }),
    ...(own.length > 0 && { measures: own }),
    ...(theirs.length > 0 && { elsewhere: theirs }),
  }
}
