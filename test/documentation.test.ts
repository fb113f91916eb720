import { createPublicKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { digest, sha256 } from '#protocol/canonical.ts'
import { readJson } from '#protocol/json.ts'
import { Answer, Query, types } from '#protocol/message.ts'
import { refusalCodes, refusals } from '#protocol/refusal.ts'
import { decode, proves, readJws } from '#trust/jws.ts'

const home = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(home, file), 'utf8')
const protocol = read('docs/protocol.md')

describe('docs/protocol.md', () => {
  it('lists every refusal code with its status and public text, and no other', () => {
    const [, listed = ''] = /<!-- refusals:begin -->\n([\s\S]*?)<!-- refusals:end -->/.exec(protocol) ?? []
    const rows = refusalCodes.map(
      code => `| \`${code}\` | ${refusals[code].status} | ${refusals[code].zh} | ${refusals[code].en} |\n`,
    )
    expect(listed).toBe(`| code | status | 中文 | English |\n|---|---|---|---|\n${rows.join('')}`)
  })

  const [, example = ''] = /<!-- example:begin -->\n([\s\S]*?)<!-- example:end -->/.exec(protocol) ?? []
  const block = (title: string) =>
    new RegExp(`\\*\\*${title}\\*\\*[^\`]*\`\`\`\\w*\\n([\\s\\S]*?)\\n\`\`\``).exec(example)?.[1] ?? ''
  const token = (title: string) => block(title).replaceAll(/\s/g, '')
  const key = createPublicKey({ key: JSON.parse(block('Key')), format: 'jwk' })

  it('shows a question whose every byte is what the text says', async () => {
    const question = readJws(token('Question'), types.query)
    expect(proves(question, key)).toBe(true)
    expect(decode(question.payload)).toBe(JSON.stringify(JSON.parse(block('Claims of the question'))))
    expect(Query.safeParse(readJson(decode(question.payload))).error).toBeUndefined()
    expect(example).toContain(sha256(question.signingInput))
    expect(question.header.kid).toBe(await calculateJwkThumbprint(JSON.parse(block('Key'))))
  })

  it('names the agreement that is shipped: `node test/example.long.ts` makes the example anew', () => {
    const { id, digest: stated } = JSON.parse(block('Claims of the question')).agreement
    expect(stated).toBe(digest(JSON.parse(read(`federation-config/agreements/${id}.json`))))
  })

  it('shows an answer that is bound to that question', () => {
    const question = readJws(token('Question'), types.query)
    const answer = readJws(token('Answer'), types.answer)
    expect(proves(answer, key)).toBe(true)
    const claims = Answer.parse(readJson(decode(answer.payload)))
    expect(claims).toEqual(JSON.parse(block('Claims of the answer')))
    expect([claims.req_jti, claims.req_hash]).toEqual([
      readJson(decode(question.payload))['jti'],
      sha256(question.signingInput),
    ])
  })
})

describe('docs/dependencies.md', () => {
  it('has a line for every dependency, and for nothing else', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'))
    const lines = [...read('docs/dependencies.md').matchAll(/^\| (@?[a-z][\w./-]*) \|/gm)]
      .map(([, name]) => name)
      .filter(name => name !== 'package')
    expect(lines.sort()).toEqual([...Object.keys(dependencies), ...Object.keys(devDependencies)].sort())
  })
})

describe('every document', () => {
  it.each(
    ['README.md', ...readdirSync(join(home, 'docs')).map(file => `docs/${file}`)].filter(file => file.endsWith('.md')),
  )('%s links only to what is there', file => {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      expect(() => readFileSync(join(home, file, '..', target)), target).not.toThrow(/ENOENT/)
    }
  })
})
