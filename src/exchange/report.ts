/** A report says of one enterprise what every city asked would say today, and of each what it would not: signed, dated, for one purpose. */
import { z } from 'zod'
import { judge, scopeOf } from '#agreement/authorise.ts'
import type { Entry as LedgerEntry } from '#ledger/entry.ts'
import { canonical, sha256 } from '#protocol/canonical.ts'
import { dayOf } from '#protocol/day.ts'
import { AgreementRef, CityId, Code, Freshness, Jti, Receipt, Seconds, type Want } from '#protocol/message.ts'
import { refuse, told } from '#protocol/refusal.ts'
import { maskPersonalNumbers, type Subject, subjectKinds } from '#protocol/subject.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import type { Department } from '#trust/departments.ts'
import { report as outgoing, sign } from '#trust/sign.ts'
import { type AskAnswer, AskRequest, ask } from './ask.ts'
import type { City } from './city.ts'
import { ownRecords } from './own.ts'
import { namesIn, type Part, Section, sectionsOf } from './sections.ts'

const Day = z.iso.date()

export const ReportRequest = z
  .strictObject({
    subject: z.string().min(1).max(64).meta({ description: 'unified social credit code 统一社会信用代码' }),
    purpose: AskRequest.shape.purpose,
    matter: AskRequest.shape.matter,
    period: z
      .strictObject({ from: Day, to: Day })
      .refine(({ from, to }) => from <= to, 'ends before it begins')
      .meta({ description: 'days in Asia/Shanghai, both included: records decided within them 期间' }),
    peer: AskRequest.shape.peer.default('*'),
  })
  .meta({ id: 'ReportRequest' })
export type ReportRequest = z.infer<typeof ReportRequest>

const Both = z.strictObject({ zh: z.string(), en: z.string() })
const Reason = z.strictObject({ code: z.string(), ...Both.shape })

const ReportCity = z
  .strictObject({
    city: CityId,
    name: Both,
    /** `own`: the issuing city, which looked into its own tables. `not-asked`: no agreement binds it to the issuing city. */
    outcome: z.enum(['own', 'answered', 'refused', 'unknown', 'not-asked']),
    reason: Reason.optional(),
    agreement: z.strictObject({ ...AgreementRef.shape, title: Both }).optional(),
    freshness: z.array(Freshness),
    /** Where the ledger of the asked city holds the exchange. */
    receipt: Receipt.optional(),
  })
  .meta({ id: 'ReportCity' })

/** The claims of a report (RFC 7519): addressed to nobody, so without `aud`; what is signed is the RFC 8785 text of this. */
export const Report = z
  .strictObject({
    iss: CityId,
    iat: Seconds,
    exp: Seconds.meta({ description: 'epoch seconds at which the report is no longer valid 有效期至' }),
    jti: Jti,
    issuer: z.strictObject({ name: Both, department: z.strictObject({ id: Code, name: z.string() }) }),
    subject: z.strictObject({
      code: z.string().length(18),
      kind: z.strictObject({ code: z.enum(subjectKinds), ...Both.shape }),
      doubt: z.literal('check-character').optional(),
      names: z.array(z.strictObject({ name: z.string(), cities: z.array(CityId) })),
    }),
    purpose: z.strictObject({ code: Code, ...Both.shape }),
    matter: z.string(),
    period: z.strictObject({ from: Day, to: Day }),
    cities: z.array(ReportCity),
    families: z.array(z.strictObject({ code: Code, ...Both.shape })),
    sections: z.array(Section),
    cautions: z.array(Both),
  })
  .meta({ id: 'Report' })
export type Report = z.infer<typeof Report>

/** A report as it is handed over: with its proof, and the certificates that lead to the federation's root. */
export const ReportFile = z
  .strictObject({
    report: Report,
    /** Compact JWS, `credit-report+jwt`, whose payload is the RFC 8785 text of `report`. */
    jws: z.string(),
    chain: z
      .array(z.base64())
      .min(1)
      .max(4)
      .meta({ description: 'DER of the signing certificate and its issuers, without the root' }),
    code: z
      .string()
      .regex(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/)
      .meta({ description: 'verification code 核验码' }),
  })
  .meta({ id: 'ReportFile' })
export type ReportFile = z.infer<typeof ReportFile>

/**
 * Days for which a report may be used. The records behind it are supplied anew within days, and a repair is to end their use
 * at once: what is older is made anew, which costs a minute.
 */
export const VALID_DAYS = 30

/** What a report is not, in words that stay with it. */
const cautions: readonly z.infer<typeof Both>[] = [
  {
    zh: '本报告如实汇集所列城市的公共信用信息，不作评价，不含评分；可在所载目的和事由内代替有无违法违规证明，不得另作他用。',
    en: 'This report gathers the public credit information of the cities named, as they hold it; it judges nothing and holds no score. It may stand in for a certificate of no violation for the purpose and matter stated, and for nothing else.',
  },
  {
    zh: '“无记录”指所查询的城市均以最新数据答复，且在期间和协议约定的范围内没有可提供的记录；“未知”不表示没有记录。',
    en: '“No record” means that every city asked answered from fresh data and had nothing to give within the period and the agreements. “Unknown” never means that there is nothing.',
  },
  {
    zh: '本报告只载明社会公开级别的信息；已修复、撤销或公示期满的记录依法不再提供，不得以其他方式留存使用。自然人信息不予查询、不予提供。',
    en: 'Only information open to the public is in this report. Records that were repaired, withdrawn or are past their publicity are no longer given, and may not be kept in use by other means. Natural persons are not asked about and not told of.',
  },
  {
    zh: '外地记录不自动产生惩戒后果；采取措施以本市措施清单和法律、法规、规章或者党中央、国务院政策文件为依据。',
    en: 'A record of another city has no consequence of itself: measures follow this city’s own list and the law behind it.',
  },
  {
    zh: '对记录有异议的，可向来源城市的认定单位或者本市信用机构提出异议申请。',
    en: 'Whoever disputes a record may object to the authority of its source city, or to the credit office of this city.',
  },
  {
    zh: '本报告以附有电子签名的文件为准；纸质件应当与该文件核对核验码。',
    en: 'The signed file is the report; a print is to be held against it by its verification code.',
  },
]

/**
 * Asks the peers, looks into our own tables, and signs what came of it. Throws what `ask` throws for a question that may not
 * be asked at all, `request.form` for a period that has not ended, and `ledger.unavailable`: what is not recorded is not signed.
 */
export async function report(request: ReportRequest, department: Department, city: City): Promise<ReportFile> {
  const { purpose, matter, period, peer } = request
  if (period.to > dayOf(city.now())) throw refuse('request.form', 'the period ends after today')
  const want = publicWant(city.vocabulary)
  const answer = await ask({ peer, subjects: [request.subject], purpose, matter, want }, department, city)
  // `ask` has refused what is no lawful subject.
  const judged = judge(request.subject)
  if ('refused' in judged) throw refuse(judged.refused)
  const { subject } = judged
  const parts = [await ownPart(subject, city), ...answer.peers.map(each => peerPart(each, purpose, want, city))]
  const now = city.now()
  const iat = Math.floor(now / 1000)
  const made: Report = {
    iss: city.id,
    iat,
    exp: iat + VALID_DAYS * 86_400,
    jti: city.newJti(),
    issuer: { name: nameOf(city.id, city), department: { id: department.id, name: department.name } },
    subject: {
      code: subject.uscc,
      kind: termOf(subject.kind, 'subject-kinds', city.vocabulary),
      ...(subject.doubt && { doubt: subject.doubt }),
      names: namesIn(parts, subject.kind),
    },
    purpose: termOf(purpose, 'purposes', city.vocabulary),
    matter,
    period,
    cities: citiesOf(parts, answer, city),
    families: want.map(({ family }) => termOf(family, 'families', city.vocabulary)),
    sections: [...sectionsOf(parts, subject.kind, period, city.vocabulary)],
    cautions: [...cautions],
  }
  const text = canonical(made)
  const receipt = await city.ledger.append(reported(made, text, answer, subject, now))
  const { signer, signing } = city.keys()
  return {
    report: made,
    jws: sign(outgoing(text, receipt), signer).token,
    chain: signing.chain.map(({ der }) => Buffer.from(der).toString('base64')),
    code: codeOf(sha256(text)),
  }
}

/** Every family, and of each the fields that are open to all: a report is handed on, so it holds nothing else. */
function publicWant({ families }: Vocabulary): Want[] {
  return [...families].map(([family, { fields }]) => ({
    family,
    fields: [...fields.values()].flatMap(({ name, level }) => (level === 'public' ? [name] : [])),
  }))
}

async function ownPart(subject: Subject, city: City): Promise<Part> {
  const { clauses, records, freshness, unknown, withheld } = await ownRecords(subject, city)
  return {
    city: city.id,
    clauses,
    records: records.map(record => ({ record })),
    freshness,
    unknown,
    withheld,
  }
}

/** What a peer said, with what our agreement lets it say: a list that is not agreed is not known to be empty. */
function peerPart(
  { peer, outcome, reason, agreement, withheld = [], freshness = [], results: [result] }: AskAnswer['peers'][number],
  purpose: string,
  want: readonly Want[],
  city: City,
): Part {
  const nothing = { city: peer, clauses: new Map(), records: [], freshness: [], unknown: [], withheld: [] }
  if (outcome !== 'answered' || result === undefined || result.status === 'refused' || agreement === undefined) {
    return { ...nothing, silence: result?.reason ?? reason ?? told('peer.answer') }
  }
  const signed = city.agreements.find(agreement)
  if (signed === undefined) return { ...nothing, silence: told('agreement.unknown') }
  const { families } = scopeOf(signed, { from: peer, to: city.id, purpose, want }, city.vocabulary)
  const records = result.records.map(({ shared, recognition }) => ({ record: shared, recognition }))
  return { city: peer, clauses: families, records, freshness, unknown: result.unknown ?? [], withheld }
}

function citiesOf(parts: readonly Part[], answer: AskAnswer, city: City): Report['cities'] {
  const asked = parts.map(({ city: id, freshness, silence }): Report['cities'][number] => {
    const told = answer.peers.find(({ peer }) => peer === id)
    const agreement = city.agreements.find(told?.agreement ?? '')
    return {
      city: id,
      name: nameOf(id, city),
      outcome:
        told === undefined ? 'own' : silence === undefined || told.outcome !== 'answered' ? told.outcome : 'unknown',
      ...(silence && { reason: silence }),
      ...(agreement && {
        agreement: { id: agreement.text.id, digest: agreement.digest, title: agreement.text.title },
      }),
      freshness: [...freshness],
      ...(told?.receipt && { receipt: told.receipt }),
    }
  })
  const others = city.members.all.filter(({ id }) => !parts.some(part => part.city === id))
  return [
    ...asked,
    ...others.map(({ id, name }): Report['cities'][number] => {
      const bound = city.agreements.all.some(({ text }) => text.parties.includes(id))
      const reason = bound ? undefined : told('agreement.unknown')
      return { city: id, name: { ...name }, outcome: 'not-asked', ...(reason && { reason }), freshness: [] }
    }),
  ]
}

function nameOf(id: string, { members }: City): { zh: string; en: string } {
  const { zh = id, en = id } = members.find(id)?.name ?? {}
  return { zh, en }
}

function termOf<C extends string>(code: C, set: string, { sets }: Vocabulary): { code: C; zh: string; en: string } {
  const { zh = code, en = code } = sets.get(set)?.get(code) ?? {}
  return { code, zh, en }
}

function reported(
  { iss, jti, issuer, period, purpose, matter }: Report,
  text: string,
  { peers }: AskAnswer,
  { uscc }: Subject,
  now: number,
): LedgerEntry {
  return {
    kind: 'reported',
    at: new Date(now).toISOString(),
    city: iss,
    department: issuer.department.id,
    purpose: purpose.code,
    matter: maskPersonalNumbers(matter),
    subjects: [uscc],
    period,
    report: jti,
    reportDigest: sha256(text),
    outcomes: peers.flatMap(({ entry }) => (entry === undefined ? [] : [entry])),
  }
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * The verification code of a report: the first 80 bits of its digest (SHA-256, base64url), in the letters of Crockford's
 * base 32, which leave out those that are taken for each other. Enough that nobody makes another report with the same code.
 */
export function codeOf(digest: string): string {
  const bits = [...Buffer.from(digest, 'base64url').subarray(0, 10)]
    .map(byte => byte.toString(2).padStart(8, '0'))
    .join('')
  const letters = (bits.match(/.{5}/g) ?? []).map(five => CROCKFORD.charAt(Number.parseInt(five, 2)))
  return (letters.join('').match(/.{4}/g) ?? []).join('-')
}
