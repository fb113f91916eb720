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
import { originOf, witnessName } from '#ledger/log.ts'
import { limits } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Said } from '#protocol/said.ts'
import { type Anchors, type CertifiedKey, proveFormerKey } from '#trust/anchors.ts'
import { type Certificate, crlStore, pathCache, readCertificate, readCrl } from '#trust/certificate.ts'
import { Malformed } from '#trust/der.ts'
import type { Member } from '#trust/members.ts'
import { certifiedKey, type Roll, readConfiguration, readRoll } from '#trust/statement.ts'
import { type Cosigned, type Facts, type FaultName, limitsOf, provesOf, RANGES } from './proof-words.ts'
import { lookAtTexts, SLACK } from './signed-texts.ts'
import { logOf } from './witness.ts'

type ProofFault = {
  readonly name: FaultName
  /** The entry; undefined for the file as a whole. */
  readonly index: number | undefined
  readonly detail: string
}

export type Proof = Facts & {
  readonly verified: boolean
  /** The first faults, and how many there are. */
  readonly faults: readonly ProofFault[]
  readonly faultCount: number
  /** Each in both languages: what is proved, where there is no fault; and what is not, whatever was found. */
  readonly proves: readonly Said[]
  readonly limits: readonly Said[]
}

/** Faults that are told in full. */
const REPORTED = 50

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
    if (!(fault instanceof Refusal)) throw fault
    found.add('malformed', undefined, fault.message)
  }
  walk.end()
  const [told, facts] = [found.told(), walk.told()]
  return { ...told, ...facts, proves: told.verified ? provesOf(facts) : [], limits: limitsOf(facts) }
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
  /** By city, from the roll. */
  readonly names: NonNullable<Facts['of']>['names']
}

/** One walk through one file; it remembers what the next line has to be held against. */
class Walk {
  of: Ground | undefined
  readonly #roots: readonly Certificate[]
  readonly #tell: Tell
  readonly #keys = new Map<string, CertifiedKey>()
  readonly #steady = new Set<string>()
  readonly #ranges: [number, number][] = []
  readonly #count = { entries: 0, held: 0, questions: 0, answers: 0, unsigned: 0, expired: 0 }
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

  told(): Facts {
    const { of } = this
    const { made = '', city = '', ledger = '' } = of?.header ?? {}
    const size = of?.checkpoint?.size
    return {
      of: of && { city, ledger, made, names: of.names },
      checkpoint: of && size !== undefined ? { size, cosigned: of.cosigned } : undefined,
      ...this.#count,
      ranges: this.#ranges,
      from: this.#first,
      to: this.#last,
    }
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
    this.#count.held += 1
    const place = { index, leaf: Buffer.from(leaf).toString('base64url'), link }
    const looks = lookAtTexts(entry, evidence, place, {
      keyOf: thumbprint => this.#keys.get(thumbprint),
      certified: (city, key, at) => this.#certified(city, key, at, ground.anchors, ground.made),
    })
    for (const { name, holds, detail } of looks) if (holds === false) tell(name, detail)
    const about = (message: 'question' | 'answer') => looks.filter(({ of }) => of === message)
    const isProved = (found: typeof looks) => found.length > 0 && found.every(({ holds }) => holds === true)
    if (isProved(about('question'))) this.#count.questions += 1
    if (isProved(about('answer'))) this.#count.answers += 1
    if (about('answer').some(({ holds }) => holds === 'open')) this.#count.unsigned += 1
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
  const cosigned: { city: string; at: string }[] = []
  for (const [city, { key }] of keys) {
    if (city === header.city || checkpoint === undefined) continue
    const at = cosignedAt(checkpoint.note, cosignerKey(witnessName(city), key))
    if (at === false || (at ?? 0) * 1000 > made + limits.skew * 1000) tell('cosignature', undefined, city)
    else if (at !== undefined) cosigned.push({ city, at: new Date(at * 1000).toISOString() })
  }
  const names = Object.fromEntries(roll?.members.map(({ id, name }) => [id, name]) ?? [])
  return { header, made, anchors, checkpoint, cosigned, names }
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
