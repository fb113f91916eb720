/** What a list entry says of itself in words, whatever list it stands on: that it was made by counting, or that it is a lesser matter raised. */
import type { Value } from '#protocol/message.ts'
import { simplified } from './simple.ts'

type Fields = Readonly<Record<string, Value>>
type Said = {
  /** 系统自动归集: made by thresholds. */
  readonly counted: boolean
  /** It speaks of a breach of a commitment, a first or a minor offence. */
  readonly lesser: boolean
}

const COUNTED = /自动(?:加入|列入|转入|归集|生成|计算|认定|判定)/
const BREACH =
  /(?:未(?:按|能?履行|兑现|遵守)|不履行|违反|违背)[^。；;]{0,12}承诺|(?:虚假|失信)承诺|承诺(?:书|事项)?[^。；;]{0,6}(?:未履行|未兑现|违约|不实|未整改)/
const MINOR = /首违不罚|首次(?:轻微)?违法|初次违法|情节(?:显著)?轻微|后果轻微|轻微(?:失信|违法)/
/** Each of them has one of these characters, and few entries have any. */
const TELLING = /[动動诺諾违違轻輕]|[\u2e80-\u2fdf\uf900-\ufaff]/
const NOTHING: Said = { counted: false, lesser: false }

/** The gates ask the same of one entry several times in a row. */
let last: { readonly fields: Fields; readonly said: Said } | undefined

/** Judges all texts of an entry together, in simplified characters. Pure. */
export function saidBy(fields: Fields): Said {
  if (last?.fields === fields) return last.said
  const texts = [wordOf(fields['reason']), wordOf(fields['result']), wordOf(fields['name']), wordOf(fields['remark'])]
  const said = texts.some(text => TELLING.test(text)) ? judged(texts.join('。')) : NOTHING
  last = { fields, said }
  return said
}

function judged(text: string): Said {
  // Compatibility forms of characters are folded as well.
  const words = simplified(text.normalize('NFKC'))
  return { counted: COUNTED.test(words), lesser: BREACH.test(words) || MINOR.test(words) }
}

/** The city's own word of a value. */
export function wordOf(value: Value | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  return 'untranslated' in value ? value.untranslated : 'original' in value ? value.original : ''
}
