/** A key and a certificate are named by the text of a SHA-256, 43 characters to the letter, and by nothing that could pass for one. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { types } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { compact, encode, readJws } from '#trust/jws.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const name = `${'Xq-'.repeat(14)}_`
const good = { alg: 'Ed25519', kid: name, typ: types.query, 'x5t#S256': name } as const

/** What `readJws` makes of a token with this header; it looks at a signature's length alone. */
function codeOf(header: Readonly<Record<string, unknown>>): string {
  const [, payload, signature] = compact(good, '{}', privateKey).token.split('.')
  try {
    readJws(`${encode(JSON.stringify(header))}.${payload}.${signature}`, types.query)
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

describe.each(['kid', 'x5t#S256'])('the header member %s', member => {
  it('is taken in its one form', () => {
    expect(codeOf({ ...good, [member]: name })).toBe('taken')
  })

  it.each([
    ['a character more in front', `a${name}`],
    ['a character more behind', `${name}a`],
    ['a character less', name.slice(1)],
    ['a blank in front', ` ${name.slice(1)}`],
    ['a line feed behind', `${name}\n`],
    ['padding', `${name}=`],
    ['a character of the other base64', `+${name.slice(1)}`],
    ['a list around it', [name]],
    ['a list of lists around it', [[name]]],
    ['an object around it', { [name]: name }],
    ['nothing in it', ''],
    ['a number', 4],
    ['null', null],
    ['no value at all', undefined],
  ])('is refused with %s', (_, value) => {
    expect(codeOf({ ...good, [member]: value })).toBe('token.header')
  })
})

describe('the header member alg', () => {
  it.each([
    ['a list around it', ['Ed25519']],
    ['a list of lists around it', [['Ed25519']]],
    ['an object around it', { Ed25519: true }],
    ['a blank behind', 'Ed25519 '],
    ['a method of every object', 'toString'],
  ])('is refused with %s', (_, alg) => {
    expect(codeOf({ ...good, alg })).toBe('token.algorithm')
  })
})
