import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const home = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(home, file), 'utf8')

/** The rows of every table: the id, and the cells after it. */
const rows = [...read('docs/threats.md').matchAll(/^\| (T[0-9]{2}) \| (.*) \|$/gm)].map(([, id = '', cells = '']) => ({
  id,
  cells: cells.split(' | '),
}))

const attacks = readdirSync(join(home, 'test', 'attack'))
  .filter(file => file.endsWith('.test.ts'))
  .flatMap(file => [...read(`test/attack/${file}`).matchAll(/\bit(\.\w+)?(?:\([^)]*\))?\(\s*['`](T[0-9]{2}) /g)])
  .map(([, kind, id = '']) => ({ id, played: kind !== '.todo' && kind !== '.skip' }))

describe('docs/threats.md', () => {
  it('has every row once, in order, with threat, control and proof, in both languages', () => {
    expect(rows.map(({ id }) => id)).toEqual(rows.map((_, i) => `T${String(i + 1).padStart(2, '0')}`))
    for (const { id, cells } of rows) {
      expect(cells, id).toHaveLength(3)
      expect(cells[0], id).toMatch(/[a-z].*\p{Script=Han}/u)
    }
  })

  it('has an attack for every row, and every attack has its row', () => {
    expect(attacks.map(({ id }) => id).sort()).toEqual(rows.map(({ id }) => id))
  })

  it('names only tests that are there', () => {
    for (const { id, cells } of rows) {
      const [, , proof = ''] = cells
      const named = [...proof.matchAll(/`([^`]+)`(?: “([^”]+)”)?/g)]
      expect(named.length, id).toBeGreaterThan(0)
      for (const [, file = '', name = ''] of named) expect(read(file), `${id}: ${file}`).toContain(name)
    }
  })

  it('leaves no attack unplayed', () => {
    expect(attacks.filter(({ played }) => !played).map(({ id }) => id)).toEqual([])
  })
})
