/** What a file of evidence proves, what it does not, and what can be wrong with it, in words for who has never seen a hash. */
import type { Said } from '#protocol/said.ts'

/** What can be wrong with a file, and what it is called; about the file as a whole, or about one entry. */
export const faultWords = {
  malformed: { zh: '格式不符', en: 'not in the form of a file of evidence' },
  truncated: { zh: '文件不完整', en: 'the file is not whole' },
  future: { zh: '文件时间在将来', en: 'the file is of the future' },
  roll: { zh: '成员名册无法核验', en: 'the roll of members does not prove itself' },
  log: { zh: '无法确认日志密钥', en: 'it is not proved whose key the log is signed with' },
  checkpoint: { zh: '检查点签名无效', en: 'the checkpoint is not signed by the log' },
  cosignature: { zh: '副署无效', en: 'a cosignature is not that of the city it names' },
  order: { zh: '条目顺序有误', en: 'entries do not stand in the order of their indexes, each once' },
  entry: { zh: '条目无法读取或属于其他城市', en: 'not an entry of this city in its canonical form' },
  inclusion: { zh: '条目不在检查点之中', en: 'the entry is not in the tree of the checkpoint at this place' },
  link: { zh: '链值不符', en: 'the entry does not follow from the one before it' },
  time: { zh: '时间不符', en: 'the times contradict each other' },
  missing: { zh: '应保存的原文缺失', en: 'signed texts that ought to be held are not there' },
  evidence: { zh: '原文与条目摘要不符', en: 'the texts are not those that the entry was made for' },
  certificate: { zh: '证书无法核验', en: 'the certificate of the key is not there, or does not lead to the root' },
  signature: { zh: '签名无效', en: 'the signature is not that of the key' },
  binding: { zh: '报文与条目或查询不符', en: 'the message says other things than the entry or its question' },
  receipt: { zh: '回执与日志位置不符', en: 'the receipt in the answer is of another place' },
} as const satisfies Record<string, Said>
export type FaultName = keyof typeof faultWords

/** What was looked at of an entry's signed texts; `open`: nothing speaks against it, and nothing is left by which it could be proved. */
export type Look = {
  readonly of: 'texts' | 'question' | 'answer'
  /** The fault that it is, or would be. */
  readonly name: FaultName
  readonly holds: boolean | 'open'
  /** What is wrong, or open. */
  readonly detail: string
}

const texts = {
  texts: { zh: '签名原文', en: 'signed texts' },
  question: { zh: '查询', en: 'question' },
  answer: { zh: '答复', en: 'answer' },
} as const satisfies Record<Look['of'], Said>

/** One look in words; `by` is who is said to have signed. */
export function lookSaid({ of, name, holds, detail }: Look, by: Said): Said {
  const { zh, en } = texts[of]
  if (holds === 'open')
    return {
      zh: '答复尚无签名（中断所致），其内容与摘要相符',
      en: 'The answer has no signature (a crash came between); its body is the recorded one.',
    }
  if (!holds) return { zh: `${zh}：${faultWords[name].zh}`, en: `The ${en}: ${faultWords[name].en} (${detail}).` }
  switch (name) {
    case 'missing':
      return { zh: '应保存的原文齐全', en: 'The texts that belong to the entry are there.' }
    case 'evidence':
      return { zh: '保存的原文与条目中的摘要相符', en: 'What is held is what the entry was made for.' }
    case 'signature':
      return { zh: `${zh}的签名有效`, en: `The signature of the ${en} is good.` }
    case 'time':
      return { zh: `${zh}的签署时间与条目相符`, en: `The ${en} was signed at the time of its entry.` }
    case 'certificate':
      return {
        zh: `签署${zh}的密钥当时由联盟根证书认证为${by.zh}的密钥，至今未被吊销`,
        en: `The key of the ${en} was ${by.en}’s then, certified under the federation’s root, and is not revoked.`,
      }
    case 'receipt':
      return {
        zh: '答复所附回执与日志位置相符',
        en: 'The receipt in the answer is of the place that the exchange has in the ledger.',
      }
    default:
      return of === 'question'
        ? {
            zh: '查询与条目一致：双方、报文编号、协议、目的、事由、主体',
            en: 'The question says what the entry says: who asked whom, message, agreement, purpose, matter, subjects.',
          }
        : {
            zh: '答复针对此查询，结果与条目一致',
            en: 'The answer is to this question, and comes to what the entry says.',
          }
  }
}

/** A city that cosigned, and the instant by its own word. */
export type Cosigned = { readonly city: string; readonly at: string }

/** What was found in a file, in numbers. */
export type Facts = {
  /** Undefined where the file has no header. `names` are those of the roll, by city. */
  readonly of:
    | {
        readonly city: string
        readonly ledger: string
        readonly made: string
        readonly names: Readonly<Record<string, Said>>
      }
    | undefined
  readonly checkpoint: { readonly size: number; readonly cosigned: readonly Cosigned[] } | undefined
  /** Entries; those of which signed texts are in the file, and those whose texts have expired. */
  readonly entries: number
  readonly held: number
  readonly expired: number
  /** Indexes as ranges, both ends included; the instants of the first entry and of the last. */
  readonly ranges: readonly (readonly [number, number])[]
  readonly from: string | undefined
  readonly to: string | undefined
  /** Signed messages that were proved; answers of which only the body is held. */
  readonly questions: number
  readonly answers: number
  readonly unsigned: number
}

/** Ranges of indexes that are told. */
export const RANGES = 100

/** What holds where no fault was found. */
export function provesOf({ of, checkpoint, entries, ranges, questions, answers, unsigned, from, to }: Facts): Said[] {
  if (of === undefined || checkpoint === undefined || from === undefined || to === undefined) return []
  const { size, cosigned } = checkpoint
  const name = (id: string) => of.names[id] ?? { zh: id, en: id }
  const where = ranges.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(', ')
  const said = [
    {
      zh: `${entries} 条（序号 ${where}，${clock(from)} 至 ${clock(to)}）均在${name(of.city).zh}日志 ${of.ledger} 的前 ${size} 条之中，一字未改`,
      en: `${entries} entries (${where}; ${clock(from)} to ${clock(to)}) stand in the log of ${name(of.city).en}, ${of.ledger}, among its first ${size}, to the letter`,
    },
    {
      zh: `${questions} 份查询、${answers} 份答复或拒绝，均由条目所指城市以当时有效、经联盟根证书认证的密钥签署；${unsigned} 份答复未经签署`,
      en: `${questions} questions and ${answers} answers or refusals were signed by the cities that the entries name, with keys that the federation had certified then; ${unsigned} answers were never signed`,
    },
  ]
  if (answers > 0)
    said.push({
      zh: '每份已签署的答复均针对其查询，且与条目的摘要相符',
      en: 'each signed answer is to its question, and what the entry was made for',
    })
  const [first] = cosigned.toSorted((a, b) => (a.at < b.at ? -1 : 1))
  if (first === undefined) return said
  const by = (language: keyof Said) => cosigned.map(({ city, at }) => `${name(city)[language]} (${clock(at)})`)
  said.push({
    zh: `自 ${clock(first.at)} 起，日志的前 ${size} 条未被改写：由 ${by('zh').join('、')} 见证`,
    en: `the first ${size} entries of the log were not rewritten after ${clock(first.at)}, as witnessed by ${by('en').join(', ')}`,
  })
  return said
}

/** What is not proved, whatever was found. */
export function limitsOf({ of, checkpoint, ranges, held, unsigned, expired }: Facts): Said[] {
  const made = of === undefined ? '—' : clock(of.made)
  const said = [
    {
      zh: '各城市的记录本身真实、完整：只证明当时如此问、如此答',
      en: 'that the cities’ own records were right: only that this was asked and answered, then',
    },
    {
      zh: '此外没有其他条目：所选范围由导出方决定，只有连续的序号之间没有遗漏',
      en: 'that there are no other entries: who made the file chose them; only between indexes that follow each other nothing is left out',
    },
    {
      zh: `此后没有证书被吊销：吊销列表以文件制作时（${made}）为准`,
      en: `that no certificate was revoked later: the revocation lists are those of the time of the file (${made})`,
    },
  ]
  if (checkpoint?.cosigned.length === 0)
    said.push({
      zh: '日志未被改写：没有任何城市副署，只凭本市自己的签名不足以证明',
      en: 'that the log was not rewritten: no other city has cosigned it, and its own signature alone does not show that',
    })
  if (expired > 0)
    said.push({
      zh: `${held + expired} 条有原文的条目中，${expired} 条的原文内容：已过保存期，只剩摘要`,
      en: `the words of ${expired} of the ${held + expired} entries that came with signed texts: those have expired, and the digests are left`,
    })
  if (unsigned > 0)
    said.push({
      zh: `${unsigned} 份答复已经签署：因故障中断，只有正文`,
      en: `that ${unsigned} answers were signed: only their bodies are held, since a crash came between`,
    })
  if (ranges.length >= RANGES)
    said.push({
      zh: '全部序号范围：过多，未全部列出',
      en: 'anything by ranges of indexes that are not listed: there are too many',
    })
  return said
}

/** An instant as a day and a time in Asia/Shanghai, to the second. */
function clock(instant: string): string {
  const at = Temporal.Instant.from(instant).toZonedDateTimeISO('Asia/Shanghai')
  return `${at.toPlainDate()} ${at.toPlainTime().toString({ smallestUnit: 'second' })}`
}
