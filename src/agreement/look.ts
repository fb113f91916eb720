/** One look at each character of a text tells which of the dear searches can find anything in it; what it rules out, none of them would find. */
import { BETWEEN } from '#protocol/subject.ts'
import { DOTS, isSign, maySign } from './names.ts'

/** Six digits that may make one number: of ours or full-width, with no more than two blanks, dashes or brackets between. */
export const NUMBER = 1
/** Eleven digits, of any writing, that may make one number: that of a person. */
export const PERSONAL = 2
/** The word of a role, behind which a name may stand, or another sign of one. */
export const NAME = 4

const INK = 0
const DIGIT = 1
const HAN_DIGIT = 2
const GAP = 3
const SIGN = 4
/** It stands between the parts of a name as well as of a number. */
const DOT = 5
/** What is looked at by nobody here: it may be a digit of any script. */
const UNUSUAL = 6

/** Where maskPersonalNumbers looks at a text whole, whatever stands in it. */
const ODD = /[^\t-\u024f\u2000-\u206f\u2190-\u22ff\u2460-\u9fff\uff00-\uffef]/
const GAPS = new RegExp(BETWEEN, 'v')
const classes: readonly (readonly [kind: number, has: (character: string) => boolean])[] = [
  [UNUSUAL, character => ODD.test(character)],
  [DIGIT, character => /[0-9０-９]/.test(character)],
  [HAN_DIGIT, character => /[①-⑨⓪〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸]/.test(character)],
  [DOT, character => DOTS.includes(character)],
  [GAP, character => GAPS.test(character)],
  [SIGN, maySign],
]
const KINDS = Uint8Array.from({ length: 0x10000 }, (_, code) => {
  const character = String.fromCharCode(code)
  return classes.find(([, has]) => has(character))?.[0] ?? INK
})

/**
 * Texts in which nothing stands. Offices, laws, lists and words stand in record after record, and to find a text again costs less
 * than to look at it; nothing about a person is ever kept here.
 */
const clean = new Set<string>()
const KEPT = 4096
const KEPT_LENGTH = 64

/** What may stand in a text: the sum of the constants above. */
export function look(text: string): number {
  if (clean.has(text)) return 0
  const seen = scan(text)
  if (seen === 0 && text.length <= KEPT_LENGTH) {
    if (clean.size >= KEPT) clean.clear()
    clean.add(text)
  }
  return seen
}

function scan(text: string): number {
  let seen = 0
  // How many digits stand together here, without and with those in Chinese writing, and how much is between the last two.
  let ours = 0
  let any = 0
  let gap = 0
  for (let i = 0; i < text.length; i++) {
    const kind = KINDS[text.charCodeAt(i)]
    if (kind === DIGIT || kind === HAN_DIGIT) {
      gap = 0
      ours = kind === DIGIT ? ours + 1 : 0
      any++
      if (ours >= 6) seen |= NUMBER
      if (any >= 11) seen |= PERSONAL
    } else if ((kind === GAP || kind === DOT) && gap < 2) {
      if (kind === DOT) seen |= NAME
      gap++
    } else {
      ours = 0
      any = 0
      if (kind === DOT || (kind === SIGN && isSign(text, i))) seen |= NAME
      else if (kind === UNUSUAL) seen |= NUMBER | PERSONAL
    }
  }
  return seen
}
