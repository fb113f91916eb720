import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatted, readAgreement } from '#agreement/agreement.ts'
import { digest } from '#protocol/canonical.ts'
import type { Fault } from '#protocol/fault.ts'

const folder = join(import.meta.dirname, '..', '..', 'federation-config', 'agreements')
const texts = readdirSync(folder)
  .filter(file => file.endsWith('.json'))
  .map(file => readFileSync(join(folder, file), 'utf8'))

describe('an agreement', () => {
  it.each(texts)('that says nothing of confidentiality keeps its text and its digest (case %#)', text => {
    const faults: Fault[] = []
    const agreement = readAgreement(text, 'agreement', faults)
    expect(faults).toEqual([])
    expect(Object.keys(agreement ?? {})).not.toContain('confidential')
    expect(digest(agreement)).toBe(digest(JSON.parse(text)))
  })

  it.each(texts)('that demands confidentiality is another agreement, with another digest (case %#)', text => {
    const faults: Fault[] = []
    const agreement = readAgreement(formatted({ ...JSON.parse(text), confidential: true }), 'agreement', faults)
    expect(faults).toEqual([])
    expect(agreement?.confidential).toBe(true)
    expect(digest(agreement)).not.toBe(digest(JSON.parse(text)))
  })

  it.each([false, 'true', 1, null])('that says confidential is %j is not read', confidential => {
    const faults: Fault[] = []
    expect(readAgreement(formatted({ ...JSON.parse(texts[0] ?? ''), confidential }), 'x', faults)).toBeUndefined()
    expect(faults.map(({ path }) => path)).toEqual(['confidential'])
  })
})
