/** Huizhou's means to load Jiangyin from outside of this process: its connection, and signed questions of which none is like another. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { digest } from '#protocol/canonical.ts'
import { type Query, types } from '#protocol/message.ts'
import { readIdentity } from '../src/configuration.ts'
import { callerTls, type Federation } from '../src/federation.ts'
import { agreementId, goodQuestion } from './federation.ts'

export async function questions(federation: Federation, about: Pick<Query, 'subjects' | 'want'>) {
  const { settings } = federation.city('huizhou')
  const { keys, members } = await readIdentity(settings, Date.now, [])
  if (keys === undefined || members === undefined) throw new Error('no keys')
  const text: unknown = JSON.parse(readFileSync(join(settings.config, 'agreements', `${agreementId}.json`), 'utf8'))
  const agreement = { id: agreementId, digest: digest(text) }
  const question = () => {
    const claims = { ...goodQuestion('huizhou', 'jiangyin', agreement), matter: '惠招〔2026〕118号', ...about }
    return { jti: claims.jti, token: keys.signer(types.query, JSON.stringify(claims)).token }
  }
  return { question, tls: callerTls(keys, members) }
}
