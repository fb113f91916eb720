/** Revocation by complete CRLs (RFC 5280 sections 5 and 6.3), fail closed: what no current list covers is not accepted. */
import { hash } from 'node:crypto'
import {
  constructed,
  type Element,
  elementsOf,
  Fields,
  hex,
  INTEGER,
  integer,
  Malformed,
  natural,
  onlyElement,
  SEQUENCE,
  tagged,
} from './der.ts'
import { type DistinguishedName, readName } from './names.ts'
import {
  type Certificate,
  extension,
  isSignedBy,
  keyUsage,
  pemBlocks,
  readExtensionField,
  readExtensions,
  readKeyIdentifier,
  readSigned,
  type Signed,
} from './x509.ts'

export type Crl = Signed & {
  readonly der: Uint8Array
  /** SHA-256 of the DER, base64url. */
  readonly digest: string
  readonly issuer: DistinguishedName
  readonly number: bigint
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly keyId: string | undefined
  /** Serial numbers, hex as in a Certificate. A certificate on hold counts as revoked. */
  readonly revoked: ReadonlySet<string>
}

/** Reads PEM lists with nothing but white space around them. Throws Malformed, also for a list this profile refuses. */
export function readCrls(pem: string): Crl[] {
  return pemBlocks(pem, 'X509 CRL').map(readCrl)
}

/** Reads one DER list (RFC 5280 section 5.1): version 2, with nextUpdate and CRLNumber, complete and about its own issuer's certificates. Throws Malformed. */
export function readCrl(source: Uint8Array): Crl {
  const der = Uint8Array.from(source)
  const { tbs, fields, algorithm, signature } = readSigned(der)
  if (natural(fields.take(INTEGER)) !== 1n) throw new Malformed('CRL not of version 2')
  const inner = hex(fields.take(SEQUENCE).whole)
  const issuer = readName(fields.take(SEQUENCE))
  const thisUpdate = fields.takeTime()
  const nextUpdate = fields.maybeTime()
  const revoked = readRevoked(fields.maybe(SEQUENCE))
  const { number, keyId } = readCrlExtensions(fields.maybe(constructed(0)))
  fields.end()
  if (nextUpdate === undefined) throw new Malformed('CRL without nextUpdate')
  const digest = hash('sha256', der, 'base64url')
  return {
    der,
    digest,
    tbs,
    algorithm: { inner, outer: algorithm },
    signature,
    issuer,
    number,
    thisUpdate,
    nextUpdate,
    keyId,
    revoked,
  }
}

const REASON_CODE = '2.5.29.21'
const REMOVE_FROM_CRL = 8
const DELTA_CRL_INDICATOR = '2.5.29.27'
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28'

/** RFC 5280 section 5.2. Delta, partitioned and indirect lists are refused whole: they say less than they seem to. */
function readCrlExtensions(list: Element | undefined) {
  const extensions = readExtensionField(list)
  for (const [id, { critical }] of extensions) {
    if (id === DELTA_CRL_INDICATOR) throw new Malformed('delta CRL')
    if (id === ISSUING_DISTRIBUTION_POINT) throw new Malformed('partitioned or indirect CRL')
    // CRLNumber and authorityKeyIdentifier must not be critical, and no other extension is known here.
    if (critical) throw new Malformed(`critical CRL extension ${id}`)
  }
  const number = extensions.get(extension.cRLNumber)
  if (number === undefined) throw new Malformed('CRL without CRLNumber')
  const keyIdentifier = extensions.get(extension.authorityKeyIdentifier)
  return {
    number: readCrlNumber(number.value),
    keyId: keyIdentifier && readKeyIdentifier(keyIdentifier.value).keyId,
  }
}

/** RFC 5280 section 5.2.3: at most 20 octets. */
function readCrlNumber(bytes: Uint8Array): bigint {
  const element = onlyElement(bytes, INTEGER)
  if (element.content.length > 20) throw new Malformed('CRLNumber longer than 20 octets')
  return natural(element)
}

function readRevoked(list: Element | undefined): ReadonlySet<string> {
  if (list === undefined) return new Set()
  const entries = elementsOf(list.content)
  if (entries.length === 0) throw new Malformed('empty list of revoked certificates')
  return new Set(entries.map(readEntry))
}

/**
 * RFC 5280 section 5.3; a critical entry extension is certificateIssuer of an indirect list, or unknown. An empty list
 * of them is tolerated: @peculiar/x509 writes one for every entry without a reason.
 */
function readEntry(entry: Element): string {
  const fields = new Fields(tagged(entry, SEQUENCE))
  const serial = hex(integer(fields.take(INTEGER)))
  fields.takeTime()
  const extensions = fields.maybe(SEQUENCE)
  fields.end()
  for (const [id, { critical, value }] of extensions ? readExtensions(extensions) : []) {
    if (critical) throw new Malformed(`critical CRL entry extension ${id}`)
    if (id === REASON_CODE && value.at(-1) === REMOVE_FROM_CRL) throw new Malformed('removeFromCRL outside a delta CRL')
  }
  return serial
}

export type CrlStore = {
  /**
   * Takes a list unless one of the same issuer, proven by its key, has a higher number or the same number and other
   * bytes (RFC 5280 section 5.2.3). What is not yet proven by an issuer's key never stands in the way of another list.
   */
  add(crl: Crl): 'added' | 'known' | 'older' | 'conflict'
  /** The list with the highest number that this issuer's key signed. */
  current(issuer: Certificate): Crl | undefined
  /** The newest list of each issuer that an issuer's key proved. */
  proven(): readonly Crl[]
  /** Every list held, for readiness and metrics: who must renew, and by when. */
  list(): readonly Crl[]
  /** Changes with every list that is taken. */
  readonly revision: string
}

/** More unproven lists than this of one issuer name are not kept: a forger shall not fill the memory. */
const KEPT = 16

/** The lists of one running gateway. It owns the highest number seen; a restart begins with the lists it is given. */
export function crlStore(): CrlStore {
  type Held = { readonly crl: Crl; readonly provenBy: Set<string>; readonly refutedBy: Set<string> }
  const byIssuer = new Map<string, Held[]>()
  const name = crypto.randomUUID()
  let additions = 0

  const fresh = (crl: Crl): Held => ({ crl, provenBy: new Set(), refutedBy: new Set() })
  const newestFirst = (a: Held, b: Held) => Number(b.crl.number - a.crl.number) || +b.crl.thisUpdate - +a.crl.thisUpdate

  function isProvenBy(held: Held, issuer: Certificate): boolean {
    if (held.provenBy.has(issuer.keyDigest)) return true
    if (held.refutedBy.has(issuer.keyDigest)) return false
    const proven = isSignedBy(held.crl, issuer.publicKey)
    const opinions = proven ? held.provenBy : held.refutedBy
    opinions.add(issuer.keyDigest)
    return proven
  }

  return {
    add(crl) {
      const held = byIssuer.get(crl.issuer.key) ?? []
      if (held.some(each => each.crl.digest === crl.digest)) return 'known'
      const proven = held.filter(each => each.provenBy.size > 0 && each.crl.keyId === crl.keyId)
      if (proven.some(each => each.crl.number > crl.number)) return 'older'
      if (proven.some(each => each.crl.number === crl.number)) return 'conflict'
      const unproven = [...held.filter(each => each.provenBy.size === 0), fresh(crl)].sort(newestFirst)
      const kept = [...held.filter(each => each.provenBy.size > 0), ...unproven.slice(0, KEPT)]
      byIssuer.set(crl.issuer.key, kept.sort(newestFirst))
      additions++
      return 'added'
    },
    current(issuer) {
      const held = byIssuer.get(issuer.subject.key) ?? []
      const newest = held.find(each => isProvenBy(each, issuer))
      // What the newest one replaces is not needed again; its number alone decides what may still be added.
      const left = held.filter(each => each === newest || !each.provenBy.has(issuer.keyDigest))
      if (left.length < held.length) byIssuer.set(issuer.subject.key, left)
      return newest?.crl
    },
    proven: () =>
      [...byIssuer.values()].flatMap(held => held.filter(({ provenBy }) => provenBy.size > 0)).map(({ crl }) => crl),
    list: () => [...byIssuer.values()].flat().map(each => each.crl),
    get revision() {
      return `${name}.${additions}`
    },
  }
}

export type RevocationReason =
  | 'revocation.missing'
  | 'revocation.issuer'
  | 'revocation.not-yet'
  | 'revocation.stale'
  | 'revocation.revoked'

/** Whether `issuer`'s own current list clears the certificate (RFC 5280 section 6.3.3, complete lists only). */
export function revocationOf(
  certificate: Certificate,
  issuer: Certificate,
  { crls, at, grace }: { readonly crls: CrlStore | undefined; readonly at: Date; readonly grace: number },
): { readonly crl: Crl } | { readonly reason: RevocationReason; readonly detail: string } {
  const crl = crls?.current(issuer)
  if (crl === undefined) return { reason: 'revocation.missing', detail: `no CRL of ${issuer.subject.text}` }
  const detail = `CRL ${crl.number} of ${crl.issuer.text}`
  if (!issuer.keyUsage?.has(keyUsage.cRLSign)) return { reason: 'revocation.issuer', detail: 'issuer lacks cRLSign' }
  if (crl.keyId !== undefined && crl.keyId !== issuer.subjectKeyIdentifier) {
    return { reason: 'revocation.issuer', detail: `${detail} names another key` }
  }
  if (at < crl.thisUpdate) return { reason: 'revocation.not-yet', detail }
  if (+at > +crl.nextUpdate + grace) return { reason: 'revocation.stale', detail }
  if (crl.revoked.has(certificate.serial)) return { reason: 'revocation.revoked', detail }
  return { crl }
}
