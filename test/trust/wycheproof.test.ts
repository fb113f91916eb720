import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Refusal } from '#protocol/refusal.ts'
import { readJwk } from '#trust/jwk.ts'
import { proves, readCompact } from '#trust/jws.ts'
import { describeVectors } from '../vectors.ts'

const Jwk = z.looseObject({ kid: z.string().optional(), keys: z.undefined().optional() })
const Keys = z.union([
  z.strictObject({ keys: z.array(Jwk) }).transform(({ keys }) => keys),
  Jwk.transform(key => [key]),
])
/** A JSON serialization is judged as the text that would be sent. */
const Token = z.union([z.string(), z.looseObject({}).transform(json => JSON.stringify(json))])
const Group = z.looseObject({
  comment: z.string(),
  public: Keys.optional(),
  private: Keys,
  tests: z.array(z.looseObject({ tcId: z.int(), jws: Token.optional(), jwe: Token.optional(), result: z.string() })),
})
const File = z.looseObject({ numberOfTests: z.int(), testGroups: z.array(Group) })

type Case = {
  readonly id: number
  readonly group: string
  readonly valid: boolean
  readonly token: string
  readonly keys: z.infer<typeof Keys>
}

function casesIn(path: string): Case[] {
  const { numberOfTests, testGroups } = File.parse(JSON.parse(readFileSync(path, 'utf8')))
  const cases = testGroups.flatMap(group =>
    group.tests.map(({ tcId, jws, jwe, result }) => ({
      id: tcId,
      group: group.comment,
      valid: result !== 'invalid',
      token: jws ?? jwe ?? '',
      keys: group.public ?? group.private,
    })),
  )
  expect(cases).toHaveLength(numberOfTests)
  return cases
}

/** What becomes of a token under the keys of its group: `verified`, `unproved`, or the code of the refusal. */
function outcome({ token, keys }: Case): string {
  try {
    const jws = readCompact(token)
    const candidates = keys.filter(({ kid }) => jws.header['kid'] === undefined || jws.header['kid'] === kid)
    const proved = candidates.some(jwk => {
      const { key, alg } = readJwk(jwk)
      return alg === jws.header.alg && proves(jws, key)
    })
    return proved ? 'verified' : 'unproved'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const secret = 'HMAC: whoever can verify could have signed, so it proves nothing to a third party'
const rsa = 'RSA signs no messages here; it is left to certificates'
const p521 = 'P-521 is not in the registry (and ES521 is no name in any)'
/** Every valid case that is refused: its group, the code, how many there are, and why. */
const refused: Readonly<Record<string, readonly (readonly [string, string, number, string])[]>> = {
  json_web_signature_test: [
    ['hs256', 'token.algorithm', 1, secret],
    ['rs256', 'token.algorithm', 6, rsa],
    ['rs384', 'token.algorithm', 4, rsa],
    ['rs512', 'token.algorithm', 4, rsa],
    ['ps256', 'token.algorithm', 6, rsa],
    ['ps384', 'token.algorithm', 4, rsa],
    ['ps512', 'token.algorithm', 4, rsa],
    ['rfc7520', 'token.algorithm', 5, `RS256, PS256, HS256 twice, and ES521: ${p521}`],
    ['rfc7520WithKeyOps', 'token.algorithm', 3, `RS256, PS256, and ES521: ${p521}`],
    ['base64', 'token.algorithm', 5, secret],
    ['base64', 'form.base64', 2, 'a question mark inside, which a lenient reader passes over and we do not'],
  ],
  json_web_key_test: [
    ['jws_keyset', 'token.algorithm', 1, secret],
    ['rs256', 'token.algorithm', 1, rsa],
    ['HS256', 'token.algorithm', 1, secret],
    ['HS384', 'token.algorithm', 1, secret],
    ['HS512', 'token.algorithm', 1, secret],
  ],
  json_web_crypto_test: [
    ['jws_aes', 'token.algorithm', 1, secret],
    ['jws_rsa', 'token.algorithm', 1, rsa],
    ['jws_keyset', 'token.algorithm', 1, secret],
    ['jwe_aes', 'form.compact', 1, 'encrypted: five parts are no signed message'],
    ['jwe_ec', 'form.compact', 1, 'encrypted: five parts are no signed message'],
  ],
}
const verified: Readonly<Record<string, readonly number[]>> = {
  json_web_signature_test: [18, 378],
  json_web_key_test: [],
  json_web_crypto_test: [18],
}

describeVectors('wycheproof/testvectors_v1', 'the signatures and keys of Wycheproof', path => {
  describe.each(Object.entries(refused))('in %s', (name, table) => {
    const cases = casesIn(join(path, `${name}.json`))

    it('that must not verify do not', () => {
      expect(cases.filter(each => !each.valid && outcome(each) === 'verified')).toEqual([])
    })

    it('that are of the registry verify', () => {
      expect(cases.filter(each => outcome(each) === 'verified').map(({ id }) => id)).toEqual(verified[name])
    })

    it('that are valid are refused for the reasons of a table alone', () => {
      const tally = new Map<string, number>()
      for (const each of cases) {
        const result = outcome(each)
        const row = `${each.group} ${result}`
        if (each.valid && result !== 'verified') tally.set(row, (tally.get(row) ?? 0) + 1)
      }
      expect(Object.fromEntries(tally)).toEqual(
        Object.fromEntries(table.map(([group, code, count]) => [`${group} ${code}`, count])),
      )
    })
  })

  it('give a key for the one purpose that its own members name', () => {
    const groups = File.parse(JSON.parse(readFileSync(join(path, 'json_web_key_test.json'), 'utf8'))).testGroups
    const read = (jwk: unknown) => {
      try {
        return readJwk(jwk).alg
      } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
      }
    }
    const judged = groups.flatMap(({ comment, ...group }) =>
      (group.public ?? group.private).map(jwk => [comment, read(jwk)]),
    )
    expect(judged.filter(([, result]) => result !== 'token.claims')).toEqual([['jws_mixedSymmetryKeyset', 'ES256']])
    const [, es256] = File.parse(
      JSON.parse(readFileSync(join(path, 'json_web_signature_test.json'), 'utf8')),
    ).testGroups
    expect([es256?.public?.map(read), es256?.private.map(read)]).toEqual([['ES256'], ['token.claims']])
  })
})

const MlDsa = z.looseObject({
  numberOfTests: z.int(),
  testGroups: z.array(
    z.looseObject({
      publicKey: z.string(),
      tests: z.array(
        z.looseObject({
          tcId: z.int(),
          msg: z.string(),
          ctx: z.string().optional(),
          sig: z.string(),
          result: z.string(),
        }),
      ),
    }),
  ),
})

describeVectors(
  'wycheproof/testvectors_v1/mldsa_65_verify_test.json',
  'the ML-DSA-65 signatures of Wycheproof',
  path => {
    const { numberOfTests, testGroups } = MlDsa.parse(JSON.parse(readFileSync(path, 'utf8')))
    const cases = testGroups.flatMap(({ publicKey, tests }) => tests.map(test => ({ ...test, publicKey })))
    const isProved = ({ publicKey, msg, sig }: (typeof cases)[number]) => {
      try {
        const pub = Buffer.from(publicKey, 'hex').toString('base64url')
        const { key, alg } = readJwk({ kty: 'AKP', alg: 'ML-DSA-65', pub })
        const signingInput = Buffer.from(msg, 'hex').toString('latin1')
        return proves({ header: { alg }, payload: '', signingInput, signature: Buffer.from(sig, 'hex') }, key)
      } catch (error) {
        if (error instanceof Refusal) return false
        throw error
      }
    }

    it('verify where they are valid, and only there; two have a context, which RFC 9964 does not provide for', () => {
      expect(cases).toHaveLength(numberOfTests)
      const valid = cases.filter(({ result }) => result === 'valid')
      const wrong = cases.filter(each => isProved(each) !== (each.result === 'valid'))
      expect(
        wrong.map(({ tcId, ctx, result }) => ({ tcId, result, context: ctx !== '' && ctx !== undefined })),
      ).toEqual([
        { tcId: 3, result: 'valid', context: true },
        { tcId: 4, result: 'valid', context: true },
      ])
      expect(valid).toHaveLength(79)
    })
  },
)
