/** Codes that a city writes otherwise than all others are shared as all others write them, and written back as it does. */

/**
 * `twelve-digits`: a division code (GB/T 2260) filled up with zeros, as Zhejiang writes it; shared, it has six digits.
 * `lower-case`: a unified or organisation code (GB 32100, GB 11714) in small letters; shared, it is in capitals.
 */
export const spellings = ['twelve-digits', 'lower-case'] as const
export type Spelling = (typeof spellings)[number]

const COUNTY = /^[0-9]{6}$/
/** A code below the county has other digits behind the sixth, and keeps them. */
const PADDED = /^[0-9]{6}0{6}$/
const CODE = /^(?:[0-9A-Z]{9}|[0-9A-Z]{18})$/i

/** The shared form of a local text; a text that is no such code is given back as it stands. */
export function shareSpelling(text: string, spelling: Spelling): string {
  if (spelling === 'twelve-digits') return PADDED.test(text) ? text.slice(0, 6) : text
  return CODE.test(text) ? text.toUpperCase() : text
}

/** The local text of a shared form; a text that is no such code is given back as it stands. */
export function writeSpelling(text: string, spelling: Spelling): string {
  if (spelling === 'twelve-digits') return COUNTY.test(text) ? `${text}000000` : text
  return CODE.test(text) ? text.toLowerCase() : text
}
