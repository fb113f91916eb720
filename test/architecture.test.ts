import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = join(import.meta.dirname, '..', 'src')
/** What each room may import from; a room that is not named may not exist. */
const below: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  trust: ['protocol'],
  schema: ['protocol'],
  source: ['protocol'],
  ledger: ['protocol'],
  agreement: ['protocol', 'trust', 'schema'],
  exchange: ['protocol', 'trust', 'schema', 'source', 'ledger', 'agreement'],
  console: ['protocol', 'trust', 'schema', 'source', 'ledger', 'agreement', 'exchange'],
}
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
const textOf = (file: string) => readFileSync(join(src, file), 'utf8')

describe('the house', () => {
  it.each(files)('%s imports only downwards, its own room by ./ and others by #', file => {
    const room = file.includes('/') ? file.slice(0, file.indexOf('/')) : undefined
    for (const [, target = ''] of textOf(file).matchAll(/(?:from|import) '([.#][^']+)'/g)) {
      if (target.startsWith('.')) expect(target).toMatch(/^\.\/[a-z0-9-]+\.ts$/)
      else if (room !== undefined) expect(below[room]).toContain(target.slice(1, target.indexOf('/')))
    }
  })

  it.each(files)('%s opens with a sentence that promises something', file => {
    expect(textOf(file).replace(/^#!.*\n/, '')).toMatch(/^\/\*\*[\s\S]{40,}?[.:;]/)
  })

  it('makes each proof of a stage in one place only', () => {
    const makers = {
      Disclosure: 'agreement/disclose.ts',
      Permission: 'agreement/authorise.ts',
      Outgoing: 'trust/sign.ts',
      Uscc: 'protocol/subject.ts',
    }
    for (const [proof, maker] of Object.entries(makers)) {
      expect(files.filter(file => new RegExp(`as ${proof}\\b`).test(textOf(file)))).toEqual([maker])
    }
    expect(files.filter(file => /as Verified</.test(textOf(file)))).toEqual(['trust/verify.ts'])
  })

  it('reads the environment in settings.ts alone', () => {
    expect(files.filter(file => textOf(file).includes('process.env'))).toEqual(['settings.ts'])
  })

  it('has no switch that turns a check off', () => {
    const sure = /rejectUnauthorized: false|NODE_TLS_REJECT|skip[A-Z]\w*(Check|Verif)|insecure|allowPerson/
    expect(files.filter(file => sure.test(textOf(file)))).toEqual([])
  })
})
