/** A question of Jiangyin to Huizhou as authorisation is given it: proved, and without the message that it came in. */
import type { Signed } from '#agreement/agreement.ts'
import type { Query } from '#protocol/message.ts'
import type { Verified } from '#trust/verify.ts'
import { vocabulary } from '../schema/cities.ts'

export function verified(
  signed: Signed,
  over: Pick<Query, 'subjects' | 'want'> & Partial<Query>,
  sealed = false,
): Verified<Query> {
  const claims: Query = {
    iss: 'jiangyin',
    aud: 'huizhou',
    iat: 1_800_000_000,
    nbf: 1_800_000_000,
    exp: 1_800_000_060,
    jti: '01a20132-2522-7f35-83ee-7b82f9b98e86',
    agreement: { id: signed.text.id, digest: signed.digest },
    purpose: 'tendering',
    matter: '苏澄招〔2026〕1号',
    ...over,
  }
  return { claims, member: undefined, token: '', hash: '', sealed } as unknown as Verified<Query>
}

/** Huizhou, which has this one agreement and counts nothing; `now` is epoch milliseconds. */
export function huizhou(signed: Signed, now: number) {
  return {
    id: 'huizhou',
    agreements: { all: [signed], find: () => signed, idle: [] },
    vocabulary,
    quotas: { take: async () => {} },
    now: () => now,
  }
}
