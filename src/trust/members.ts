/** Who belongs: every member city's name, address and certified keys, read once from files and checked against the federation root. */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { z } from 'zod'
import { sha256 } from '#protocol/canonical.ts'
import { type Fault, readForm } from '#protocol/fault.ts'
import { CityId } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import {
  type Certificate,
  type CrlStore,
  crlStore,
  type PathInput,
  type PathResult,
  pathCache,
  readCertificate,
  readCertificates,
  readCrls,
  SIGNING,
  TRANSPORT,
} from './certificate.ts'
import { type Algorithm, algorithmOf } from './jws.ts'

const Both = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) })

const MemberFile = z.strictObject({
  $schema: z.string().optional(),
  id: CityId,
  name: Both,
  /** GB/T 2260 codes, today's first; a code that was given up stays, for it lives on in the codes of subjects. */
  divisions: z.array(z.string().regex(/^[0-9]{6}$/)).min(1),
  /** The one address that is ever called. */
  endpoint: z.url({ protocol: /^https$/ }),
  certificates: z.strictObject({
    signing: z.array(z.string().regex(/^[A-Za-z0-9._-]+$/)).min(1),
    transport: z.array(z.string().regex(/^[A-Za-z0-9._-]+$/)).min(1),
  }),
})

/** One key of a member, usable while its certificate's path holds. */
export type MemberKey = {
  readonly kid: string
  readonly alg: Algorithm
  readonly key: KeyObject
  /** SHA-256 of the certificate's DER, base64url: `x5t#S256`. */
  readonly thumbprint: string
  readonly file: string
  readonly chain: readonly Certificate[]
}

export type Member = {
  readonly id: string
  readonly name: { readonly zh: string; readonly en: string }
  readonly divisions: readonly string[]
  readonly endpoint: string
  readonly keys: ReadonlyMap<string, MemberKey>
  /** The PEM of each transport certificate with its issuers, first is the one in use. */
  readonly transport: readonly Transport[]
}

/** A certificate for TLS, with its issuers: as read, and as PEM. */
export type Transport = { readonly file: string; readonly pem: string; readonly chain: readonly Certificate[] }

/** The federation's own anchors, and what was proved from them. Owned by the gateway that read them. */
export type Anchors = {
  readonly roots: readonly Certificate[]
  readonly rootsPem: string
  readonly crls: CrlStore
  /** `validatePath`, which remembers the paths that it found good: of signing keys and of connections alike. */
  readonly validate: (input: PathInput) => PathResult
  /** A shorter way to the same answer for the keys of members: every message asks for one, and this costs no digest. */
  readonly proofs: WeakMap<MemberKey, Proof>
}

/** Of which city a certificate is, as long as the revocation lists are these, from and until when (epoch milliseconds). */
type Proof = { readonly city: string; readonly revision: string; readonly from: number; readonly until: number }

export type Members = {
  readonly anchors: Anchors
  readonly all: readonly Member[]
  find(id: string): Member | undefined
}

/**
 * Reads `<config>/members/*.json` and the public material under `certs`: `root.pem`, `crls/*.pem` and the files that
 * members name. Pushes to `faults` what cannot be used. A member whose certificate has ended is not a fault here:
 * its messages are refused with `token.certificate`, and ours would stop us in `keys.ts`.
 */
export async function readMembers(config: string, certs: string, faults: Fault[]): Promise<Members> {
  const anchors = readAnchors(certs, faults)
  const all: Member[] = []
  for (const file of jsonFiles(join(config, 'members'))) {
    const member = await readMember(config, `members/${file}`, certs, faults)
    if (member !== undefined) all.push(member)
  }
  const byId = new Map(all.map(member => [member.id, member]))
  if (all.length === 0)
    faults.push({ file: 'members', path: '', problem: 'no member', remedy: 'add one file for each city' })
  if (byId.size !== all.length) {
    faults.push({
      file: 'members',
      path: '',
      problem: 'two files have the same id',
      remedy: 'keep one file for each city',
    })
  }
  return { anchors, all, find: id => byId.get(id) }
}

/** The names of the JSON files in a folder, sorted; none where there is no folder. */
export function jsonFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(file => file.endsWith('.json'))
    .sort()
}

function readAnchors(certs: string, faults: Fault[]): Anchors {
  const rootsPem = readOr(join(certs, 'root.pem'), '')
  if (rootsPem === '') {
    faults.push({
      file: 'certs/root.pem',
      path: '',
      problem: 'the federation root is missing',
      remedy: 'put the certificate of the federation root there; compare its fingerprint by telephone',
    })
  }
  const crls = crlStore()
  const folder = join(certs, 'crls')
  for (const file of existsSync(folder) ? readdirSync(folder).sort() : []) {
    try {
      for (const crl of readCrls(readFileSync(join(folder, file), 'utf8'))) crls.add(crl)
    } catch (error) {
      faults.push({
        file: `certs/crls/${file}`,
        path: '',
        problem: `not a PEM revocation list: ${error}`,
        remedy: 'fetch it anew',
      })
    }
  }
  const own = { rootsPem, crls, validate: pathCache(), proofs: new WeakMap<MemberKey, Proof>() }
  try {
    return { roots: rootsPem === '' ? [] : readCertificates(rootsPem), ...own }
  } catch (error) {
    faults.push({
      file: 'certs/root.pem',
      path: '',
      problem: `not PEM certificates: ${error}`,
      remedy: 'fetch it anew',
    })
    return { roots: [], ...own }
  }
}

function readOr(path: string, otherwise: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : otherwise
}

async function readMember(config: string, file: string, certs: string, faults: Fault[]): Promise<Member | undefined> {
  const member = readForm({ file, text: readFileSync(join(config, file), 'utf8') }, MemberFile, faults)
  if (member === undefined) return undefined
  const { id, name, divisions, endpoint, certificates } = member
  const keys = new Map<string, MemberKey>()
  const load = (
    kind: 'signing' | 'transport',
    names: readonly string[],
    use: (file: string, pem: string, chain: readonly Certificate[]) => void,
  ) => {
    for (const [i, name] of names.entries()) {
      try {
        const pem = readFileSync(join(certs, name), 'utf8')
        use(name, pem, readCertificates(pem))
      } catch (error) {
        faults.push({
          file,
          path: `certificates.${kind}[${i}]`,
          problem: `certs/${name} is not readable as PEM certificates: ${error}`,
          remedy: 'put the certificate there, followed by its issuers up to, not including, the root',
        })
      }
    }
  }
  const pending: Promise<void>[] = []
  load('signing', certificates.signing, (name, pem, chain) => {
    const certificate = new X509Certificate(pem)
    const key = certificate.publicKey
    const alg = algorithmOf(key)
    if (alg === undefined) {
      faults.push({
        file,
        path: 'certificates.signing',
        problem: `certs/${name} has a key of a kind not in use`,
        remedy: 'P-256 or Ed25519',
      })
      return
    }
    pending.push(
      keyId(key).then(kid => {
        keys.set(kid, { kid, alg, key, thumbprint: sha256(certificate.raw), file: name, chain })
      }),
    )
  })
  const transport: Transport[] = []
  load('transport', certificates.transport, (name, pem, chain) => transport.push({ file: name, pem, chain }))
  await Promise.all(pending)
  return { id, name, divisions, endpoint, keys, transport }
}

/** The `kid` of a public key: its RFC 7638 thumbprint. */
export function keyId(key: KeyObject): Promise<string> {
  return calculateJwkThumbprint(key.export({ format: 'jwk' }), 'sha256')
}

/**
 * Throws `token.certificate` unless the key's certificate leads to the federation root at this instant, is made for
 * signing messages, is not revoked, and names this member. Gives the instant until which that holds (epoch milliseconds).
 */
export function proveKey(member: Member, key: MemberKey, anchors: Anchors, now: number): number {
  const known = anchors.proofs.get(key)
  const { revision } = anchors.crls
  if (known?.revision === revision && known.city === member.id && known.from <= now && now < known.until) {
    return known.until
  }
  const proof = { ...prove(member.id, key.chain, anchors, now, [SIGNING], key.file), revision }
  anchors.proofs.set(key, proof)
  return proof.until
}

/** Proves a chain for a city and its purposes, as `proveKey` does. */
export function provePath(
  city: string,
  chain: readonly Certificate[],
  anchors: Anchors,
  now: number,
  purposes: readonly string[],
  file: string,
): number {
  return prove(city, chain, anchors, now, purposes, file).until
}

function prove(
  city: string,
  chain: readonly Certificate[],
  anchors: Anchors,
  now: number,
  purposes: readonly string[],
  file: string,
) {
  const found = lead(chain, anchors, now, purposes, file)
  if (found.city !== city) throw refuse('token.certificate', `${file} belongs to ${found.city}`)
  return found
}

/** A certificate as node:tls shows it, with the one that follows it. */
export type Shown = { readonly raw: Uint8Array; readonly issuerCertificate?: Shown }

/**
 * The city that the certificate of a TLS connection proves. Throws `token.certificate`. `now` is epoch milliseconds. The
 * issuers that members' files bring along serve too: a resumed connection shows the peer's certificate alone.
 */
export function provePeer(certificate: Shown, { anchors, all }: Members, now: number): string {
  const shown: Certificate[] = []
  for (
    let each: Shown | undefined = certificate;
    each?.raw !== undefined && shown.length < 8;
    each = each.issuerCertificate
  ) {
    shown.push(readCertificate(each.raw))
    if (each.issuerCertificate === each) break
  }
  const issuers = all.flatMap(({ transport }) => transport.flatMap(({ chain }) => chain.slice(1)))
  const known = new Map([...shown, ...issuers].map(each => [each.digest, each]))
  return lead([...known.values()], anchors, now, TRANSPORT, 'the connection').city
}

function lead(
  chain: readonly Certificate[],
  { roots, crls, validate }: Anchors,
  now: number,
  purposes: readonly string[],
  file: string,
) {
  const [leaf, ...untrusted] = chain
  if (leaf === undefined) throw refuse('token.certificate', `${file} has no certificate`)
  const path = validate({ leaf, untrusted, roots, at: new Date(now), crls, purposes, profile: 'federation' })
  if (!path.ok) throw refuse('token.certificate', `${file}: ${path.reason} ${path.detail}`)
  if (path.city === undefined) throw refuse('token.certificate', `${file} names no city`)
  return { city: path.city, from: path.notBefore.getTime(), until: path.notAfter.getTime() }
}
