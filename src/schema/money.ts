/** Amounts as exact decimals: a local text in yuan or in 10,000 yuan, and the same amount in yuan; never a binary fraction. */
import { Decimal } from 'decimal.js'

export type Unit = 'yuan' | '10000-yuan'

/** Large enough that no product or quotient by 10,000 of what the wire permits is ever rounded. */
const Exact = Decimal.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 })
const WHOLE = /^[1-9]\d{0,17}$/
const PLAIN = /^-?\d{1,18}(\.\d{1,12})?$/
const GROUPED = /^-?\d{1,3}(,\d{3}){1,5}(\.\d{1,12})?$/
/** What the wire carries (protocol/message.ts): 18 digits before the point and 6 behind it. */
const WHOLE_DIGITS = 18
const DECIMALS = 6

/** Digits of the amount in yuan; undefined where the text is no number, or the wire has no room for all its digits. */
export function amountIn(text: string, unit: Unit): string | undefined {
  // Most amounts are whole yuan, and stand as they are.
  if (unit === 'yuan' && WHOLE.test(text)) return text
  if (!PLAIN.test(text) && !GROUPED.test(text)) return undefined
  const stated = new Exact(text.replaceAll(',', ''))
  const amount = unit === 'yuan' ? stated : stated.times(10_000)
  if (amount.isZero()) return '0'
  if (amount.decimalPlaces() > DECIMALS || amount.e >= WHOLE_DIGITS) return undefined
  return amount.toFixed()
}

/** The local text of an amount in yuan. */
export function amountOut(digits: string, unit: Unit): string | undefined {
  if (!PLAIN.test(digits)) return undefined
  const amount = new Exact(digits)
  return (unit === 'yuan' ? amount : amount.dividedBy(10_000)).toFixed()
}
