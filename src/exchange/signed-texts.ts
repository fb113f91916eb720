/**
 * The signed texts of an entry are held against it in one way, whoever asks: a file of evidence that has to prove itself, or
 * the console beside the ledger. docs/evidence.md, What is looked at, 6 to 8.
 */
import type { HeldEvidence } from '#ledger/bundle.ts'
import type { Entry } from '#ledger/entry.ts'
import { contradiction, isBody, lacking } from '#ledger/evidence.ts'
import type { Evidence, Ledger, Page } from '#ledger/ledger.ts'
import { canonical } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { Answer, limits, Query, type Receipt, RefusalMessage, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { readSubject } from '#protocol/subject.ts'
import type { CertifiedKey } from '#trust/anchors.ts'
import { decode, proves, readJws } from '#trust/jws.ts'
import type { FaultName, Look } from './proof-words.ts'

/** Whose keys are whose, as of then and of now. */
export type Ground = {
  /** The key with this certificate (`x5t#S256`), as far as it is at hand. */
  readonly keyOf: (thumbprint: string, kid: string, city: string) => CertifiedKey | undefined
  /** Throws `token.certificate` unless the key was this city's at that instant (epoch milliseconds), and is not revoked since. */
  readonly certified: (city: string, key: CertifiedKey, at: number) => void
}

/** Seconds by which an entry may be earlier than one before it, and a message than its entry: the longest life of a question. */
export const SLACK = limits.lifetime + limits.skew

/** Entries that are found at once. */
const PAGE = 256

/** What is held for an entry, or why nothing is: what is gone and was not let go by an entry of the ledger is missing. */
export function stateOf(entry: Entry, held: Evidence | undefined, isLetGo: boolean): HeldEvidence {
  if (held?.question !== undefined || held?.answer !== undefined) return { ...held }
  if (!('questionHash' in entry) || entry.heldUntil === undefined) return 'none'
  return isLetGo ? 'expired' : 'missing'
}

/** Whether an entry says of this one that its evidence was let go; what is gone without it is missing, whatever its day. */
export async function lettingGo(ledger: Ledger): Promise<(index: number) => boolean> {
  const ranges: { readonly from: number; readonly until: number }[] = []
  for (let before: number | undefined = await ledger.count(); before !== undefined; ) {
    const { entries, next }: Page = await ledger.search({ kinds: ['expired'] }, { before, limit: PAGE })
    for (const { entry } of entries) if (entry.kind === 'expired') ranges.push(entry)
    before = next
  }
  return index => ranges.some(({ from, until }) => from <= index && index < until)
}

/** Holds texts against the entry at this place in the ledger. Of each message it ends at the first fault. Never throws for what they hold. */
export function lookAtTexts(
  entry: Entry,
  evidence: Evidence,
  place: Omit<Receipt, 'at'>,
  ground: Ground,
): readonly Look[] {
  const looks: Look[] = []
  const texts = (name: FaultName, wrong: string | undefined) =>
    looks.push({ of: 'texts', name, holds: wrong === undefined, detail: wrong ?? '' })
  texts('missing', lacking(entry, evidence))
  const wrong = contradiction(entry, evidence)
  texts('evidence', wrong)
  if (wrong !== undefined || !('questionHash' in entry)) return looks
  const { question, answer } = evidence
  if (question !== undefined)
    looks.push(...looking('question', holds => lookAtQuestion(question, entry, ground, holds)))
  if (answer === undefined) return looks
  if (!isBody(answer)) looks.push(...looking('answer', holds => lookAtAnswer(answer, entry, place, ground, holds)))
  // Our own answer, where a crash came before the signature; what a peer says it has signed, or it is nothing.
  else
    looks.push({
      of: 'answer',
      name: 'signature',
      holds: entry.kind === 'answered' ? 'open' : false,
      detail: 'an answer that nobody signed',
    })
  return looks
}

type Exchange = Extract<Entry, { questionHash: string }>
type Holds = (name: FaultName) => void

/** All that holds of one message, and what does not, which is the last that was looked at. */
function looking(of: Look['of'], work: (holds: Holds) => void): readonly Look[] {
  const looks: Look[] = []
  const fails = (name: FaultName, detail: string) => looks.push({ of, name, holds: false, detail })
  try {
    work(name => looks.push({ of, name, holds: true, detail: '' }))
  } catch (fault) {
    if (fault instanceof Contradicted) fails(fault.fault, fault.message)
    else if (!(fault instanceof Refusal)) throw fault
    else fails(fault.code === 'token.certificate' ? 'certificate' : 'signature', fault.message)
  }
  return looks
}

class Contradicted extends Error {
  readonly fault: FaultName
  constructor(fault: FaultName, message: string) {
    super(message)
    this.fault = fault
  }
}

function lookAtQuestion(token: string, entry: Exchange, ground: Ground, holds: Holds): void {
  const isOurs = entry.kind === 'asked' || entry.kind === 'outcome'
  const [iss, aud] = isOurs ? [entry.city, entry.peer] : [entry.peer, entry.city]
  const claims = Query.safeParse(lookAtMessage(token, types.query, iss, entry, ground, holds)).data
  const { jti, agreement, purpose, matter } = entry
  const same =
    claims !== undefined &&
    canonical([claims.iss, claims.aud, claims.jti, claims.agreement, claims.purpose]) ===
      canonical([iss, aud, jti, agreement, purpose]) &&
    isMatter(claims.matter, matter) &&
    claims.subjects.length === entry.subjects.length &&
    claims.subjects.every((text, i) => isSubject(text, entry.subjects[i])) &&
    (entry.kind !== 'asked' || canonical(claims.want) === canonical(entry.want))
  if (!same) throw new Contradicted('binding', 'the question is not what the entry says')
  holds('binding')
}

function lookAtAnswer(token: string, entry: Exchange, place: Omit<Receipt, 'at'>, ground: Ground, holds: Holds): void {
  const isTheirs = entry.kind === 'outcome' || entry.kind === 'asked'
  const [iss, aud] = isTheirs ? [entry.peer, entry.city] : [entry.city, entry.peer]
  const isAnswer = entry.kind === 'answered' || (entry.kind === 'outcome' && entry.outcome === 'answered')
  const payload = lookAtMessage(token, isAnswer ? types.answer : types.refusal, iss, entry, ground, holds)
  const claims = isAnswer ? Answer.safeParse(payload).data : RefusalMessage.safeParse(payload).data
  const bound =
    claims?.iss === iss && claims.aud === aud && claims.req_jti === entry.jti && claims.req_hash === entry.questionHash
  if (!bound) throw new Contradicted('binding', 'it does not answer this question')
  const code = 'refusal' in claims ? claims.refusal.code : undefined
  if ('code' in entry ? entry.code !== code : code !== undefined)
    throw new Contradicted('binding', 'it is refused for another reason than the entry says')
  holds('binding')
  const wanted = isTheirs && 'receipt' in entry ? entry.receipt : place
  const { index, leaf, link } = claims.receipt
  if (wanted?.index !== index || wanted.leaf !== leaf || wanted.link !== link)
    throw new Contradicted('receipt', `it names entry ${index}`)
  holds('receipt')
}

/** The payload of a message that this city signed at the time of its entry, with a key that was its own then. */
function lookAtMessage(token: string, typ: string, city: string, { at }: Exchange, ground: Ground, holds: Holds) {
  const jws = readJws(token, typ)
  const { kid, alg, 'x5t#S256': thumbprint } = jws.header
  const key = ground.keyOf(thumbprint, kid, city)
  if (key === undefined) throw refuse('token.certificate', `${thumbprint} is not at hand`)
  if (key.kid !== kid || key.alg !== alg) throw refuse('token.signature', 'the header names another key')
  if (!proves(jws, key.key)) throw refuse('token.signature')
  holds('signature')
  const payload = readJson(decode(jws.payload))
  const entered = Date.parse(at)
  const iat = typeof payload['iat'] === 'number' ? payload['iat'] * 1000 : Number.NaN
  // A NaN is never near.
  if (!(Math.abs(iat - entered) <= SLACK * 1000)) throw new Contradicted('time', `signed at another time than ${at}`)
  holds('time')
  ground.certified(city, key, entered)
  holds('certificate')
  return payload
}

/**
 * Whether the matter of a question is the one of its entry, sign by sign, but for those that the entry hides behind an asterisk:
 * which those are is the mask's affair, and masks grow stricter over the years. What it hides stands in the question.
 */
function isMatter(said: string, entered: string): boolean {
  const [signs, hidden] = [[...said], [...entered]]
  return signs.length === hidden.length && hidden.every((sign, i) => sign === '*' || sign === signs[i])
}

/** Whether the text of a question is the subject of its entry; the code is judged where it is asked about, and later only read. */
function isSubject(text: string, entered: string | undefined): boolean {
  if (text === entered) return true
  try {
    return readSubject(text).uscc === entered
  } catch (fault) {
    if (fault instanceof Refusal) return false
    throw fault
  }
}
