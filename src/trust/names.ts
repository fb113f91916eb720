/** Names as certificates carry them: read strictly, compared by RFC 5280 section 7, held to name constraints (4.2.1.10). */
import { isIP } from 'node:net'
import {
  ascii,
  constructed,
  type Element,
  elementsOf,
  Fields,
  hex,
  Malformed,
  OID,
  oid,
  onlyElement,
  primitive,
  SEQUENCE,
  SET,
  tagged,
} from './der.ts'

export type DistinguishedName = {
  /** One comparable text per relative distinguished name, most significant first. */
  readonly rdns: readonly string[]
  /** Equal for equal names, whatever their string types, case and spacing. */
  readonly key: string
  /** For the log. */
  readonly text: string
  readonly commonNames: readonly string[]
  readonly emails: readonly string[]
}

/** The forms this project can compare; `other` is any form it cannot, and says which (its context tag). */
export type GeneralName =
  | { readonly form: 'dns' | 'uri' | 'email'; readonly value: string }
  | { readonly form: 'ip'; readonly value: Uint8Array }
  | { readonly form: 'dn'; readonly value: DistinguishedName }
  | { readonly form: 'other'; readonly value: string }

export type NameConstraints = {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

export type PeerName = { readonly form: 'dns' | 'ip' | 'email' | 'uri'; readonly value: string }

const COMMON_NAME = '2.5.4.3'
const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

export function readName(element: Element): DistinguishedName {
  const rdns = elementsOf(tagged(element, SEQUENCE).content).map(readRdn)
  const attributes = rdns.flat()
  const valuesOf = (type: string) => attributes.filter(each => each.type === type).map(each => each.text)
  const comparable = rdns.map(rdn => JSON.stringify(rdn.map(each => each.key).sort()))
  return {
    rdns: comparable,
    key: comparable.join(),
    text: attributes.map(each => `${each.type === COMMON_NAME ? 'CN' : each.type}=${each.text}`).join(', '),
    commonNames: valuesOf(COMMON_NAME),
    emails: valuesOf(EMAIL_ADDRESS),
  }
}

function readRdn(rdn: Element) {
  const attributes = elementsOf(tagged(rdn, SET).content).map(attribute => {
    const [type, value, ...more] = elementsOf(tagged(attribute, SEQUENCE).content)
    if (type === undefined || value === undefined || more.length > 0) throw new Malformed('attribute of a name')
    return readAttribute(oid(tagged(type, OID)), value)
  })
  if (attributes.length === 0) throw new Malformed('empty relative distinguished name')
  return attributes
}

function readAttribute(type: string, value: Element) {
  const text = directoryString(value)
  // Text and bytes are told apart, or a name could be written that compares equal to another one's bytes.
  const key = text === undefined ? `${type}#${hex(value.whole)}` : `${type}=${folded(text)}`
  return { type, key, text: text ?? `#${hex(value.whole)}` }
}

/** RFC 5280 section 7.1, with case folded for ASCII only: the way OpenSSL compares, so that both build the same paths. */
function folded(text: string): string {
  return text
    .replace(/[\t\n\v\f\r ]+/g, ' ')
    .replace(/^ | $/g, '')
    .replace(/[A-Z]/g, letter => letter.toLowerCase())
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true })

/** The text of a DirectoryString or IA5String; undefined for a value of another type, compared by its bytes. */
function directoryString({ tag, content }: Element): string | undefined {
  switch (tag) {
    case 0x0c: // UTF8String
      return decoded(utf8, content)
    case 0x1e: // BMPString
      return decoded(utf16, content)
    case 0x1c: // UniversalString: no certificate in use has one, and no decoder here reads it
      throw new Malformed('UniversalString in a name')
    case 0x13: // PrintableString
    case 0x16: // IA5String
    case 0x1a: // VisibleString
      return ascii(content)
    case 0x14: // TeletexString, read as Latin-1 as everyone does
      return Buffer.from(content).toString('latin1')
    default:
      return undefined
  }
}

function decoded(decoder: TextDecoder, content: Uint8Array): string {
  try {
    return decoder.decode(content)
  } catch {
    throw new Malformed('text of a name')
  }
}

/** GeneralNames of a subjectAltName: at least one, each well formed (RFC 5280 section 4.2.1.6). */
export function readAlternativeNames(bytes: Uint8Array): readonly GeneralName[] {
  const names = elementsOf(onlyElement(bytes, SEQUENCE).content).map(readGeneralName)
  if (names.length === 0) throw new Malformed('no alternative name')
  for (const name of names) if (!isWellFormed(name)) throw new Malformed(`alternative name ${shown(name)}`)
  return names
}

export function readGeneralName({ tag, content }: Element): GeneralName {
  switch (tag) {
    case primitive(1):
      return { form: 'email', value: ascii(content) }
    case primitive(2):
      return { form: 'dns', value: ascii(content).toLowerCase() }
    case constructed(4):
      return { form: 'dn', value: readName(onlyElement(content, SEQUENCE)) }
    case primitive(6):
      return { form: 'uri', value: ascii(content) }
    case primitive(7):
      return { form: 'ip', value: content }
    case constructed(0):
    case constructed(3):
    case constructed(5):
    case primitive(8):
      return { form: 'other', value: String(tag & 0x1f) }
    default:
      throw new Malformed('general name of an unknown form')
  }
}

/** Labels of letters, digits, hyphens and underscores; the last one no number, so that no address passes for a host. */
const host =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i

function isWellFormed(name: GeneralName): boolean {
  switch (name.form) {
    case 'dns':
      return host.test(name.value.replace(/^\*\.(?=[^.]+\.)/, ''))
    case 'email':
      return mailbox(name.value) !== undefined
    case 'uri':
      return /^[a-z][a-z0-9+.-]*:[\w.~:/?#[\]@!$&'()*+,;=%-]+$/i.test(name.value)
    case 'ip':
      return name.value.length === 4 || name.value.length === 16
    default:
      return true
  }
}

function mailbox(text: string): { local: string; host: string } | undefined {
  const [local = '', domain = '', ...more] = text.split('@')
  const good = /^[!-~]+$/.test(local) && host.test(domain) && more.length === 0
  return good ? { local, host: domain.toLowerCase() } : undefined
}

/** The host a URI constraint applies to; undefined where the URI has no authority or names an address. */
function hostOf(uri: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1]
  const name = authority?.replace(/^[^@]*@/, '').replace(/:\d*$/, '')
  return name !== undefined && host.test(name) ? name.toLowerCase() : undefined
}

function shown(name: GeneralName): string {
  if (name.form === 'dn') return `dn:${name.value.text}`
  return `${name.form}:${name.form === 'ip' ? hex(name.value) : name.value}`
}

/** RFC 5280 section 4.2.1.10: at least one subtree, minimum 0, no maximum, every base well formed. */
export function readNameConstraints(bytes: Uint8Array): NameConstraints {
  const fields = Fields.of(bytes)
  const permitted = fields.maybe(constructed(0))
  const excluded = fields.maybe(constructed(1))
  fields.end()
  if (permitted === undefined && excluded === undefined) throw new Malformed('empty name constraints')
  return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) }
}

function readSubtrees(list: Element | undefined): readonly GeneralName[] {
  if (list === undefined) return []
  const bases = elementsOf(list.content).map(subtree => {
    const [base, ...rest] = elementsOf(tagged(subtree, SEQUENCE).content)
    if (base === undefined || rest.length > 0) throw new Malformed('subtree with a minimum or a maximum')
    const name = readGeneralName(base)
    if (!isWellFormedBase(name)) throw new Malformed(`name constraint ${shown(name)}`)
    return name
  })
  if (bases.length === 0) throw new Malformed('empty list of subtrees')
  return bases
}

function isWellFormedBase(base: GeneralName): boolean {
  switch (base.form) {
    case 'dns':
      return base.value === '' || host.test(base.value)
    case 'uri':
      return host.test(base.value.replace(/^\./, ''))
    case 'email':
      return host.test(base.value.replace(/^\./, '')) || mailbox(base.value) !== undefined
    case 'ip':
      return isAddressRange(base.value)
    default:
      return true
  }
}

/** Address and mask of one family, the mask a prefix (RFC 4632). */
function isAddressRange(range: Uint8Array): boolean {
  if (range.length !== 8 && range.length !== 32) return false
  const mask = Array.from(range.subarray(range.length / 2), byte => byte.toString(2).padStart(8, '0')).join('')
  return /^1*0*$/.test(mask)
}

/** Names a certificate holds, as far as name constraints reach: alternative names, the subject, its mail addresses. */
export type Holder = { readonly subject: DistinguishedName; readonly alternativeNames: readonly GeneralName[] }

/**
 * The first name that the constraints forbid, undefined when there is none. `last` adds the common names that look like
 * hosts where no DNS name is given: nothing here reads them as names, but software that does must not be deceived.
 */
export function forbiddenName(holder: Holder, constraints: NameConstraints, last: boolean): string | undefined {
  const forbidden = constrainedNames(holder, last).find(name => isForbidden(name, constraints))
  return forbidden && shown(forbidden)
}

function constrainedNames({ subject, alternativeNames }: Holder, last: boolean): readonly GeneralName[] {
  const names = [...alternativeNames]
  if (subject.rdns.length > 0) names.push({ form: 'dn', value: subject })
  for (const value of subject.emails) names.push({ form: 'email', value })
  if (last && !alternativeNames.some(name => name.form === 'dns')) {
    const hosts = subject.commonNames.filter(text => text.includes('.') && isWellFormed({ form: 'dns', value: text }))
    for (const text of hosts) names.push({ form: 'dns', value: text.toLowerCase() })
  }
  return names
}

function isForbidden(name: GeneralName, { permitted, excluded }: NameConstraints): boolean {
  const sameForm = (base: GeneralName) =>
    base.form === name.form && (name.form !== 'other' || base.value === name.value)
  const permits = permitted.filter(sameForm)
  const excludes = excluded.filter(sameForm)
  if (permits.length === 0 && excludes.length === 0) return false
  if (isIncomparable(name)) return true
  return (
    excludes.some(base => overlaps(name, base)) || (permits.length > 0 && !permits.some(base => within(name, base)))
  )
}

/** A constraint that cannot be processed refuses the certificate (RFC 5280 section 4.2.1.10). */
function isIncomparable(name: GeneralName): boolean {
  if (name.form === 'uri') return hostOf(name.value) === undefined
  if (name.form === 'email') return mailbox(name.value) === undefined
  return name.form === 'other'
}

/** Whether the name may stand for anything within the base: a wildcard also reaches hosts below it (CVE-2025-61727). */
function overlaps(name: GeneralName, base: GeneralName): boolean {
  const wildcard = name.form === 'dns' && base.form === 'dns' && name.value.startsWith('*.')
  return within(name, base) || (wildcard && base.value.endsWith(name.value.slice(1)))
}

function within(name: GeneralName, base: GeneralName): boolean {
  if (name.form === 'dn' && base.form === 'dn') return base.value.rdns.every((rdn, i) => name.value.rdns[i] === rdn)
  if (name.form === 'ip' && base.form === 'ip') return isAddressWithin(name.value, base.value)
  if (name.form === 'dns' && base.form === 'dns') return isHostWithin(name.value, base.value)
  if (name.form === 'uri' && base.form === 'uri') return isHostAt(hostOf(name.value) ?? '', base.value.toLowerCase())
  if (name.form === 'email' && base.form === 'email') return isMailboxWithin(name.value, base.value)
  return false
}

/** DNS: the base itself, and everything that adds labels on its left. */
function isHostWithin(name: string, base: string): boolean {
  return base === '' || name === base || name.endsWith(`.${base}`)
}

/** URI and mail: a base with a leading dot is its subdomains only, without one it is that host only. */
function isHostAt(name: string, base: string): boolean {
  return base.startsWith('.') ? name.endsWith(base) && name.length > base.length : name === base
}

function isMailboxWithin(text: string, base: string): boolean {
  const name = mailbox(text)
  const exact = mailbox(base)
  if (name === undefined) return false
  return exact ? name.local === exact.local && name.host === exact.host : isHostAt(name.host, base.toLowerCase())
}

function isAddressWithin(address: Uint8Array, range: Uint8Array): boolean {
  const size = address.length
  if (range.length !== size * 2) return false
  return address.every((byte, i) => ((byte ^ (range[i] ?? 0)) & (range[size + i] ?? 0xff)) === 0)
}

/** RFC 9525: only alternative names, never the common name; a wildcard stands for exactly one whole label. */
export function isNamed(names: readonly GeneralName[], peer: PeerName): boolean {
  return names.some(name => {
    if (name.form !== peer.form) return false
    if (name.form === 'dns') return isHostNamed(peer.value.toLowerCase(), name.value)
    if (name.form === 'ip') return Buffer.compare(name.value, address(peer.value)) === 0
    if (name.form === 'email') return isMailboxWithin(name.value, peer.value) && peer.value.includes('@')
    return name.value === peer.value
  })
}

function isHostNamed(asked: string, named: string): boolean {
  if (!named.startsWith('*.')) return host.test(asked) && asked === named
  return host.test(asked) && asked.includes('.') && asked.slice(asked.indexOf('.')) === named.slice(1)
}

/** The bytes of an address in text; none for what is no address. */
function address(text: string): Uint8Array {
  const family = isIP(text)
  if (family === 4) return Uint8Array.from(text.split('.'), Number)
  if (family !== 6 || text.includes('%')) return new Uint8Array()
  // The URL parser writes an IPv4 tail as hexadecimal groups, so that only `::` is left to fill in.
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const filled = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Uint8Array.from(Buffer.from(filled.map(group => group.padStart(4, '0')).join(''), 'hex'))
}
