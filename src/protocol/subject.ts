/** A subject is an enterprise, an individual business or a co-operative, named by its unified social credit code; a person is never one. */
import { refuse } from './refusal.ts'

declare const checked: unique symbol
/** 统一社会信用代码, 18 characters of GB 32100-2015, upper case. Only `readSubject` makes one. */
export type Uscc = string & { readonly [checked]: 'uscc' }

/** 企业 · 个体工商户 · 农民专业合作社, by the second character of the code (91, 92, 93). */
export const subjectKinds = ['enterprise', 'individual-business', 'cooperative'] as const
export type SubjectKind = (typeof subjectKinds)[number]

export type Subject = {
  readonly uscc: Uscc
  readonly kind: SubjectKind
  /** Set where a check character is wrong though codes of this series were really issued so: pass, but confirm by name. */
  readonly doubt?: 'check-character'
}

const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
const ORGANISATION_WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2]
const IDENTITY_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
const USCC_FORM = /^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$/
/** 17 zeros and X stand in real double-publicity rows for "no code". */
const PLACEHOLDER = '00000000000000000X'
/** The early series of the M0 block was issued with check characters that do not follow the standard. */
const KNOWN_NONCONFORMING = /^9[123][0-9]{6}M000/
const KINDS: Readonly<Record<string, SubjectKind>> = {
  '91': 'enterprise',
  '92': 'individual-business',
  '93': 'cooperative',
}

/**
 * Reads a code as a person types it (spaces at the ends, lower case).
 * Throws `subject.person` for an identity number (15 or 18 digits of GB 11643, right check digit or not),
 * `subject.check` for a wrong check character, `subject.kind` for a code outside 91, 92 and 93, and
 * `subject.malformed` for the rest. Never puts the value into the error.
 */
export function readSubject(text: string): Subject {
  const code = text.trim().toUpperCase()
  const wellFormed = USCC_FORM.test(code) && code !== PLACEHOLDER
  const conforming = wellFormed && isConforming(code)
  const kind = KINDS[code.slice(0, 2)]
  // By chance one identity number in 341 also passes as a code, and those of foreigners' cards begin like ours: a text that
  // is a whole identity number, its check digit too, is never taken for a firm.
  if (passesIdentityCheck(code) || (!(conforming && kind) && isIdentityNumber(code))) throw refuse('subject.person')
  if (!wellFormed) throw refuse('subject.malformed')
  if (!conforming && !(kind && KNOWN_NONCONFORMING.test(code))) throw refuse('subject.check')
  if (kind === undefined) throw refuse('subject.kind', `codes that begin with ${code.slice(0, 2)}`)
  const uscc = code as Uscc
  return conforming ? { uscc, kind } : { uscc, kind, doubt: 'check-character' }
}

/** Whether both check characters are right (GB 32100-2015, GB 11714). */
function isConforming(code: string): boolean {
  return usccCheck(code) === code[17] && organisationCheck(code.slice(8, 16)) === code[16]
}

/** Character 18 of a code from its first 17 (GB 32100-2015 annex A); a remainder of 0 gives '0', which many validators miss. */
function usccCheck(code: string): string {
  let sum = 0
  for (const [i, weight] of WEIGHTS.entries()) sum += ALPHABET.indexOf(code.charAt(i)) * weight
  return ALPHABET.charAt((31 - (sum % 31)) % 31)
}

/** Character 9 of an organisation code from its first 8 (GB 11714); it stands again at position 17 of the USCC. */
function organisationCheck(body: string): string {
  let sum = 0
  for (const [i, weight] of ORGANISATION_WEIGHTS.entries()) sum += Number.parseInt(body.charAt(i), 36) * weight
  return '0123456789X'.charAt((11 - (sum % 11)) % 11)
}

/**
 * Gives a code its two check characters; for fictional companies of tests and demos, which need codes that pass.
 * Takes the first 16 characters: kind, division, and 8 of the organisation code.
 */
export function completeUscc(first16: string): string {
  const body = first16 + organisationCheck(first16.slice(8))
  return body + usccCheck(body)
}

/** Whether a text is, or is a slip of the pen away from, a resident identity number (GB 11643): its date is a date. */
export function isIdentityNumber(text: string): boolean {
  const match =
    /^[1-9][0-9]{5}(?:((?:18|19|20)[0-9]{2})|([0-9]{2}))(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}([0-9X])?$/i.exec(
      text,
    )
  if (match === null) return false
  const [, longYear, shortYear, , , check] = match
  return longYear !== undefined ? check !== undefined : shortYear !== undefined && check === undefined
}

/** Between the digits of one number people write blanks and any sign, but for the brackets around the year of a document. */
export const BETWEEN = '[[\\s\\p{Cf}\\p{P}\\p{S}]--[〔〕]]'
const DIGIT = '[\\p{Nd}①-⑨⓪〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸]'
/** Eleven digits of any script or width, with not more than two of those between each: nothing shorter is looked at. */
const ENOUGH = new RegExp(`(?:${DIGIT}${BETWEEN}{0,2}){11}`, 'v')
/** The same, roughly and fast, for digits of ours and in Chinese writing; what is written in another script is looked at whole. */
const FEW = '0-9０-９〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸①-⑨⓪'
const NEAR = new RegExp(`[${FEW}](?:[^${FEW}]{0,2}[${FEW}]){10}`)
const UNUSUAL = /[^\t-\u024f\u2000-\u206f\u2190-\u22ff\u2460-\u9fff\uff00-\uffef]/
const GROUP = new RegExp(`${DIGIT}${DIGIT}*[XxＸｘ]?|(?<=${DIGIT}${BETWEEN}{1,2})[XxＸｘ]`, 'gv')
const GAP = new RegExp(`^${BETWEEN}{0,2}$`, 'v')
/** A time of a day, as databases write it. */
const MOMENT =
  /(?<![0-9])(?:19|20)[0-9]{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12][0-9]|3[01])[ T]{1,2}(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?![0-9])/
/** An amount in threes with its fen or its unit behind it, below a thousand billion. */
const AMOUNT = /(?<![0-9,])[0-9]{1,3}(?:,[0-9]{3}){1,3}(?:\.[0-9]{1,2}(?![0-9])|(?=\s?[元万萬亿億]))/
/** What is no number of anybody, though its digits might be. */
const FIGURE = new RegExp(`${MOMENT.source}|${AMOUNT.source}`, 'g')
const HAN: ReadonlyMap<string, number> = new Map(
  ['〇一二三四五六七八九', '零壹贰叁肆伍陆柒捌玖', '零壹貳參肆伍陸柒捌玖'].flatMap(row =>
    [...row].map((c, i) => [c, i] as const),
  ),
)
/** The digits that characters stand for, in any script; one for one. */
function digitsOf(text: string): string {
  const digit = (c: string) => HAN.get(c) ?? (/\p{Nd}/u.test(c) ? valueOfDigit(c) : c.normalize('NFKC').toUpperCase())
  return [...text].map(digit).join('')
}
/** What a decimal digit of any script counts for: in each they stand in runs of ten, the mathematical ones back to back. */
function valueOfDigit(character: string): number {
  const at = character.codePointAt(0) ?? 0
  if (at >= 0x1d7ce && at <= 0x1d7ff) return (at - 0x1d7ce) % 10
  let value = 0
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(at - value - 1))) value++
  return value
}
/** Groups of digits that may make one number: +86 138 1234 5678, 110101 19900307 7758, or each digit by itself. */
const GROUPS = 19

/** Whether a free text holds an identity number or a mobile number, however its digits are written. */
export function holdsPersonalNumber(text: string): boolean {
  return maskPersonalNumbers(text) !== text
}

/**
 * The text with the digits of identity and mobile numbers replaced by asterisks, one for one, and nothing else changed; the
 * very same text where it holds none. An identity number counts with a wrong check digit too: to mask too much does no harm.
 */
export function maskPersonalNumbers(text: string): string {
  if (text.length < 11 || (!NEAR.test(text) && !UNUSUAL.test(text)) || !ENOUGH.test(text)) return text
  const open = text.replace(FIGURE, figure => '元'.repeat(figure.length))
  const groups = [...open.matchAll(GROUP)].map(({ 0: found, index }) => ({ found, index, end: index + found.length }))
  let masked = ''
  let done = 0
  for (let first = 0; first < groups.length; first++) {
    const last = lastOfPersonal(open, groups, first)
    if (last === undefined) continue
    for (const { found, index, end } of groups.slice(first, last + 1)) {
      masked += text.slice(done, index) + asterisks(found)
      done = end
    }
    first = last
  }
  return done === 0 ? text : masked + text.slice(done)
}

type Group = { readonly found: string; readonly index: number; readonly end: number }

/** The last of the groups that make a person's number together with this first one; undefined where none do. */
function lastOfPersonal(text: string, groups: readonly Group[], first: number): number | undefined {
  let digits = ''
  let whole: number | undefined
  for (let last = first; last < groups.length && last < first + GROUPS; last++) {
    const { found = '', index = 0 } = groups[last] ?? {}
    if (last > first && !GAP.test(text.slice(groups[last - 1]?.end, index))) return whole
    digits += digitsOf(found)
    if (isPersonal(digits)) whole = last
  }
  return whole
}

function isPersonal(digits: string): boolean {
  const mobile = /^(?:(?:00)?86|0)?1[3-9][0-9]{9}$/.test(digits)
  // Glued to what stands beside it: 扫描件2026110101199003077758.
  const windows = digits.length > 18 && digits.length < 40 ? Array.from(digits, (_, i) => digits.slice(i, i + 18)) : []
  if (windows.some(passesIdentityCheck)) return true
  if (mobile || (digits.length === 15 && isIdentityNumber(digits))) return true
  return digits.length === 18 && isIdentityNumber(digits) && (passesIdentityCheck(digits) || !isConforming(digits))
}

function passesIdentityCheck(text: string): boolean {
  if (text.length !== 18 || !isIdentityNumber(text)) return false
  let sum = 0
  for (const [i, weight] of IDENTITY_WEIGHTS.entries()) sum += Number(text[i]) * weight
  return '10X98765432'[sum % 11] === text[17]?.toUpperCase()
}

/** As many asterisks as a text has characters. */
export function asterisks(text: string): string {
  return '*'.repeat([...text].length)
}
