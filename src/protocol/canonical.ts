/** The same value always has the same bytes (RFC 8785), and those bytes one digest: what cities sign and compare. */
import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** RFC 8785 text of a JSON value. Throws TypeError for what JSON cannot say (undefined, NaN, a lone surrogate). */
export function canonical(value: unknown): string {
  // The engine writes several times as fast as the canonical writer, and the same where nothing has to be put in order.
  const text = isInOrder(value) ? JSON.stringify(value) : canonicalize(value)
  if (text === undefined) throw new TypeError('value has no JSON form')
  return text
}

/** Whether a value is plain data whose members all stand in the order of RFC 8785 already; in doubt, it is not. */
function isInOrder(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return typeof value === 'boolean'
  if (value === null) return true
  if (Array.isArray(value)) return value.every(isInOrder) && !('toJSON' in value)
  return isPlain(value) && areInOrder(value)
}

function isPlain(value: object): value is Record<string, unknown> {
  return Object.getPrototypeOf(value) === Object.prototype && !('toJSON' in value)
}

function areInOrder(members: Readonly<Record<string, unknown>>): boolean {
  let last = ''
  for (const name in members) {
    // By UTF-16 code units, as the engine compares texts.
    if (name < last || !name.isWellFormed()) return false
    last = name
    const member = members[name]
    // A member without a value is left out by both writers.
    if (member !== undefined && !isInOrder(member)) return false
  }
  return true
}

/** SHA-256 of a text's UTF-8 bytes, base64url without padding. */
export function sha256(text: string | Uint8Array): string {
  return hash('sha256', text, 'base64url')
}

/** SHA-256 of the canonical form: the identity of an agreement, a mapping, an answer. */
export function digest(value: unknown): string {
  return sha256(canonical(value))
}
