/**
 * A certificate is accepted only with a path to a root: RFC 5280 section 6.1 whole, and on top of it, where asked, the
 * federation's closed profile. Pure: no clock, no network, no file. No input makes it slow: work is drawn from a budget.
 */
import { hash, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { forbiddenName, type GeneralName, isNamed, type PeerName } from './names.ts'
import { type CrlStore, type RevocationReason, revocationOf } from './revocation.ts'
import { type Certificate, extension, hasKnownAlgorithm, isSignedBy, keyKind, keyUsage } from './x509.ts'

export type { PeerName } from './names.ts'
export { type Crl, type CrlStore, crlStore, readCrl, readCrls } from './revocation.ts'
export { type Certificate, readCertificate, readCertificates } from './x509.ts'

export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
/** Signing messages of the federation: UUID e5c5a0d2-6b1f-4f0e-9c4a-2d7e51b0a3ad under 2.25 (ITU-T X.667). */
export const SIGNING = '2.25.305419355372480554288331454216116675501'
/** Signing the statements that say who belongs: UUID 2ea6e498-8219-4a10-8f18-2e283746cced under 2.25. */
export const STATEMENTS = '2.25.62011045556956870471791065649333587181'
/** Both ends of TLS between gateways; one certificate serves both. */
export const TRANSPORT: readonly string[] = [SERVER_AUTH, CLIENT_AUTH]
/** What a certificate of each use says in its extended key usage, and nothing besides. */
export const purposesOf = { signing: [SIGNING], transport: TRANSPORT, statements: [STATEMENTS] } as const
export type CertifiedUse = keyof typeof purposesOf

export type PathReason =
  | 'malformed'
  | 'path.no-issuer'
  | 'path.budget'
  | 'path.too-long'
  | 'path.untrusted-root'
  | 'signature.algorithm'
  | 'signature.invalid'
  | 'key.unusable'
  | 'certificate.version'
  | 'certificate.serial'
  | 'certificate.unique-id'
  | 'certificate.issuer'
  | 'certificate.subject'
  | 'validity.not-yet'
  | 'validity.expired'
  | 'extension.unknown-critical'
  | 'extension.criticality'
  | 'extension.refused'
  | 'extension.inconsistent'
  | 'extension.authority-key-identifier'
  | 'extension.subject-key-identifier'
  | 'ca.basic-constraints'
  | 'ca.key-usage'
  | 'ca.path-length'
  | 'constraints.name'
  | 'policy.explicit'
  | 'purpose.key-usage'
  | 'purpose.extended-key-usage'
  | 'name.mismatch'
  | 'profile.depth'
  | 'profile.key'
  | 'profile.serial'
  | 'profile.wildcard'
  | 'profile.city'
  | 'profile.leaf'
  | 'profile.purpose'
  | RevocationReason

export type PathResult =
  | {
      readonly ok: true
      /** Leaf first, root last. */
      readonly path: readonly Certificate[]
      /** The city that the leaf names, under the federation profile. */
      readonly city?: string
      /** The result holds from `notBefore` through `notAfter`: no certificate and no CRL in it lives longer. */
      readonly notBefore: Date
      readonly notAfter: Date
    }
  | { readonly ok: false; readonly reason: PathReason; readonly detail: string }

export type PathInput = {
  readonly leaf: Certificate
  /** In any order; more than the path needs does no harm. */
  readonly untrusted: readonly Certificate[]
  readonly roots: readonly Certificate[]
  readonly at: Date
  /** When the revocation lists have to be current, where that is another instant: now, for a signature made long ago. */
  readonly listsAt?: Date
  /** Given, every certificate but the root must be covered; the federation profile always demands it. */
  readonly crls?: CrlStore
  /** Milliseconds that a CRL may outlive its nextUpdate: a signed federation rule, 0 without one. */
  readonly grace?: number
  /** Object identifiers of extended key usage; the path must allow each of them. */
  readonly purposes?: readonly string[]
  readonly name?: PeerName
  /** Issuing certificates between leaf and root, self-issued ones not counted. */
  readonly maxDepth?: number
  readonly profile: 'rfc5280' | 'federation'
}

type Path = readonly Certificate[]
type Fault = { readonly reason: PathReason; readonly detail: string }

const MAX_DEPTH = 8
/** Certificates of any path, self-issued ones included. */
const LONGEST_PATH = 16
/** What one validation may spend in all, over every path it tries; then it ends, refused, whatever else could be tried. */
const allowance = {
  /** A path of five costs five; the rest is for wrong turns. At 0.1 ms each this is what a stranger can cost. */
  signatures: 64,
  candidates: 1024,
  /** OpenSSL stops at 2^20 for one certificate; a federation path needs a dozen. */
  'name comparisons': 1 << 18,
}

class Budget {
  exhausted: keyof typeof allowance | undefined
  readonly #left = { ...allowance }

  spend(kind: keyof typeof allowance, amount = 1): boolean {
    this.#left[kind] -= amount
    if (this.#left[kind] < 0) this.exhausted ??= kind
    return this.exhausted === undefined
  }
}

/** Looks for a path that satisfies everything asked; the reason given is that of the path that came furthest. */
export function validatePath(input: PathInput): PathResult {
  const unfit = certificateFault(input.leaf, input.at, false)
  if (unfit) return { ok: false, ...unfit }
  const budget = new Budget()
  const search = new Search(input, budget)
  let refused: Fault | undefined
  for (const path of search.pathsFrom([input.leaf])) {
    const outcome = checkPath(path, input, budget)
    if (outcome.ok) return outcome
    refused ??= { reason: outcome.reason, detail: outcome.detail }
  }
  if (budget.exhausted) return { ok: false, reason: 'path.budget', detail: budget.exhausted }
  return { ok: false, ...(refused ?? search.nearest) }
}

/** Path building with backtracking (RFC 4158): depth first, roots first, never the same name and key twice. */
class Search {
  nearest: Fault = { reason: 'path.no-issuer', detail: '' }
  #reach = -1
  readonly #input: PathInput
  readonly #budget: Budget
  readonly #roots: ReadonlySet<string>
  readonly #bySubject: ReadonlyMap<string, Certificate[]>
  readonly #known = new Map<string, boolean>()

  constructor(input: PathInput, budget: Budget) {
    this.#input = input
    this.#budget = budget
    this.#roots = new Set(input.roots.map(root => root.digest))
    const distinct = new Map([...input.roots, ...input.untrusted].map(each => [each.digest, each]))
    this.#bySubject = Map.groupBy(distinct.values(), each => each.subject.key)
  }

  *pathsFrom(path: Path): Generator<Path, void> {
    const last = path.at(-1)
    if (last === undefined) return
    const candidates = (this.#bySubject.get(last.issuer.key) ?? []).filter(each => isNamedIssuer(last, each))
    if (candidates.length === 0) this.#note(path, fault('path.no-issuer', last, `issuer ${last.issuer.text}`))
    for (const candidate of candidates) {
      if (!this.#budget.spend('candidates')) return
      if (path.some(each => isSameEntity(each, candidate))) continue
      // What was given as a root but is issued by another certificate is a step on the way, as for OpenSSL.
      const isRoot = this.#roots.has(candidate.digest) && isSelfSigned(candidate)
      const longer = [...path, candidate]
      const refused = this.#issuerFault(last, candidate, longer, isRoot)
      if (refused) this.#note(path, refused)
      else if (isRoot) yield longer
      else yield* this.pathsFrom(longer)
    }
  }

  /** Everything about a candidate that does not depend on what lies above it; the signature last, because it costs. */
  #issuerFault(subject: Certificate, issuer: Certificate, path: Path, isRoot: boolean): Fault | undefined {
    const { at, maxDepth = MAX_DEPTH } = this.#input
    const intermediates = path.slice(1, isRoot ? -1 : undefined).filter(each => !isSelfIssued(each))
    if (intermediates.length > maxDepth || path.length > LONGEST_PATH) return fault('path.too-long', issuer)
    // A stranger's root leads only to itself; a certificate for a changed key names the old one as its issuer's.
    if (!isRoot && isSelfSigned(issuer)) return fault('path.untrusted-root', issuer)
    const refused = certificateFault(issuer, at, isRoot) ?? authorityFault(issuer)
    if (refused) return refused
    if (isRoot && !this.#isSigned(issuer, issuer)) return fault('path.untrusted-root', issuer)
    if (!subject.openssl.checkIssued(issuer.openssl)) return fault('path.no-issuer', subject, 'says OpenSSL')
    return this.#isSigned(subject, issuer) ? undefined : fault('signature.invalid', subject)
  }

  #isSigned(subject: Certificate, issuer: Certificate): boolean {
    const key = `${subject.digest} ${issuer.keyDigest}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const signed = this.#budget.spend('signatures') && isSignedBy(subject, issuer.publicKey)
    this.#known.set(key, signed)
    return signed
  }

  #note(path: Path, refused: Fault): void {
    if (path.length <= this.#reach) return
    this.#reach = path.length
    this.nearest = refused
  }
}

function fault(reason: PathReason, { subject, digest }: Certificate, detail = ''): Fault {
  return { reason, detail: `${subject.text || digest}${detail && `: ${detail}`}` }
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return subject.key === issuer.key
}

function isSameEntity(one: Certificate, other: Certificate): boolean {
  return one.keyDigest === other.keyDigest && one.subject.key === other.subject.key
}

/** By its own words; whether it is signed so, a signature tells. */
function isSelfSigned(certificate: Certificate): boolean {
  return isSelfIssued(certificate) && isNamedIssuer(certificate, certificate)
}

/** RFC 5280 section 4.2.1.1: where the certificate says which key or certificate issued it, no other one did. */
function isNamedIssuer({ authorityKeyIdentifier: named }: Certificate, issuer: Certificate): boolean {
  if (named === undefined) return true
  const { keyId } = named
  if (keyId !== undefined && keyId !== (issuer.subjectKeyIdentifier ?? keyId)) return false
  if (named.issuer === undefined) return true
  const names = named.issuer.names.flatMap(name => (name.form === 'dn' ? [name.value.key] : []))
  return named.issuer.serial === issuer.serial && names.includes(issuer.issuer.key)
}

/** RFC 5280 sections 4.1, 4.2 and 6.1.3 (a): one certificate by itself, whatever its place; first fault found. */
function certificateFault(certificate: Certificate, at: Date, isRoot: boolean): Fault | undefined {
  return (
    fieldFault(certificate) ??
    validityFault(certificate, at) ??
    criticalFault(certificate) ??
    consistencyFault(certificate) ??
    keyIdentifierFault(certificate, isRoot)
  )
}

const usableCurves = ['P-256', 'P-384', 'P-521', 'Ed25519']
/** Above this a single signature takes milliseconds, which a stranger could make us spend. */
const LARGEST_RSA = 8192

function isKeyOf(key: KeyObject | undefined, curves: readonly string[], smallestRsa: number): boolean {
  const { name, bits } = keyKind(key)
  return curves.includes(name) || (name === 'RSA' && bits >= smallestRsa && bits <= LARGEST_RSA)
}

/** Keys under which nobody here verifies a certificate, so that they stand at the end of a path: RFC 9881, GM/T 0015. */
const leafKeys = ['ML-DSA-65', 'SM2']

function hasUsableKey({ publicKey, basicConstraints, keyUsage: usage }: Certificate): boolean {
  if (isKeyOf(publicKey, usableCurves, 2048)) return true
  // Bits 0 and 1 are the two kinds of signature; RFC 9881 section 5 forbids those of encryption.
  const signs = [...(usage ?? [])].every(bit => bit <= 1)
  return isKeyOf(publicKey, leafKeys, Infinity) && !basicConstraints?.ca && signs
}

/** Sections 4.1.1.2, 4.1.2.1, 4.1.2.2, 4.1.2.4, 4.1.2.6 to 4.1.2.8. */
function fieldFault(certificate: Certificate): Fault | undefined {
  const { serial, subject, issuer, extensions, basicConstraints } = certificate
  if (certificate.version !== 3) return fault('certificate.version', certificate)
  if (certificate.hasUniqueIds) return fault('certificate.unique-id', certificate)
  if (!hasKnownAlgorithm(certificate)) return fault('signature.algorithm', certificate)
  if (!hasUsableKey(certificate)) return fault('key.unusable', certificate)
  if (!/^(?!0*$)[0-7].{1,39}$/.test(serial)) return fault('certificate.serial', certificate)
  if (issuer.rdns.length === 0) return fault('certificate.issuer', certificate)
  if (subject.rdns.length > 0) return undefined
  const named = extensions.get(extension.subjectAltName)?.critical === true
  return named && !basicConstraints?.ca ? undefined : fault('certificate.subject', certificate)
}

/** Section 4.1.2.5: both ends inclusive, in whole seconds, the resolution of the field. */
function validityFault(certificate: Certificate, at: Date): Fault | undefined {
  const second = Math.floor(at.getTime() / 1000) * 1000
  if (Number.isNaN(second) || second < certificate.notBefore.getTime()) return fault('validity.not-yet', certificate)
  return second > certificate.notAfter.getTime() ? fault('validity.expired', certificate) : undefined
}

/** What is understood here, and therefore may be critical (section 4.2). */
const understood: ReadonlySet<string> = new Set([
  extension.keyUsage,
  extension.subjectAltName,
  extension.basicConstraints,
  extension.nameConstraints,
  extension.certificatePolicies,
  extension.policyMappings,
  extension.policyConstraints,
  extension.extendedKeyUsage,
  extension.inhibitAnyPolicy,
])
/**
 * What changes the meaning of a path for software that knows it (proxy certificates, RFC 3820; number resources, RFC
 * 3779; Netscape's certificate type), and therefore is taken by nobody here, critical or not.
 */
const refusedExtensions = ['1.3.6.1.5.5.7.1.14', '1.3.6.1.5.5.7.1.7', '1.3.6.1.5.5.7.1.8', '2.16.840.1.113730.1.1']
const neverCritical = [extension.authorityKeyIdentifier, extension.subjectKeyIdentifier]
const alwaysCritical = [extension.policyConstraints, extension.inhibitAnyPolicy]

function criticalFault(certificate: Certificate): Fault | undefined {
  const { extensions } = certificate
  if (neverCritical.some(id => extensions.get(id)?.critical)) return fault('extension.criticality', certificate)
  if (alwaysCritical.some(id => extensions.get(id)?.critical === false))
    return fault('extension.criticality', certificate)
  const foreign = refusedExtensions.find(id => extensions.has(id))
  if (foreign) return fault('extension.refused', certificate, foreign)
  const unknown = [...extensions].find(([id, { critical }]) => critical && !understood.has(id))
  return unknown && fault('extension.unknown-critical', certificate, unknown[0])
}

/** Sections 4.2.1.3, 4.2.1.9 and 4.2.1.10: what only a CA may say, and what every CA must. */
function consistencyFault(certificate: Certificate): Fault | undefined {
  const { basicConstraints, keyUsage: usage, nameConstraints, extensions } = certificate
  const signsCertificates = usage?.has(keyUsage.keyCertSign) === true
  if (!basicConstraints?.ca) {
    const claimsCa = signsCertificates || basicConstraints?.pathLength !== undefined || nameConstraints !== undefined
    return claimsCa
      ? fault('extension.inconsistent', certificate, 'not a CA, but claims what only a CA may')
      : undefined
  }
  if (extensions.get(extension.basicConstraints)?.critical !== true) return fault('extension.criticality', certificate)
  if (usage === undefined) return fault('ca.key-usage', certificate, 'a CA without key usage')
  const bounded = basicConstraints.pathLength !== undefined
  return bounded && !signsCertificates ? fault('extension.inconsistent', certificate, 'path length') : undefined
}

/** Sections 4.2.1.1 and 4.2.1.2; only a self-signed certificate may be silent about its issuer's key. */
function keyIdentifierFault(certificate: Certificate, isRoot: boolean): Fault | undefined {
  const { subjectKeyIdentifier, authorityKeyIdentifier, basicConstraints } = certificate
  if (basicConstraints?.ca && !subjectKeyIdentifier) return fault('extension.subject-key-identifier', certificate)
  if (isRoot) return undefined
  return authorityKeyIdentifier?.keyId ? undefined : fault('extension.authority-key-identifier', certificate)
}

/** RFC 5280 section 6.1.4 (k) and (n): may this certificate issue others. */
function authorityFault(certificate: Certificate): Fault | undefined {
  if (!certificate.basicConstraints?.ca) return fault('ca.basic-constraints', certificate)
  return certificate.keyUsage?.has(keyUsage.keyCertSign) ? undefined : fault('ca.key-usage', certificate)
}

/** What depends on the whole path; every certificate and signature in it has been checked already. */
function checkPath(path: Path, input: PathInput, budget: Budget): PathResult {
  const refused =
    pathLengthFault(path) ??
    nameConstraintsFault(path, budget) ??
    policyFault(path) ??
    purposeFault(path, input.purposes ?? []) ??
    nameFault(path, input.name) ??
    (input.profile === 'federation' ? profileFault(path) : undefined)
  if (refused) return { ok: false, ...refused }
  const window = revocationWindow(path, input)
  if ('reason' in window) return { ok: false, ...window }
  const city = input.profile === 'federation' ? cityOf(path) : undefined
  return { ok: true, path, ...(city !== undefined && { city }), ...window }
}

/** Section 6.1.4 (l) and (m). */
function pathLengthFault(path: Path): Fault | undefined {
  return firstFault(path, (certificate, i) => {
    const limit = certificate.basicConstraints?.pathLength
    const below = path.slice(1, i).filter(each => !isSelfIssued(each)).length
    return i > 0 && limit !== undefined && below > limit ? fault('ca.path-length', certificate) : undefined
  })
}

/** Sections 6.1.3 (b) and (c), 6.1.4 (g): each constraint holds for every certificate below, self-issued ones apart. */
function nameConstraintsFault(path: Path, budget: Budget): Fault | undefined {
  return firstFault(path, (authority, i) => {
    const { nameConstraints } = authority
    if (nameConstraints === undefined) return undefined
    const subtrees = nameConstraints.permitted.length + nameConstraints.excluded.length
    return firstFault(path.slice(0, i), (certificate, j) => {
      if (j > 0 && isSelfIssued(certificate)) return undefined
      const { alternativeNames, subject } = certificate
      const names = alternativeNames.length + subject.emails.length + subject.commonNames.length + 1
      if (!budget.spend('name comparisons', names * subtrees)) return fault('path.budget', certificate)
      const name = forbiddenName(certificate, nameConstraints, j === 0)
      return name === undefined
        ? undefined
        : fault('constraints.name', certificate, `${name} by ${authority.subject.text}`)
    })
  })
}

/**
 * Sections 6.1.3 (d) to (f) can fail a path only when an explicit policy is required. No caller asks for one, and a path
 * that asks for one itself is refused by name instead of being half understood.
 */
function policyFault(path: Path): Fault | undefined {
  return firstFault(path, each => (each.requiresExplicitPolicy ? fault('policy.explicit', each) : undefined))
}

/** Key usage that section 4.2.1.12 calls consistent with a purpose; any one of the bits will do. */
const usageForPurpose: ReadonlyMap<string, readonly number[]> = new Map([
  [SERVER_AUTH, [keyUsage.digitalSignature, keyUsage.keyEncipherment, keyUsage.keyAgreement]],
  [CLIENT_AUTH, [keyUsage.digitalSignature, keyUsage.keyAgreement]],
  [SIGNING, [keyUsage.digitalSignature]],
  [STATEMENTS, [keyUsage.digitalSignature]],
])

/**
 * Section 4.2.1.12, chained as everyone chains it: an issuer with extended key usage lends only the purposes it has
 * itself. anyExtendedKeyUsage lends none, which the section leaves to us.
 */
function purposeFault(path: Path, purposes: readonly string[]): Fault | undefined {
  const [leaf] = path
  for (const purpose of purposes) {
    const lacking = path.find(each => each.purposes?.includes(purpose) === false)
    if (lacking) return fault('purpose.extended-key-usage', lacking, purpose)
    const bits = usageForPurpose.get(purpose)
    if (leaf?.keyUsage && bits?.some(bit => leaf.keyUsage?.has(bit)) === false) {
      return fault('purpose.key-usage', leaf, purpose)
    }
  }
  return undefined
}

function nameFault([leaf]: Path, name: PeerName | undefined): Fault | undefined {
  if (leaf === undefined || name === undefined || isNamed(leaf.alternativeNames, name)) return undefined
  return fault('name.mismatch', leaf, `not ${name.form}:${name.value}`)
}

/** The span in which nothing in the path expires; with revocation asked for, also no CRL it rests on. */
function revocationWindow(path: Path, input: PathInput): { notBefore: Date; notAfter: Date } | Fault {
  const { crls, at, listsAt = at, profile, grace = 0 } = input
  const from = path.map(each => each.notBefore.getTime())
  // Both ends of validity are whole seconds, inclusive (section 4.1.2.5); the caller compares milliseconds.
  const until = path.map(each => each.notAfter.getTime())
  for (const [i, certificate] of path.entries()) {
    const issuer = path[i + 1]
    if (issuer === undefined || (crls === undefined && profile === 'rfc5280')) break
    const found = revocationOf(certificate, issuer, { crls, at: listsAt, grace })
    if ('reason' in found) return fault(found.reason, certificate, found.detail)
    from.push(found.crl.thisUpdate.getTime())
    until.push(found.crl.nextUpdate.getTime() + grace)
  }
  return { notBefore: new Date(Math.max(...from)), notAfter: new Date(Math.min(...until)) }
}

function firstFault(path: Path, check: (certificate: Certificate, i: number) => Fault | undefined): Fault | undefined {
  for (const [i, certificate] of path.entries()) {
    const found = check(certificate, i)
    if (found) return found
  }
  return undefined
}

/** Root, leaf and what stands between them (docs/protocol.md, section Certificates). */
const FEDERATION_PATH = 5

/** The federation's closed profile, on top of RFC 5280; the place of each rule in docs/protocol.md, section Certificates. */
function profileFault(path: Path): Fault | undefined {
  const [leaf] = path
  if (leaf === undefined) return undefined
  if (path.length > FEDERATION_PATH) return fault('profile.depth', leaf, `${path.length} certificates`)
  return firstFault(path, memberOfPathFault) ?? leafFault(leaf)
}

const strongCurves = ['P-256', 'P-384', 'Ed25519']

function memberOfPathFault(certificate: Certificate): Fault | undefined {
  const { publicKey, serial, subject, alternativeNames, purposes } = certificate
  // Whether a message may be signed with one of these, the federation's rules say; a connection is never made with one.
  const curves = purposes?.join() === SIGNING ? [...strongCurves, ...leafKeys] : strongCurves
  if (!isKeyOf(publicKey, curves, 3072)) return fault('profile.key', certificate, keyKind(publicKey).name)
  // A leading zero octet only keeps the number positive; twenty octets at most is RFC 5280's own rule.
  if (serial.length < 16) return fault('profile.serial', certificate, 'fewer than 8 octets')
  const wild = alternativeNames.some(({ value }) => typeof value === 'string' && value.includes('*'))
  return wild || subject.text.includes('*') ? fault('profile.wildcard', certificate) : undefined
}

function leafFault(leaf: Certificate): Fault | undefined {
  if (leaf.basicConstraints?.ca) return fault('profile.leaf', leaf, 'a CA')
  if (leaf.keyUsage?.size !== 1 || !leaf.keyUsage.has(keyUsage.digitalSignature)) {
    return fault('profile.leaf', leaf, 'key usage is not digitalSignature alone')
  }
  if (cityOf([leaf]) === undefined) return fault('profile.city', leaf, 'not exactly one xinqiao://<city-id>.city')
  const allowed = purposeProfiles.get([...(leaf.purposes ?? [])].sort().join())
  if (allowed === undefined) return fault('profile.purpose', leaf, String(leaf.purposes))
  const other = leaf.alternativeNames.find(name => !allowed.includes(name.form))
  return other && fault('profile.city', leaf, `a further name of form ${other.form}`)
}

/** The kinds of certificate at the end of a path, by their exact purposes, and the forms of name each may bear. */
const purposeProfiles: ReadonlyMap<string, readonly GeneralName['form'][]> = new Map([
  [SIGNING, ['uri']],
  [STATEMENTS, ['uri']],
  [[...TRANSPORT].sort().join(), ['uri', 'dns', 'ip']],
])

/** The one city that a leaf names; undefined unless it has exactly one URI, of exactly this form. */
function cityOf([leaf]: Path): string | undefined {
  const uris = leaf?.alternativeNames.filter(name => name.form === 'uri') ?? []
  const [uri] = uris
  if (uri?.form !== 'uri' || uris.length !== 1) return undefined
  return /^xinqiao:\/\/([a-z][a-z0-9-]{1,30})\.city$/.exec(uri.value)?.[1]
}

/** Remembers paths that were found good, for as long as nothing in them ends and no CRL is added. Owned by its maker. */
export function pathCache(max = 1000): (input: PathInput) => PathResult {
  const cache = new LRUCache<string, Extract<PathResult, { ok: true }>>({ max })
  return input => {
    if (input.listsAt !== undefined && +input.listsAt !== +input.at) return validatePath(input)
    const key = questionDigest(input)
    const known = cache.get(key)
    if (known && known.notBefore <= input.at && input.at <= known.notAfter) return known
    cache.delete(key)
    const result = validatePath(input)
    if (result.ok) cache.set(key, result)
    return result
  }
}

/** Everything but the time that the answer depends on. */
function questionDigest({ leaf, untrusted, roots, crls, grace, purposes, name, maxDepth, profile }: PathInput): string {
  const digests = (path: Path) => path.map(each => each.digest)
  const question = [
    leaf.digest,
    digests(untrusted),
    digests(roots),
    crls?.revision,
    grace,
    purposes,
    name,
    maxDepth,
    profile,
  ]
  return hash('sha256', JSON.stringify(question), 'base64url')
}
