/** Everything that holds until a day and no longer, with its day, the nearest first: so that no end comes unseen. */
import type { City } from '#exchange/city.ts'
import type { Said } from '#protocol/said.ts'
import { newestLists } from '#trust/anchors.ts'

export type Ending = {
  readonly what: Said
  readonly of: Said
  /** The first instant at which it no longer holds, epoch milliseconds. */
  readonly at: number
  /** How many milliseconds before its end somebody should know. */
  readonly notice: number
}

const DAY = 86_400_000
/** What is renewed every week may be near its end for most of its life; an agreement takes months to renew. */
export const noticeDays = { list: 2, roll: 5, certificate: 30, agreement: 90 } as const

/**
 * The roll, our certificates and those of the members, the newest revocation list of each issuer, and the agreements that
 * have not ended; those that ended are no longer anybody's to renew. `now` is epoch milliseconds.
 */
export function endings({ id, members, agreements, keys }: City, now: number): readonly Ending[] {
  const { signing, transport } = keys()
  const office: Said = { zh: '联盟', en: 'Federation' }
  const leaf = (what: Said, of: Said, chain: readonly { readonly notAfter: Date }[]): Ending[] =>
    chain
      .slice(0, 1)
      .map(({ notAfter }) => ({ what, of, at: notAfter.getTime(), notice: noticeDays.certificate * DAY }))
  const ours = members.find(id)?.name ?? { zh: id, en: id }
  const peers = members.all.filter(member => member.id !== id)
  return [
    {
      what: { zh: '成员名册', en: 'Roll of members' },
      of: office,
      at: members.roll.until,
      notice: noticeDays.roll * DAY,
    },
    ...leaf({ zh: '签名证书', en: 'Signing certificate' }, ours, signing.chain),
    ...leaf({ zh: '传输证书', en: 'Transport certificate' }, ours, transport.chain),
    ...peers.flatMap(({ name, keys, transport }) => [
      ...[...keys.values()].flatMap(({ chain }) => leaf({ zh: '签名证书', en: 'Signing certificate' }, name, chain)),
      ...transport.flatMap(({ chain }) => leaf({ zh: '传输证书', en: 'Transport certificate' }, name, chain)),
    ]),
    ...newestLists(members.anchors).map(({ issuer, nextUpdate }) => ({
      what: { zh: '吊销列表', en: 'Revocation list' },
      of: { zh: issuer.text, en: issuer.text },
      at: nextUpdate.getTime(),
      notice: noticeDays.list * DAY,
    })),
    ...agreements.all
      .filter(({ ends }) => ends > now)
      .map(({ text, ends }) => ({
        what: { zh: '协议', en: 'Agreement' },
        of: text.title,
        at: ends,
        notice: noticeDays.agreement * DAY,
      })),
  ].sort((a, b) => a.at - b.at)
}
