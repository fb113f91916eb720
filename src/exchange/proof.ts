/**
 * A file of evidence is believed as far as it proves itself from the federation's root, with nothing else at hand; every
 * fault is named with its entry, and what remains unproved is said in plain words. docs/evidence.md describes the file.
 */
import {
  cosignedAt,
  type EntryLine,
  entryIn,
  type Header,
  isIncluded,
  isLinked,
  type Line,
  readLine,
} from '#ledger/bundle.ts'
import { cosignerKey, readSigned, type Signed } from '#ledger/checkpoint.ts'
import type { Entry } from '#ledger/entry.ts'
import { contradiction, isBody, lacking } from '#ledger/evidence.ts'
import { originOf, witnessName } from '#ledger/log.ts'
import { canonical } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { Answer, limits, Query, type Receipt, RefusalMessage, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { maskPersonalNumbers, readSubject } from '#protocol/subject.ts'
import { type Anchors, type CertifiedKey, proveFormerKey } from '#trust/anchors.ts'
import { type Certificate, crlStore, pathCache, readCertificate, readCrl } from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import { decode, proves, readJws } from '#trust/jws.ts'
import type { Member } from '#trust/members.ts'
import { certifiedKey, type Roll, readConfiguration, readRoll } from '#trust/statement.ts'
import { logOf } from './witness.ts'

export type Said = { readonly zh: string; readonly en: string }

/** What can be wrong with a file, and what it is called; about the file as a whole, or about one entry. */
export const faultWords = {
  malformed: { zh: '格式不符', en: 'not in the form of a file of evidence' },
  truncated: { zh: '文件不完整', en: 'the file is not whole' },
  future: { zh: '文件时间在将来', en: 'the file is of the future' },
  roll: { zh: '成员名册无法核验', en: 'the roll of members does not prove itself' },
  log: { zh: '无法确认日志密钥', en: 'it is not proved whose key the log is signed with' },
  checkpoint: { zh: '检查点签名无效', en: 'the checkpoint is not signed by the log' },
  cosignature: { zh: '副署无效', en: 'a cosignature is not that of the city it names' },
  order: { zh: '条目顺序有误', en: 'entries do not stand in the order of their indexes, each once' },
  entry: { zh: '条目无法读取或属于其他城市', en: 'not an entry of this city in its canonical form' },
  inclusion: { zh: '条目不在检查点之中', en: 'the entry is not in the tree of the checkpoint at this place' },
  link: { zh: '链值不符', en: 'the entry does not follow from the one before it' },
  time: { zh: '时间不符', en: 'the times contradict each other' },
  missing: { zh: '应保存的原文缺失', en: 'signed texts that ought to be held are not there' },
  evidence: { zh: '原文与条目摘要不符', en: 'the texts are not those that the entry was made for' },
  certificate: { zh: '证书无法核验', en: 'the certificate of the key is not there, or does not lead to the root' },
  signature: { zh: '签名无效', en: 'the signature is not that of the key' },
  binding: { zh: '报文与条目或查询不符', en: 'the message says other things than the entry or its question' },
  receipt: { zh: '回执与日志位置不符', en: 'the receipt in the answer is of another place' },
} as const satisfies Record<string, Said>
export type FaultName = keyof typeof faultWords

export type ProofFault = {
  readonly name: FaultName
  /** The entry; undefined for the file as a whole. */
  readonly index: number | undefined
  readonly detail: string
}

export type Proof = {
  readonly verified: boolean
  /** The first faults, and how many there are. */
  readonly faults: readonly ProofFault[]
  readonly faultCount: number
  /** Undefined where the file has no header. */
  readonly of: { readonly city: string; readonly ledger: string; readonly made: string } | undefined
  readonly checkpoint: { readonly size: number; readonly cosigned: readonly Cosigned[] } | undefined
  /** Entries, and their indexes as ranges, both ends included. */
  readonly entries: number
  readonly ranges: readonly (readonly [number, number])[]
  readonly from: string | undefined
  readonly to: string | undefined
  /** Signed messages that were proved; answers of which only the body is held; entries whose texts have expired. */
  readonly questions: number
  readonly answers: number
  readonly unsigned: number
  readonly expired: number
  /** Each in both languages: what is proved, and what is not, whatever was found. */
  readonly proves: readonly Said[]
  readonly limits: readonly Said[]
}

/** A city that cosigned, and the instant by its own word. */
export type Cosigned = { readonly city: string; readonly at: string }

/** Faults that are told in full. */
const REPORTED = 50
/** Ranges of indexes that are told. */
const RANGES = 100
/** Seconds by which an entry may be earlier than one before it, and a message than its entry: the longest life of a question. */
const SLACK = limits.lifetime + limits.skew

/**
 * Verifies the lines of a file (as `linesOf` gives them) from the federation's root certificates. `now` is epoch milliseconds;
 * nothing but a file of the future depends on it. Never throws for what the file holds.
 */
export async function proveEvidence(
  lines: AsyncIterable<string>,
  roots: readonly Certificate[],
  now: number,
): Promise<Proof> {
  const found = openFindings()
  const walk = new Walk(roots, found.add)
  try {
    for await (const text of lines) {
      const line = readLine(text)
      if (typeof line === 'string') found.add('malformed', undefined, line)
      else await walk.step(line, now)
      // Without a header, or behind a broken line, whatever comes means nothing.
      if (typeof line === 'string' || walk.of === undefined) break
    }
  } catch (fault) {
    if (!(fault instanceof TypeError)) throw fault
    found.add('malformed', undefined, 'not UTF-8')
  }
  walk.end()
  return { ...found.told(), ...walk.told() }
}

function openFindings() {
  const faults: ProofFault[] = []
  let faultCount = 0
  return {
    add(name: FaultName, index: number | undefined, detail: string): void {
      faultCount += 1
      if (faults.length < REPORTED) faults.push({ name, index, detail })
    },
    told: () => ({ verified: faultCount === 0, faults, faultCount }),
  }
}

type Tell = (name: FaultName, index: number | undefined, detail: string) => void

/** What the header says, as far as it proves itself. */
type Ground = {
  readonly header: Header
  readonly made: number
  readonly anchors: Anchors
  readonly checkpoint: Signed | undefined
  readonly cosigned: readonly Cosigned[]
}

/** One walk through one file; it remembers what the next line has to be held against. */
class Walk {
  of: Ground | undefined
  readonly #roots: readonly Certificate[]
  readonly #tell: Tell
  readonly #keys = new Map<string, CertifiedKey>()
  readonly #steady = new Set<string>()
  readonly #ranges: [number, number][] = []
  readonly #count = { entries: 0, questions: 0, answers: 0, unsigned: 0, expired: 0 }
  #before: EntryLine | undefined
  #first: string | undefined
  #last: string | undefined
  #isEnded = false

  constructor(roots: readonly Certificate[], tell: Tell) {
    this.#roots = roots
    this.#tell = tell
  }

  async step(line: Line, now: number): Promise<void> {
    if (line.line === 'header') {
      if (this.of === undefined) this.of = await groundOf(line, this.#roots, now, this.#tell)
      else this.#tell('malformed', undefined, 'two headers')
    } else if (this.of === undefined || this.#isEnded) {
      this.#tell('malformed', undefined, this.#isEnded ? 'lines behind the end' : 'no header')
    } else if (line.line === 'certificate') {
      const key = await keyOf(line.chain)
      if (key === undefined) this.#tell('certificate', undefined, 'it cannot be read')
      else this.#keys.set(key.thumbprint, key)
    } else if (line.line === 'entry') {
      this.#entry(line, this.of)
    } else {
      this.#isEnded = true
      const { entries } = this.#count
      if (line.entries !== entries) this.#tell('truncated', undefined, `${entries} entries of ${line.entries}`)
    }
  }

  end(): void {
    if (this.of === undefined) this.#tell('malformed', undefined, 'no header')
    else if (!this.#isEnded) this.#tell('truncated', undefined, 'the last line is not there')
  }

  told() {
    const { of } = this
    const { made = '', city = '', ledger = '' } = of?.header ?? {}
    const size = of?.checkpoint?.size
    const facts = {
      of: of && { city, ledger, made },
      checkpoint: of && size !== undefined ? { size, cosigned: of.cosigned } : undefined,
      ...this.#count,
      ranges: this.#ranges,
      from: this.#first,
      to: this.#last,
    }
    return { ...facts, proves: provesOf(facts), limits: limitsOf(facts) }
  }

  #entry(line: EntryLine, ground: Ground): void {
    const { index } = line
    const { header, checkpoint, cosigned } = ground
    const tell = (name: FaultName, detail: string) => this.#tell(name, index, detail)
    const before = this.#before
    this.#before = line
    this.#count.entries += 1
    if (before !== undefined && index <= before.index) tell('order', `behind entry ${before.index}`)
    this.#place(index)
    const read = entryIn(line, header.city)
    if (read === undefined) {
      tell('entry', 'its text')
      return
    }
    const { entry, leaf } = read
    if (checkpoint !== undefined && !isIncluded(line, leaf, checkpoint)) tell('inclusion', `size ${checkpoint.size}`)
    if (!isLinked(line, leaf, before)) tell('link', 'its link, or the one before it')
    this.#first ??= entry.at
    const at = Date.parse(entry.at)
    if (at < Date.parse(this.#last ?? '') - SLACK * 1000)
      tell('time', `it is of ${entry.at}, behind one of ${this.#last}`)
    this.#last = entry.at
    if (at > ground.made + limits.skew * 1000) tell('time', `it is of ${entry.at}, later than the file`)
    const seen = cosigned.find(each => at > Date.parse(each.at) + limits.skew * 1000)
    if (seen !== undefined) tell('time', `it is of ${entry.at}, and ${seen.city} saw it by ${seen.at}`)
    this.#evidence(entry, line, leaf, ground, tell)
  }

  #place(index: number): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && index === last[1] + 1) last[1] = index
    else if (this.#ranges.length < RANGES) this.#ranges.push([index, index])
  }

  #evidence(
    entry: Entry,
    { evidence, index, link }: EntryLine,
    leaf: Uint8Array,
    ground: Ground,
    tell: (name: FaultName, detail: string) => void,
  ): void {
    const until = 'heldUntil' in entry ? entry.heldUntil : undefined
    const isDue = until !== undefined && Date.parse(until) > ground.made
    if (typeof evidence === 'string') {
      if (evidence === 'missing' || isDue) tell('missing', `to be held until ${until}`)
      else if (evidence === 'expired') this.#count.expired += 1
      if ((evidence === 'none') !== (until === undefined))
        tell('missing', `it says ${evidence}, and its entry does not`)
      return
    }
    const lacks = isDue ? lacking(entry, evidence) : undefined
    if (lacks !== undefined) tell('missing', lacks)
    const wrong = contradiction(entry, evidence)
    if (wrong !== undefined) tell('evidence', wrong)
    if (wrong !== undefined || !('questionHash' in entry)) return
    const place = { index, leaf: Buffer.from(leaf).toString('base64url'), link }
    const { question, answer } = evidence
    if (question !== undefined && this.#proved(() => this.#question(question, entry, ground), tell)) {
      this.#count.questions += 1
    }
    if (answer === undefined) return
    if (isBody(answer)) this.#count.unsigned += 1
    else if (this.#proved(() => this.#answer(answer, entry, place, ground), tell)) this.#count.answers += 1
  }

  /** Whether a message proves itself; what keeps it from that is told under its name. */
  #proved(work: () => void, tell: (name: FaultName, detail: string) => void): boolean {
    try {
      work()
      return true
    } catch (fault) {
      if (fault instanceof Contradicted) tell(fault.fault, fault.message)
      else if (!(fault instanceof Refusal)) throw fault
      else tell(fault.code === 'token.certificate' ? 'certificate' : 'signature', fault.message)
      return false
    }
  }

  #question(token: string, entry: Exchange, ground: Ground): void {
    const isOurs = entry.kind === 'asked' || entry.kind === 'outcome'
    const [iss, aud] = isOurs ? [entry.city, entry.peer] : [entry.peer, entry.city]
    const payload = this.#message(token, types.query, iss, entry, ground)
    const claims = Query.safeParse(payload).data
    const { jti, agreement, purpose, matter } = entry
    const same =
      claims !== undefined &&
      canonical([claims.iss, claims.aud, claims.jti, claims.agreement, claims.purpose]) ===
        canonical([iss, aud, jti, agreement, purpose]) &&
      maskPersonalNumbers(claims.matter) === matter &&
      claims.subjects.length === entry.subjects.length &&
      claims.subjects.every((text, i) => isSubject(text, entry.subjects[i])) &&
      (entry.kind !== 'asked' || canonical(claims.want) === canonical(entry.want))
    if (!same) throw new Contradicted('binding', 'the question is not what the entry says')
  }

  #answer(token: string, entry: Exchange, place: Omit<Receipt, 'at'>, ground: Ground): void {
    const isTheirs = entry.kind === 'outcome' || entry.kind === 'asked'
    const [iss, aud] = isTheirs ? [entry.peer, entry.city] : [entry.city, entry.peer]
    const isAnswer = entry.kind === 'answered' || (entry.kind === 'outcome' && entry.outcome === 'answered')
    const payload = this.#message(token, isAnswer ? types.answer : types.refusal, iss, entry, ground)
    const claims = isAnswer ? Answer.safeParse(payload).data : RefusalMessage.safeParse(payload).data
    const bound =
      claims?.iss === iss &&
      claims.aud === aud &&
      claims.req_jti === entry.jti &&
      claims.req_hash === entry.questionHash
    if (!bound) throw new Contradicted('binding', 'it does not answer this question')
    const code = 'refusal' in claims ? claims.refusal.code : undefined
    if ('code' in entry ? entry.code !== code : code !== undefined)
      throw new Contradicted('binding', 'it is refused for another reason than the entry says')
    const wanted = isTheirs && 'receipt' in entry ? entry.receipt : place
    const { index, leaf, link } = claims.receipt
    if (wanted?.index !== index || wanted.leaf !== leaf || wanted.link !== link)
      throw new Contradicted('receipt', `it names entry ${index}`)
  }

  /** The payload of a message that this city signed at the time of its entry, with a key that was its own then. */
  #message(token: string, typ: string, city: string, { at }: Exchange, { anchors, made }: Ground) {
    const jws = readJws(token, typ)
    const { kid, alg, 'x5t#S256': thumbprint } = jws.header
    const key = this.#keys.get(thumbprint)
    if (key === undefined) throw refuse('token.certificate', `${thumbprint} is not in the file`)
    if (key.kid !== kid || key.alg !== alg) throw refuse('token.signature', 'the header names another key')
    if (!proves(jws, key.key)) throw refuse('token.signature')
    const payload = readJson(decode(jws.payload))
    const entered = Date.parse(at)
    const iat = typeof payload['iat'] === 'number' ? payload['iat'] * 1000 : Number.NaN
    // A NaN is never near.
    if (!(Math.abs(iat - entered) <= SLACK * 1000)) throw new Contradicted('time', `signed at another time than ${at}`)
    this.#certified(city, key, entered, anchors, made)
    return payload
  }

  /** As `proveFormerKey`; but a path that was found while all its certificates hold is there as long as they all do. */
  #certified(city: string, key: CertifiedKey, at: number, anchors: Anchors, made: number): void {
    const all = [...key.chain, ...this.#roots]
    const isSteady = all.every(({ notBefore, notAfter }) => +notBefore <= at && at < +notAfter)
    const name = `${key.thumbprint} ${city}`
    if (isSteady && this.#steady.has(name)) return
    proveFormerKey(city, key, anchors, at, made)
    if (isSteady) this.#steady.add(name)
  }
}

type Exchange = Extract<Entry, { questionHash: string }>

class Contradicted extends Error {
  readonly fault: FaultName
  constructor(fault: FaultName, message: string) {
    super(message)
    this.fault = fault
  }
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

async function groundOf(header: Header, roots: readonly Certificate[], now: number, tell: Tell): Promise<Ground> {
  const made = Date.parse(header.made)
  if (made > now + limits.skew * 1000) tell('future', undefined, header.made)
  const crls = crlStore()
  for (const list of header.lists) {
    try {
      crls.add(readCrl(Buffer.from(list, 'base64')))
    } catch (fault) {
      if (!(fault instanceof Malformed)) throw fault
      tell('malformed', undefined, `a revocation list: ${fault.message}`)
    }
  }
  const proofs: Anchors['proofs'] = new WeakMap()
  const bare = { roots, rootsPem: '', crls, grace: () => 0, validate: pathCache(), proofs }
  const roll = await rollOf(header, bare, made, tell)
  const anchors = roll === undefined ? bare : { ...bare, grace: () => roll.rules.crlGraceSeconds * 1000 }
  const keys = await logKeys(header, anchors, roll, made, tell)
  const own = keys.get(header.city)
  const origin = originOf(header.city, header.ledger)
  const signed = own?.name === origin ? readSigned(header.checkpoint, own) : undefined
  if (own !== undefined && typeof signed !== 'object')
    tell('checkpoint', undefined, signed ?? `${header.city} publishes ${own.name}`)
  const checkpoint = typeof signed === 'object' ? signed : undefined
  const cosigned: Cosigned[] = []
  for (const [city, { key }] of keys) {
    if (city === header.city || checkpoint === undefined) continue
    const at = cosignedAt(checkpoint.note, cosignerKey(witnessName(city), key))
    if (at === false || (at ?? 0) * 1000 > made + limits.skew * 1000) tell('cosignature', undefined, city)
    else if (at !== undefined) cosigned.push({ city, at: new Date(at * 1000).toISOString() })
  }
  return { header, made, anchors, checkpoint, cosigned }
}

async function rollOf({ roll }: Header, anchors: Anchors, made: number, tell: Tell): Promise<Roll | undefined> {
  try {
    return await readRoll({ roll: roll.roll, statements: [...roll.statements] }, anchors, made)
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault
    tell('roll', undefined, fault.message)
    return undefined
  }
}

/** The keys with which members sign their logs, by their own signed word; of others than the log's own city, those that prove themselves. */
async function logKeys(
  { city: ours, statements }: Header,
  anchors: Anchors,
  roll: Roll | undefined,
  made: number,
  tell: Tell,
) {
  const keys = new Map<string, NonNullable<ReturnType<typeof logOf>>>()
  for (const city of new Set([ours, ...Object.keys(statements)])) {
    const why = await logKeyOf(city, statements[city], anchors, roll, made)
    if (typeof why !== 'string') keys.set(city, why)
    else if (city === ours) tell('log', undefined, why)
  }
  return keys
}

/** The key of a city's log, or why there is none to believe. */
async function logKeyOf(
  city: string,
  token: string | undefined,
  anchors: Anchors,
  roll: Roll | undefined,
  made: number,
) {
  if (!roll?.members.some(({ id }) => id === city)) return `${city} is on no roll that proves itself`
  if (token === undefined) return `nothing that ${city} says of itself is in the file`
  try {
    const { described } = await readConfiguration(token, city, anchors, made, true)
    return logOf({ id: city, log: described.log } satisfies Pick<Member, 'id' | 'log'>) ?? `${city} publishes no log`
  } catch (fault) {
    if (fault instanceof Refusal) return `${city}: ${fault.message}`
    throw fault
  }
}

async function keyOf(chain: readonly string[]): Promise<CertifiedKey | undefined> {
  try {
    return await certifiedKey(chain.map(each => readCertificate(Buffer.from(each, 'base64'))))
  } catch (fault) {
    if (fault instanceof Malformed) return undefined
    throw fault
  }
}

type Facts = Omit<Proof, 'verified' | 'faults' | 'faultCount' | 'proves' | 'limits'>

/** What holds where no fault was found. */
function provesOf({ of, checkpoint, entries, ranges, questions, answers, from, to }: Facts): Said[] {
  if (of === undefined || checkpoint === undefined) return []
  const { size, cosigned } = checkpoint
  const where = ranges.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(', ')
  const said = [
    {
      zh: `${entries} 条（序号 ${where}，${from} 至 ${to}）均在 ${of.city} 日志 ${of.ledger} 的前 ${size} 条之中，一字未改`,
      en: `${entries} entries (${where}; ${from} to ${to}) stand in the log of ${of.city}, ${of.ledger}, among its first ${size}, to the letter`,
    },
    {
      zh: `${questions} 份查询、${answers} 份答复或拒绝，均由条目所指城市以当时有效、经联盟根证书认证的密钥签署`,
      en: `${questions} questions and ${answers} answers or refusals were signed by the cities that the entries name, with keys that the federation had certified then`,
    },
    {
      zh: '每份答复均针对其查询，且与条目的摘要相符',
      en: 'each answer is to its question, and what the entry was made for',
    },
  ]
  const [first] = cosigned.toSorted((a, b) => (a.at < b.at ? -1 : 1))
  if (first !== undefined)
    said.push({
      zh: `自 ${first.at} 起，日志的前 ${size} 条未被改写：${cosigned.map(each => `${each.city}（${each.at}）`).join('、')} 见证`,
      en: `the first ${size} entries of the log were not rewritten after ${first.at}, as witnessed by ${cosigned.map(each => `${each.city} (${each.at})`).join(', ')}`,
    })
  return said
}

/** What is not proved, whatever was found. */
function limitsOf({ of, checkpoint, ranges, questions, answers, unsigned, expired }: Facts): Said[] {
  const said = [
    {
      zh: '不证明各城市的记录本身真实、完整，只证明当时如此问、如此答',
      en: 'that the cities’ own records were right: only that this was asked and answered, then',
    },
    {
      zh: '不证明此外没有其他条目：所选范围由导出方决定，只有连续的序号之间没有遗漏',
      en: 'that there are no other entries: who made the file chose them; only between indexes that follow each other nothing is left out',
    },
    {
      zh: `证书吊销情况以文件制作时（${of?.made ?? '—'}）所附吊销列表为准`,
      en: `what was revoked later: the revocation lists are those of the time of the file (${of?.made ?? '—'})`,
    },
  ]
  if (checkpoint?.cosigned.length === 0)
    said.push({
      zh: '没有任何城市副署：只凭本市自己的签名，不能证明日志未被改写',
      en: 'that the log was not rewritten: no other city has cosigned it, and its own signature alone does not show that',
    })
  if (expired > 0)
    said.push({
      zh: `${questions + answers + unsigned + expired} 项中有 ${expired} 项原文已过保存期，只剩摘要`,
      en: `the words of ${expired} of ${questions + answers + unsigned + expired} exchanges: their texts have expired, and the digests are left`,
    })
  if (unsigned > 0)
    said.push({
      zh: `${unsigned} 份答复只有正文而无签名（因故障中断）`,
      en: `that ${unsigned} answers were signed: only their bodies are held, since a crash came between`,
    })
  if (ranges.length >= RANGES)
    said.push({ zh: '序号范围过多，未全部列出', en: 'all ranges of indexes are not listed: there are too many' })
  return said
}
