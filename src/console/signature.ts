/** A party's signature on an agreement is checked now, while the page is made, and said with the key that made it and until when that is certified. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Agreement, checkSignature } from '#agreement/agreement.ts'
import { Refusal, type RefusalCode, refuse } from '#protocol/refusal.ts'
import type { CertifiedKey } from '#trust/anchors.ts'
import { readCompact } from '#trust/jws.ts'
import type { Members } from '#trust/members.ts'

export type Signature = {
  readonly party: string
  /** `signed`: it proves this text now. `former`: it does, by a key that has given way to another since. */
  readonly state: 'signed' | 'former' | 'missing' | 'not-a-member' | 'wrong'
  /** Why it is wrong. */
  readonly code?: RefusalCode
  readonly kid?: string
  /** Epoch milliseconds: the last instant of the key's certificate. */
  readonly certifiedUntil?: number
}

/**
 * The signatures that lie beside an agreement's text in `<config>/agreements`, one for each party in its order. `now` is epoch
 * milliseconds.
 */
export function signaturesOf(text: Agreement, config: string, members: Members, now: number): readonly Signature[] {
  return text.parties.map(party => {
    const path = join(config, 'agreements', `${text.id}.${party}.jws`)
    if (!existsSync(path)) return { party, state: 'missing' }
    const detached = readFileSync(path, 'utf8')
    const key = keyOf(detached, party, members)
    const of = key && { kid: key.kid, ...endOf(key) }
    if (members.find(party) === undefined) return { party, state: 'not-a-member', ...of }
    try {
      checkSignature(text, party, detached, members, now)
      const isCurrent = members.find(party)?.keys.get(key?.kid ?? '')?.thumbprint === key?.thumbprint
      return { party, state: isCurrent ? 'signed' : 'former', ...of }
    } catch (error) {
      if (error instanceof Refusal) return { party, state: 'wrong', code: error.code, ...of }
      throw error
    }
  })
}

/** The key that a signature names, if it is one of the party's, now or once. */
function keyOf(detached: string, party: string, members: Members): CertifiedKey | undefined {
  try {
    const [header = '', , signature = ''] = detached.trim().split('.')
    const { kid, 'x5t#S256': thumbprint } = readCompact(`${header}.e30.${signature}`).header
    if (typeof kid !== 'string' || typeof thumbprint !== 'string') throw refuse('token.header')
    const current = members.find(party)?.keys.get(kid)
    return current?.thumbprint === thumbprint ? current : members.former(thumbprint)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

function endOf({ chain: [leaf] }: CertifiedKey) {
  return leaf && { certifiedUntil: leaf.notAfter.getTime() }
}
