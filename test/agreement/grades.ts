/** Grades of dishonesty and kinds of penalty as a table states them: one, or several of which one holds. */
import type { Value } from '#protocol/message.ts'

export const graded = (code: string): Value => ({ code, original: code })
export const either = (...codes: string[]): Value => ({ codes, ambiguous: true, original: codes.join('或') })
