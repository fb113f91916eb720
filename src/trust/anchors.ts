/** What is believed about a key is proved from the federation's root, with the revocation lists as they are at this instant. */
import type { KeyObject } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from '#protocol/fault.ts'
import { refuse } from '#protocol/refusal.ts'
import {
  type Certificate,
  type Crl,
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
import type { Algorithm } from './jws.ts'

/** A signing key, usable while its certificate's path holds. */
export type CertifiedKey = {
  readonly kid: string
  readonly alg: Algorithm
  readonly key: KeyObject
  /** SHA-256 of the certificate's DER, base64url: `x5t#S256`. */
  readonly thumbprint: string
  /** The certificate, then its issuers. */
  readonly chain: readonly Certificate[]
}

/** The federation's own anchors, and what was proved from them. Owned by the gateway that read them. */
export type Anchors = {
  readonly roots: readonly Certificate[]
  readonly rootsPem: string
  readonly crls: CrlStore
  /** Milliseconds that a revocation list may outlive its nextUpdate, by the federation's signed rules of now. */
  readonly grace: () => number
  /** `validatePath`, which remembers the paths that it found good: of signing keys and of connections alike. */
  readonly validate: (input: PathInput) => PathResult
  /** A shorter way to the same answer for the keys of members: every message asks for one, and this costs no digest. */
  readonly proofs: WeakMap<CertifiedKey, Proof>
}

/** Of which city a certificate is, as long as the revocation lists are these, from and until when (epoch milliseconds). */
type Proof = { readonly city: string; readonly revision: string; readonly from: number; readonly until: number }

/**
 * Reads `root.pem` and `crls/*.pem` from the folder of public certificates. Pushes to `faults` what cannot be read. What a
 * list says is judged where it is used: a list that has ended is no fault here, and proves nothing there.
 */
export function readAnchors(certs: string, faults: Fault[], grace: () => number = () => 0): Anchors {
  const fault = (file: string, problem: string, remedy: string) => faults.push({ file, path: '', problem, remedy })
  const path = join(certs, 'root.pem')
  const rootsPem = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const crls = crlStore()
  readLists(certs, crls, faults)
  const own = { rootsPem, crls, grace, validate: pathCache(), proofs: new WeakMap<CertifiedKey, Proof>() }
  if (rootsPem === '') {
    fault(
      'certs/root.pem',
      'the federation root is missing',
      'put the certificate of the federation root there; compare its fingerprint by telephone',
    )
    return { roots: [], ...own }
  }
  try {
    return { roots: readCertificates(rootsPem), ...own }
  } catch (error) {
    fault('certs/root.pem', `not PEM certificates: ${error}`, 'fetch it anew')
    return { roots: [], ...own }
  }
}

/**
 * Adds the revocation lists of `<certs>/crls` to those held, at start and whenever the folder changes. An older list than
 * one already proven is passed over (RFC 5280 section 5.2.3), and so a folder put back in time changes nothing.
 */
export function readLists(certs: string, crls: CrlStore, faults: Fault[]): void {
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
}

/** The newest revocation list of each key of each issuer, among all that are held. */
export function newestLists({ crls }: Anchors): readonly Crl[] {
  const newest = new Map<string, Crl>()
  for (const list of crls.list()) {
    const issuer = `${list.issuer.key} ${list.keyId}`
    if (list.number > (newest.get(issuer)?.number ?? -1n)) newest.set(issuer, list)
  }
  return [...newest.values()]
}

/**
 * Throws `token.certificate` unless the key's certificate leads to the federation root at this instant, is made for
 * signing messages, is not revoked, and names this city. Gives the instant until which that holds (epoch milliseconds).
 */
export function proveKey(city: string, key: CertifiedKey, anchors: Anchors, now: number): number {
  const known = anchors.proofs.get(key)
  const revision = `${anchors.crls.revision} ${anchors.grace()}`
  if (known?.revision === revision && known.city === city && known.from <= now && now < known.until) return known.until
  const proof = { ...prove(city, key.chain, anchors, now, [SIGNING]), revision }
  anchors.proofs.set(key, proof)
  return proof.until
}

/**
 * Throws `token.certificate` unless the key was the city's at that earlier instant and is not revoked now: what proves a
 * signature that stays, after its key has given way to another. Both instants are epoch milliseconds.
 */
export function proveFormerKey(city: string, key: CertifiedKey, anchors: Anchors, at: number, now: number): void {
  prove(city, key.chain, anchors, at, [SIGNING], now)
}

/** Proves a chain for a city and its purposes, as `proveKey` does. */
export function provePath(
  city: string,
  chain: readonly Certificate[],
  anchors: Anchors,
  now: number,
  purposes: readonly string[],
): number {
  return prove(city, chain, anchors, now, purposes).until
}

function prove(
  city: string,
  chain: readonly Certificate[],
  anchors: Anchors,
  at: number,
  purposes: readonly string[],
  listsAt: number = at,
) {
  const found = lead(chain, anchors, at, purposes, listsAt)
  if (found.city !== city) throw refuse('token.certificate', `of ${found.city}, not of ${city}`)
  return found
}

/** A certificate as node:tls shows it, with the one that follows it. */
export type Shown = { readonly raw: Uint8Array; readonly issuerCertificate?: Shown }

function readShown(der: Uint8Array): Certificate {
  try {
    return readCertificate(der)
  } catch (error) {
    throw refuse('token.certificate', 'cannot be read', error)
  }
}

/** Of which city a connection is. It is asked again for every message, since a list may revoke what was good when it opened. */
export type Peer = { readonly city: (now: number) => string }

/**
 * Who is at the other end of a TLS connection, by the certificate that it shows. `issuers` serve too, those of members'
 * statements: a resumed connection shows the peer's certificate alone. Throws `token.certificate`, as does what it gives
 * as soon as the proof no longer holds. `now` is epoch milliseconds.
 */
export function provePeer(
  certificate: Shown,
  anchors: Anchors,
  issuersOf: (city: string) => readonly Certificate[],
  now: number,
): Peer {
  const shown: Certificate[] = []
  for (
    let each: Shown | undefined = certificate;
    each?.raw !== undefined && shown.length < 8;
    each = each.issuerCertificate
  ) {
    shown.push(readShown(each.raw))
    if (each.issuerCertificate === each) break
  }
  const [city = ''] = (shown[0]?.alternativeNames ?? []).flatMap(({ form, value }) =>
    form === 'uri' ? [String(value).slice('xinqiao://'.length, -'.city'.length)] : [],
  )
  const known = [...new Map([...shown, ...issuersOf(city)].map(each => [each.digest, each])).values()]
  const revision = () => `${anchors.crls.revision} ${anchors.grace()}`
  const look = (at: number) => ({ ...lead(known, anchors, at, TRANSPORT), revision: revision() })
  let proof = look(now)
  return {
    city(at) {
      if (proof.revision !== revision() || at < proof.from || proof.until <= at) proof = look(at)
      return proof.city
    },
  }
}

function lead(
  chain: readonly Certificate[],
  { roots, crls, validate, grace }: Anchors,
  at: number,
  purposes: readonly string[],
  listsAt: number = at,
) {
  const [leaf, ...untrusted] = chain
  if (leaf === undefined) throw refuse('token.certificate', 'no certificate')
  const path = validate({
    leaf,
    untrusted,
    roots,
    at: new Date(at),
    listsAt: new Date(listsAt),
    crls,
    grace: grace(),
    purposes,
    profile: 'federation',
  })
  if (!path.ok) throw refuse('token.certificate', `${leaf.subject.text}: ${path.reason} ${path.detail}`)
  if (path.city === undefined) throw refuse('token.certificate', `${leaf.subject.text} names no city`)
  return { city: path.city, from: path.notBefore.getTime(), until: path.notAfter.getTime() }
}
