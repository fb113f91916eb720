/** The shipped agreement of Jiangyin and Huizhou, and the day on which the tests of agreements happen. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agreement } from '#agreement/agreement.ts'

const file = join(import.meta.dirname, '../../federation-config/agreements/jiangyin-huizhou-2026.json')
export const shippedText = readFileSync(file, 'utf8')
export const shipped = Agreement.parse(JSON.parse(shippedText))
export const today = '2026-11-22'
