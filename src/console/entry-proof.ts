/** An entry and what was signed are proved again, now, each finding said in words; nothing that the console showed is believed. */
import type { City } from '#exchange/city.ts'
import { lookSaid } from '#exchange/proof-words.ts'
import { lettingGo, lookAtTexts, stateOf } from '#exchange/signed-texts.ts'
import { base64url, entryText, leafHash, nextLink } from '#ledger/entry.ts'
import type { Evidence, Recorded } from '#ledger/ledger.ts'
import type { Log } from '#ledger/log.ts'
import { provesInclusion } from '#ledger/tree.ts'
import type { Said } from '#protocol/said.ts'
import { proveFormerKey } from '#trust/anchors.ts'
import { goneSaid } from './gone.ts'

/** `open`: nothing speaks against it, and nothing is left by which it could be proved. */
export type Finding = Said & { readonly ok: boolean | 'open' }

const good = (zh: string, en: string): Finding => ({ ok: true, zh, en })
const bad = (zh: string, en: string): Finding => ({ ok: false, zh, en })
const open = (zh: string, en: string): Finding => ({ ok: 'open', zh, en })

/** Proves an entry of this city's ledger with what is held for it and with the log. Throws `ledger.unavailable`. */
export async function proveEntry(
  recorded: Recorded,
  held: Evidence | undefined,
  city: City,
  log: Pick<Log, 'newest' | 'inclusion'>,
): Promise<readonly Finding[]> {
  return [...(await placed(recorded, city)), await included(recorded, log), ...(await signed(recorded, held, city))]
}

/** Whether the newest signed checkpoint of our log, which other cities hold as well, contains the entry. */
async function included({ entry, receipt }: Recorded, log: Pick<Log, 'newest' | 'inclusion'>): Promise<Finding> {
  const checkpoint = await log.newest()
  if (checkpoint === undefined || checkpoint.size <= receipt.index)
    return open('尚未纳入签名检查点，稍后可再核验', 'No signed checkpoint covers it yet: verify again in a while.')
  const { size, root } = checkpoint
  const proof = await log.inclusion(receipt.index, size)
  return provesInclusion(leafHash(entryText(entry)), receipt.index, { start: 0, end: size, root }, proof)
    ? good(
        `包含在 ${size} 条的签名检查点之中，包含证明成立`,
        `The signed checkpoint of ${size} entries contains it: the inclusion proof holds.`,
      )
    : bad(
        `不在 ${size} 条的签名检查点之中：日志与已公布的不一致`,
        `The signed checkpoint of ${size} entries does not contain it: the ledger is not the one that was published.`,
      )
}

/** Whether the entry stands where its links say: its own leaf, the entry before it, and the one after it. */
async function placed({ entry, receipt }: Recorded, { ledger }: City): Promise<Finding[]> {
  const leaf = leafHash(entryText(entry))
  const findings = [
    base64url(leaf) === receipt.leaf
      ? good('条目内容与其摘要相符', 'The entry is what its digest was made of.')
      : bad('条目内容与其摘要不符：内容已被改动', 'The entry is not what its digest was made of: it was changed.'),
  ]
  const follows = (previous: string, leaf: Uint8Array) => base64url(nextLink(Buffer.from(previous, 'base64url'), leaf))
  const [before] = receipt.index === 0 ? [] : await ledger.entries({ from: receipt.index - 1, limit: 1 })
  if (receipt.index === 0)
    findings.push(
      open('这是日志的第一条，之前没有可对照的条目', 'This is the first entry of the ledger: none is before it.'),
    )
  else if (before?.receipt.index === receipt.index - 1 && follows(before.receipt.link, leaf) === receipt.link)
    findings.push(
      good(`接在第 ${receipt.index - 1} 条之后，链值相符`, `It follows entry ${receipt.index - 1}: the link holds.`),
    )
  else findings.push(bad('与前一条的链值不符', 'Its link does not follow from the entry before it.'))
  const [after] = await ledger.entries({ from: receipt.index + 1, limit: 1 })
  if (after !== undefined) {
    const holds = follows(receipt.link, leafHash(entryText(after.entry))) === after.receipt.link
    findings.push(
      holds
        ? good('后一条由本条推得，链值相符', 'The entry after it follows from it: the link holds.')
        : bad('后一条的链值与本条不符', 'The link of the entry after it does not follow from it.'),
    )
  }
  return findings
}

/** What `evidence verify` would find of the signed texts, by the revocation lists of now. */
async function signed({ entry, receipt }: Recorded, held: Evidence | undefined, city: City): Promise<Finding[]> {
  if (!('questionHash' in entry)) return [open('此类条目没有签名报文', 'An entry of this kind has no signed message.')]
  const { ledger, members } = city
  const now = city.now()
  const nameOf = (id: string) => members.find(id)?.name ?? { zh: id, en: id }
  const isHeld = held?.question !== undefined || held?.answer !== undefined
  const state = stateOf(entry, held, !isHeld && (await lettingGo(ledger))(receipt.index))
  if (typeof state === 'string') {
    if (state !== 'missing' && !(Date.parse(entry.heldUntil ?? '') > now))
      return [{ ok: 'open', ...goneSaid(entry, false) }]
    const missing = {
      of: 'texts',
      name: 'missing',
      holds: false,
      detail: `to be held until ${entry.heldUntil}`,
    } as const
    return [{ ok: false, ...lookSaid(missing, nameOf(city.id)) }]
  }
  const isOurs = entry.kind === 'asked' || entry.kind === 'outcome'
  const signers = isOurs ? { question: city.id, answer: entry.peer } : { question: entry.peer, answer: city.id }
  const looks = lookAtTexts(entry, state, receipt, {
    keyOf: (thumbprint, kid, signer) => {
      const current = members.find(signer)?.keys.get(kid)
      return current?.thumbprint === thumbprint ? current : members.former(thumbprint)
    },
    certified: (signer, key, at) => proveFormerKey(signer, key, members.anchors, at, now),
  })
  return looks.map(look => ({
    ok: look.holds,
    ...lookSaid(look, nameOf(look.of === 'texts' ? city.id : signers[look.of])),
  }))
}
