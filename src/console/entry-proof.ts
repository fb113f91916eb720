/** An entry and what was signed are proved again, now, each finding said in words; nothing that the console showed is believed. */
import type { City } from '#exchange/city.ts'
import { base64url, type Entry, entryText, leafHash, nextLink } from '#ledger/entry.ts'
import { contradiction, isBody, receiptIn } from '#ledger/evidence.ts'
import type { Evidence, Recorded } from '#ledger/ledger.ts'
import type { Log } from '#ledger/log.ts'
import { provesInclusion } from '#ledger/tree.ts'
import { types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { type CertifiedKey, proveFormerKey } from '#trust/anchors.ts'
import { decode, proves, readJws, type Unproved } from '#trust/jws.ts'
import type { Members } from '#trust/members.ts'
import { bears, entityOf } from '#trust/statement.ts'
import type { Said } from './words.ts'

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
  return [...(await placed(recorded, city)), await included(recorded, log), ...signed(recorded, held, city)]
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
  if (receipt.index === 0) findings.push(open('这是日志的第一条', 'This is the first entry of the ledger.'))
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

function signed({ entry, receipt }: Recorded, held: Evidence | undefined, city: City): Finding[] {
  if (!('questionHash' in entry)) return [open('此类条目没有签名报文', 'An entry of this kind has no signed message.')]
  if (held === undefined || (held.question === undefined && held.answer === undefined)) {
    return [
      open(
        '签名原文未保存，或保存期已满；条目中的摘要仍然有效',
        'The signed texts were not kept, or their time is over; the digests in the entry still hold.',
      ),
    ]
  }
  const findings: Finding[] = []
  const wrong = contradiction(entry, held)
  findings.push(
    wrong === undefined
      ? good('保存的原文与条目中的摘要相符', 'What is held is what the entry was made for.')
      : bad('保存的原文与条目不符', `What is held is not what the entry was made for: ${wrong}.`),
  )
  const [asker, answerer] =
    entry.kind === 'answered' || entry.kind === 'refused' ? [entry.peer, city.id] : [city.id, entry.peer]
  if (held.question !== undefined)
    findings.push(...message(held.question, types.query, asker, { zh: '查询', en: 'question' }, city))
  if (held.answer === undefined) return findings
  if (isBody(held.answer)) {
    return [
      ...findings,
      open(
        '答复尚无签名（中断所致），其内容与摘要相符',
        'The answer has no signature (a crash came between); its body is the recorded one.',
      ),
    ]
  }
  const typ = isAnswered(entry) ? types.answer : types.refusal
  findings.push(...message(held.answer, typ, answerer, { zh: '答复', en: 'answer' }, city))
  const carried = receiptIn(held.answer)
  const place = entry.kind === 'outcome' ? entry.receipt : receipt
  if (carried !== undefined && place !== undefined) {
    const same = carried.index === place.index && carried.leaf === place.leaf && carried.link === place.link
    findings.push(
      same
        ? good('答复所附回执与日志位置相符', 'The receipt in the answer is of this place in the ledger.')
        : bad('答复所附回执与日志位置不符', 'The receipt in the answer is of another place.'),
    )
  }
  return findings
}

function isAnswered(entry: Entry): boolean {
  return entry.kind === 'answered' || (entry.kind === 'outcome' && entry.outcome === 'answered')
}

/** The signature, and the path of its certificate at the time of signing, with the revocation lists of now. */
function message(token: string, typ: string, signer: string, what: Said, city: City): Finding[] {
  const now = city.now()
  const who = city.members.find(signer)?.name ?? { zh: signer, en: signer }
  try {
    const jws = readJws(token, typ)
    const key = keyOf(jws, signer, city.members)
    if (!proves(jws, key.key)) throw refuse('token.signature')
    const signed = good(
      `${what.zh}的签名有效，由${who.zh}签署`,
      `The signature of the ${what.en} is good, and ${who.en}’s.`,
    )
    return [signed, certified(key, signer, signedAt(jws), what, city, now)]
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return [
      bad(
        `${what.zh}的签名无法证实（${error.public.zh}）`,
        `The signature of the ${what.en} is not proved: ${error.public.en}`,
      ),
    ]
  }
}

function certified(key: CertifiedKey, signer: string, at: number, what: Said, { members }: City, now: number): Finding {
  try {
    proveFormerKey(signer, key, members.anchors, at, now)
    return good(
      `签署${what.zh}时，证书经联盟根证书认证，至今未被吊销`,
      `When the ${what.en} was signed, its certificate led to the federation’s root; it is not revoked.`,
    )
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return bad(
      `签署${what.zh}时的证书路径无法证实`,
      `The certificate’s path at the time of the ${what.en} is not proved: ${error.detail ?? error.code}.`,
    )
  }
}

/** The key that a token names, among those that are or once were the signer's. Throws `token.signature`. */
function keyOf(
  { header: { kid, alg, 'x5t#S256': thumbprint } }: Unproved,
  signer: string,
  members: Members,
): CertifiedKey {
  const current = members.find(signer)?.keys.get(kid)
  const key = current?.thumbprint === thumbprint ? current : members.former(thumbprint)
  if (key === undefined || key.kid !== kid || key.alg !== alg || !bears(key.chain[0], entityOf(signer))) {
    throw refuse('token.signature', 'no such key')
  }
  return key
}

/** Epoch milliseconds; a message without its time was never taken. */
function signedAt({ payload }: Unproved): number {
  const claims: unknown = JSON.parse(decode(payload))
  const iat = typeof claims === 'object' && claims !== null && 'iat' in claims ? claims.iat : undefined
  if (typeof iat !== 'number') throw refuse('token.claims', 'iat')
  return iat * 1000
}
