import { describe, expect, it } from 'vitest'
import { openKept } from '../../src/console/kept.ts'

const answerOf = (matter: string) => ({
  kind: 'answer' as const,
  at: 0,
  department: '招标办',
  matter,
  answer: { city: 'jiangyin', schema: { version: '1', assumed: false }, purpose: 'tendering', peers: [] },
})

describe('what is kept for a while', () => {
  it('is found again by who put it there, as what it is, and by nobody else', () => {
    const kept = openKept()
    const id = kept.put('wang', answerOf('1'))
    expect(kept.answer('wang', id)?.matter).toBe('1')
    expect(kept.answer('wang', id)?.matter).toBe('1')
    expect(kept.answer('li', id)).toBeUndefined()
    expect(kept.report('wang', id)).toBeUndefined()
    expect(kept.answer('wang', undefined)).toBeUndefined()
    expect(kept.put('wang', answerOf('1'))).not.toBe(id)
  })

  it('is never more than so many: the oldest makes room', () => {
    const kept = openKept()
    const ids = Array.from({ length: 70 }, (_, i) => kept.put('wang', answerOf(String(i))))
    expect(ids.filter(id => kept.answer('wang', id) !== undefined)).toEqual(ids.slice(-64))
  })

  it('is never more than so much in memory', () => {
    const kept = openKept()
    const large = 'x'.repeat(24 * 1024 * 1024)
    const ids = Array.from({ length: 4 }, () => kept.put('wang', answerOf(large)))
    expect(ids.filter(id => kept.answer('wang', id) !== undefined)).toEqual(ids.slice(-2))
  })
})
