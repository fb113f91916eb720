/** A table of texts as a CSV file that a Chinese Excel opens as it is: UTF-8 with its mark, no cell that computes, no code that becomes a number. */

/** Byte order mark: without it Excel reads the file in the code page of the machine. */
export const BOM = '\ufeff'

/** What a spreadsheet takes for the beginning of a formula, in the narrow and in the wide forms that an input method writes. */
const FORMULA = /^[\s\u00a0\u3000]*[=+\-@＝＋－＠|%]|^[\t\r\n]/
/** Digits so many that a spreadsheet rounds them, or writes them as a power of ten. */
const LONG_NUMBER = /^\d{11,}$|^\d+[eE]\d+$/

/**
 * One line, ended by CRLF (RFC 4180). Every cell is quoted. A text that a spreadsheet would compute gets an apostrophe before
 * it; one that it would take for a number that is none, a tab, which it does not show and which keeps the cell a text.
 */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(cell).join(',')}\r\n`
}

function cell(text: string): string {
  const kept = FORMULA.test(text) ? `'${text}` : LONG_NUMBER.test(text) ? `\t${text}` : text
  return `"${kept.replaceAll('"', '""')}"`
}
