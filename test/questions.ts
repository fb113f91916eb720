/** Huizhou's means to load Jiangyin from outside of this process: its connection, and signed questions of which none is like another. */
import { randomUUIDv7 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { digest } from '#protocol/canonical.ts'
import { type Query, types } from '#protocol/message.ts'
import { readIdentity } from '../src/configuration.ts'
import { callerTls, type Federation } from '../src/federation.ts'
import { agreementId } from './federation.ts'

export async function questions(federation: Federation, about: Pick<Query, 'subjects' | 'want'>) {
  const { settings } = federation.city('huizhou')
  const { keys, members } = await readIdentity(settings, Date.now, [])
  if (keys === undefined || members === undefined) throw new Error('no keys')
  const text: unknown = JSON.parse(readFileSync(join(settings.config, 'agreements', `${agreementId}.json`), 'utf8'))
  const agreement = { id: agreementId, digest: digest(text) }
  const question = () => {
    const iat = Math.floor(Date.now() / 1000)
    const claims: Query = {
      iss: 'huizhou',
      aud: 'jiangyin',
      iat,
      nbf: iat,
      exp: iat + 60,
      jti: randomUUIDv7(),
      agreement,
      purpose: 'tendering',
      matter: '惠招〔2026〕118号',
      ...about,
    }
    return { jti: claims.jti, token: keys.signer(types.query, JSON.stringify(claims)).token }
  }
  return { question, tls: callerTls(keys, members) }
}
