/** The same value always has the same bytes (RFC 8785), and those bytes one digest: what cities sign and compare. */
import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** RFC 8785 text of a JSON value. Throws TypeError for what JSON cannot say (undefined, NaN, a lone surrogate). */
export function canonical(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('value has no JSON form')
  return text
}

/** SHA-256 of a text's UTF-8 bytes, base64url without padding. */
export function sha256(text: string | Uint8Array): string {
  return hash('sha256', text, 'base64url')
}

/** SHA-256 of the canonical form: the identity of an agreement, a mapping, an answer. */
export function digest(value: unknown): string {
  return sha256(canonical(value))
}
