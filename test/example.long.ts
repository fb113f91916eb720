/** Makes the worked example of docs/protocol.md anew, from the claims that it shows and the agreement that is shipped: `node test/example.long.ts`. */
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Agreement } from '#agreement/agreement.ts'
import { scopeOf } from '#agreement/authorise.ts'
import { canonical, digest, sha256 } from '#protocol/canonical.ts'
import { Answer, Query, types } from '#protocol/message.ts'
import { vocabulary } from './schema/cities.ts'

const home = join(import.meta.dirname, '..')
const file = join(home, 'docs', 'protocol.md')
let text = readFileSync(file, 'utf8')

const block = (title: string) => new RegExp(`(\\*\\*${title}\\*\\*[^\`]*\`\`\`\\w*\\n)([\\s\\S]*?)(\\n\`\`\`)`)
const shown = (title: string): unknown => JSON.parse(block(title).exec(text)?.[2] ?? '')
const show = (title: string, content: string) => {
  text = text.replace(block(title), (_, before: string, __: string, after: string) => `${before}${content}${after}`)
}

const texts = z.record(z.string(), z.string())
/** The private key of RFC 7515 appendix A.3, which everybody has. */
const key = createPrivateKey({
  key: { ...texts.parse(shown('Key')), d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' },
  format: 'jwk',
})
const header = texts.parse(shown('Header of the question'))
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function signed(typ: string, claims: unknown) {
  const input = `${part({ ...header, typ })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return { input, lines: `${input}.${signature}`.replaceAll(/(.{110})(?=.)/g, '$1\n') }
}

const id = 'jiangyin-huizhou-2026'
const agreement = Agreement.parse(
  JSON.parse(readFileSync(join(home, `federation-config/agreements/${id}.json`), 'utf8')),
)
const named = { id, digest: digest(agreement) }

const question = Query.parse(shown('Claims of the question'))
question.agreement = named
const asked = signed(types.query, question)
show('Claims of the question', JSON.stringify(question, null, 2))
show('Question', asked.lines)
text = text.replace(/Its `req_hash` is `[\w-]{43}`/, `Its \`req_hash\` is \`${sha256(asked.input)}\``)

const { answer, receipt, ...bound } = Answer.parse(shown('Claims of the answer'))
const { iss: to, aud: from, purpose, want } = question
const { withheld } = scopeOf(
  { text: agreement, digest: named.digest, begins: 0, ends: 0 },
  { from, to, purpose, want },
  vocabulary,
)
// The body in its canonical order, as a gateway writes it.
const body: unknown = JSON.parse(canonical({ ...answer, agreement: named, withheld: [...withheld] }))
const claims = { answer: body, ...bound, req_hash: sha256(asked.input), receipt }
show('Claims of the answer', JSON.stringify(claims, null, 2))
show('Answer', signed(types.answer, claims).lines)
writeFileSync(file, text)
