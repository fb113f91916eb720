/** Our own keys: read from files only we can read, held to the certificates that the federation knows us by, and changed in time. */

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Fault, readForm } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type CertifiedKey, proveKey, provePath } from './anchors.ts'
import { type Certificate, purposesOf, TRANSPORT } from './certificate.ts'
import { compact, type Header } from './jws.ts'
import type { Members, Transport } from './members.ts'
import { replaceFile } from './replace.ts'
import { jwkOf, type Opener, openerOf } from './seal.ts'
import { certifiedKey, type Described, entityOf, pemOf } from './statement.ts'

/** The port through which everything is signed; a hardware module takes its place here. */
export type Signer = (typ: string, payload: string) => { token: string; signingInput: string }

export type Keys = {
  readonly signer: Signer
  readonly signing: CertifiedKey
  /** For TLS: another key than the signing key, and its certificate with issuers. */
  readonly transport: Transport & { readonly keyPem: string }
  /** For what is encrypted to us, by `kid`, the newest first; none where we never made one. */
  readonly openers: ReadonlyMap<string, Opener>
  /** Ed25519; signs checkpoints of our log, and cosigns those of others. It does not change: a log is known by its key. */
  readonly log: KeyObject
  /** What we publish of ourselves: every key that a peer may see of us, the next one included. */
  readonly described: Described
  /** Epoch milliseconds at which the next key has been published long enough; undefined where none waits. */
  readonly changesAt: number | undefined
}

export type KeyPlaces = {
  /** The folder of private keys. */
  readonly keys: string
  /** Where it is written down since when each key of ours is published. */
  readonly data: string
  /** A file with the passphrase of encrypted key files. */
  readonly passphrase?: string | undefined
}

const MAKE = 'xinqiao keys new'

export const uses = ['signing', 'transport', 'encryption'] as const
export type Use = (typeof uses)[number]

type Held = { readonly file: string; readonly key: KeyObject }
type Certified = Held & { readonly chain: readonly Certificate[] }
type Signing = Held & { readonly certified: CertifiedKey }

/**
 * Reads every `signing*.pem`, `transport*.pem` and `encryption*.pem` (PKCS #8) of the folder of private keys, with their
 * certificates from the roll and from among the public ones. A new signing key is published first, and signs when the
 * federation's rule lets it; of those that may, the one published last signs. Faults: a file that others may read, no key
 * with a certificate of ours, none whose certificate leads to the root now (epoch milliseconds).
 */
export async function readKeys(
  places: KeyPlaces,
  city: string,
  members: Members,
  now: number,
  faults: Fault[],
): Promise<Keys | undefined> {
  const admitted = members.roll.members.find(({ id }) => id === city)
  if (admitted === undefined) return undefined
  const passphrase = readPassphrase(places.passphrase, faults)
  const [signing = [], transport = [], encryption = []] = uses.map(use =>
    readPrivate(places.keys, use, passphrase, faults),
  )
  const log = readLogKey(places.keys, passphrase, faults)
  const { anchors } = members
  const own = [...members.chainsOf(entityOf(city)), ...admitted.keys.map(({ chain }) => chain), ...admitted.transport]

  const certified = await Promise.all(withChains('signing', signing, own, faults).map(certifiedSigning))
  const published = sound(certified.flat(), faults, ({ certified }) => proveKey(city, certified, anchors, now))
  // The key of a connection is another than the key of messages, whatever their certificates say.
  const apart = withChains('transport', transport, own, faults).filter(
    ({ key }) => !signing.some(each => each.key.equals(key)),
  )
  const shown = sound(apart, faults, ({ chain }) => provePath(city, chain, anchors, now, TRANSPORT))
  const since = readPublished(places.data)
  const current = choose(published, since, members, city, now)
  const [first] = shown
  if (current === undefined || first === undefined || log === undefined) {
    if (faults.length === 0) {
      const problem =
        current === undefined ? 'no signing key is of an algorithm of the rules' : 'no transport key of its own'
      const remedy = `make one with \`${MAKE}\` and have it certified`
      faults.push({ file: current === undefined ? 'signing.pem' : 'transport.pem', path: '', problem, remedy })
    }
    return undefined
  }
  const openers = openersOf(encryption, [...signing, ...transport], faults)
  return {
    signer: signerOf(current.certified, current.key),
    signing: current.certified,
    transport: {
      pem: pemOf(first.chain),
      chain: first.chain,
      keyPem: first.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
    log,
    openers: new Map(openers.map(opener => [opener.kid, opener])),
    described: {
      ...admitted,
      keys: published.map(({ certified }) => certified),
      transport: shown.map(({ chain }) => chain),
      encryption: openers.map(({ key }) => jwkOf(key)),
    },
    changesAt: published
      .map(({ certified: { kid } }) => (since.get(kid) ?? now) + members.roll.rules.publishSeconds * 1000)
      .filter(at => at > now)
      .sort((a, b) => a - b)[0],
  }
}

/** Looks at the files of keys alone, where nothing can be said of their certificates. Faults as `readKeys`. */
export function checkKeyFiles(places: KeyPlaces, faults: Fault[]): void {
  const passphrase = readPassphrase(places.passphrase, faults)
  for (const use of uses) readPrivate(places.keys, use, passphrase, faults)
  readLogKey(places.keys, passphrase, faults)
}

const LOG_KEY = 'log.pem'

/** A fresh key of a log, as a PKCS #8 PEM. */
export function newLogKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The key of our log. Faults: there is none, others may read it, it is not Ed25519. */
function readLogKey(folder: string, passphrase: string | undefined, faults: Fault[]): KeyObject | undefined {
  const path = join(folder, LOG_KEY)
  const remedy = `make one with \`${MAKE} log\`, once: peers know the log by it`
  if (!existsSync(path)) {
    faults.push({ file: LOG_KEY, path: '', problem: 'there is no such key file', remedy })
    return undefined
  }
  const key = readKeyFile(path, LOG_KEY, passphrase, faults)
  if (key === undefined || key.asymmetricKeyType === 'ed25519') return key
  faults.push({ file: LOG_KEY, path: '', problem: 'is not an Ed25519 key', remedy })
  return undefined
}

/** The keys to open with. One key, one use: faults are a key that signs or connects as well, and one of another kind. */
function openersOf(held: readonly Held[], others: readonly Held[], faults: Fault[]): Opener[] {
  return held.flatMap(({ file, key }) => {
    if (others.some(other => other.key.equals(key))) {
      const problem = 'is the key of another use as well'
      faults.push({ file, path: '', problem, remedy: `make one of its own with \`${MAKE} encryption\`` })
      return []
    }
    try {
      return [openerOf(key)]
    } catch {
      faults.push({
        file,
        path: '',
        problem: 'is not on P-256 or X25519',
        remedy: `make one with \`${MAKE} encryption\``,
      })
      return []
    }
  })
}

/** Each key with each chain whose first certificate is for it and for this use, the one certified last first. */
function withChains(
  use: 'signing' | 'transport',
  held: readonly Held[],
  own: readonly (readonly Certificate[])[],
  faults: Fault[],
): Certified[] {
  const ofUse = own.filter(([leaf]) => leaf?.purposes?.toSorted().join() === purposesOf[use].toSorted().join())
  const chains = [...new Map(ofUse.map(chain => [chain[0]?.digest, chain])).values()]
  const certified = held
    .flatMap(each =>
      chains.filter(([leaf]) => leaf?.openssl.checkPrivateKey(each.key)).map(chain => ({ ...each, chain })),
    )
    .sort((a, b) => certifiedAt(b) - certifiedAt(a))
  if (held.length > 0 && certified.length === 0) {
    faults.push({
      file: `${use}.pem`,
      path: '',
      problem: `no ${use} certificate of ours has this key`,
      remedy: 'have its request certified, and put the certificate among the public ones',
    })
  }
  return certified
}

function certifiedAt({ chain: [leaf] }: Pick<Certified, 'chain'>): number {
  return leaf?.notBefore.getTime() ?? 0
}

async function certifiedSigning({ file, key, chain }: Certified): Promise<Signing[]> {
  const certified = await certifiedKey(chain)
  return certified === undefined ? [] : [{ file, key, certified }]
}

/** Those that can be proved, each key once. Where there is none, why: a key whose certificate has ended may lie beside its successor. */
function sound<T extends Held>(held: readonly T[], faults: Fault[], prove: (each: T) => unknown): T[] {
  const problems: string[] = []
  const proven = held.filter((each, i) => {
    try {
      prove(each)
      return held.findIndex(({ key }) => key.equals(each.key)) === i
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      problems.push(error.message)
      return false
    }
  })
  if (proven.length > 0) return proven
  for (const problem of problems) {
    const remedy = 'have the certificate renewed, or load the current revocation lists'
    faults.push({ file: 'certs', path: '', problem, remedy })
  }
  return []
}

/** The key to sign with at this instant; the one that peers have known longest where none is published long enough. */
function choose(
  published: readonly Signing[],
  since: ReadonlyMap<string, number>,
  { roll }: Members,
  city: string,
  now: number,
): Signing | undefined {
  const admitted = roll.members.find(({ id }) => id === city)?.keys ?? []
  const permitted = published.filter(({ certified }) => roll.rules.algorithms.includes(certified.alg))
  const from = ({ certified: { kid } }: Signing) => since.get(kid) ?? now
  const announced = permitted
    .filter(each => from(each) + roll.rules.publishSeconds * 1000 <= now)
    .sort((a, b) => from(b) - from(a))
  return (
    announced[0] ??
    permitted.find(({ certified: { kid } }) => admitted.some(each => each.kid === kid)) ??
    permitted.at(-1)
  )
}

const PUBLISHED = 'published.json'
const Published = z.record(z.string().regex(/^[A-Za-z0-9_-]{43}$/), z.int())

/** Since when (epoch milliseconds) each of our signing keys is published, by `kid`. What cannot be read is published anew. */
function readPublished(data: string): ReadonlyMap<string, number> {
  const path = join(data, PUBLISHED)
  if (!existsSync(path)) return new Map()
  return new Map(Object.entries(readForm({ file: PUBLISHED, text: readFileSync(path, 'utf8') }, Published, []) ?? {}))
}

/** Writes down that these keys are published from now on (epoch milliseconds), those that were not yet. */
export function notePublished(data: string, { described }: Keys, now: number): void {
  const since = readPublished(data)
  const fresh = described.keys.filter(({ kid }) => !since.has(kid))
  if (fresh.length === 0) return
  mkdirSync(data, { recursive: true, mode: 0o700 })
  // A crash that leaves the old file has the key published once more.
  const published = Object.fromEntries([...since, ...fresh.map(({ kid }) => [kid, now])])
  replaceFile(join(data, PUBLISHED), JSON.stringify(published))
}

/** The software signer; the private key does not leave this closure. */
export function signerOf(
  { alg, kid, thumbprint }: Pick<CertifiedKey, 'alg' | 'kid' | 'thumbprint'>,
  key: KeyObject,
): Signer {
  return (typ, payload) => {
    const header: Header = { alg, kid, typ, 'x5t#S256': thumbprint }
    return compact(header, payload, key)
  }
}

function readPrivate(folder: string, use: Use, passphrase: string | undefined, faults: Fault[]): Held[] {
  const files = existsSync(folder) ? readdirSync(folder) : []
  const ours = files.filter(file => file.startsWith(use) && file.endsWith('.pem')).sort(byName)
  if (ours.length === 0 && use !== 'encryption') {
    faults.push({
      file: `${use}.pem`,
      path: '',
      problem: 'there is no such key file',
      remedy: `mount the folder of private keys, or make one with \`${MAKE}\``,
    })
  }
  return ours.reverse().flatMap(file => {
    const key = readKeyFile(join(folder, file), file, passphrase, faults)
    return key === undefined ? [] : [{ file, key }]
  })
}

/** `signing.pem` before `signing-2027-01-15.pem`, and that before the next. */
function byName(one: string, other: string): number {
  return one.slice(0, -'.pem'.length) < other.slice(0, -'.pem'.length) ? -1 : 1
}

/** Reads one private key (PKCS #8 PEM, encrypted or not). Faults: others may read it; it is no key; no passphrase opens it. */
export function readKeyFile(
  path: string,
  file: string,
  passphrase: string | undefined,
  faults: Fault[],
): KeyObject | undefined {
  const fault = (problem: string, remedy: string) => {
    faults.push({ file, path: '', problem, remedy })
    return undefined
  }
  if ((statSync(path).mode & 0o077) !== 0) return fault('others may read the key', `chmod 600 ${file}`)
  const pem = readFileSync(path, 'utf8')
  const encrypted = pem.includes('ENCRYPTED PRIVATE KEY')
  if (encrypted && passphrase === undefined) {
    return fault('the key is encrypted', 'name a file with its passphrase in XINQIAO_KEYS_PASSPHRASE_FILE')
  }
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase !== undefined && { passphrase }) })
  } catch {
    return encrypted
      ? fault('the passphrase does not open the key', 'correct XINQIAO_KEYS_PASSPHRASE_FILE')
      : fault('not a PKCS #8 key in PEM', `make one with \`${MAKE}\``)
  }
}

/** The first line of the file; it may be read by us alone, as the keys themselves. */
export function readPassphrase(path: string | undefined, faults: Fault[]): string | undefined {
  if (path === undefined) return undefined
  const fault = (problem: string, remedy: string) => {
    faults.push({ file: 'environment', path: 'XINQIAO_KEYS_PASSPHRASE_FILE', problem, remedy })
    return undefined
  }
  if (!existsSync(path)) return fault('there is no such file', 'correct the name, or mount it')
  if ((statSync(path).mode & 0o077) !== 0) return fault('others may read the passphrase', `chmod 600 ${path}`)
  return readFileSync(path, 'utf8').split('\n', 1)[0]
}
