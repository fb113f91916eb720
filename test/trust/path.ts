/** Asks for the path of certificates that a test made: by RFC 5280 and at the instant of its beginning, unless told otherwise. */
import { type PathInput, readCertificate, validatePath } from '#trust/certificate.ts'
import type { Made } from '../certificates.ts'

const at = new Date()
export type More = Partial<Omit<PathInput, 'leaf' | 'untrusted' | 'roots'>>

export function ask(leaf: Made, untrusted: readonly Made[], roots: readonly Made[], more: More = {}): PathInput {
  const read = ({ certificate }: Made) => readCertificate(certificate)
  return {
    leaf: read(leaf),
    untrusted: untrusted.map(read),
    roots: roots.map(read),
    at,
    profile: 'rfc5280',
    ...more,
  }
}

export function verdict(...asked: Parameters<typeof ask>): string {
  const result = validatePath(ask(...asked))
  return result.ok ? 'accepted' : result.reason
}
