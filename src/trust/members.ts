/** Who belongs, now: the newest roll that the federation's office signed, with the keys that its members have published since. */

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '#protocol/canonical.ts'
import { type Fault, readForm } from '#protocol/fault.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import {
  type Anchors,
  type CertifiedKey,
  type Peer,
  proveKey,
  provePath,
  provePeer,
  readAnchors,
  readLists,
  type Shown,
} from './anchors.ts'
import { type Certificate, readCertificates, STATEMENTS } from './certificate.ts'
import { replaceFile } from './replace.ts'
import { type EncryptionKey, readEncryptionJwk } from './seal.ts'
import {
  Bundle,
  bears,
  certifiedKey,
  type Described,
  type LogMetadata,
  numberOf,
  OFFICE,
  pemOf,
  type Roll,
  type Rules,
  readConfiguration,
  readRoll,
} from './statement.ts'
import { pemBlock } from './x509.ts'

export type Member = {
  readonly id: string
  readonly name: { readonly zh: string; readonly en: string }
  readonly divisions: readonly string[]
  /** The one address that is ever called. */
  readonly endpoint: string
  /** Its signing keys by `kid`, those of algorithms that the federation's rules name. */
  readonly keys: ReadonlyMap<string, CertifiedKey>
  readonly transport: readonly Transport[]
  /** Keys to encrypt to, by `kid`; the first is the one to use. */
  readonly encryption: ReadonlyMap<string, EncryptionKey>
  /** Its log, as it says itself; undefined until it was heard. */
  readonly log: LogMetadata | undefined
}

/** A certificate for TLS, with its issuers: as PEM, and as read. */
export type Transport = { readonly pem: string; readonly chain: readonly Certificate[] }

/** Everybody's view of it: what it shows is the members of this instant, whenever it is asked. */
export type Members = {
  readonly anchors: Anchors
  readonly roll: Roll
  readonly all: readonly Member[]
  find(id: string): Member | undefined
  /** A signing key that was a member's once, by its certificate (`x5t#S256`), for signatures that stay. */
  former(thumbprint: string): CertifiedKey | undefined
  /** Chains that lie among the public certificates, of those whose first certificate names this entity. */
  chainsOf(entity: string): readonly (readonly Certificate[])[]
  /** Who is at the other end of a TLS connection. Throws `token.certificate`. `now` is epoch milliseconds. */
  connected(certificate: Shown, now: number): Peer
}

/** The view of the one who keeps it up to date. */
export type LiveMembers = Members & {
  /**
   * Takes a roll if it is newer than the one held, and forgets who is not on it. Throws `form.*` and `token.*`, and
   * `token.claims` for another roll of the same number. `now` is epoch milliseconds.
   */
  take(bundle: Bundle, now: number): Promise<'taken' | 'known' | 'older'>
  /** Takes what a city says of itself, and the roll that it goes by where that is newer. Throws as `take` does. */
  learn(city: string, token: string, now: number): Promise<'taken' | 'known'>
  /** Writes down the revocation lists that were proved, for the next start. */
  keepLists(): void
}

export type Places = {
  readonly config: string
  readonly certs: string
  /** Where what the gateway learnt lies, so that a restart does not go back in time. */
  readonly data?: string
  /** Whether to write there what is learnt: for the running gateway, and nobody else. */
  readonly keeps?: true
}

const ROLL = 'roll.json'

/**
 * Reads the federation's root and revocation lists, the newest roll of `<config>/roll.json` and of what was learnt, and what
 * members said of themselves. Pushes to `faults` what keeps them from being believed. A member whose certificate has ended
 * is no fault here: its messages are refused with `token.certificate`, and ours would stop us in `keys.ts`.
 */
export async function readMembers(
  { config, certs, data, keeps }: Places,
  now: () => number,
  faults: Fault[],
): Promise<LiveMembers | undefined> {
  let held: State | undefined
  const anchors = readAnchors(certs, faults, () => (held?.roll.rules.crlGraceSeconds ?? 0) * 1000)
  const learnt = data === undefined ? undefined : join(data, 'federation')
  const kept = keeps && learnt
  // A list that was proved once is not given up for an older one, whatever lies in the folder at the next start.
  if (learnt !== undefined) readLists(learnt, anchors.crls, [])
  const former = await readFormer(certs, learnt)

  const build = (admitted: Described, said: Said | undefined, rules: Rules): Member => {
    const member = memberOf(admitted, said, rules)
    for (const key of member.keys.values()) if (isCertified(member.id, key, anchors, now())) remember(key, former, kept)
    return member
  }
  /** A roll whose office was revoked since binds nobody: or whoever stole that key had the last word for ever. */
  const isRevoked = ({ office }: Roll, at: number) => {
    try {
      provePath(OFFICE, office, anchors, at, [STATEMENTS])
      return false
    } catch (error) {
      if (error instanceof Refusal) return error.message.includes('revocation.revoked')
      throw error
    }
  }
  const isAbove = (roll: Roll | undefined, bundle: Bundle, at: number) =>
    roll !== undefined && (claimed(bundle) ?? roll.number) < roll.number && !isRevoked(roll, at)
  const take = async (bundle: Bundle, at: number) => {
    if (held !== undefined && bundle.roll === held.roll.bundle.roll) return 'known'
    if (isAbove(held?.roll, bundle, at)) return 'older'
    const roll = await readRoll(bundle, anchors, at)
    // Asked again: another roll may have come while this one was proved.
    if (isAbove(held?.roll, bundle, at)) return 'older'
    if (held?.roll.digest === roll.digest) return 'known'
    if (held?.roll.number === roll.number && !isRevoked(held.roll, at)) {
      throw refuse('token.claims', `two rolls of number ${roll.number}: the office signed both`)
    }
    const ids = new Set(roll.members.map(({ id }) => id))
    const said = new Map([...(held?.said ?? [])].filter(([id]) => ids.has(id)))
    held = stateOf(
      roll,
      said,
      roll.members.map(described => build(described, said.get(described.id), roll.rules)),
    )
    if (kept !== undefined) writeWhole(kept, ROLL, JSON.stringify(bundle))
    return 'taken'
  }
  const learn = async (city: string, token: string, at: number, again = false) => {
    const { described, made, roll } = await readConfiguration(token, city, anchors, at, again)
    const rolled = roll === undefined ? 'known' : await take(roll, at)
    const admitted = held?.roll.members.find(({ id }) => id === city)
    if (held === undefined || admitted === undefined) throw refuse('token.issuer', `${city} is not on the roll`)
    // Of two of one second the first that was heard stays: a city dates each a second later than the one before.
    if (made <= (held.said.get(city)?.made ?? 0)) return rolled === 'taken' ? 'taken' : 'known'
    const before = held.byId.get(city)
    const after = build(admitted, { described, made }, held.roll.rules)
    const members = held.members.map(member => (member.id === city ? after : member))
    held = stateOf(held.roll, new Map([...held.said, [city, { described, made }]]), members)
    if (kept !== undefined) writeWhole(kept, `${city}.jwt`, token)
    return rolled === 'taken' || !sameKeys(before, after) ? 'taken' : 'known'
  }

  // What was learnt was proved when it was written: nothing older counts, even where that itself no longer proves itself.
  const sources = [...(learnt === undefined ? [] : [join(learnt, ROLL)]), join(config, ROLL)].filter(each =>
    existsSync(each),
  )
  const bundles = sources.flatMap(path => {
    // What the gateway wrote itself is worth nothing where it cannot be read, and no reason not to start.
    const found = path === join(config, ROLL) ? faults : []
    return readForm({ file: ROLL, text: readFileSync(path, 'utf8') }, Bundle, found) ?? []
  })
  for (const bundle of bundles.toSorted((a, b) => (claimed(b) ?? 0) - (claimed(a) ?? 0))) {
    try {
      await take(bundle, now())
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      // Its office was revoked: the next one may be older, and counts.
      if (error.message.includes('revocation.revoked')) continue
      faults.push({
        file: ROLL,
        path: '',
        problem: `not believed: ${error.message}`,
        remedy: 'fetch the newest roll from the federation’s office, and the current revocation lists',
      })
    }
    break
  }
  if (held === undefined) {
    if (!faults.some(({ file }) => file === ROLL)) {
      faults.push({
        file: ROLL,
        path: '',
        problem: sources.length === 0 ? 'there is no roll of members' : 'the office that signed it was revoked',
        remedy: 'put the one that the federation’s office signed there: `xinqiao office sign` makes it',
      })
    }
    return undefined
  }
  for (const { id } of held.roll.members) {
    const path = join(learnt ?? '', `${id}.jwt`)
    if (learnt === undefined || !existsSync(path)) continue
    // What no longer holds is passed over: the member is asked again as soon as we run.
    await learn(id, readFileSync(path, 'utf8'), now(), true).catch(() => undefined)
  }
  const current = () => {
    if (held === undefined) throw new Error('no roll')
    return held
  }
  return {
    anchors,
    get roll() {
      return current().roll
    },
    get all() {
      return current().members
    },
    // After its end a roll says nothing any more, and nobody is a member.
    find: id => (now() < current().roll.until ? current().byId.get(id) : undefined),
    former: thumbprint => former.get(thumbprint),
    chainsOf: entity => readChains(certs).filter(([leaf]) => bears(leaf, entity)),
    connected: (certificate, at) =>
      provePeer(
        certificate,
        anchors,
        city =>
          current()
            .byId.get(city)
            ?.transport.flatMap(({ chain }) => chain.slice(1)) ?? [],
        at,
      ),
    take,
    learn: (city, token, at) => learn(city, token, at),
    keepLists() {
      if (kept === undefined) return
      for (const crl of anchors.crls.proven())
        writeWhole(join(kept, 'crls'), `${sha256(`${crl.issuer.key} ${crl.keyId}`)}.pem`, pemBlock(crl.der, 'X509 CRL'))
    },
  }
}

function stateOf(roll: Roll, said: ReadonlyMap<string, Said>, members: readonly Member[]): State {
  return { roll, said, members, byId: new Map(members.map(member => [member.id, member])) }
}

/** The number of what may prove to be no roll; undefined where it has not even the form of one. */
function claimed(bundle: Bundle): number | undefined {
  try {
    return numberOf(bundle)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

type Said = { readonly described: Described; readonly made: number }
type State = {
  readonly roll: Roll
  readonly said: ReadonlyMap<string, Said>
  readonly members: readonly Member[]
  readonly byId: ReadonlyMap<string, Member>
}

/**
 * A member as the office admitted it, with the keys that it publishes itself now. A key that it no longer publishes is no
 * longer taken; one that is published and not certified for the city is refused wherever it is used.
 */
function memberOf(admitted: Described, said: Said | undefined, rules: Rules): Member {
  const { id, name, divisions, endpoint } = admitted
  const { keys, transport, encryption, log } = said?.described ?? admitted
  const usable = keys.filter(({ alg }) => rules.algorithms.includes(alg))
  const signing = new Set(keys.map(({ kid }) => kid))
  return {
    id,
    name,
    divisions,
    endpoint,
    keys: new Map(usable.map(key => [key.kid, key])),
    transport: transport.map(chain => ({ pem: pemOf(chain), chain })),
    log,
    encryption: new Map(
      encryption
        .map(readEncryptionJwk)
        // One key, one use: who encrypts to a signing key helps whoever makes it sign what looks like a decryption.
        .filter(({ kid }) => !signing.has(kid))
        .map(each => [each.kid, each]),
    ),
  }
}

function sameKeys(one: Member | undefined, other: Member | undefined): boolean {
  return [...(one?.keys.keys() ?? [])].join() === [...(other?.keys.keys() ?? [])].join()
}

/** Every signing certificate that lies among the public ones, and every one that a member ever published to us. */
async function readFormer(certs: string, learnt: string | undefined): Promise<Map<string, CertifiedKey>> {
  const chains = [...readChains(certs), ...(learnt === undefined ? [] : readChains(join(learnt, 'keys')))]
  const keys = await Promise.all(chains.map(certifiedKey))
  return new Map(keys.flatMap(key => (key === undefined ? [] : [[key.thumbprint, key]])))
}

/** What of a folder's `*.pem` can be read as certificates; what cannot proves nothing and is no one's loss. */
function readChains(folder: string): Certificate[][] {
  const files = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.pem')) : []
  return files.sort().flatMap(file => {
    try {
      return [readCertificates(readFileSync(join(folder, file), 'utf8'))]
    } catch {
      return []
    }
  })
}

/** Whether the federation's authority says that the key is the city's: what anybody publishes besides is not worth the disk. */
function isCertified(city: string, key: CertifiedKey, anchors: Anchors, now: number): boolean {
  try {
    proveKey(city, key, anchors, now)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function remember(key: CertifiedKey, former: Map<string, CertifiedKey>, kept: string | undefined): void {
  if (former.has(key.thumbprint)) return
  former.set(key.thumbprint, key)
  if (kept !== undefined) writeWhole(join(kept, 'keys'), `${key.thumbprint}.pem`, pemOf(key.chain))
}

function writeWhole(folder: string, file: string, text: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  replaceFile(join(folder, file), text, 0o600)
}

/** The names of the JSON files in a folder, sorted; none where there is no folder. */
export function jsonFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(file => file.endsWith('.json'))
    .sort()
}
