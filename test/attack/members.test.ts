/** Attacks with stolen, foreign or withdrawn keys, one for each row of docs/threats.md: who is who is proved twice, by two keys. */

import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Agreement, formatted, signAgreement } from '#agreement/agreement.ts'
import { digest, sha256 } from '#protocol/canonical.ts'
import { RefusalMessage, types } from '#protocol/message.ts'
import { signRoll } from '../../src/office.ts'
import { makeMember, makeRoot } from '../certificates.ts'
import { agreementId, claimsIn, type Running, runFederation } from '../federation.ts'
import {
  asking,
  connection,
  genuine,
  handmade,
  head,
  headerOf,
  heard,
  outcome,
  served,
  standIn,
  toldAsStranger,
} from './attacker.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation({ peerTimeout: 700 })
})
afterAll(() => running[Symbol.asyncDispose]())

/** All that Jiangyin says to a genuine question over a connection made so; nothing where there is none. */
async function saidOver(options: ConnectionOptions): Promise<string> {
  const token = await genuine(running)
  const socket = await connection(running, options)
  const said = heard(socket)
  if (socket.writable) socket.write(head(`content-length: ${token.length}\r\nconnection: close\r\n\r\n${token}`))
  return said
}

/** Gives a function that waits until a question that Huizhou signs with its keys of now is told this code. */
async function asker(run: Running): Promise<(code: string) => Promise<void>> {
  const { keys } = await run.identity('huizhou')
  await served(run)
  const ask = async () => {
    const claims = JSON.stringify(run.claims('huizhou', 'jiangyin'))
    return (await run.post('huizhou', 'jiangyin', keys.signer(types.query, claims).token)).text
  }
  return code => vi.waitFor(async () => expect(await ask()).toContain(`"${code}"`), { timeout: 15_000, interval: 200 })
}

/** Has the office sign a roll without Huizhou. */
async function expel(run: Running): Promise<void> {
  const { office } = run.federation
  rmSync(join(office.config, 'members', 'huizhou.json'))
  await signRoll(office, 30, Date.now())
}

describe('an attacker', () => {
  it('T20 with a stolen transport key can sign nothing, and speak for nobody else', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { keys } = await running.identity('huizhou')
    const header = headerOf(await genuine(running))
    const told = (token: string) => toldAsStranger(running, () => running.post('huizhou', 'jiangyin', token))
    expect(await told(handmade(header, running.claims('huizhou', 'jiangyin'), privateKey))).toBe('token.signature')
    expect(await told(handmade(header, running.claims('jiangyin', 'jiangyin'), privateKey))).toBe('token.transport')
    // Nor does it sign by itself: it is certified for connections, and for nothing else.
    const transport = createPrivateKey(keys.transport.keyPem)
    expect(await told(handmade(header, running.claims('huizhou', 'jiangyin'), transport))).toBe('token.signature')
    const named = { ...header, 'x5t#S256': sha256(new X509Certificate(keys.transport.pem).raw) }
    expect(await told(handmade(named, running.claims('huizhou', 'jiangyin'), transport))).toBe('token.signature')
  })

  it('T21 with a stolen signing key has no connection to use it over', async () => {
    const token = await genuine(running)
    expect(await toldAsStranger(running, () => running.post('jiangyin', 'jiangyin', token))).toBe('token.transport')
    const { settings } = running.federation.city('huizhou')
    const key = readFileSync(join(settings.keys, 'signing.pem'), 'utf8')
    const cert = readFileSync(join(settings.certs, 'huizhou-signing.pem'), 'utf8')
    expect(await saidOver({ key, cert })).not.toContain(' 200 ')
    expect((await running.post('huizhou', 'jiangyin', token)).status).toBe(200)
  })

  it('T22 at the address of a city, with the certificate of another, is not spoken to', async () => {
    await using place = await standIn(running, async () => ({ body: '' }), { shown: 'huizhou' })
    expect(await outcome(running)).toEqual(['unknown', 'peer.unreachable'])
    expect(place.questions()).toBe(0)
  })

  it('T23 without a certificate of the federation, or below TLS 1.3, is not served', async () => {
    const root = await makeRoot()
    const foreign = await makeMember({ city: 'huizhou', kind: 'tls', issuer: root })
    const alone = await makeMember({ city: 'huizhou', kind: 'tls' })
    const none = { key: undefined, cert: undefined } satisfies ConnectionOptions
    for (const options of [
      none,
      { key: foreign.key, cert: foreign.certificate + root.certificate },
      { key: alone.key, cert: alone.certificate },
      { maxVersion: 'TLSv1.2' } as const,
    ])
      expect(await saidOver(options)).toBe('')
    expect(await saidOver({})).toContain(' 200 ')
  })

  it('T24 with keys whose certificates were revoked is refused as soon as the list is there, over connections that are open too', async () => {
    for (const use of ['signing', 'transport']) {
      await using run = await runFederation()
      const told = await asker(run)
      const { folder, authority } = run.federation
      const { name, pem } = await authority.revoke([readFileSync(join(folder, 'certs', `huizhou-${use}.pem`), 'utf8')])
      writeFileSync(join(folder, 'certs', 'crls', name), pem)
      await told('token.certificate')
    }
  })

  it('T25 who keeps newer revocation lists from us finds us refusing, and saying so, once the last one has ended', async () => {
    await using run = await runFederation()
    const told = await asker(run)
    const { name, pem } = await run.federation.authority.revoke([], -0.01)
    writeFileSync(join(run.federation.folder, 'certs', 'crls', name), pem)
    await told('token.certificate')
    const ready = await fetch(`${run.gateway('jiangyin').insideUrl}/health/ready`)
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining('"check":"revocation-lists","ok":false'),
    ])
  })

  it('T26 who was a member until it was expelled is refused without a restart, and asked no more', async () => {
    await using run = await runFederation()
    const told = await asker(run)
    await expel(run)
    await told('token.issuer')
    const { body } = await run.ask('jiangyin', { ...asking, peer: 'huizhou', subjects: ['91441300195971850Y'] })
    expect(body.peers?.[0]?.outcome ?? body.code).not.toBe('answered')
  })

  it('T27 who puts an older roll of members in place of the newer is not heard, nor after a restart', async () => {
    let log = ''
    const out = new Writable({
      write(chunk, _, done) {
        log += String(chunk)
        done()
      },
    })
    await using run = await runFederation({ log: pino(out) })
    const { config } = run.federation.city('jiangyin').settings
    const told = await asker(run)
    const older = readFileSync(join(config, 'roll.json'))
    await expel(run)
    await told('token.issuer')
    writeFileSync(join(config, 'roll.json'), older)
    await vi.waitFor(() => expect(log).toContain('older than the one that we hold'), 10_000)
    await told('token.issuer')
    await run.stop('jiangyin')
    for (const end of ['json', 'jiangyin.jws', 'huizhou.jws'])
      rmSync(join(config, 'agreements', `${agreementId}.${end}`))
    await run.start('jiangyin')
    await told('token.issuer')
  })

  it('T28 who edits an agreement at one city, signed by that city alone, stops that city and moves no other', async () => {
    const { config } = running.federation.city('jiangyin').settings
    const at = (file: string) => join(config, 'agreements', file)
    const saved = join(running.federation.folder, 'saved')
    cpSync(join(config, 'agreements'), saved, { recursive: true })
    const text: Agreement = JSON.parse(readFileSync(at(`${agreementId}.json`), 'utf8'))
    const wider: Agreement = { ...text, quota: { ...text.quota, subjectsPerDay: 99_999_999 } }
    const { keys } = await running.identity('jiangyin')
    await running.stop('jiangyin')
    try {
      writeFileSync(at(`${agreementId}.json`), formatted(wider))
      await expect(running.start('jiangyin')).rejects.toThrow(agreementId)
      writeFileSync(at(`${agreementId}.jiangyin.jws`), `${signAgreement(wider, keys.signer)}\n`)
      await expect(running.start('jiangyin')).rejects.toThrow(`${agreementId}.huizhou.jws`)
    } finally {
      rmSync(join(config, 'agreements'), { recursive: true })
      cpSync(saved, join(config, 'agreements'), { recursive: true })
      await running.start('jiangyin')
    }
    // And who asks under the text that it would like to have is refused under signature.
    const {
      status,
      type,
      text: refusal,
    } = await running.query('huizhou', 'jiangyin', {
      agreement: { id: agreementId, digest: digest(wider) },
    })
    expect([status, type]).toEqual([403, `application/${types.refusal}`])
    expect(RefusalMessage.parse(claimsIn(refusal)).refusal.code).toBe('agreement.digest')
  })
})

it('the two cities speak to each other after all of them', () => served(running))
