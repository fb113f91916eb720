/** No text leaves with the number of a person, a telephone or an account in it, nor with the name of who is behind a firm. */
import type { Value } from '#protocol/message.ts'
import { maskPersonalNumbers, type SubjectKind } from '#protocol/subject.ts'
import { look, NAME, NUMBER, PERSONAL } from './look.ts'
import { hideBareName, hideNames, LONGEST_BARE } from './names.ts'
import { hideLikelyNumbers, hideNumbers } from './numbers.ts'
import { hideOperator } from './operator.ts'

/**
 * The text with what may not leave replaced by asterisks, one for one, and nothing else changed; the very same text where it
 * holds nothing. To mask too much does no harm, but for the codes of firms and the numbers of documents. Source: domain rules 2.4
 * and 5; GB 11643.
 */
export function maskText(text: string): string {
  return masked(text, true)
}

/** The same for a text that is the number of a document: what but looks like a card or a telephone is part of it. */
function maskDocument(text: string): string {
  return masked(text, false)
}

/** A day: several stand in every record, and it is too short to be a number of anybody. */
const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/

function masked(text: string, free: boolean): string {
  if (text.length === 10 && DAY.test(text)) return text
  const seen = look(text)
  if (seen === 0) return text
  let hidden = text
  // Each is looked for in the whole text: a part of one may have the form of another, and none may unmake it.
  if ((seen & NUMBER) !== 0) {
    hidden = hideNumbers(text)
    if (free) hidden = either(hidden, hideLikelyNumbers(text))
  }
  if ((seen & PERSONAL) !== 0) hidden = either(hidden, maskPersonalNumbers(text))
  return (seen & NAME) === 0 ? hidden : hideNames(hidden)
}

/** Two maskings of one text, an asterisk for each character that either hides. */
function either(one: string, other: string): string {
  if (one === other) return one
  const others = [...other]
  return [...one].map((character, i) => (character === '*' ? character : (others[i] ?? character))).join('')
}

/** A value as it may leave; the very same value where there is nothing to mask. */
export function maskValue(value: Value): Value {
  if (typeof value === 'string') return maskText(value)
  if ('original' in value) {
    const original = maskText(value.original)
    return original === value.original ? value : { ...value, original }
  }
  if ('untranslated' in value) {
    const untranslated = maskText(value.untranslated)
    return untranslated === value.untranslated ? value : { untranslated }
  }
  // A column of telephones can be mapped as amounts; no fine of a city has eleven digits and begins like one.
  const amount = maskText(value.amount)
  return amount === value.amount ? value : { untranslated: amount }
}

/** Fields that hold the code of an office or the number of a document, and nothing else. */
const NUMBERED = new Set([
  ...['number', 'document', 'certificateNumber', 'authorityCode', 'sourceCode', 'division', 'agreement', 'notice'],
])

/** The value of a field of a record about a party of this kind, as it may leave or be printed; the very same where nothing has to go. */
export function maskField(value: Value, field: string, kind: SubjectKind | undefined): Value {
  if (field === 'holder' && typeof value === 'string') return maskHolder(value, kind)
  const open = maskValue(value)
  return open !== value && typeof value === 'string' && NUMBERED.has(field) ? maskDocument(value) : open
}

/** The name of a party as it may leave: where it is a person's own it may not. */
export function maskHolder(text: string, kind: SubjectKind | undefined): string {
  const open = maskText(text)
  // Under the code of an individual business stands its own name, or that of who runs it: what is no name of a business is his.
  if (kind === 'individual-business') return hideOperator(open)
  return text.length > LONGEST_BARE && (look(text) & NAME) === 0 ? open : hideBareName(open)
}
